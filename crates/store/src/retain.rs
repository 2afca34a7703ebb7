//! Retention: whole hours go, the oldest first.
//!
//! What goes is first written down: for each writer one record that names the range of IDs that
//! are gone, and how many events that were. From then on no reader of ours looks at files within
//! that range, be they still there, and the events can still be counted.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::layout::{Hour, IdRange, Layout, SealedName, Writer};
use super::listing::list;
use super::sidecar::{self, NDJSON, Record};
use super::snapshot::{counting_partitions, segment_starts};
use super::tally::rows;
use super::verify::set_aside;
use super::{Partition, StoreError, disk};
use emp_event::{EntryId, ParseEntryIdError};

/// What is kept. Nothing set: all of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Hours that ended longer ago than that go.
    pub age: Option<Duration>,
    /// The oldest hours go until the sealed files take no more than that many bytes.
    pub bytes: Option<u64>,
    /// Hours go even where nothing would be left, or where the clock is far ahead of the newest
    /// entry: somebody has looked at both.
    pub even_if_odd: bool,
}

/// What went, or would.
#[derive(Debug, Default)]
pub struct Retired {
    /// The hours, oldest first.
    pub hours: Vec<Hour>,
    /// Their files.
    pub files: Vec<PathBuf>,
    /// What those take on the disk, in bytes.
    pub bytes: u64,
    /// The hour that would have been next, of which the journal still has events.
    pub in_journal: Option<Hour>,
    /// Why [`retain`] takes none of it out.
    pub refusal: Option<Refusal>,
    /// Files of these hours that cannot be read: they are in the quarantine folder now, or stay.
    pub failed: Vec<StoreError>,
}

/// Why no hour goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A clock that is wrong looks like this.
    #[error(
        "the clock says {}, {} days after the newest entry ({}): see that it is right",
        time(*now_ms), (now_ms - newest_ms) / DAY_MS, time(*newest_ms)
    )]
    ClockAhead {
        /// The clock, ms since the epoch.
        now_ms: i64,
        /// When the newest entry arrived, ms since the epoch.
        newest_ms: i64,
    },
    /// A limit that is wrong looks like this.
    #[error("nothing would be left: all {hours} hours would go")]
    NothingLeft {
        /// How many hours.
        hours: usize,
    },
}

const DAY_MS: i64 = 24 * 3_600_000;
/// A clock that is further ahead of the newest entry than that is not believed: it is wrong, or
/// nothing has been stored for so long that nothing need go.
const CLOCK_AHEAD_MS_MAX: i64 = DAY_MS;

fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| format!("{ms} ms"), |time| time.to_string())
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
/// with [`super::remove_superseded_files`]. A file whose events cannot be counted is moved to the
/// quarantine folder instead, and named in [`Retired::failed`]; the others go all the same.
///
/// # Errors
/// [`StoreError::Refused`] where hours would go that had better stay; else [`StoreError`] where the
/// disk refuses; what was written down until then is gone.
pub fn retain(layout: &Layout, retention: &Retention, now_ms: i64) -> Result<Retired, StoreError> {
    let (mut retired, files) = choose(layout, retention, now_ms)?;
    if let Some(refusal) = retired.refusal {
        return Err(StoreError::Refused(refusal));
    }
    let mut by_writer: BTreeMap<&Writer, Vec<&Partition>> = BTreeMap::new();
    for file in &files {
        by_writer.entry(&file.name.writer).or_default().push(file);
    }
    let mut gone = Vec::new();
    for (writer, files) in by_writer {
        let counted = count(layout, &files, &mut retired.failed);
        write_down(layout, writer, &counted)?;
        gone.extend(counted);
    }
    retired.bytes = gone.iter().map(|(file, _)| file.bytes).sum();
    retired.files = gone.into_iter().map(|(file, _)| file.path.clone()).collect();
    Ok(retired)
}

/// Sealed files, and how many events each has. One that cannot be read leaves the partitions: no
/// record could say how many events went with it.
fn count<'a>(layout: &Layout, files: &[&'a Partition], failed: &mut Vec<StoreError>) -> Vec<(&'a Partition, u64)> {
    let mut counted = Vec::new();
    for file in files {
        match rows(file) {
            Ok(events) => counted.push((*file, events)),
            // It was superseded, and removed meanwhile.
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                failed.push(error);
                if let Err(error) = set_aside(layout, &file.path) {
                    failed.push(error);
                    // The record is one range: what lies above this file has to stay with it.
                    break;
                }
            }
        }
    }
    counted
}

