//! What a query may skip: what is known about each sealed file, and an index of the ids and the words in them.
//!
//! All of it is learned from the files and can be deleted at any time. Each look at the store
//! compares it with what the folders hold now: a file that is not the one it was learned from is
//! learned anew, so that nothing is ever taken from the catalog that the files do not say.
//!
//! A store of many years has more files than a look can ask the system about. There a question looks at the last
//! [`LOOKED_AT_MIN`] files, at each day whose own folder has changed, as it does with all that this program writes,
//! and at each day whose files it needs ([`Catalog::list_recent`]). What another program did to older days in any other
//! way is found as they are looked at, and two hours later at the latest.

mod archive;
mod closed;
mod facts;
mod folders;
mod head;
mod ids;
mod index;
mod parts;
mod saved;
mod sealed;
mod shared;
mod sharing;
mod stamp;
mod summary;
mod values;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use archive::{ArchiveCatalog, RunFile};
pub use closed::{ClosedDay, ClosedDays};
pub use facts::{BOUNDED_COLUMNS, Facts, ROWS_AT_ONCE_MAX};
pub use ids::{IdScope, Indexed};
pub use index::IndexingPace;
pub use sealed::{Sealed, SealedFiles};
pub use shared::SharedJobs;
pub use summary::Times;
pub use values::VALUE_COLUMNS;

use emp_system::{all_threads, at_once, for_each_share, share};
use facts::Knowledge;
use folders::KnownFile;
use head::Looked;
use saved::Saved;
pub use saved::{Storage, whole_body, with_checksum};

use emp_store::{Away, Hour, Layout, Partition, Released, StoreError, listed_before, visible_partitions};

/// What is known about the sealed files of a store.
#[derive(Debug)]
pub struct Catalog {
    layout: Layout,
    storage: Storage,
    saved: Saved,
    has_learned: bool,
    /// Runs that nothing refers to from the next time on that this is saved.
    retired_runs: Vec<u64>,
    /// Runs that no saved catalog refers to yet.
    unsaved_runs: BTreeSet<u64>,
    /// Runs are merged before there are more of a kind than that.
    runs_max: usize,
    /// So many files are looked at by each question, the last ones.
    looked_at_min: usize,
    /// It is kept in one file.
    is_in_one: bool,
    /// What is known about files that lie elsewhere, or what keeps it from being known.
    cold: Option<std::io::Result<Vec<Cold>>>,
}

/// What is known about files that lie elsewhere, in one place.
#[derive(Debug)]
struct Cold {
    saved: Saved,
    away: Arc<dyn Away>,
}

/// So many files each question looks at, whether it needs them or not: those of more than a year, where each hour has one.
pub const LOOKED_AT_MIN: usize = 10_000;
/// Each costs a question two reads.
const RUNS_MAX: usize = 8;
const DAY_MS: i64 = 24 * 3_600_000;
/// So often a folder is looked at anew while files go from it.
const LOOKS_MAX: usize = 5;

/// A file was listed, and is gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is gone", .0.display())]
pub struct MissingFile(pub PathBuf);

impl Catalog {
    /// What was saved about the store; nothing, where that is missing, damaged, or of another
    /// version.
    pub fn load(layout: &Layout) -> Self {
        let storage = Storage::of(layout);
        let saved = Saved::load(&storage).or_else(|| storage.load_whole()).unwrap_or_default();
        let cold = layout.away().map(|away| {
            let places = Arc::clone(away).each();
            let known = at_once(&places, |away| away.known().and_then(|parts| Saved::of_parts(&parts)));
            places.into_iter().zip(known).map(|(away, saved)| Ok(Cold { saved: saved?, away })).collect()
        });
        Self { cold, ..Self::with(layout, storage, saved, RUNS_MAX) }
    }

    fn with(layout: &Layout, storage: Storage, saved: Saved, runs_max: usize) -> Self {
        Self {
            layout: layout.clone(),
            storage,
            saved,
            has_learned: false,
            retired_runs: Vec::new(),
            unsaved_runs: BTreeSet::new(),
            runs_max,
            looked_at_min: LOOKED_AT_MIN,
            is_in_one: false,
            cold: None,
        }
    }

    /// Every sealed file that is there now, by hour, writer and first ID, the longer range first.
    /// What is in the partitions and is not ours goes to `skipped`.
    ///
    /// # Errors
    /// [`StoreError`] where a folder cannot be listed.
    pub fn list(&mut self, skipped: &mut Vec<StoreError>) -> Result<Vec<Partition>, StoreError> {
        let (root, now) = (self.layout.root(), Looked::now());
        self.has_learned |= self.saved.folders.look(root, &self.saved.parts)?;
        self.has_learned |= self.saved.looked.is_to_be_noted(now);
        self.saved.looked = now;
        let here = self.saved.folders.partitions(root, skipped);
        match &self.cold {
            None => Ok(here),
            Some(Ok(cold)) => Ok(with_cold(cold, here, root, skipped)),
            // Its message alone can be told twice.
            Some(Err(error)) => Err(StoreError::Elsewhere(error.to_string())),
        }
    }

