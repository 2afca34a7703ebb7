//! The entries of a range of IDs, in their order, from whichever files hold them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use arrow::array::{Array as _, AsArray as _, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, TimestampMillisecondType};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

use super::at_once::rows_at_once;
use super::error::IoContext as _;
use super::journal::{Row, SegmentReader};
use super::layout::{Hour, IdRange, Layout, SealedName, SegmentName, Writer};
use super::listing::list;
use super::sidecar::{self, NDJSON};
use super::snapshot::{SegmentStart, counting_partitions};
use super::{Quarantined, StoreError};
use emp_event::{EntryId, Event, Level};

/// Rows decoded at once: few, since a row may hold much.
const READ_ROWS: usize = 512;

/// Entries above one ID and below another, lowest first. Reads with little memory: one batch of
/// each file whose range has been reached.
pub struct EventRange {
    sources: Vec<Source>,
    /// The sources that are not exhausted, by their next entry.
    queue: BinaryHeap<Reverse<Next>>,
    after: EntryId,
    before: EntryId,
    skipped: Vec<StoreError>,
}

impl fmt::Debug for EventRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventRange").field("after", &self.after).field("before", &self.before).finish_non_exhaustive()
    }
}

/// An entry as the store has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Stored {
    /// An event.
    Event(Box<Event<'static>>),
    /// What is no event: the quarantine has it.
    NotAnEvent(EntryId),
}

impl Stored {
    /// The entry's ID.
    pub fn id(&self) -> EntryId {
        match self {
            Self::Event(event) => event.id,
            Self::NotAnEvent(id) => *id,
        }
    }
}

/// No entry that a source still has lies below this ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Next {
    id: EntryId,
    /// Its place among the sources.
    source: usize,
}

struct Source {
    path: PathBuf,
    content: Content,
    decoded: VecDeque<Stored>,
}

/// Opens a file that is at rest.
type Open = fn(&Path) -> Result<Content, StoreError>;

enum Content {
    Unopened(Open),
    Sealed(Box<ParquetRecordBatchReader>),
    Quarantine(Box<dyn Iterator<Item = Result<Quarantined, StoreError>> + Send>),
    Journal(Box<Unsealed>),
    Ended,
}

/// A segment of the journal, of which files at rest may hold a part.
struct Unsealed {
    reader: SegmentReader,
    /// Does a sealed file hold its events?
    has_sealed_events: bool,
    /// The ranges of its writer's quarantine at rest.
    at_rest: Vec<IdRange>,
}

impl EventRange {
    /// Looks which files may hold such entries, of whichever writer. Those that come to be later are
    /// not read.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be listed.
    pub fn open(layout: &Layout, after: EntryId, before: EntryId) -> Result<Self, StoreError> {
        Self::of_writers(layout, after, before, |_| true)
    }

