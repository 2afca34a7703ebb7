//! What lies in the folders of the partitions, as it was last seen, and the way to see it again
//! without listing what has not changed since.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, Stat, openat, statat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::facts::Knowledge;
use super::stamp::{Stamp, now_ns};
use super::threads::{self, for_each_share, share};
use emp_store::{
    Hour, IdRange, Listed, Partition, SealedName, StoreError, Writer, listed_before, listed_file, listed_hour,
    odd_file, odd_hour,
};

/// Every folder `date=…`, by name.
#[derive(Debug, Default)]
pub(super) struct Folders {
    stamp: Stamp,
    dates: Vec<DateFolder>,
    writers: Writers,
}

/// The writers of the files, by the numbers that stand for them.
type Writers = Mutex<Vec<Writer>>;

#[derive(Debug, Default, Serialize, Deserialize)]
struct DateFolder {
    /// `date=2025-09-27`.
    name: String,
    stamp: Stamp,
    hours: Vec<HourFolder>,
    /// Folders within that are no hours of ours.
    odd: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct HourFolder {
    hour: Hour,
    stamp: Stamp,
    /// By writer and first ID, the longer range first.
    files: Vec<KnownFile>,
    /// Files within that are not ours.
    odd: Vec<String>,
}

/// A sealed file, and what is known about it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KnownFile {
    writer: u32,
    ids: IdRange,
    pub bytes: u64,
    pub stamp: Stamp,
    /// What was learned about a file of that name. Where its stamp is not that of the file, it has
    /// to be looked at again.
    pub knowledge: Option<Knowledge>,
}

impl KnownFile {
    /// Is what is known about it known of the file as it is now?
    pub fn is_current(&self) -> bool {
        self.knowledge.as_ref().is_some_and(|known| known.stamp == self.stamp)
    }

    /// Is it, in the folder of that hour, the file that was listed as this partition?
    fn is(&self, listed: &Partition, hour: Hour, writers: &[Writer]) -> bool {
        hour == listed.hour && self.ids == listed.name.ids && writers[self.writer as usize] == listed.name.writer
    }

    /// Takes note of what the system says of it; tells whether that has changed.
    fn look(&mut self, stat: &Stat) -> bool {
        let seen = Stamp::of_file(stat);
        let has_changed = seen != self.stamp;
        self.stamp = seen;
        self.bytes = u64::try_from(stat.st_size).unwrap_or_default();
        has_changed
    }
}

