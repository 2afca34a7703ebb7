//! Putting a store's closed hours into its bucket.
//!
//! Files first, then what is derived from them, the head last: that put commits all of it. Whatever dies in between, what
//! was put is found to be there the next time, and nothing is put twice.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use emp_catalog::{ArchiveCatalog, IndexingPace};
use emp_store::{
    ArchiverLock, Checksum, Going, Hour, Layout, Partition, SealedName, StoreError, check_sum, settle_hours,
    settled_hours,
};

use super::address::Address;
use super::derived::{Derived, Kept, derive};
use super::error::BucketError;
use super::head::{Dropped, HEAD, Head, Object};
use super::records;
use super::remote::{Changed, Remote, Sum};
use super::runtime::wait;
use super::sending::{OnFile, Put, Source, send};
use super::state::{State, folder};

/// What nothing refers to any more stays that long: a question that read an older head may be about to open it.
const DROPPED_MS: i64 = 3_600_000;

/// How an archiver works.
#[derive(Clone)]
pub struct Settings {
    /// How files are read for the index.
    pub pace: IndexingPace,
    /// So many files are on their way at the same time.
    pub at_once: usize,
    /// The prefix is taken over from whoever wrote there before.
    pub take_over: bool,
    /// Told of each file that is there, and of its size.
    pub on_file: OnFile,
}

/// Puts the closed hours of one store into one bucket.
pub struct Archiver {
    pub(crate) layout: Layout,
    pub(crate) settings: Settings,
    pub(crate) remote: Arc<Remote>,
    state: State,
    pub(crate) head: Head,
    pub(crate) catalog: ArchiveCatalog,
    pub(crate) folder: PathBuf,
    pub(crate) records: Vec<Object>,
    /// What was derived and lies in no folder here.
    pub(crate) kept: Kept,
    /// Whatever head is there is written over.
    pub(crate) is_rebuilding: bool,
    /// Files that are damaged here.
    left_out: HashSet<PathBuf>,
    _lock: ArchiverLock,
}

/// What one step has come to.
#[derive(Debug, Default)]
pub struct Step {
    /// How many files of events are there since then.
    pub files: u64,
    /// How many events they hold.
    pub events: u64,
    /// How many bytes they are.
    pub bytes: u64,
    /// What was left out, and why.
    pub left_out: Vec<StoreError>,
    /// There is more to be done.
    pub is_more: bool,
}

/// What waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Files of hours that are over.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The oldest of these hours.
    pub oldest: Option<Hour>,
}

impl Backlog {
    pub(crate) fn of(files: &[Partition]) -> Self {
        Self {
            files: files.len() as u64,
            bytes: files.iter().map(|file| file.bytes).sum(),
            oldest: files.first().map(|file| file.hour),
        }
    }
}

impl Archiver {
    /// Looks what is in the bucket.
    ///
    /// # Errors
    /// [`BucketError::Foreign`] where another store is there; else what the bucket or the folder refused.
    pub fn open(layout: &Layout, address: &Address, settings: Settings) -> Result<Self, BucketError> {
        Self::open_at(layout, || Remote::open(address).map(Arc::new), settings)
    }

    /// The same of a bucket to which the way is known.
    pub(crate) fn open_at(
        layout: &Layout,
        way: impl FnOnce() -> Result<Arc<Remote>, BucketError>,
        settings: Settings,
    ) -> Result<Self, BucketError> {
        let lock = Self::lock(layout)?;
        let remote = way()?;
        let address = &remote.address().clone();
        let known = State::read(layout, address);
        let mut state = known.unwrap_or_else(State::new);
        let head = match read_head(&remote)? {
            None => Head { store: state.store.clone(), ..Head::default() },
            Some(head) if settings.take_over => {
                (state.store, state.nonces) = (head.store.clone(), vec![head.nonce.clone()]);
                head
            }
            Some(head) => {
                is_ours(address, &state, &head)?;
                head
            }
        };
        let catalog = ArchiveCatalog::load(layout, &folder(layout, address));
        let mut archiver = Self::new(layout, settings, remote, (state, head, catalog), lock);
        archiver.bring_up_to_head()?;
        Ok(archiver)
    }

    /// One at a time puts hours of a store there.
    pub(crate) fn lock(layout: &Layout) -> Result<ArchiverLock, BucketError> {
        let lock = ArchiverLock::take(layout)?;
        lock.ok_or_else(|| BucketError::Busy { store: layout.root().display().to_string() })
    }

    pub(crate) fn new(
        layout: &Layout,
        settings: Settings,
        remote: Arc<Remote>,
        (state, head, catalog): (State, Head, ArchiveCatalog),
        lock: ArchiverLock,
    ) -> Self {
        let (folder, layout) = (folder(layout, remote.address()), layout.clone());
        let (records, left_out, kept) = (Vec::new(), HashSet::new(), Kept::default());
        let is_rebuilding = false;
        Self {
            layout,
            settings,
            remote,
            state,
            head,
            catalog,
            folder,
            records,
            kept,
            is_rebuilding,
            left_out,
            _lock: lock,
        }
    }

