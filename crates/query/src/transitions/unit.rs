//! Reading a file's events, or a segment's, job by job.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, DictionaryArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Int64Type, Schema, TimeUnit};
use arrow::error::ArrowError;
use datafusion::error::{DataFusionError, Result};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use emp_catalog::MissingFile;
use emp_event::EntryId;
use emp_job::{Offsets, happened_ms};
use emp_store::{CHECKSUM_KEY, Partition};

use super::names::Texts;
use super::walk::{Event, NONE};

/// So many rows are decoded at once, at most: a row group of ours.
const PIECE_ROWS: usize = 128 << 10;

/// What has to be read beside the times, types and services of events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs<'a> {
    /// The sequence numbers in the IDs, where rows or files may not be in their order.
    pub seq: bool,
    pub workers: bool,
    /// What is known of clocks that are behind; `None` where clocks count as they are.
    pub clocks: Option<&'a Offsets>,
    /// The number that the events' [`Event::unit`] will be.
    pub unit: u32,
}

impl Needs<'_> {
    fn producers(&self) -> bool {
        self.clocks.is_some_and(Offsets::is_any_behind)
    }
}

/// The jobs of a unit, by number.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    numbers: HashMap<Box<str>, u32>,
    pub ids: Vec<Box<str>>,
}

impl Jobs {
    fn number(&mut self, id: &str) -> u32 {
        if let Some(number) = self.numbers.get(id) {
            return *number;
        }
        // There are no more of them than rows.
        let number = self.ids.len() as u32;
        self.numbers.insert(id.into(), number);
        self.ids.push(id.into());
        number
    }
}

/// Some rows, and the numbers of their jobs.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub events: Vec<Event>,
    pub jobs: Vec<u32>,
}

/// A sealed file that is being read.
pub(super) struct UnitFile {
    file: File,
    metadata: ArrowReaderMetadata,
    /// Rows are in the order of their IDs, as our own writers leave them.
    pub is_in_order: bool,
}

const TEXTS: [&str; 5] = ["job_id", "event_type", "service", "worker_id", "machine_id"];

impl UnitFile {
    pub fn open(place: &Partition) -> Result<Self> {
        let file = place.open().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => DataFusionError::External(Box::new(MissingFile(place.path.clone()))),
            _ => DataFusionError::IoError(error),
        })?;
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
        let pairs = metadata.metadata().file_metadata().key_value_metadata();
        let is_in_order = pairs.is_some_and(|pairs| pairs.iter().any(|pair| pair.key == CHECKSUM_KEY));
        Ok(Self { metadata: with_dictionaries(metadata), file, is_in_order })
    }

    fn rows(&self) -> usize {
        usize::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Does one batch hold all of its rows?
    pub fn comes_in_one_piece(&self) -> bool {
        self.is_small() && self.metadata.metadata().num_row_groups() <= 1
    }

    /// Are the events of all its jobs few enough to be held together?
    pub fn is_small(&self) -> bool {
        self.rows() <= PIECE_ROWS
    }

    /// Rows of these columns, as far as the file has them, a piece at a time.
    fn read(&self, columns: &[&str]) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
        let schema = self.metadata.schema();
        let indices = columns.iter().filter_map(|name| Some(schema.column_with_name(name)?.0));
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), indices);
        let file = self.file.try_clone()?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let reader = reader.with_projection(mask).with_batch_size(PIECE_ROWS.min(self.rows().max(1))).build()?;
        Ok(reader.map(|batch| Ok(batch?)))
    }

    /// How many events each job has in the file.
    pub fn count_jobs(&self, jobs: &mut Jobs) -> Result<Vec<u32>> {
        let mut counts = Vec::new();
        let mut reading = Reading::default();
        for batch in self.read(&["job_id"])? {
            let numbers = reading.jobs.of(&batch?, "job_id", &mut |id| jobs.number(id))?;
            counts.resize(jobs.ids.len(), 0);
            numbers.iter().filter(|number| **number != NONE).for_each(|number| counts[*number as usize] += 1);
        }
        Ok(counts)
    }

    /// Shows the file's events that are of a job, a piece at a time, in the order of their IDs within each.
    pub fn each_piece(
        &self,
        needs: Needs<'_>,
        (jobs, texts): (&mut Jobs, &Texts),
        show: &mut dyn FnMut(&mut Piece, &Jobs) -> Result<()>,
    ) -> Result<()> {
        let needs = Needs { seq: needs.seq || !self.is_in_order, ..needs };
        let mut columns = vec!["job_id", "timestamp", "ingested_at", "event_type", "service"];
        columns.extend((needs.workers || needs.producers()).then_some("worker_id"));
        columns.extend(needs.producers().then_some("machine_id"));
        let lacks_arrival = self.metadata.schema().column_with_name("ingested_at").is_none();
        columns.extend((needs.seq || lacks_arrival).then_some("id"));
        let (mut reading, mut piece) = (Reading::default(), Piece::default());
        for batch in self.read(&columns)? {
            reading.take(&batch?, needs, (jobs, texts), &mut piece)?;
            show(&mut piece, jobs)?;
        }
        Ok(())
    }
}

