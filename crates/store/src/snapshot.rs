//! What a reader sees: the files that count at one moment, each event in exactly one of them.
//!
//! The journal is opened before the partitions are listed. So an event that moves from one
//! to the other meanwhile is seen in both, never in neither, and the names tell which one
//! counts: a segment is superseded by a sealed file of its writer that lies in its range,
//! a sealed file by one of the same writer and hour whose range contains its own.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::error::IoContext as _;
use super::journal::{Loss, Quarantined, SegmentReader};
use super::layout::{Hour, IdRange, Layout, SealedName, SegmentName, Writer};
use super::listing::{list, list_partitions, partitions_of_hour};
use super::retain;
use super::schema::BatchBuilder;
use super::{Away, DeadLetter, Records, Released, StoreError};
use emp_event::EntryId;

/// The store at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// Sealed files, by hour, writer and ID.
    pub partitions: Vec<Partition>,
    /// What is durable but not yet sealed.
    pub segments: Vec<Segment>,
    /// Everyone who has a segment in the journal, be it empty.
    pub writers: Vec<Writer>,
    /// The entries that are no events, with the writer that kept each.
    pub quarantine: Records<Quarantined>,
    /// The losses, with the writer that noticed each.
    pub losses: Records<Loss>,
    /// The events that a receiver has refused for good, by ID, with the signal of each.
    pub dead_letters: Records<DeadLetter>,
    /// How many events of a writer retention has taken out, or are in the archive alone and not listed here.
    pub retired: Vec<(Writer, u64)>,
    /// Files in the partitions whose names are not ours, and files that cannot be read:
    /// left out of every answer, each with the reason.
    pub skipped: Vec<StoreError>,
}

/// A sealed file.
#[derive(Debug, Clone)]
pub struct Partition {
    /// Where it lies.
    pub path: PathBuf,
    /// The hour of its folder.
    pub hour: Hour,
    /// What its name says.
    pub name: SealedName,
    /// Its size.
    pub bytes: u64,
    /// Where it is brought from; `None` where it lies in the folder.
    pub away: Option<Arc<dyn Away>>,
}

impl Partition {
    /// Is it brought from there?
    pub fn is_at(&self, place: &Arc<dyn Away>) -> bool {
        self.away.as_ref().is_some_and(|away| Arc::ptr_eq(away, place))
    }
}

/// The events of a journal segment that no sealed file holds yet.
#[derive(Debug)]
pub struct Segment {
    /// Where it lies.
    pub path: PathBuf,
    /// What its name says.
    pub name: SegmentName,
    /// Its size.
    pub bytes: u64,
    /// The hour of its events.
    pub hour: Hour,
    /// The range of their IDs.
    pub ids: IdRange,
    /// The events, in ID order, in the columns of [`super::file_schema`].
    pub batches: Vec<RecordBatch>,
}

impl Segment {
    /// How many events it holds.
    pub fn rows(&self) -> u64 {
        self.batches.iter().map(|batch| batch.num_rows() as u64).sum()
    }
}

/// Rows of one batch read from a segment.
const SEGMENT_BATCH_ROWS: usize = 8_192;

impl Snapshot {
    /// Reads the names of the store's files, and the journal's events.
    ///
    /// # Errors
    /// [`StoreError`] where the store's folder is missing or cannot be listed.
    pub fn read(layout: &Layout) -> Result<Self, StoreError> {
        Self::read_listed_by(layout, |skipped| list_partitions(layout, skipped))
    }