impl Folders {
    /// Decodes what [`Self::encode`] made; `None` where it is something else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let saved: Encoded = postcard::from_bytes(bytes).ok()?;
        let decode =
            |dates: &[&[u8]]| dates.iter().map(|date| postcard::from_bytes(date)).collect::<Result<Vec<_>, _>>();
        let shares = saved.dates.chunks(share(saved.dates.len(), threads::all()));
        let dates = for_each_share(shares, decode).into_iter().collect::<Result<Vec<Vec<DateFolder>>, _>>().ok()?;
        let writers = Mutex::new(saved.writers);
        Some(Self { stamp: saved.stamp, dates: dates.into_iter().flatten().collect(), writers })
    }

    /// As bytes.
    pub fn encode(&self) -> postcard::Result<Vec<u8>> {
        let dates: Vec<Vec<u8>> = self.dates.iter().map(postcard::to_stdvec).collect::<Result<_, _>>()?;
        let dates = dates.iter().map(Vec::as_slice).collect();
        postcard::to_stdvec(&Encoded { stamp: self.stamp, dates, writers: lock(&self.writers).clone() })
    }

    /// Looks at every folder and file, and lists those folders that have changed. Tells whether
    /// any has.
    ///
    /// # Errors
    /// [`StoreError`] where a folder cannot be listed.
    pub fn look(&mut self, root: &Path) -> Result<bool, StoreError> {
        let failed = |source: Errno| failed(root, source);
        let Some(folder) = open(CWD, root).map_err(failed)? else {
            let had_any = !self.dates.is_empty();
            *self = Self::default();
            return Ok(had_any);
        };
        let seen = Stamp::of_folder(&statat(&folder, "", AtFlags::EMPTY_PATH).map_err(failed)?, now_ns());
        let mut has_changed = !seen.holds(self.stamp);
        if has_changed {
            let mut names = list(&folder).map_err(failed)?;
            names.retain(|name| name.starts_with("date="));
            names.sort_unstable();
            self.dates = merge(std::mem::take(&mut self.dates), names, |date| date.name.clone(), DateFolder::named);
        }
        self.stamp = seen;
        let (folder, writers) = (folder.as_fd(), &self.writers);
        let share = share(self.dates.len(), threads::all());
        let shares = self.dates.chunks_mut(share);
        for changed in for_each_share(shares, |dates| look_at_all(dates, writers, folder, root)) {
            has_changed |= changed?;
        }
        Ok(has_changed)
    }

    /// Every file, by hour, writer and first ID, the longer range first; what is not ours goes to
    /// `skipped`.
    pub fn partitions(&self, root: &Path, skipped: &mut Vec<StoreError>) -> Vec<Partition> {
        let writers = lock(&self.writers);
        let mut partitions = Vec::with_capacity(self.dates.iter().map(|date| date.hours.len()).sum());
        let mut name = String::new();
        for date in &self.dates {
            skipped.extend(date.odd.iter().map(|name| odd_hour(root.join(&date.name).join(name))));
            for hour in &date.hours {
                let folder = hour.name();
                let odd = hour.odd.iter().map(|name| odd_file(root.join(&date.name).join(&folder).join(name)));
                skipped.extend(odd);
                for file in &hour.files {
                    let writer = &writers[file.writer as usize];
                    name.clear();
                    SealedName::push_parquet(&mut name, writer, &file.ids);
                    let folders = root.as_os_str().len() + date.name.len() + folder.len();
                    let mut path = PathBuf::with_capacity(folders + name.len() + 3);
                    path.extend([root, Path::new(&date.name), Path::new(&folder), Path::new(&name)]);
                    let name = SealedName { writer: writer.clone(), ids: file.ids };
                    partitions.push(Partition { path, hour: hour.hour, name, bytes: file.bytes });
                }
            }
        }
        partitions
    }

    /// What is known about each of these files, which stand in the order of [`Self::partitions`];
    /// nothing about one that was not listed.
    pub fn known<'a>(&'a self, files: &'a [Partition]) -> impl Iterator<Item = Option<&'a KnownFile>> {
        let writers = lock(&self.writers).clone();
        let hours = self.dates.iter().flat_map(|date| &date.hours);
        let mut known = hours.flat_map(|hour| hour.files.iter().map(move |file| (hour.hour, file)));
        files
            .iter()
            .map(move |wanted| known.find(|(hour, file)| file.is(wanted, *hour, &writers)).map(|(_, file)| file))
    }

    /// The same, to learn about them: each of `files` that was listed goes to `learn`.
    pub fn for_each_known(&mut self, files: &[Partition], mut learn: impl FnMut(usize, &mut KnownFile)) {
        let writers = lock(&self.writers);
        let hours = self.dates.iter_mut().flat_map(|date| &mut date.hours);
        let mut known = hours.flat_map(|hour| hour.files.iter_mut().map(|file| (hour.hour, file)));
        for (index, wanted) in files.iter().enumerate() {
            if let Some((_, file)) = known.find(|(hour, file)| file.is(wanted, *hour, &writers)) {
                learn(index, file);
            }
        }
    }

    /// Everything that is known about files.
    pub fn knowledge_mut(&mut self) -> impl Iterator<Item = &mut Knowledge> {
        let hours = self.dates.iter_mut().flat_map(|date| &mut date.hours);
        hours.flat_map(|hour| &mut hour.files).filter_map(|file| file.knowledge.as_mut())
    }
}

/// What is saved of [`Folders`]: each date in bytes of its own, so that several threads can decode
/// them.
#[derive(Serialize, Deserialize)]
struct Encoded<'a> {
    stamp: Stamp,
    #[serde(borrow)]
    dates: Vec<&'a [u8]>,
    writers: Vec<Writer>,
}

fn lock(writers: &Writers) -> MutexGuard<'_, Vec<Writer>> {
    // Whatever panicked, the list is whole: it only grows by one at a time.
    writers.lock().unwrap_or_else(PoisonError::into_inner)
}

fn look_at_all(
    dates: &mut [DateFolder],
    writers: &Writers,
    root: BorrowedFd<'_>,
    root_path: &Path,
) -> Result<bool, StoreError> {
    let mut has_changed = false;
    // Each thread has the list as it was; new writers are rare.
    let mut names = WriterNames { known: lock(writers).clone(), shared: writers };
    for date in dates {
        let looked = date.look(&mut names, root);
        has_changed |= looked.map_err(|(inside, source)| failed(&root_path.join(&date.name).join(inside), source))?;
    }
    Ok(has_changed)
}

/// The writers by number, without taking the lock for each file.
struct WriterNames<'a> {
    known: Vec<Writer>,
    shared: &'a Writers,
}

impl WriterNames<'_> {
    fn number_of(&mut self, writer: Writer) -> u32 {
        let mut shared = lock(self.shared);
        let number = shared.iter().position(|one| *one == writer).unwrap_or_else(|| {
            shared.push(writer);
            shared.len() - 1
        });
        self.known.clone_from(&shared);
        // There are never four billion collectors.
        number as u32
    }
}

/// Where the system refused, below the folder that was looked at, and its answer.
type Refusal = (String, Errno);

fn here(source: Errno) -> Refusal {
    (String::new(), source)
}

impl DateFolder {
    fn named(name: String) -> Self {
        Self { name, ..Self::default() }
    }