/// The same of rows in memory, which have all columns.
pub(super) fn each_piece_in_memory(
    batches: &[RecordBatch],
    needs: Needs<'_>,
    (jobs, texts): (&mut Jobs, &Texts),
    show: &mut dyn FnMut(&mut Piece, &Jobs) -> Result<()>,
) -> Result<()> {
    let (mut reading, mut piece) = (Reading::default(), Piece::default());
    for batch in batches {
        reading.take(batch, needs, (jobs, texts), &mut piece)?;
        show(&mut piece, jobs)?;
    }
    Ok(())
}

/// Texts are asked for as they stand in a dictionary, so that each is looked at once and not once a row. A file whose
/// columns cannot be read so is read as it is.
fn with_dictionaries(metadata: ArrowReaderMetadata) -> ArrowReaderMetadata {
    let fields = metadata.schema().fields().iter().map(|field| match TEXTS.contains(&field.name().as_str()) {
        true => Arc::new(field.as_ref().clone().with_data_type(dictionary())),
        false => Arc::clone(field),
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = ArrowReaderOptions::new().with_schema(schema);
    ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options).unwrap_or(metadata)
}

fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// What is known about the dictionaries of the columns that are being read.
#[derive(Default)]
struct Reading {
    /// Rows before the batch.
    rows: u64,
    jobs: Numbered,
    event_types: Numbered,
    services: Numbered,
    workers: Numbered,
    machines: Numbered,
}

impl Reading {
    fn take(
        &mut self,
        batch: &RecordBatch,
        needs: Needs<'_>,
        (jobs, texts): (&mut Jobs, &Texts),
        piece: &mut Piece,
    ) -> Result<()> {
        let job_numbers = self.jobs.of(batch, "job_id", &mut |id| jobs.number(id))?;
        let event_types = self.event_types.of(batch, "event_type", &mut |text| texts.number(text))?;
        let services = self.services.of(batch, "service", &mut |text| texts.number(text))?;
        let workers = self.workers.of(batch, "worker_id", &mut |text| texts.number(text))?;
        let behind = match needs.clocks.filter(|_| needs.producers()) {
            Some(offsets) => {
                let machines = self.machines.of(batch, "machine_id", &mut |text| texts.number(text))?;
                Some(Behind { offsets, texts, workers: &workers, machines, services: &services })
            }
            None => None,
        };
        let ids = match batch.column_by_name("id") {
            Some(ids) => Some(cast(ids, &DataType::Utf8)?),
            None => None,
        };
        let id = |row: usize| -> EntryId {
            let ids = ids.as_ref().map(|ids| ids.as_string::<i32>());
            // Of a row without an ID nothing tells where it belongs.
            ids.and_then(|ids| ids.value(row).parse().ok()).unwrap_or(EntryId::ZERO)
        };
        let timestamps = millis(batch, "timestamp")?;
        let arrivals = millis(batch, "ingested_at")?;
        piece.events.clear();
        piece.jobs.clear();
        for row in 0..batch.num_rows() {
            if job_numbers[row] == NONE {
                continue;
            }
            let arrived_ms = arrivals.as_ref().map(|arrivals| arrivals.as_primitive::<Int64Type>().value(row));
            let arrived_ms = arrived_ms.unwrap_or_else(|| id(row).ingested_at().unwrap_or(0));
            let timestamp_ms = timestamps.as_ref().map(|timestamps| timestamps.as_primitive::<Int64Type>().value(row));
            let timestamp_ms = timestamp_ms.unwrap_or(arrived_ms);
            piece.jobs.push(job_numbers[row]);
            let behind_ms = behind.as_ref().map_or(0, |behind| behind.ms(row, timestamp_ms, arrived_ms));
            piece.events.push(Event {
                happened_ms: match needs.clocks {
                    Some(_) => happened_ms(timestamp_ms + behind_ms, arrived_ms),
                    None => timestamp_ms,
                },
                timestamp_ms,
                arrived_ms,
                seq: if needs.seq { id(row).seq } else { self.rows + row as u64 },
                event_type: event_types[row],
                service: services[row],
                worker: workers[row],
                unit: needs.unit,
            });
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }
}

/// By how much the clocks of some rows' producers are behind.
struct Behind<'a> {
    offsets: &'a Offsets,
    texts: &'a Texts,
    workers: &'a [u32],
    machines: Vec<u32>,
    services: &'a [u32],
}

impl Behind<'_> {
    fn ms(&self, row: usize, timestamp_ms: i64, arrived_ms: i64) -> i64 {
        if !Offsets::is_suspicious(timestamp_ms, arrived_ms) {
            return 0;
        }
        // As `JobEvent::producer`.
        let named = [self.workers[row], self.machines[row], self.services[row]];
        let producer = named.into_iter().find(|number| *number != NONE);
        producer.map_or(0, |number| self.offsets.behind_ms(&self.texts.text(number), timestamp_ms, arrived_ms))
    }
}