    /// As [`Self::list`], but where a store has more than [`LOOKED_AT_MIN`] files, those of its last days alone, and of
    /// days whose folder has changed. Of the others [`Self::closed`] tells, and [`Self::list_days`] lists them.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub fn list_recent(&mut self, skipped: &mut Vec<StoreError>) -> Result<Vec<Partition>, StoreError> {
        // Files that have left the folder are told from those in it by all of them.
        let has_left = self.cold.is_some() || Released::read(&self.layout).map_or(true, |left| !left.is_empty());
        if has_left || self.saved.looked.is_over(Looked::now()) {
            return self.list(skipped);
        }
        let root = self.layout.root();
        let looked = self.saved.folders.look_at_recent(root, &self.saved.parts, self.looked_at_min);
        self.has_learned |= looked?;
        Ok(self.saved.folders.partitions(root, skipped))
    }

    /// The hour from which on all files are listed; `None` where all are.
    pub fn listed_since(&self) -> Option<Hour> {
        let first = self.saved.folders.unread().filter_map(|(_, date)| date.first_hour()).max()?;
        Some(Hour::of_ms(first.start_ms() + DAY_MS))
    }

    /// The days that are not listed yet and have files.
    pub fn closed(&self) -> ClosedDays {
        let days =
            self.saved.folders.unread().filter_map(|(place, date)| {
                Some(ClosedDay { place, first: date.first_hour()?, summary: date.summary() })
            });
        ClosedDays::new(days.filter(|day| day.files() > 0).collect(), &self.storage)
    }

    /// Lists the files of days that were not listed yet, or, where one of their files has gone since, once more.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub fn list_days<'a>(
        &mut self,
        days: impl Iterator<Item = &'a ClosedDay>,
        skipped: &mut Vec<StoreError>,
    ) -> Result<Vec<Partition>, StoreError> {
        let root = self.layout.root();
        let places: HashSet<usize> = days.map(|day| day.place).collect();
        self.has_learned |= self.saved.folders.look_at(root, &self.saved.parts, &places)?;
        Ok(self.saved.folders.partitions_of(root, |place| places.contains(&place), skipped))
    }

    /// Reads the footers of those of these files about which nothing is known, or about which what
    /// is known is no longer true.
    ///
    /// # Errors
    /// [`MissingFile`] where one has gone since it was listed.
    pub fn learn(&mut self, files: &[Partition]) -> Result<(), MissingFile> {
        let known = files.iter().zip(self.saved.folders.known(files));
        let known = known.filter_map(|(file, known)| Some((file, known?)));
        let new: Vec<(&Partition, &KnownFile)> = known.filter(|(_, known)| !known.is_current()).collect();
        if new.is_empty() {
            return Ok(());
        }
        let shares = new.chunks(share(new.len(), all_threads()));
        let learned = for_each_share(shares, |new| new.iter().map(learn).collect::<Result<Vec<_>, _>>());
        let mut learned = learned.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten();
        let new: Vec<Partition> = new.into_iter().map(|(file, _)| file.clone()).collect();
        self.saved.folders.for_each_known(&new, |_, file| file.knowledge = learned.next());
        self.has_learned = true;
        Ok(())
    }

    /// Brings the ids, or the texts, of those of these files into the index that are not in it. `progress` is told
    /// how many have been read so far.
    ///
    /// # Errors
    /// What the system says where the index cannot be written.
    pub fn index(
        &mut self,
        files: &[Partition],
        what: Indexed,
        pace: IndexingPace,
        progress: &(dyn Fn(usize) + Sync),
    ) -> std::io::Result<()> {
        if !self.saved.folders.is_read() {
            // Files that were not listed would lose their places in runs that are merged.
            return Err(std::io::Error::other("not all files of the store are listed"));
        }
        let known = files.iter().zip(self.saved.folders.known(files));
        let knowledge = known.filter_map(|(file, known)| Some((file, known?.knowledge.as_ref()?)));
        let new = knowledge.filter(|(_, known)| known.places.of(what).is_none() && known.facts.is_ok());
        let new: Vec<Partition> = new.map(|(file, _)| file.clone()).collect();
        index::extend(self, &new, what, pace, progress)
    }

    /// Forgets a run of the index that cannot be read.
    pub(self) fn forget_run(&mut self, run: u64) {
        for known in self.saved.folders.knowledge_mut() {
            for what in Indexed::ALL {
                let place = known.places.of_mut(what);
                *place = place.filter(|place| place.run != run);
            }
        }
        self.has_learned = true;
    }

    /// Can what is learned be kept for the next process?
    pub fn can_be_saved(&self) -> bool {
        self.storage.is_writable()
    }

    /// Keeps what was learned for the next process, if anything was.
    ///
    /// # Errors
    /// What the system says where it cannot be written. Nothing is lost but time then.
    pub fn save(&mut self) -> std::io::Result<()> {
        if !self.has_learned || !self.storage.is_writable() {
            return Ok(());
        }
        if self.is_in_one {
            self.storage.save_whole(&self.saved)?
        } else {
            self.saved.save(&self.storage)?
        }
        self.has_learned = false;
        self.unsaved_runs.clear();
        self.retired_runs.drain(..).for_each(|run| self.storage.retire_run(run));
        let summaries: Vec<_> = self.saved.folders.summaries().collect();
        let runs = closed::runs_of(summaries.iter().map(|summary| &**summary));
        let parts: BTreeSet<u64> = self.saved.parts.numbers().collect();
        self.storage.remove_left(self.is_in_one, |run| runs.contains(&run), |part| parts.contains(&part))
    }

    /// What is known about these files, which stand in the order in which they were listed. Files
    /// that were not learned are left out of every answer.
    pub fn sealed(&self, files: Vec<Partition>) -> SealedFiles {
        SealedFiles::new(self, files)
    }
}

