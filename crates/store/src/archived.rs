//! Hours that have begun to go into an archive: their files stay as they are.
//!
//! A file that was put into an archive is never written again there. So nothing is put together in its hour any more, not
//! even with what comes later: that lies beside it. Which hours these are is durable before the first of their files
//! leaves, and nobody puts files together while that is decided.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::PathBuf;

use super::compact::CompactTask;
use super::error::IoContext as _;
use super::layout::{Hour, Layout};
use super::snapshot::{counting_partitions, segment_starts};
use super::{Partition, StoreError, disk};

/// An hour whose files could not be put together for so long goes as it is.
const PATIENCE_MS: i64 = 6 * 3_600_000;

/// The hours, as ranges from the first to the last, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchivedHours(Vec<(Hour, Hour)>);

impl ArchivedHours {
    /// Those of a store; none where nothing went yet.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where the file is not what was written: better nothing is put together then.
    pub fn read(layout: &Layout) -> Result<Self, StoreError> {
        let path = path(layout);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text.doing("read", &path)?,
        };
        Self::parse(&text).ok_or_else(|| StoreError::Damaged {
            path,
            detail: "it does not say which hours were archived; `emp-events archive` writes it anew".to_owned(),
        })
    }

    /// Is that one of them?
    pub fn contains(&self, hour: Hour) -> bool {
        let at = self.0.partition_point(|(_, last)| *last < hour);
        self.0.get(at).is_some_and(|(first, _)| *first <= hour)
    }

    fn add(&mut self, hour: Hour) {
        if self.contains(hour) {
            return;
        }
        let next = |hour: Hour| Hour::of_ms(hour.end_ms());
        let at = self.0.partition_point(|(first, _)| *first < hour);
        self.0.insert(at, (hour, hour));
        self.0.dedup_by(|later, earlier| {
            let joins = later.0 == next(earlier.1);
            if joins {
                earlier.1 = later.1;
            }
            joins
        });
    }

    fn to_text(&self) -> String {
        let shown = |hour: Hour| format!("{} {}", hour.date(), hour.hour());
        let mut text: String =
            self.0.iter().map(|(first, last)| format!("{} {}\n", shown(*first), shown(*last))).collect();
        text += &format!("checksum {:08x}\n", crc32fast::hash(text.as_bytes()));
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let (ranges, sum) = text.strip_suffix('\n')?.rsplit_once("checksum ")?;
        if format!("{:08x}", crc32fast::hash(ranges.as_bytes())) != sum {
            return None;
        }
        let range = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            let [first_date, first, last_date, last] = words[..] else { return None };
            Some((Hour::from_partition(first_date, first)?, Hour::from_partition(last_date, last)?))
        };
        ranges.lines().map(range).collect::<Option<Vec<_>>>().map(Self)
    }
}

/// Beside the journal, so that a copy of the store knows it.
fn path(layout: &Layout) -> PathBuf {
    layout.archive().join("hours")
}

/// Held while files are put together, and while it is decided which hours go.
pub(super) fn lock(layout: &Layout) -> Result<File, StoreError> {
    disk::create_dir(layout, &layout.journal())?;
    let path = layout.journal().join("archive.lock");
    let file = disk::open_or_create(layout, &path)?;
    file.lock().doing("lock", &path)?;
    Ok(file)
}

/// Held by whoever puts hours into an archive.
#[derive(Debug)]
pub struct ArchiverLock {
    _file: File,
}

impl ArchiverLock {
    /// Takes it; `None` where somebody else has it.
    ///
    /// # Errors
    /// [`StoreError`] where the journal's folder cannot be written.
    pub fn take(layout: &Layout) -> Result<Option<Self>, StoreError> {
        disk::create_dir(layout, &layout.journal())?;
        let path = layout.journal().join("archiver.lock");
        let file = disk::open_or_create(layout, &path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).doing("lock", &path),
        }
    }
}