    /// Like [`Self::open`], with the entries of those writers only for which `is_wanted` holds. Whoever
    /// makes up for what the stream lost leaves imports out: they were never in the stream.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn of_writers(
        layout: &Layout,
        after: EntryId,
        before: EntryId,
        is_wanted: impl Fn(&Writer) -> bool,
    ) -> Result<Self, StoreError> {
        let mut range = Self { sources: Vec::new(), queue: BinaryHeap::new(), after, before, skipped: Vec::new() };
        // The journal first: what is sealed meanwhile has left it, and is listed.
        let journal = segments(layout, &mut range.skipped)?;
        let partitions = counting_partitions(layout)?;
        let quarantine = list(&layout.quarantine())?.into_iter();
        let quarantine: Vec<(PathBuf, SealedName)> =
            quarantine.filter_map(|(path, file_name)| Some((path, SealedName::parse(&file_name, NDJSON)?))).collect();
        let at_rest = partitions.iter().map(|file| (&file.path, &file.name, open_sealed as Open));
        let at_rest = at_rest.chain(quarantine.iter().map(|(path, name)| (path, name, open_quarantine as Open)));
        for (path, name, open) in at_rest {
            if name.ids.last > after && name.ids.first < before && is_wanted(&name.writer) {
                range.add(name.ids.first, path.clone(), Content::Unopened(open));
            }
        }
        for segment in journal.into_iter().filter(|segment| is_wanted(&segment.writer)) {
            let of_writer = quarantine.iter().filter(|(_, name)| name.writer == segment.writer);
            let unsealed = Unsealed {
                reader: segment.reader,
                has_sealed_events: segment.start.is_some_and(|start| partitions.iter().any(|file| start.is_in(file))),
                at_rest: of_writer.map(|(_, name)| name.ids).collect(),
            };
            range.add(segment.first, segment.path, Content::Journal(Box::new(unsealed)));
        }
        Ok(range)
    }

    fn add(&mut self, first: EntryId, path: PathBuf, content: Content) {
        self.queue.push(Reverse(Next { id: first, source: self.sources.len() }));
        self.sources.push(Source { path, content, decoded: VecDeque::new() });
    }

    /// The files and lines that were left out since this was asked last: each is damaged.
    pub fn take_skipped(&mut self) -> Vec<StoreError> {
        std::mem::take(&mut self.skipped)
    }

    /// The next event; `None` at the end.
    ///
    /// # Errors
    /// As [`Self::next_entry`].
    pub fn next_event(&mut self) -> Result<Option<Event<'static>>, StoreError> {
        loop {
            match self.next_entry()? {
                Some(Stored::Event(event)) => return Ok(Some(*event)),
                Some(Stored::NotAnEvent(_)) => {}
                None => return Ok(None),
            }
        }
    }

    /// The next entry, be it an event or not; `None` at the end. A file that is damaged costs what is damaged
    /// of it, and is among the skipped.
    ///
    /// # Errors
    /// [`StoreError::Io`] where the system refuses to read a file.
    pub fn next_entry(&mut self) -> Result<Option<Stored>, StoreError> {
        while let Some(Reverse(next)) = self.queue.pop().filter(|Reverse(next)| next.id < self.before) {
            let source = &mut self.sources[next.source];
            let entry = source.decoded.pop_front();
            let has_more = match &entry {
                Some(_) => true,
                None => match source.refill(&mut self.skipped) {
                    Err(error @ StoreError::Damaged { .. }) => {
                        self.skipped.push(error);
                        false
                    }
                    refilled => refilled?,
                },
            };
            if has_more {
                let id = source.decoded.front().map_or(next.id, Stored::id);
                self.queue.push(Reverse(Next { id, ..next }));
            } else {
                source.content = Content::Ended;
            }
            if entry.as_ref().is_some_and(|entry| entry.id() > self.after) {
                return Ok(entry);
            }
        }
        Ok(None)
    }
}

impl Source {
    /// Decodes more; `false` at its end. What is left out goes to `skipped`.
    fn refill(&mut self, skipped: &mut Vec<StoreError>) -> Result<bool, StoreError> {
        if let Content::Unopened(open) = self.content {
            self.content = open(&self.path)?;
        }
        match &mut self.content {
            Content::Unopened(_) | Content::Ended => return Ok(false),
            Content::Sealed(reader) => {
                let Some(batch) = reader.next() else { return Ok(false) };
                let batch = batch.map_err(|error| damaged(&self.path, &error.into()))?;
                self.decoded = events_of(&batch, &self.path)?.into_iter().map(stored).collect();
            }
            Content::Quarantine(lines) => {
                let mut is_any = false;
                for line in lines.take(READ_ROWS) {
                    is_any = true;
                    match line {
                        Ok(entry) => self.decoded.push_back(Stored::NotAnEvent(entry.id)),
                        Err(error @ StoreError::Damaged { .. }) => skipped.push(error),
                        Err(error) => return Err(error),
                    }
                }
                return Ok(is_any);
            }
            Content::Journal(segment) => {
                let Some(commit) = segment.reader.next_commit()? else { return Ok(false) };
                let is_at_rest = |id: EntryId| segment.at_rest.iter().any(|ids| ids.first <= id && id <= ids.last);
                let not_events = commit.quarantined.iter().map(|entry| entry.id).filter(|id| !is_at_rest(*id));
                let mut entries: Vec<Stored> = not_events.map(Stored::NotAnEvent).collect();
                if !segment.has_sealed_events {
                    entries.extend(commit.rows.iter().map(|row| stored(event_of(row))));
                }
                entries.sort_by_key(Stored::id);
                self.decoded = entries.into();
            }
        }
        Ok(true)
    }
}

fn stored(event: Event<'static>) -> Stored {
    Stored::Event(Box::new(event))
}

/// A segment of the journal that holds entries, and a reader at its first commit.
struct Segment {
    path: PathBuf,
    writer: Writer,
    first: EntryId,
    /// Where its events begin; `None` where it has none.
    start: Option<SegmentStart>,
    reader: SegmentReader,
}

/// The segments that hold entries; one that cannot be read is left out.
fn segments(layout: &Layout, skipped: &mut Vec<StoreError>) -> Result<Vec<Segment>, StoreError> {
    let mut found = Vec::new();
    for (path, file_name) in list(&layout.journal())? {
        let Some(name) = SegmentName::parse(&file_name) else { continue };
        match segment(path, name) {
            Err(error @ StoreError::Damaged { .. }) => skipped.push(error),
            segment => found.extend(segment?),
        }
    }
    Ok(found)
}