/// These files and those that lie elsewhere, in order. One that lies here, too, is read here; of one that lies in two
/// places one is read.
fn with_cold(cold: &[Cold], mut all: Vec<Partition>, root: &Path, skipped: &mut Vec<StoreError>) -> Vec<Partition> {
    let name = |file: &Partition| (file.hour, file.name.clone());
    let mut known: HashSet<_> = all.iter().map(name).collect();
    for Cold { saved, away } in cold {
        let mut odd = Vec::new();
        let elsewhere = saved.folders.partitions(root, &mut odd).into_iter();
        skipped.extend(odd.into_iter().map(|error| error_there(error, root, away)));
        let elsewhere = elsewhere.filter(|file| known.insert(name(file)));
        all.extend(elsewhere.map(|file| Partition { away: Some(Arc::clone(away)), ..file }));
    }
    all.sort_by(|a, b| {
        let name = |file: &Partition| (file.name.writer.clone(), file.name.ids);
        let ((a_writer, a_ids), (b_writer, b_ids)) = (name(a), name(b));
        a.hour.cmp(&b.hour).then_with(|| listed_before((&a_writer, a_ids), (&b_writer, b_ids)))
    });
    all
}

/// An odd name lies where its store is.
fn error_there(error: StoreError, root: &Path, away: &Arc<dyn Away>) -> StoreError {
    match error {
        StoreError::Damaged { path, detail } => {
            let path = path.strip_prefix(root).map(|inside| away.name(inside).into()).unwrap_or(path);
            StoreError::Damaged { path, detail }
        }
        other => other,
    }
}

fn learn((file, known): &(&Partition, &KnownFile)) -> Result<Knowledge, MissingFile> {
    Knowledge::learn(&file.path, known.stamp, known.knowledge.as_ref())
}

/// Learns all there is to learn about a store, and saves it: what a collector does as hours are
/// sealed. Returns the sealed files that it has learned, in order; none where one of them has gone
/// meanwhile.
///
/// # Errors
/// [`StoreError`] where the store cannot be listed, or the catalog not be written.
pub fn bring_up_to_date(layout: &Layout, pace: IndexingPace) -> Result<SealedFiles, StoreError> {
    let mut catalog = Catalog::load(layout);
    let files = visible_partitions(layout, |skipped| catalog.list(skipped), &mut Vec::new())?;
    // What goes meanwhile was superseded by what is learned the next time.
    if catalog.learn(&files).is_err() {
        return Ok(catalog.sealed(Vec::new()));
    }
    let failed = |source| StoreError::Io { action: "write", path: layout.index(), source };
    for what in Indexed::ALL {
        catalog.index(&files, what, pace, &|_| ()).map_err(failed)?;
    }
    catalog.save().map_err(failed)?;
    Ok(catalog.sealed(files))
}

/// What is known about the sealed files of a folder, learned first where it is new, in the form that
/// [`emp_store::Away::known`] has: for whoever asks several stores as one. What was learned is kept where it can be.
///
/// # Errors
/// [`StoreError`] where the folder cannot be listed.
pub fn known_in_folder(layout: &Layout) -> Result<Vec<u8>, StoreError> {
    let mut catalog = Catalog::load(layout);
    for _ in 0..LOOKS_MAX {
        let files = catalog.list(&mut Vec::new())?;
        // One that goes meanwhile is found to be gone by the next look.
        if catalog.learn(&files).is_ok() {
            if catalog.can_be_saved() {
                // Without the index more files are read.
                let _ = catalog.index(&files, Indexed::Ids, IndexingPace::hurried(), &|_| ());
            }
            break;
        }
    }
    // Where it cannot be kept, the next question learns it again.
    let _ = catalog.save();
    let unencoded =
        |source| StoreError::Io { action: "encode what is known about", path: layout.root().into(), source };
    Ok(saved::sealed_body(&catalog.saved.encode(|_| true).map_err(unencoded)?))
}

#[cfg(test)]
mod tests;