    /// The same, with the sealed files from `list`: every one that is there when it is called, by
    /// hour, writer and first ID, the longer range first; what is not ours goes to its argument.
    ///
    /// # Errors
    /// As [`Self::read`], and what `list` fails with.
    pub fn read_listed_by(
        layout: &Layout,
        list: impl FnOnce(&mut Vec<StoreError>) -> Result<Vec<Partition>, StoreError>,
    ) -> Result<Self, StoreError> {
        fs::metadata(layout.root()).doing("open the store", layout.root())?;
        let mut skipped = Vec::new();
        let journal = open_all_segments(layout)?;
        let writers = journal.iter().map(|(_, name, _)| name.writer.clone()).collect();
        let partitions = visible_partitions(layout, list, &mut skipped)?;
        let gone = retain::ranges(layout)?;
        let mut quarantine = Records::list(layout, layout.quarantine())?;
        let mut losses = Records::list(layout, layout.losses())?;
        let dead_letters = Records::list(layout, layout.dead_letters())?;
        let mut segments = Vec::new();
        let names: Vec<SegmentName> = journal.iter().map(|(_, name, _)| name.clone()).collect();
        for (index, (path, name, reader)) in journal.into_iter().enumerate() {
            if is_sealed_by_name(&names[index..], &partitions, &gone) {
                continue;
            }
            let contents = match Contents::read(reader) {
                Ok(contents) => contents,
                Err(error) => {
                    skipped.push(error);
                    continue;
                }
            };
            quarantine.extend(&name.writer, contents.quarantined);
            losses.extend(&name.writer, contents.losses);
            let Some((hour, ids)) = contents.hour_and_ids else { continue };
            // A segment may come back after a power cut, when what it was sealed into is gone already.
            let is_retired = gone.iter().any(|(gone, _)| gone.writer == name.writer && gone.ids.contains(&ids));
            let is_sealed = partitions.iter().any(|sealed| {
                sealed.hour == hour && sealed.name.writer == name.writer && sealed.name.ids.contains(&ids)
            });
            if !is_sealed && !is_retired {
                segments.push(Segment { path, name, bytes: contents.bytes, hour, ids, batches: contents.batches });
            }
        }
        let mut retired = retain::readable_retired_events(layout, &mut skipped)?;
        if let Some(away) = layout.away() {
            retired.extend(Arc::clone(away).each().iter().flat_map(|away| away.taken_out()));
        } else {
            // Whoever brings them here lists them with the others.
            retired.extend(Released::read(layout)?.events_beside(&partitions));
        }
        Ok(Self { partitions, segments, writers, quarantine, losses, dead_letters, retired, skipped })
    }
}

/// Do the names alone tell that the first of these segments is sealed? Its IDs lie between those
/// after which it and the next one of its writer begin, and sealing takes all of them at once.
/// Segments that were superseded stay for a while; a reader need not open them.
fn is_sealed_by_name(segments: &[SegmentName], partitions: &[Partition], gone: &[(SealedName, PathBuf)]) -> bool {
    let [segment, next, ..] = segments else { return false };
    let sealed = partitions.iter().map(|file| &file.name).chain(gone.iter().map(|(name, _)| name));
    let mut sealed = sealed.filter(|name| name.ids.last > segment.after && name.ids.first <= next.after);
    segment.writer == next.writer && sealed.any(|name| name.writer == segment.writer)
}

/// What a segment holds.
struct Contents {
    bytes: u64,
    hour_and_ids: Option<(Hour, IdRange)>,
    batches: Vec<RecordBatch>,
    quarantined: Vec<Quarantined>,
    losses: Vec<Loss>,
}

impl Contents {
    fn read(mut reader: SegmentReader) -> Result<Self, StoreError> {
        let mut contents =
            Self { bytes: 0, hour_and_ids: None, batches: Vec::new(), quarantined: Vec::new(), losses: Vec::new() };
        let mut builder = BatchBuilder::new();
        reader.header()?;
        while let Some(commit) = reader.next_commit()? {
            for row in &commit.rows {
                builder.push(row);
                let hour = Hour::of_ms(row.ingested_at());
                let (_, ids) = contents.hour_and_ids.get_or_insert((hour, IdRange { first: row.id, last: row.id }));
                ids.last = row.id;
            }
            contents.quarantined.extend(commit.quarantined);
            contents.losses.extend(commit.losses);
            if builder.rows() >= SEGMENT_BATCH_ROWS {
                contents.batches.push(builder.finish());
            }
        }
        if builder.rows() > 0 {
            contents.batches.push(builder.finish());
        }
        contents.bytes = reader.length();
        Ok(contents)
    }
}

/// The segments of the store, and of each that is asked as one with it; of one that was copied with its store the longer.
fn open_all_segments(layout: &Layout) -> Result<Vec<(PathBuf, SegmentName, SegmentReader)>, StoreError> {
    let mut opened = open_segments(layout)?;
    let beside = layout.away().map(|away| away.folders()).unwrap_or_default();
    if beside.is_empty() {
        return Ok(opened);
    }
    for layout in &beside {
        opened.extend(open_segments(layout)?);
    }
    let bytes = |path: &PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
    opened.sort_by_cached_key(|(path, name, _)| (name.writer.clone(), name.after, std::cmp::Reverse(bytes(path))));
    opened.dedup_by(|(_, name, _), (_, before, _)| name == before);
    Ok(opened)
}

