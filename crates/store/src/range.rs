//! The events of a range of IDs, in their order, from whichever files hold them.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use arrow::array::{Array as _, AsArray as _, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, TimestampMillisecondType};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

use super::error::IoContext as _;
use super::journal::{Row, SegmentReader};
use super::layout::{Hour, Layout, SealedName, SegmentName};
use super::sidecar::{self, NDJSON};
use super::snapshot::{SegmentStart, counting_partitions, list};
use super::{Partition, Quarantined, StoreError};
use emp_event::{EntryId, Event, Level};

/// Rows decoded at once: few, since a row may hold much.
const READ_ROWS: usize = 512;

/// Events above one ID and below another, lowest first. Reads with little memory: one batch of
/// each file whose range has been reached.
pub struct EventRange {
    /// By the first ID that each may have; those that are exhausted are gone.
    sources: VecDeque<Source>,
    after: EntryId,
    before: EntryId,
    quarantined: u64,
}

struct Source {
    path: PathBuf,
    /// No event of it lies below this ID.
    first: EntryId,
    rows: Rows,
    decoded: VecDeque<Event<'static>>,
}

enum Rows {
    Closed,
    Sealed(Box<ParquetRecordBatchReader>),
    Journal(Box<SegmentReader>),
}

impl EventRange {
    /// Looks which files may hold such events. Those that come to be later are not read.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be listed.
    pub fn open(layout: &Layout, after: EntryId, before: EntryId) -> Result<Self, StoreError> {
        // The journal first: what is sealed meanwhile has left it, and is listed.
        let journal = segments(layout)?;
        let partitions = counting_partitions(layout)?;
        let touches = |file: &&Partition| file.name.ids.last > after && file.name.ids.first < before;
        let sealed = partitions.iter().filter(touches).map(|file| Source {
            path: file.path.clone(),
            first: file.name.ids.first,
            rows: Rows::Closed,
            decoded: VecDeque::new(),
        });
        let mut sources: Vec<Source> = sealed.collect();
        for (path, start, reader) in journal {
            if !partitions.iter().any(|file| start.is_in(file)) {
                let (first, rows) = (start.first, Rows::Journal(Box::new(reader)));
                sources.push(Source { path, first, rows, decoded: VecDeque::new() });
            }
        }
        sources.sort_by_key(|source| source.first);
        let quarantined = quarantined(layout, after, before)?;
        Ok(Self { sources: sources.into(), after, before, quarantined })
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
        loop {
            let mut least: Option<(EntryId, usize)> = None;
            for (index, source) in self.sources.iter().enumerate() {
                let next = source.decoded.front().map_or(source.first, |event| event.id);
                // Behind a file that is not opened yet, all begin later still.
                if least.is_some_and(|(least, _)| source.first > least) {
                    break;
                }
                if least.is_none_or(|(least, _)| next < least) {
                    least = Some((next, index));
                }
            }
            let Some((id, index)) = least.filter(|(id, _)| *id < self.before) else { return Ok(None) };
            let source = &mut self.sources[index];
            match source.decoded.pop_front() {
                Some(event) if id > self.after => return Ok(Some(event)),
                Some(_) => {}
                None => {
                    if !source.refill(&mut self.quarantined, self.after, self.before)? {
                        self.sources.remove(index);
                    }
                }
            }
        }
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
                *quarantined += count_within(&commit.quarantined, after, before);
                self.decoded = commit.rows.iter().map(event_of).collect();
            }
        }
        if let Some(last) = self.decoded.back() {
            self.first = self.decoded.front().map_or(last.id, |event| event.id);
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
fn quarantined(layout: &Layout, after: EntryId, before: EntryId) -> Result<u64, StoreError> {
    let mut count = 0;
    for (path, file_name) in list(&layout.quarantine())? {
        let name = SealedName::parse(&file_name, NDJSON);
        if name.is_some_and(|name| name.ids.last > after && name.ids.first < before) {
            count += count_within(&sidecar::read::<Quarantined>(&path)?, after, before);
        }
    }
    Ok(count)
}

fn count_within(entries: &[Quarantined], after: EntryId, before: EntryId) -> u64 {
    entries.iter().filter(|entry| entry.id > after && entry.id < before).count() as u64
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
