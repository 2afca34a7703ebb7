//! The events of a range of IDs, in their order, from whichever files hold them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use arrow::array::{Array as _, AsArray as _, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, TimestampMillisecondType};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

use super::error::IoContext as _;
use super::journal::{Row, SegmentReader};
use super::layout::{Hour, Layout, SealedName, SegmentName, Writer};
use super::listing::list;
use super::sidecar::{self, NDJSON};
use super::snapshot::{SegmentStart, counting_partitions};
use super::{Partition, Quarantined, StoreError};
use emp_event::{EntryId, Event, Level};

/// Rows decoded at once: few, since a row may hold much.
const READ_ROWS: usize = 512;

/// Events above one ID and below another, lowest first. Reads with little memory: one batch of
/// each file whose range has been reached.
pub struct EventRange {
    sources: Vec<Source>,
    /// The sources that are not exhausted, by their next event.
    queue: BinaryHeap<Reverse<Next>>,
    after: EntryId,
    before: EntryId,
    quarantined: u64,
}

/// No event that a source still has lies below this ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Next {
    id: EntryId,
    /// Its place among the sources.
    source: usize,
}

struct Source {
    path: PathBuf,
    rows: Rows,
    decoded: VecDeque<Event<'static>>,
}

enum Rows {
    Closed,
    Sealed(Box<ParquetRecordBatchReader>),
    Journal(Box<SegmentReader>),
}

impl EventRange {
    /// Looks which files may hold such events, of whichever writer. Those that come to be later are
    /// not read.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be listed.
    pub fn open(layout: &Layout, after: EntryId, before: EntryId) -> Result<Self, StoreError> {
        Self::of_writers(layout, after, before, |_| true)
    }

    /// Like [`Self::open`], with the events of those writers only for which `is_wanted` holds. Whoever
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
        let mut range = Self { sources: Vec::new(), queue: BinaryHeap::new(), after, before, quarantined: 0 };
        // The journal first: what is sealed meanwhile has left it, and is listed.
        let journal = segments(layout)?;
        let partitions = counting_partitions(layout)?;
        let touches = |file: &&Partition| file.name.ids.last > after && file.name.ids.first < before;
        for file in partitions.iter().filter(touches).filter(|file| is_wanted(&file.name.writer)) {
            range.add(file.name.ids.first, file.path.clone(), Rows::Closed);
        }
        for (path, start, reader) in journal {
            if is_wanted(&start.writer) && !partitions.iter().any(|file| start.is_in(file)) {
                range.add(start.first, path, Rows::Journal(Box::new(reader)));
            }
        }
        range.quarantined = quarantined(layout, after, before, is_wanted)?;
        Ok(range)
    }

    fn add(&mut self, first: EntryId, path: PathBuf, rows: Rows) {
        self.queue.push(Reverse(Next { id: first, source: self.sources.len() }));
        self.sources.push(Source { path, rows, decoded: VecDeque::new() });
    }

    /// How many entries of the range were no events, as far as it has been read.
    pub fn quarantined(&self) -> u64 {
        self.quarantined
    }

    /// The next event; `None` at the end.
    ///
    /// # Errors
    /// [`StoreError`] where a file cannot be read.
    pub fn next_event(&mut self) -> Result<Option<Event<'static>>, StoreError> {
        while let Some(Reverse(next)) = self.queue.pop().filter(|Reverse(next)| next.id < self.before) {
            let source = &mut self.sources[next.source];
            let event = source.decoded.pop_front();
            let has_more = match &event {
                Some(_) => true,
                None => source.refill(&mut self.quarantined, self.after, self.before)?,
            };
            if has_more {
                let id = source.decoded.front().map_or(next.id, |event| event.id);
                self.queue.push(Reverse(Next { id, ..next }));
            } else {
                source.rows = Rows::Closed;
            }
            if event.as_ref().is_some_and(|event| event.id > self.after) {
                return Ok(event);
            }
        }
        Ok(None)
    }
}

impl Source {
    /// Decodes more; `false` at its end.
    fn refill(&mut self, quarantined: &mut u64, after: EntryId, before: EntryId) -> Result<bool, StoreError> {
        if matches!(self.rows, Rows::Closed) {
            self.rows = Rows::Sealed(Box::new(open_sealed(&self.path)?));
        }
        match &mut self.rows {
            Rows::Closed => {}
            Rows::Sealed(reader) => {
                let Some(batch) = reader.next() else { return Ok(false) };
                let batch = batch.map_err(|error| damaged(&self.path, &error.into()))?;
                self.decoded = events_of(&batch, &self.path)?.into();
            }
            Rows::Journal(reader) => {
                let Some(commit) = reader.next_commit()? else { return Ok(false) };
                let is_within = |entry: &&Quarantined| entry.id > after && entry.id < before;
                *quarantined += commit.quarantined.iter().filter(is_within).count() as u64;
                self.decoded = commit.rows.iter().map(event_of).collect();
            }
        }
        Ok(true)
    }
}

/// The segments that have events, where each begins, and a reader at their first commit.
fn segments(layout: &Layout) -> Result<Vec<(PathBuf, SegmentStart, SegmentReader)>, StoreError> {
    let mut found = Vec::new();
    for (path, file_name) in list(&layout.journal())? {
        let Some(name) = SegmentName::parse(&file_name) else { continue };
        let Some(first) = first_event(&path)? else { continue };
        let start = SegmentStart { writer: name.writer, hour: first.0, first: first.1 };
        match open_segment(&path)? {
            Some(reader) => found.push((path, start, reader)),
            None => continue,
        }
    }
    Ok(found)
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

fn first_event(path: &Path) -> Result<Option<(Hour, EntryId)>, StoreError> {
    let Some(mut reader) = open_segment(path)? else { return Ok(None) };
    while let Some(commit) = reader.next_commit()? {
        if let Some(row) = commit.rows.first() {
            return Ok(Some((Hour::of_ms(row.ingested_at()), row.id)));
        }
    }
    Ok(None)
}

/// Sealed entries of the range that are no events; those of the journal are counted as it is read.
fn quarantined(
    layout: &Layout,
    after: EntryId,
    before: EntryId,
    is_wanted: impl Fn(&Writer) -> bool,
) -> Result<u64, StoreError> {
    let mut count = 0;
    for (path, file_name) in list(&layout.quarantine())? {
        let name = SealedName::parse(&file_name, NDJSON);
        let touches = |name: &SealedName| name.ids.last > after && name.ids.first < before;
        if name.is_some_and(|name| touches(&name) && is_wanted(&name.writer)) {
            for entry in sidecar::records::<Quarantined>(&path)? {
                let id = entry?.id;
                count += u64::from(id > after && id < before);
            }
        }
    }
    Ok(count)
}

fn open_sealed(path: &Path) -> Result<ParquetRecordBatchReader, StoreError> {
    let file = File::open(path).doing("open", path)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(path, &error))?;
    builder.with_batch_size(READ_ROWS).build().map_err(|error| damaged(path, &error))
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