    /// What is there by the head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// What was known of the bucket here may be behind, or ahead by what was never committed: the head decides.
    fn bring_up_to_head(&mut self) -> Result<(), BucketError> {
        let remote = Arc::clone(&self.remote);
        if let Some(object) = self.head.records.clone() {
            let bytes = wait(async move { remote.get_checked(&object.name, object.sum()).await })?;
            self.records = records::decode(&bytes, &self.remote.place("_catalog"))?;
        }
        if super::derived::is_current(&self.head, &self.catalog)? {
            return Ok(());
        }
        let objects: Vec<Object> = self.head.parts.iter().map(|part| part.facts.clone()).collect();
        let parts = super::fetching::get_all(&self.remote, objects)?;
        let damaged = |error: std::io::Error| BucketError::Damaged {
            place: self.remote.place("_catalog"),
            detail: error.to_string(),
        };
        self.catalog.restore(&parts).map_err(damaged)?;
        for run in self.catalog.runs() {
            let Some(object) = self.head.run(run.run).cloned() else { continue };
            if Sum::of_file(&run.path).is_ok_and(|sum| sum == object.sum()) {
                continue;
            }
            let remote = Arc::clone(&self.remote);
            let bytes = wait(async move { remote.get_checked(&object.name, object.sum()).await })?;
            write(&self.layout, &run.path, &bytes)?;
        }
        self.catalog.save()?;
        Ok(())
    }

    /// What waits to be put there.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be listed.
    pub fn backlog(&self, now_ms: i64) -> Result<Backlog, StoreError> {
        let known = self.known();
        let mut files = settled_hours(&self.layout, now_ms)?;
        let kept_from_ms = self.head.kept_from_ms.unwrap_or(i64::MIN);
        files.retain(|file| file.hour.end_ms() > kept_from_ms && !known.contains(&key(file)));
        Ok(Backlog::of(&files))
    }

    fn known(&self) -> HashSet<(Hour, SealedName)> {
        self.catalog.files().iter().map(key).collect()
    }

    /// Puts up to about `most` files there, the oldest first, and commits them.
    ///
    /// # Errors
    /// What the bucket or the folder refused. What was put until then is found the next time.
    pub fn step(&mut self, now_ms: i64, most: usize) -> Result<Step, BucketError> {
        let known = self.known();
        let left_out = &self.left_out;
        let kept_from_ms = self.head.kept_from_ms.unwrap_or(i64::MIN);
        let wanted = |file: &Partition| {
            file.hour.end_ms() > kept_from_ms && !known.contains(&key(file)) && !left_out.contains(&file.path)
        };
        let hours = || known.iter().map(|(hour, _)| *hour).collect::<BTreeSet<_>>().into_iter().collect();
        let (mut files, is_more) =
            settle_hours(&self.layout, now_ms, &Going { is_wanted: &wanted, hours_before: &hours, most })?;
        let mut step = Step { is_more, ..Step::default() };
        let sums = self.take_whole(&mut files, &mut step)?;
        let new_records = records::find_new(&self.layout, &self.records)?;
        let has_old = self.head.dropped.iter().any(|one| one.since_ms + DROPPED_MS <= now_ms);
        if files.is_empty() && new_records.is_empty() && !has_old {
            return Ok(step);
        }
        let puts = files.iter().zip(&sums).map(|(file, sum)| Put {
            name: name_of(file),
            source: Source::File(file.path.clone()),
            sum: *sum,
        });
        let of_records = new_records.iter().map(|(object, path)| Put {
            name: object.name.clone(),
            source: Source::File(path.clone()),
            sum: object.sum(),
        });
        send(&self.remote, puts.chain(of_records).collect(), self.settings.at_once, &self.settings.on_file)?;
        let before = self.catalog.events();
        self.catalog.add(&files, self.settings.pace)?;
        self.catalog.save()?;
        self.records.extend(new_records.into_iter().map(|(object, _)| object));
        self.commit(now_ms, Vec::new())?;
        step.files = files.len() as u64;
        step.bytes = files.iter().map(|file| file.bytes).sum();
        step.events = self.catalog.events().saturating_sub(before);
        Ok(step)
    }

    /// Leaves out what is damaged here: it would be damaged there for ever.
    fn take_whole(&mut self, files: &mut Vec<Partition>, step: &mut Step) -> Result<Vec<Sum>, BucketError> {
        let mut sums = Vec::with_capacity(files.len());
        let mut failed = None;
        files.retain(|file| {
            let summed = check_sum(&file.path).and_then(|sum| match sum {
                Checksum::Broken => Err(StoreError::Damaged {
                    path: file.path.clone(),
                    detail: "it is not as it was written".to_owned(),
                }),
                Checksum::Holds | Checksum::Missing => Sum::of_file(&file.path).map_err(|source| StoreError::Io {
                    action: "read",
                    path: file.path.clone(),
                    source,
                }),
            });
            match summed {
                Ok(sum) => {
                    sums.push(sum);
                    true
                }
                Err(error @ StoreError::Damaged { .. }) => {
                    self.left_out.insert(file.path.clone());
                    step.left_out.push(error);
                    false
                }
                Err(error) => {
                    failed.get_or_insert(error);
                    false
                }
            }
        });
        failed.map_or(Ok(sums), |error| Err(error.into()))
    }