/// Opens every segment that is there; one that was sealed and removed since the folder was
/// listed is found among the partitions, which are listed later.
fn open_segments(layout: &Layout) -> Result<Vec<(PathBuf, SegmentName, SegmentReader)>, StoreError> {
    let mut opened = Vec::new();
    for (path, file_name) in list(&layout.journal())? {
        let Some(name) = SegmentName::parse(&file_name) else { continue };
        match SegmentReader::open(&path) {
            Ok(reader) => opened.push((path, name, reader)),
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    opened.sort_by(|(_, a, _), (_, b, _)| (&a.writer, a.after).cmp(&(&b.writer, b.after)));
    Ok(opened)
}

/// Where the events of a segment begin; all of them are of one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentStart {
    pub writer: Writer,
    pub hour: Hour,
    pub first: EntryId,
}

impl SegmentStart {
    /// Does that file hold the segment's events?
    pub fn is_in(&self, file: &Partition) -> bool {
        let ids = file.name.ids;
        file.hour == self.hour && file.name.writer == self.writer && (ids.first..=ids.last).contains(&self.first)
    }
}

/// The beginning of each segment that has events.
pub(super) fn segment_starts(layout: &Layout) -> Result<Vec<SegmentStart>, StoreError> {
    let mut starts = Vec::new();
    for (_, name, mut reader) in open_segments(layout)? {
        reader.header()?;
        while let Some(commit) = reader.next_commit()? {
            if let Some(row) = commit.rows.first() {
                let hour = Hour::of_ms(row.ingested_at());
                starts.push(SegmentStart { writer: name.writer, hour, first: row.id });
                break;
            }
        }
    }
    Ok(starts)
}

/// The sealed files that count, of those that `list` finds: every one that is there when it is
/// called, by hour, writer and first ID, the longer range first; what is not ours goes to its
/// argument, and so to `skipped`.
///
/// # Errors
/// [`StoreError`] where a folder cannot be listed.
pub fn visible_partitions(
    layout: &Layout,
    list: impl FnOnce(&mut Vec<StoreError>) -> Result<Vec<Partition>, StoreError>,
    skipped: &mut Vec<StoreError>,
) -> Result<Vec<Partition>, StoreError> {
    let (mut partitions, _) = part_superseded(list(skipped)?);
    // Listed last: an hour that goes meanwhile is gone, or was still seen whole.
    let retired = retain::ranges(layout)?;
    partitions.retain(|file| {
        !retired.iter().any(|(name, _)| name.writer == file.name.writer && name.ids.contains(&file.name.ids))
    });
    Ok(partitions)
}

/// The sealed files that count, of all that the folders hold. Odd names are passed over in silence:
/// [`Snapshot::read`] reports them.
pub(super) fn counting_partitions(layout: &Layout) -> Result<Vec<Partition>, StoreError> {
    visible_partitions(layout, |skipped| list_partitions(layout, skipped), &mut Vec::new())
}

/// The same of one hour.
pub(super) fn visible_in_hour(layout: &Layout, hour: Hour) -> Result<Vec<Partition>, StoreError> {
    visible_partitions(layout, |skipped| partitions_of_hour(layout, hour, skipped), &mut Vec::new())
}

/// Parts the files that count from those whose range lies inside that of another by their writer
/// in their hour, which is named.
pub(super) fn part_superseded(sorted: Vec<Partition>) -> (Vec<Partition>, Vec<(Partition, PathBuf)>) {
    let mut counting: Vec<Partition> = Vec::with_capacity(sorted.len());
    let mut superseded = Vec::new();
    for file in sorted {
        match counting.last().filter(|last| is_within(&file, last)).map(|last| last.path.clone()) {
            Some(by) => superseded.push((file, by)),
            None => counting.push(file),
        }
    }
    (counting, superseded)
}

/// Does one file hold all that another of its writer and hour holds?
fn is_within(file: &Partition, other: &Partition) -> bool {
    other.hour == file.hour && other.name.writer == file.name.writer && other.name.ids.contains(&file.name.ids)
}
