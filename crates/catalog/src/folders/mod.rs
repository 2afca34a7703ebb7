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
use std::sync::Mutex;

use rustix::fd::{AsFd as _, BorrowedFd};
use rustix::fs::{AtFlags, CWD, Stat, statat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::facts::Knowledge;
use super::stamp::{Stamp, now_ns};
use date::{DateFolder, merge};
use emp_store::{Hour, Partition, SealedName, StoreError, Writer, odd_file, odd_hour};
use emp_system::{all_threads, for_each_share, share};
use pairing::pair;
use system::{list, open};
use writers::{WriterNumbers, Writers, lock};

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
            names.retain(|name| name.starts_with(DATE));
            names.sort_unstable();
            self.dates = merge(std::mem::take(&mut self.dates), names, |date| date.name.clone(), DateFolder::named);
        }
        self.stamp = seen;
        let (folder, writers) = (folder.as_fd(), &self.writers);
        let share = share(self.dates.len(), all_threads());
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

fn look_at_all(
    dates: &mut [DateFolder],
    writers: &Writers,
    root: BorrowedFd<'_>,
    root_path: &Path,
) -> Result<bool, StoreError> {
    let mut has_changed = false;
    // Each thread has the list as it was; new writers are rare.
    let mut names = WriterNumbers { known: lock(writers).clone(), shared: writers };
    for date in dates {
        let looked = date.look(&mut names, root);
        has_changed |= looked.map_err(|(inside, source)| failed(&root_path.join(&date.name).join(inside), source))?;
    }
    Ok(has_changed)
}

fn failed(path: &Path, source: Errno) -> StoreError {
    StoreError::Io { action: "list", path: path.to_owned(), source: io::Error::from(source) }
}