    /// Puts what is derived, and the head.
    pub(crate) fn commit(&mut self, now_ms: i64, gone: Vec<String>) -> Result<(), BucketError> {
        let Derived { mut head, puts } = derive(&self.layout, &self.catalog, &self.head, (&self.records, &self.kept))?;
        send(&self.remote, puts, self.settings.at_once, &(Arc::new(|_: &Path, _| ()) as OnFile))?;
        let needed: HashSet<&str> = head.derived().map(|object| object.name.as_str()).collect();
        let unused = self.head.derived().map(|object| object.name.clone());
        let new = unused.chain(gone).map(|name| Dropped { name, since_ms: now_ms });
        let mut dropped: Vec<Dropped> = Vec::new();
        for one in self.head.dropped.iter().cloned().chain(new) {
            if !needed.contains(one.name.as_str()) && !dropped.iter().any(|known| known.name == one.name) {
                dropped.push(one);
            }
        }
        let (old, dropped): (Vec<Dropped>, Vec<Dropped>) =
            dropped.into_iter().partition(|one| one.since_ms + DROPPED_MS <= now_ms);
        let files = self.catalog.files();
        head.generation = self.head.generation + 1;
        head.written_ms = now_ms;
        head.files = files.len() as u64;
        head.bytes = files.iter().map(|file| file.bytes).sum();
        head.events = self.catalog.events();
        head.last_hour = files.last().map(|file| format!("{} {}", file.hour.date(), file.hour.hour()));
        head.dropped = dropped;
        self.put_head(head)?;
        // Nothing refers to them, and did not an hour ago. What cannot be removed now is found by `verify`.
        let remote = Arc::clone(&self.remote);
        wait(async move {
            for one in old {
                if let Err(error) = remote.delete(&one.name).await {
                    tracing::warn!("left behind: {error}");
                }
            }
        });
        Ok(())
    }

    /// Puts the head, if nobody else has since the last look.
    fn put_head(&mut self, mut head: Head) -> Result<(), BucketError> {
        let there = if self.is_rebuilding { None } else { read_head(&self.remote)? };
        let is_first = there.is_none();
        if let Some(there) = &there {
            is_ours(self.remote.address(), &self.state, there)?;
        }
        let mut state = self.state.clone();
        state.nonces = there.map(|head| head.nonce).into_iter().collect();
        head.nonce = state.add_nonce();
        state.write(&self.layout, self.remote.address())?;
        self.state = state;
        let (remote, bytes, is_rebuilding) = (Arc::clone(&self.remote), head.encode(), self.is_rebuilding);
        let put = wait(async move {
            if is_first && !is_rebuilding {
                remote.put_once(HEAD, bytes).await
            } else {
                remote.put_over(HEAD, bytes).await
            }
        });
        // Only looking tells: the answer may have been lost, or a server may not know conditions.
        if is_first || put.is_err() {
            match read_head(&self.remote)? {
                Some(there) if there.nonce == head.nonce => {}
                Some(there) => {
                    is_ours(self.remote.address(), &self.state, &there)?;
                    put?;
                }
                None => put?,
            }
        }
        self.head = head;
        Ok(())
    }

    /// Where what is known about the bucket is kept here.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// The head that is there now.
pub(crate) fn read_head(remote: &Arc<Remote>) -> Result<Option<Head>, BucketError> {
    let asked = Arc::clone(remote);
    match wait(async move { asked.get_if_changed(HEAD, None).await }) {
        Err(BucketError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
        Ok(Changed::Unchanged) => Ok(None),
        Ok(Changed::Now(bytes, _)) => {
            Head::decode(&bytes).map(Some).map_err(|detail| BucketError::Damaged { place: remote.place(HEAD), detail })
        }
    }
}

fn is_ours(address: &Address, state: &State, head: &Head) -> Result<(), BucketError> {
    if head.store != state.store {
        let (theirs, ours) = (head.store.clone(), state.store.clone());
        return Err(BucketError::Foreign { address: address.to_string(), theirs, ours });
    }
    if !state.nonces.contains(&head.nonce) {
        return Err(BucketError::Twice { address: address.to_string() });
    }
    Ok(())
}

pub(crate) fn key(file: &Partition) -> (Hour, SealedName) {
    (file.hour, file.name.clone())
}

/// The name of the object that a file becomes.
pub(crate) fn name_of(file: &Partition) -> String {
    let name = file.name.with_extension("parquet");
    format!("date={}/hour={}/{name}", file.hour.date(), file.hour.hour())
}

pub(crate) fn write(layout: &Layout, path: &Path, bytes: &[u8]) -> Result<(), BucketError> {
    let written = emp_store::write_derived(layout, path, |file| std::io::Write::write_all(file, bytes));
    written.map_err(|source| BucketError::Io { action: "write", path: path.to_owned(), source })
}