/// Which files are to go.
pub struct Going<'a> {
    /// Is it one of them?
    pub is_wanted: &'a dyn Fn(&Partition) -> bool,
    /// Hours that went before: where the list of them is damaged, it is made anew.
    pub hours_before: &'a dyn Fn() -> Vec<Hour>,
    /// No more than that many.
    pub most: usize,
}

/// The sealed files of hours that were over at `now_ms`, in which there is nothing left to put together, as far as they are
/// to go, and whether there are more: from now on their hours stay as they are.
///
/// # Errors
/// [`StoreError`] where the store cannot be listed, or that cannot be made durable.
pub fn settle_hours(layout: &Layout, now_ms: i64, going: &Going<'_>) -> Result<(Vec<Partition>, bool), StoreError> {
    let most = going.most;
    let _lock = lock(layout)?;
    let mut hours = match ArchivedHours::read(layout) {
        Err(StoreError::Damaged { .. }) => ArchivedHours::default(),
        hours => hours?,
    };
    (going.hours_before)().into_iter().for_each(|hour| hours.add(hour));
    let mut files = settled_files(layout, now_ms, &hours)?;
    files.retain(|file| (going.is_wanted)(file));
    let is_more = files.len() > most;
    // Whole hours: what comes later to one of them lies beside.
    if let Some(last) = files.get(most).map(|file| file.hour) {
        let end = files.partition_point(|file| file.hour < last);
        files.truncate(if end == 0 { most } else { end });
    }
    files.iter().for_each(|file| hours.add(file.hour));
    if ArchivedHours::read(layout).ok().as_ref() != Some(&hours) {
        disk::create_dir(layout, &layout.archive())?;
        disk::write_whole(layout, "archived", &path(layout), &mut hours.to_text().as_bytes())?;
    }
    Ok((files, is_more))
}

/// The same without deciding anything: what could go.
///
/// # Errors
/// [`StoreError`] where the store cannot be listed.
pub fn settled_hours(layout: &Layout, now_ms: i64) -> Result<Vec<Partition>, StoreError> {
    settled_files(layout, now_ms, &ArchivedHours::read(layout)?)
}

fn settled_files(layout: &Layout, now_ms: i64, archived: &ArchivedHours) -> Result<Vec<Partition>, StoreError> {
    let tasks = CompactTask::find(layout, now_ms, &BTreeSet::new())?;
    let unfinished: BTreeSet<Hour> = tasks.iter().map(CompactTask::hour).collect();
    let in_journal: BTreeSet<Hour> = segment_starts(layout)?.into_iter().map(|start| start.hour).collect();
    let is_settled = |file: &Partition| {
        let waits = !archived.contains(file.hour) && unfinished.contains(&file.hour);
        let is_old = file.hour.end_ms() + PATIENCE_MS <= now_ms;
        file.hour.end_ms() <= now_ms && !in_journal.contains(&file.hour) && (!waits || is_old)
    };
    let mut files = counting_partitions(layout)?;
    files.retain(is_settled);
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_kept_as_ranges() {
        let hour = |number: i64| Hour::of_ms(number * 3_600_000);
        let mut hours = ArchivedHours::default();
        for number in [5, 3, 4, 9, 10, 1, 4] {
            hours.add(hour(number));
        }
        assert_eq!(hours.0, [(hour(1), hour(1)), (hour(3), hour(5)), (hour(9), hour(10))]);
        assert!([1, 3, 4, 5, 9, 10].into_iter().all(|number| hours.contains(hour(number))));
        assert!([0, 2, 6, 8, 11].into_iter().all(|number| !hours.contains(hour(number))));
        let text = hours.to_text();
        assert_eq!(ArchivedHours::parse(&text), Some(hours));
        assert_eq!(ArchivedHours::parse(&text.replace("1970-01-01 03", "1970-01-01 02")), None);
        assert_eq!(ArchivedHours::parse(""), None);
    }
}
