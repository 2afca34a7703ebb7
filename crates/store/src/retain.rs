//! Retention: whole hours go, the oldest first.
//!
//! What goes is first written down: for each writer one record that names the range of IDs that
//! are gone, and how many events that were. From then on no reader of ours looks at files within
//! that range, be they still there, and the events can still be counted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::layout::{Hour, IdRange, Layout, SealedName, Writer};
use super::sidecar::{self, NDJSON, Record};
use super::snapshot::{counting_partitions, list, segment_starts};
use super::tally::rows;
use super::{Partition, StoreError, disk};
use emp_event::{EntryId, ParseEntryIdError};

/// What is kept. Nothing set: all of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Hours that ended longer ago than that go.
    pub age: Option<Duration>,
    /// The oldest hours go until the sealed files take no more than that many bytes.
    pub bytes: Option<u64>,
}

/// What went, or would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retired {
    /// The hours, oldest first.
    pub hours: Vec<Hour>,
    /// Their files.
    pub files: Vec<PathBuf>,
    /// What those took on the disk.
    pub bytes: u64,
}

/// Looks for hours whose time is over at `now_ms`. Never one that is not over, nor one of which
/// the journal still has events.
///
/// # Errors
/// [`StoreError`] where the store cannot be listed.
pub fn find_retired(layout: &Layout, retention: &Retention, now_ms: i64) -> Result<Retired, StoreError> {
    Ok(choose(layout, retention, now_ms)?.0)
}

/// Takes hours out of the store. Their files are gone for readers at once, and go from the disk
/// with [`super::remove_superseded_files`].
///
/// # Errors
/// [`StoreError`] where the disk refuses; what was written down until then is gone.
pub fn retain(layout: &Layout, retention: &Retention, now_ms: i64) -> Result<Retired, StoreError> {
    let (retired, files) = choose(layout, retention, now_ms)?;
    let mut by_writer: BTreeMap<&Writer, Vec<&Partition>> = BTreeMap::new();
    for file in &files {
        by_writer.entry(&file.name.writer).or_default().push(file);
    }
    for (writer, files) in by_writer {
        write_down(layout, writer, &files)?;
    }
    Ok(retired)
}

fn choose(layout: &Layout, retention: &Retention, now_ms: i64) -> Result<(Retired, Vec<Partition>), StoreError> {
    let in_journal: BTreeSet<Hour> = segment_starts(layout)?.into_iter().map(|start| start.hour).collect();
    let partitions = counting_partitions(layout)?;
    let mut left: u64 = partitions.iter().map(|file| file.bytes).sum();
    let ended_before = retention.age.map(|age| now_ms - i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    let mut retired = Retired::default();
    let mut gone = Vec::new();
    for hour in partitions.chunk_by(|a, b| a.hour == b.hour) {
        let Some(Partition { hour: which, .. }) = hour.first() else { continue };
        let is_old = ended_before.is_some_and(|before| which.end_ms() <= before);
        let is_too_much = retention.bytes.is_some_and(|bytes| left > bytes);
        // Oldest first: where one has to stay, all after it do.
        if !(is_old || is_too_much) || which.end_ms() > now_ms || in_journal.contains(which) {
            break;
        }
        let bytes: u64 = hour.iter().map(|file| file.bytes).sum();
        left -= bytes;
        retired.bytes += bytes;
        retired.hours.push(*which);
        retired.files.extend(hour.iter().map(|file| file.path.clone()));
        gone.extend(hour.iter().cloned());
    }
    Ok((retired, gone))
}

/// Puts a writer's older record and these files into one new record, which takes their place.
fn write_down(layout: &Layout, writer: &Writer, files: &[&Partition]) -> Result<(), StoreError> {
    let older = ranges(layout)?.into_iter().filter(|(name, _)| name.writer == *writer);
    let (older, older_paths): (Vec<SealedName>, Vec<PathBuf>) = older.unzip();
    let mut events = retired_events(layout)?.into_iter().filter(|(of, _)| of == writer).map(|(_, n)| n).sum::<u64>();
    for file in files {
        events += rows(file)?;
    }
    let names = files.iter().map(|file| &file.name).chain(&older);
    let all =
        names.map(|name| name.ids).reduce(|a, b| IdRange { first: a.first.min(b.first), last: a.last.max(b.last) });
    let Some(ids) = all else { return Ok(()) };
    let temporary = layout.journal().join(format!("{writer}.{}.retired.tmp", std::process::id()));
    sidecar::write(layout, &layout.retired(), &temporary, writer, &[RetiredRange { ids, events }])?;
    let new = layout.retired().join(SealedName { writer: writer.clone(), ids }.with_extension(NDJSON));
    older_paths.iter().filter(|path| **path != new).try_for_each(|path| disk::remove(path))
}

/// The ranges that are gone, with their records, without those that a later record contains.
pub(super) fn ranges(layout: &Layout) -> Result<Vec<(SealedName, PathBuf)>, StoreError> {
    let files = list(&layout.retired())?;
    let named = files.into_iter().filter_map(|(path, name)| Some((SealedName::parse(&name, NDJSON)?, path)));
    let all: Vec<(SealedName, PathBuf)> = named.collect();
    let is_contained = |(name, _): &&(SealedName, PathBuf)| {
        all.iter().any(|(other, _)| other != name && other.writer == name.writer && other.ids.contains(&name.ids))
    };
    Ok(all.iter().filter(|record| !is_contained(record)).cloned().collect())
}

/// How many events of each writer are gone.
///
/// # Errors
/// [`StoreError`] where a record cannot be read.
pub fn retired_events(layout: &Layout) -> Result<Vec<(Writer, u64)>, StoreError> {
    let mut events = Vec::new();
    for (name, path) in ranges(layout)? {
        let records = read(&path)?;
        events.push((name.writer, records.iter().map(|range| range.events).sum()));
    }
    Ok(events)
}

pub(super) fn read(path: &Path) -> Result<Vec<RetiredRange>, StoreError> {
    sidecar::read(path)
}

/// A record: events of one writer that are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RetiredRange {
    ids: IdRange,
    events: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct RetiredLine {
    first_id: String,
    last_id: String,
    events: u64,
}

impl Record for RetiredRange {
    type Line = RetiredLine;

    fn ids(&self) -> IdRange {
        self.ids
    }

    fn to_line(&self) -> RetiredLine {
        let IdRange { first, last } = self.ids;
        RetiredLine { first_id: first.to_string(), last_id: last.to_string(), events: self.events }
    }

    fn from_line(line: RetiredLine) -> Result<Self, ParseEntryIdError> {
        let (first, last): (EntryId, EntryId) = (line.first_id.parse()?, line.last_id.parse()?);
        Ok(Self { ids: IdRange { first, last }, events: line.events })
    }
}
