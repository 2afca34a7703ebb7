//! What lies in the folders of the partitions, as it was last seen, and the way to see it again
//! without listing what has not changed since.

mod date;
mod file;
mod pairing;
mod system;
mod writers;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::fd::{AsFd as _, BorrowedFd};
use rustix::fs::{AtFlags, CWD, Stat, statat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::facts::Knowledge;
use super::parts::Parts;
use super::stamp::{Stamp, now_ns};
use super::summary::Summary;
use date::merge;
use emp_store::{Hour, Partition, SealedName, StoreError, Writer, odd_file, odd_hour};
use emp_system::{all_threads, for_each_share, share};
use pairing::pair;
use system::{list, open};
use writers::{WriterNumbers, Writers, lock};

pub(crate) use date::{DateFolder, Kept};
pub(crate) use file::KnownFile;

/// What the names of their folders begin with.
const DATE: &str = "date=";

/// Every folder `date=…`, by name.
#[derive(Debug, Default)]
pub(super) struct Folders {
    stamp: Stamp,
    dates: Vec<DateFolder>,
    writers: Writers,
}

impl Folders {
    /// These dates, by name.
    pub fn of(stamp: Stamp, dates: Vec<DateFolder>, writers: Vec<Writer>) -> Self {
        Self { stamp, dates, writers: Mutex::new(writers) }
    }

    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    pub fn writers(&self) -> Vec<Writer> {
        lock(&self.writers).clone()
    }

    pub fn dates_mut(&mut self) -> impl Iterator<Item = &mut DateFolder> {
        self.dates.iter_mut()
    }

    /// What is known of each date in short.
    pub fn summaries(&self) -> impl Iterator<Item = Arc<Summary>> {
        self.dates.iter().map(|date| match &date.kept {
            Some(kept) => Arc::clone(&kept.summary),
            None => date.summary(),
        })
    }

    /// Is all that is known about files here?
    pub fn is_read(&self) -> bool {
        !self.dates.iter().any(|date| date.is_unread)
    }

    /// Decodes what [`Self::encode`] made; `None` where it is something else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let saved: Encoded = postcard::from_bytes(bytes).ok()?;
        let decode =
            |dates: &[&[u8]]| dates.iter().map(|date| postcard::from_bytes(date)).collect::<Result<Vec<_>, _>>();
        let shares = saved.dates.chunks(share(saved.dates.len(), all_threads()));
        let dates = for_each_share(shares, decode).into_iter().collect::<Result<Vec<Vec<DateFolder>>, _>>().ok()?;
        let writers = Mutex::new(saved.writers);
        Some(Self { stamp: saved.stamp, dates: dates.into_iter().flatten().collect(), writers })
    }

    /// As bytes, with the folders of these dates.
    pub fn encode(&self, is_in: impl Fn(&str) -> bool) -> postcard::Result<Vec<u8>> {
        let dates = self.encode_dates(is_in)?;
        let dates = dates.iter().map(Vec::as_slice).collect();
        postcard::to_stdvec(&Encoded { stamp: self.stamp, dates, writers: lock(&self.writers).clone() })
    }

    /// The folders of these dates, each as bytes.
    pub fn encode_dates(&self, is_in: impl Fn(&str) -> bool) -> postcard::Result<Vec<Vec<u8>>> {
        let dates = self.dates.iter().filter(|date| date.name.strip_prefix(DATE).is_some_and(&is_in));
        dates.map(postcard::to_stdvec).collect()
    }

    /// Takes the folders of another part, whose writers are those of this one or more. Tells whether they are.
    pub fn append(&mut self, other: Self) -> bool {
        let others = lock(&other.writers).clone();
        let mut writers = lock(&self.writers);
        let both = writers.len().min(others.len());
        let belongs = writers[..both] == others[..both];
        if others.len() > writers.len() {
            *writers = others;
        }
        drop(writers);
        self.dates.extend(other.dates);
        self.dates.sort_by(|a, b| a.name.cmp(&b.name));
        belongs
    }

    /// The dates of which there are files.
    pub fn dates(&self) -> Vec<String> {
        let with_files = self.dates.iter().filter(|date| date.hours.iter().any(|hour| !hour.files.is_empty()));
        with_files.filter_map(|date| date.name.strip_prefix(DATE)).map(str::to_owned).collect()
    }

    /// Takes a file in, as the system describes it.
    pub fn insert(&mut self, file: &Partition, stat: &Stat) {
        let mut numbers = WriterNumbers { known: lock(&self.writers).clone(), shared: &self.writers };
        let writer = numbers.number_of(file.name.writer.clone());
        let name = format!("{DATE}{}", file.hour.date());
        let at = self.dates.binary_search_by(|date| date.name.cmp(&name)).unwrap_or_else(|at| {
            self.dates.insert(at, DateFolder::named(name));
            at
        });
        let known = KnownFile { writer, ids: file.name.ids, bytes: 0, stamp: Stamp::default(), knowledge: None };
        self.dates[at].insert(file.hour, known, stat, &numbers.known);
    }

    /// Forgets files.
    pub fn forget(&mut self, files: &[Partition]) {
        let gone: HashSet<(Hour, &SealedName)> = files.iter().map(|file| (file.hour, &file.name)).collect();
        let writers = lock(&self.writers).clone();
        for date in &mut self.dates {
            for hour in &mut date.hours {
                let (number, name) = (hour.hour, |file: &KnownFile| SealedName {
                    writer: writers[file.writer as usize].clone(),
                    ids: file.ids,
                });
                hour.files.retain(|file| !gone.contains(&(number, &name(file))));
            }
            date.hours.retain(|hour| !hour.files.is_empty());
        }
        self.dates.retain(|date| !date.hours.is_empty());
    }

    /// Everything that is known about files.
    pub fn knowledge(&self) -> impl Iterator<Item = &Knowledge> {
        self.files().filter_map(|(_, file)| file.knowledge.as_ref())
    }

    /// Looks at every folder and file, and lists those folders that have changed. Tells whether
    /// any has.
    ///
    /// # Errors
    /// [`StoreError`] where a folder cannot be listed.
    pub fn look(&mut self, root: &Path, parts: &Parts) -> Result<bool, StoreError> {
        self.look_at_those(root, parts, |_, _| true)
    }

    /// The same of the last dates, which have so many files at least, of those whose own folder has changed, and of
    /// those that have odd names or were looked at before. Of the others nothing is known but what was kept.
    ///
    /// # Errors
    /// As [`Self::look`].
    pub fn look_at_recent(&mut self, root: &Path, parts: &Parts, files_min: usize) -> Result<bool, StoreError> {
        self.look_at_those(root, parts, |date, later_files| {
            let is_quiet = date.is_unread && date.kept.as_ref().is_some_and(|kept| !kept.summary.is_odd);
            later_files < files_min || !is_quiet || date.first_hour().is_none()
        })
    }

    /// Looks at the root, and at the dates that are chosen, by how many files later ones have, or have changed.
    fn look_at_those(
        &mut self,
        root: &Path,
        parts: &Parts,
        is_chosen: impl Fn(&DateFolder, usize) -> bool,
    ) -> Result<bool, StoreError> {
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
            names.retain(|name| name.starts_with(DATE));
            names.sort_unstable();
            self.dates = merge(std::mem::take(&mut self.dates), names, |date| date.name.clone(), DateFolder::named);
        }
        self.stamp = seen;
        let mut later_files = 0;
        let mut chosen: Vec<(&mut DateFolder, bool)> = Vec::with_capacity(self.dates.len());
        for date in self.dates.iter_mut().rev() {
            let is_chosen = is_chosen(date, later_files);
            later_files += date.files();
            chosen.push((date, is_chosen));
        }
        has_changed |= look_at_all(chosen, &self.writers, (folder.as_fd(), root), parts)?;
        Ok(has_changed)
    }

    /// Looks at dates that were not looked at yet, by their places, wholly.
    ///
    /// # Errors
    /// As [`Self::look`].
    pub fn look_at(&mut self, root: &Path, parts: &Parts, places: &HashSet<usize>) -> Result<bool, StoreError> {
        let Some(folder) = open(CWD, root).map_err(|source| failed(root, source))? else { return Ok(false) };
        let dates = self.dates.iter_mut().enumerate().filter(|(place, _)| places.contains(place));
        let dates = dates.map(|(_, date)| (date, true)).collect();
        look_at_all(dates, &self.writers, (folder.as_fd(), root), parts)
    }

    /// The dates that were not looked at, by their places.
    pub fn unread(&self) -> impl Iterator<Item = (usize, &DateFolder)> {
        self.dates.iter().enumerate().filter(|(_, date)| date.is_unread)
    }

    /// Every file, by hour, writer and first ID, the longer range first; what is not ours goes to
    /// `skipped`.
    pub fn partitions(&self, root: &Path, skipped: &mut Vec<StoreError>) -> Vec<Partition> {
        self.partitions_of(root, |_| true, skipped)
    }

    /// The same of dates by their places.
    pub fn partitions_of(
        &self,
        root: &Path,
        is_of: impl Fn(usize) -> bool,
        skipped: &mut Vec<StoreError>,
    ) -> Vec<Partition> {
        let writers = lock(&self.writers);
        let dates = || self.dates.iter().enumerate().filter(|(place, _)| is_of(*place)).map(|(_, date)| date);
        let mut partitions = Vec::with_capacity(dates().map(|date| date.hours.len()).sum());
        let mut name = String::new();
        for date in dates() {
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
                    partitions.push(Partition { path, hour: hour.hour, name, bytes: file.bytes, away: None });
                }
            }
        }
        partitions
    }

    /// What is known about each of these files; nothing about one that was not listed.
    pub fn known(&self, files: &[Partition]) -> Vec<Option<&KnownFile>> {
        let known: Vec<_> = self.files().collect();
        let places = pair(&known, &lock(&self.writers), files);
        places.into_iter().map(|place| Some(known[place?].1)).collect()
    }

    /// The same, to learn about them: each of `files` that was listed goes to `learn`.
    pub fn for_each_known(&mut self, files: &[Partition], mut learn: impl FnMut(usize, &mut KnownFile)) {
        let places = pair(&self.files().collect::<Vec<_>>(), &lock(&self.writers), files);
        let hours = self.dates.iter_mut().flat_map(|date| &mut date.hours);
        let mut known: Vec<_> = hours.flat_map(|hour| &mut hour.files).collect();
        for (index, place) in places.into_iter().enumerate() {
            if let Some(place) = place {
                learn(index, known[place]);
            }
        }
    }

    fn files(&self) -> impl Iterator<Item = (Hour, &KnownFile)> {
        let hours = self.dates.iter().flat_map(|date| &date.hours);
        hours.flat_map(|hour| hour.files.iter().map(move |file| (hour.hour, file)))
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

/// Looks at the dates that are chosen, and at those of the others whose folder has changed.
fn look_at_all(
    dates: Vec<(&mut DateFolder, bool)>,
    writers: &Writers,
    (root, root_path): (BorrowedFd<'_>, &Path),
    parts: &Parts,
) -> Result<bool, StoreError> {
    // Those that take long stand together: each thread gets some of them.
    let threads = all_threads().min(dates.len()).max(1);
    let mut shares: Vec<Vec<(&mut DateFolder, bool)>> = (0..threads).map(|_| Vec::new()).collect();
    for (number, date) in dates.into_iter().enumerate() {
        shares[number % threads].push(date);
    }
    let looked = for_each_share(shares.into_iter(), |dates| {
        let mut has_changed = false;
        // Each thread has the list as it was; new writers are rare.
        let mut names = WriterNumbers { known: lock(writers).clone(), shared: writers };
        for (date, is_chosen) in dates {
            if !is_chosen && date.is_as_it_was(root) {
                continue;
            }
            let looked = date.look(&mut names, root, parts);
            has_changed |=
                looked.map_err(|(inside, source)| failed(&root_path.join(&date.name).join(inside), source))?;
        }
        Ok(has_changed)
    });
    looked.into_iter().try_fold(false, |any: bool, changed: Result<bool, StoreError>| Ok(any | changed?))
}

fn failed(path: &Path, source: Errno) -> StoreError {
    StoreError::Io { action: "list", path: path.to_owned(), source: io::Error::from(source) }
}
