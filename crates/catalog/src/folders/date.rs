//! The folders of a date and of its hours.

use std::path::Path;
use std::sync::Arc;

use emp_store::{Hour, Listed, SealedName, Writer, listed_before, listed_file, listed_hour};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Stat, statat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::file::KnownFile;
use super::system::{list, open};
use super::writers::WriterNumbers;
use crate::parts::{Parts, Place};
use crate::stamp::{Stamp, now_ns};
use crate::summary::Summary;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct DateFolder {
    /// `date=2025-09-27`.
    pub name: String,
    pub stamp: Stamp,
    pub hours: Vec<HourFolder>,
    /// Folders within that are no hours of ours.
    pub odd: Vec<String>,
    /// Where all this is kept, as it was when it was read or written last.
    #[serde(skip)]
    pub kept: Option<Kept>,
    /// What is kept of its hours was not read.
    #[serde(skip)]
    pub is_unread: bool,
    /// What is kept of its hours cannot be read: the next process learns it anew.
    #[serde(skip)]
    pub is_lost: bool,
}

/// What is kept of a date.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub place: Place,
    pub summary: Arc<Summary>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HourFolder {
    pub hour: Hour,
    pub stamp: Stamp,
    /// By writer and first ID, the longer range first.
    pub files: Vec<KnownFile>,
    /// Files within that are not ours.
    pub odd: Vec<String>,
}

/// Where the system refused, below the folder that was looked at, and its answer.
pub(crate) type Refusal = (String, Errno);

fn here(source: Errno) -> Refusal {
    (String::new(), source)
}

impl DateFolder {
    pub fn named(name: String) -> Self {
        Self { name, ..Self::default() }
    }

    /// Reads what is kept of its hours. What cannot be read is learned anew.
    pub fn read(&mut self, parts: &Parts) {
        if !std::mem::take(&mut self.is_unread) {
            return;
        }
        self.is_lost = false;
        let bytes = self.kept.as_ref().and_then(|kept| parts.read(&kept.place));
        let read: Option<Self> = bytes.and_then(|bytes| postcard::from_bytes(&bytes).ok());
        match read.filter(|read| read.name == self.name && read.stamp == self.stamp) {
            Some(read) => (self.hours, self.odd) = (read.hours, read.odd),
            None => self.stamp = Stamp::default(),
        }
    }

    /// Is the folder as it was, by its own stamp? Names in its hours may have changed all the same.
    pub fn is_as_it_was(&self, root: BorrowedFd<'_>) -> bool {
        let seen = statat(root, self.name.as_str(), AtFlags::empty());
        seen.is_ok_and(|stat| Stamp::of_folder(&stat, now_ns()).holds(self.stamp))
    }

    /// How many files it holds.
    pub fn files(&self) -> usize {
        match &self.kept {
            Some(kept) if self.is_unread => kept.summary.files as usize,
            _ => self.hours.iter().map(|hour| hour.files.len()).sum(),
        }
    }

    /// What is known of it in short.
    pub fn summary(&self) -> Arc<Summary> {
        match &self.kept {
            Some(kept) if self.is_unread => Arc::clone(&kept.summary),
            _ => {
                let is_odd = !self.odd.is_empty() || self.hours.iter().any(|hour| !hour.odd.is_empty());
                Arc::new(Summary::of(self.hours.iter().map(|hour| hour.files.as_slice()), is_odd))
            }
        }
    }

    /// Its first hour; `None` where its name is none of ours.
    pub fn first_hour(&self) -> Option<Hour> {
        Hour::from_partition(self.name.strip_prefix(super::DATE)?, "00")
    }

    /// Takes a file of an hour in, in its order.
    pub fn insert(&mut self, hour: Hour, mut file: KnownFile, stat: &Stat, writers: &[Writer]) {
        file.look(stat);
        let at = self.hours.binary_search_by_key(&hour, |folder| folder.hour).unwrap_or_else(|at| {
            self.hours.insert(at, HourFolder { hour, stamp: Stamp::default(), files: Vec::new(), odd: Vec::new() });
            at
        });
        let files = &mut self.hours[at].files;
        let name = |file: &KnownFile| (file.writer, file.ids);
        match files.iter_mut().find(|known| name(known) == name(&file)) {
            Some(known) => *known = file,
            None => {
                files.push(file);
                files.sort_by(|a, b| {
                    let name = |file: &KnownFile| (&writers[file.writer as usize], file.ids);
                    listed_before(name(a), name(b))
                });
            }
        }
    }

    pub fn look(
        &mut self,
        writers: &mut WriterNumbers<'_>,
        root: BorrowedFd<'_>,
        parts: &Parts,
    ) -> Result<bool, Refusal> {
        self.read(parts);
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

    pub fn list(&mut self, folder: &OwnedFd) -> rustix::io::Result<()> {
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
    pub fn name(&self) -> String {
        "hour=".to_owned() + &self.hour.hour()
    }

    pub fn look(
        &mut self,
        writers: &mut WriterNumbers<'_>,
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

    pub fn list(
        &mut self,
        writers: &mut WriterNumbers<'_>,
        date: BorrowedFd<'_>,
        name: &str,
    ) -> rustix::io::Result<()> {
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
pub(super) fn merge<T, K: Ord>(known: Vec<T>, keys: Vec<K>, key_of: impl Fn(&T) -> K, anew: impl Fn(K) -> T) -> Vec<T> {
    let mut known = known.into_iter().peekable();
    let mut merged = Vec::with_capacity(keys.len());
    for key in keys {
        while known.next_if(|one| key_of(one) < key).is_some() {}
        merged.push(known.next_if(|one| key_of(one) == key).unwrap_or_else(|| anew(key)));
    }
    merged
}