    fn look(&mut self, writers: &mut WriterNames<'_>, root: BorrowedFd<'_>) -> Result<bool, Refusal> {
        let Some(folder) = open(root, Path::new(&self.name)).map_err(here)? else {
            // Gone, or a file: nothing of ours is in it.
            let had_any = !self.hours.is_empty() || !self.odd.is_empty();
            (self.hours, self.odd, self.stamp) = (Vec::new(), Vec::new(), Stamp::default());
            return Ok(had_any);
        };
        let seen = Stamp::of_folder(&statat(&folder, "", AtFlags::EMPTY_PATH).map_err(here)?, now_ns());
        let mut has_changed = !seen.holds(self.stamp);
        if has_changed {
            self.list(&folder).map_err(here)?;
        }
        self.stamp = seen;
        let mut place = String::new();
        for hour in &mut self.hours {
            let looked = hour.look(writers, folder.as_fd(), &mut place);
            has_changed |= looked.map_err(|source| (hour.name(), source))?;
        }
        Ok(has_changed)
    }

    fn list(&mut self, folder: &OwnedFd) -> rustix::io::Result<()> {
        let (mut hours, mut odd) = (Vec::new(), Vec::new());
        for name in list(folder)? {
            match listed_hour(&self.name, &name) {
                Listed::Ours(hour) => hours.push(hour),
                Listed::Odd => odd.push(name),
                Listed::Ignored => {}
            }
        }
        hours.sort_unstable();
        odd.sort_unstable();
        self.odd = odd;
        self.hours = merge(
            std::mem::take(&mut self.hours),
            hours,
            |known| known.hour,
            |hour| HourFolder { hour, stamp: Stamp::default(), files: Vec::new(), odd: Vec::new() },
        );
        Ok(())
    }
}

impl HourFolder {
    /// `hour=04`.
    fn name(&self) -> String {
        "hour=".to_owned() + &self.hour.hour()
    }

    fn look(
        &mut self,
        writers: &mut WriterNames<'_>,
        date: BorrowedFd<'_>,
        place: &mut String,
    ) -> rustix::io::Result<bool> {
        let name = self.name();
        let seen = match statat(date, name.as_str(), AtFlags::empty()) {
            Ok(stat) => Stamp::of_folder(&stat, now_ns()),
            Err(Errno::NOENT) => Stamp::default(),
            Err(error) => return Err(error),
        };
        let mut has_changed = !seen.holds(self.stamp);
        if has_changed {
            self.list(writers, date, &name)?;
        }
        self.stamp = seen;
        place.clear();
        place.push_str(&name);
        place.push('/');
        let folder = place.len();
        let mut failure = None;
        self.files.retain_mut(|file| {
            place.truncate(folder);
            SealedName::push_parquet(place, &writers.known[file.writer as usize], &file.ids);
            match statat(date, place.as_str(), AtFlags::empty()) {
                Ok(stat) => has_changed |= file.look(&stat),
                // It went since the folder was listed.
                Err(Errno::NOENT) => {
                    has_changed = true;
                    return false;
                }
                Err(error) => failure = Some(error),
            }
            true
        });
        failure.map_or(Ok(has_changed), Err)
    }

    fn list(&mut self, writers: &mut WriterNames<'_>, date: BorrowedFd<'_>, name: &str) -> rustix::io::Result<()> {
        let names = match open(date, Path::new(name))? {
            Some(folder) => list(&folder)?,
            None => Vec::new(),
        };
        let (mut files, mut odd) = (Vec::new(), Vec::new());
        let known = std::mem::take(&mut self.files);
        for file_name in names {
            match listed_file(&file_name) {
                Listed::Ours(SealedName { writer, ids }) => {
                    let writer = writers.number_of(writer);
                    let was_known = known.iter().find(|file| file.writer == writer && file.ids == ids);
                    let new = KnownFile { writer, ids, bytes: 0, stamp: Stamp::default(), knowledge: None };
                    files.push(was_known.cloned().unwrap_or(new));
                }
                Listed::Odd => odd.push(file_name),
                Listed::Ignored => {}
            }
        }
        files.sort_by(|a, b| {
            let name = |file: &KnownFile| (&writers.known[file.writer as usize], file.ids);
            listed_before(name(a), name(b))
        });
        odd.sort_unstable();
        (self.files, self.odd) = (files, odd);
        Ok(())
    }
}

/// The folders of these keys, sorted as they are: those known before as they were, others anew.
fn merge<T, K: Ord>(known: Vec<T>, keys: Vec<K>, key_of: impl Fn(&T) -> K, anew: impl Fn(K) -> T) -> Vec<T> {
    let mut known = known.into_iter().peekable();
    let mut merged = Vec::with_capacity(keys.len());
    for key in keys {
        while known.next_if(|one| key_of(one) < key).is_some() {}
        merged.push(known.next_if(|one| key_of(one) == key).unwrap_or_else(|| anew(key)));
    }
    merged
}

/// Opens a folder; `None` where there is none of that name.
fn open(parent: impl AsFd, name: &Path) -> rustix::io::Result<Option<OwnedFd>> {
    match openat(parent, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(folder) => Ok(Some(folder)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names in a folder. Those that are no text are not ours.
fn list(folder: &OwnedFd) -> rustix::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let Ok(name) = entry?.file_name().to_str().map(str::to_owned) else { continue };
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}

fn failed(path: &Path, source: Errno) -> StoreError {
    StoreError::Io { action: "list", path: path.to_owned(), source: io::Error::from(source) }
}