fn segment(path: PathBuf, name: SegmentName) -> Result<Option<Segment>, StoreError> {
    let Some(mut reader) = open_segment(&path)? else { return Ok(None) };
    let (mut first, mut start) = (None, None);
    while start.is_none()
        && let Some(commit) = reader.next_commit()?
    {
        let row = commit.rows.first();
        let ids = row.map(|row| row.id).into_iter().chain(commit.quarantined.first().map(|entry| entry.id));
        first = first.or(ids.min());
        start = row.map(|row| SegmentStart {
            writer: name.writer.clone(),
            hour: Hour::of_ms(row.ingested_at()),
            first: row.id,
        });
    }
    let (Some(first), Some(reader)) = (first, open_segment(&path)?) else { return Ok(None) };
    Ok(Some(Segment { path, writer: name.writer, first, start, reader }))
}

/// A reader behind the header; `None` where the segment was sealed and removed meanwhile.
fn open_segment(path: &Path) -> Result<Option<SegmentReader>, StoreError> {
    match SegmentReader::open(path) {
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => {
            let mut reader = opened?;
            reader.header()?;
            Ok(Some(reader))
        }
    }
}

fn open_quarantine(path: &Path) -> Result<Content, StoreError> {
    Ok(Content::Quarantine(Box::new(sidecar::records(path)?)))
}

fn open_sealed(path: &Path) -> Result<Content, StoreError> {
    let file = File::open(path).doing("open", path)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(path, &error))?;
    let at_once = rows_at_once(builder.metadata(), READ_ROWS);
    let reader = builder.with_batch_size(at_once).build().map_err(|error| damaged(path, &error))?;
    Ok(Content::Sealed(Box::new(reader)))
}

fn damaged(path: &Path, error: &ParquetError) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), detail: error.to_string() }
}

fn event_of(row: &Row<'_>) -> Event<'static> {
    let owned = |text: Option<&str>| text.map(|text| text.to_owned().into());
    Event {
        id: row.id,
        timestamp: row.timestamp,
        service: row.service.to_owned().into(),
        event_type: row.event_type.to_owned().into(),
        level: row.level,
        trace_id: owned(row.trace_id),
        job_id: owned(row.job_id),
        worker_id: owned(row.worker_id),
        machine_id: owned(row.machine_id),
        user_id: owned(row.user_id),
        duration_ms: row.duration_ms,
        data: row.data.to_owned().into(),
    }
}

/// Rows in the columns of [`super::file_schema`], in any order, as events. `path` is where they are from.
///
/// # Errors
/// [`StoreError::Damaged`] where a column is missing or of another type.
pub fn events_of(batch: &RecordBatch, path: &Path) -> Result<Vec<Event<'static>>, StoreError> {
    let missing =
        |name: &str| StoreError::Damaged { path: path.to_owned(), detail: format!("it has no column {name}") };
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| missing(name));
    let text = |name: &str| column(name)?.as_string_opt::<i32>().ok_or_else(|| missing(name));
    let timestamps = column("timestamp")?;
    let timestamps = timestamps.as_primitive_opt::<TimestampMillisecondType>().ok_or_else(|| missing("timestamp"))?;
    let durations = column("duration_ms")?;
    let durations = durations.as_primitive_opt::<Float64Type>().ok_or_else(|| missing("duration_ms"))?;
    let (ids, levels) = (text("id")?, text("level")?);
    let [services, event_types, data] = [text("service")?, text("event_type")?, text("data")?];
    let [traces, jobs] = [text("trace_id")?, text("job_id")?];
    let [workers, machines, users] = [text("worker_id")?, text("machine_id")?, text("user_id")?];
    (0..batch.num_rows())
        .map(|row| {
            let id = ids.value(row).parse().map_err(|error: emp_event::ParseEntryIdError| StoreError::Damaged {
                path: path.to_owned(),
                detail: error.to_string(),
            })?;
            let owned = |column: &StringArray| column.is_valid(row).then(|| column.value(row).to_owned().into());
            Ok(Event {
                id,
                timestamp: timestamps.value(row),
                service: services.value(row).to_owned().into(),
                event_type: event_types.value(row).to_owned().into(),
                level: Level::parse(levels.value(row)).unwrap_or_default(),
                trace_id: owned(traces),
                job_id: owned(jobs),
                worker_id: owned(workers),
                machine_id: owned(machines),
                user_id: owned(users),
                duration_ms: durations.is_valid(row).then(|| durations.value(row)),
                data: data.value(row).to_owned().into(),
            })
        })
        .collect()
}