/// The numbers of a dictionary's texts, as long as batches share one.
#[derive(Default)]
struct Numbered {
    texts: Option<StringArray>,
    numbers: Vec<u32>,
}

impl Numbered {
    /// The number of each row's text; [`NONE`] where it has none, or the file lacks the column.
    fn of(&mut self, batch: &RecordBatch, name: &str, number: &mut dyn FnMut(&str) -> u32) -> Result<Vec<u32>> {
        let Some(column) = batch.column_by_name(name) else { return Ok(vec![NONE; batch.num_rows()]) };
        let column = as_dictionary(column)?;
        let texts = column.values().as_string::<i32>();
        if self.texts.as_ref().is_none_or(|known| !is_same(known, texts)) {
            self.numbers.clear();
            self.numbers
                .extend((0..texts.len()).map(|at| if texts.is_valid(at) { number(texts.value(at)) } else { NONE }));
            self.texts = Some(texts.clone());
        }
        let keys = column.keys();
        Ok((0..keys.len())
            .map(|row| match keys.is_valid(row) {
                // A dictionary array's keys are those of its values.
                true => self.numbers[keys.value(row) as usize],
                false => NONE,
            })
            .collect())
    }
}

/// Are these the same texts in memory?
fn is_same(a: &StringArray, b: &StringArray) -> bool {
    a.len() == b.len() && a.values().as_ptr() == b.values().as_ptr() && a.offsets().ptr_eq(b.offsets())
}

fn as_dictionary(column: &ArrayRef) -> Result<DictionaryArray<Int32Type>, ArrowError> {
    let column = match column.data_type() {
        found if *found == dictionary() => Arc::clone(column),
        _ => cast(&cast(column, &DataType::Utf8)?, &dictionary())?,
    };
    Ok(column.as_dictionary::<Int32Type>().clone())
}

/// A column of times as ms; `None` where the file lacks it.
fn millis(batch: &RecordBatch, name: &str) -> Result<Option<ArrayRef>, ArrowError> {
    let Some(column) = batch.column_by_name(name) else { return Ok(None) };
    let column = cast(column, &DataType::Timestamp(TimeUnit::Millisecond, None))?;
    cast(&column, &DataType::Int64).map(Some)
}