fn choose(layout: &Layout, retention: &Retention, now_ms: i64) -> Result<(Retired, Vec<Partition>), StoreError> {
    let in_journal = segment_starts(layout)?;
    let partitions = counting_partitions(layout)?;
    let mut left: u64 = partitions.iter().map(|file| file.bytes).sum();
    let ended_before = retention.age.map(|age| now_ms - i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    let mut retired = Retired::default();
    let mut gone = Vec::new();
    for hour in partitions.chunk_by(|a, b| a.hour == b.hour) {
        let Some(Partition { hour: which, .. }) = hour.first() else { continue };
        let is_old = ended_before.is_some_and(|before| which.end_ms() <= before);
        let is_too_much = retention.bytes.is_some_and(|bytes| left > bytes);
        let is_in_journal = in_journal.iter().any(|start| start.hour == *which);
        // Oldest first: where one has to stay, all after it do.
        if !(is_old || is_too_much) || which.end_ms() > now_ms {
            break;
        }
        if is_in_journal {
            retired.in_journal = Some(*which);
            break;
        }
        let bytes: u64 = hour.iter().map(|file| file.bytes).sum();
        left -= bytes;
        retired.bytes += bytes;
        retired.hours.push(*which);
        retired.files.extend(hour.iter().map(|file| file.path.clone()));
        gone.extend(hour.iter().cloned());
    }
    if !gone.is_empty() && !retention.even_if_odd {
        let newest = partitions.iter().map(|file| file.name.ids.last).chain(in_journal.iter().map(|start| start.first));
        let newest_ms = newest.filter_map(|id| id.ingested_at()).max().unwrap_or(now_ms);
        retired.refusal = if retention.age.is_some() && now_ms.saturating_sub(newest_ms) > CLOCK_AHEAD_MS_MAX {
            Some(Refusal::ClockAhead { now_ms, newest_ms })
        } else if gone.len() == partitions.len() && in_journal.is_empty() {
            Some(Refusal::NothingLeft { hours: retired.hours.len() })
        } else {
            None
        };
    }
    Ok((retired, gone))
}

/// Puts a writer's older record and these files, with so many events each, into one new record,
/// which takes their place.
fn write_down(layout: &Layout, writer: &Writer, files: &[(&Partition, u64)]) -> Result<(), StoreError> {
    let older = ranges(layout)?.into_iter().filter(|(name, _)| name.writer == *writer);
    let (older, older_paths): (Vec<SealedName>, Vec<PathBuf>) = older.unzip();
    if files.is_empty() {
        return Ok(());
    }
    let before: u64 =
        retired_events(layout)?.into_iter().filter(|(of, _)| of == writer).map(|(_, events)| events).sum();
    let events = before + files.iter().map(|(_, events)| events).sum::<u64>();
    let names = files.iter().map(|(file, _)| &file.name).chain(&older);
    let all =
        names.map(|name| name.ids).reduce(|a, b| IdRange { first: a.first.min(b.first), last: a.last.max(b.last) });
    let Some(ids) = all else { return Ok(()) };
    sidecar::write(layout, &layout.retired(), writer, &[RetiredRange { ids, events }])?;
    let new = layout.retired().join(SealedName { writer: writer.clone(), ids }.with_extension(NDJSON));
    older_paths.iter().filter(|path| **path != new).try_for_each(|path| disk::remove(layout, path))
}

/// The ranges that are gone, with their records, without those that a later record contains.
pub(super) fn ranges(layout: &Layout) -> Result<Vec<(SealedName, PathBuf)>, StoreError> {
    let mut files = list(&layout.retired())?;
    for beside in layout.away().map(|away| away.folders()).unwrap_or_default() {
        files.extend(list(&beside.retired())?);
    }
    let named = files.into_iter().filter_map(|(path, name)| Some((SealedName::parse(&name, NDJSON)?, path)));
    let mut known = HashSet::new();
    // A store and its copy have the same records.
    let all: Vec<(SealedName, PathBuf)> = named.filter(|(name, _)| known.insert(name.clone())).collect();
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
    ranges(layout)?.into_iter().map(|(name, path)| Ok((name.writer, events_in(&path)?))).collect()
}

/// The same; a record that is damaged goes to `skipped`.
pub(super) fn readable_retired_events(
    layout: &Layout,
    skipped: &mut Vec<StoreError>,
) -> Result<Vec<(Writer, u64)>, StoreError> {
    let mut events = Vec::new();
    for (name, path) in ranges(layout)? {
        match events_in(&path) {
            Err(error @ StoreError::Damaged { .. }) => skipped.push(error),
            read => events.push((name.writer, read?)),
        }
    }
    Ok(events)
}

fn events_in(path: &Path) -> Result<u64, StoreError> {
    Ok(sidecar::read::<RetiredRange>(path)?.iter().map(|range| range.events).sum())
}

/// A record: events of one writer that are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RetiredRange {
    ids: IdRange,
    events: u64,
}

/// A record as it is written.
#[derive(Serialize, Deserialize)]
pub struct RetiredLine {
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
