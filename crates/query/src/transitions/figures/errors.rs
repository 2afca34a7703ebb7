//! Errors by what they say: those that are read, and those of which it is kept what they come to.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion::error::Result;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};

use emp_job::{Data, error_text, fingerprint};
use emp_rollup::{ErrorRow, HOUR_MS, Steps, job_number};
use emp_store::{Partition, rows_at_once};

use super::super::names::Texts;
use super::super::scan::Place;
use super::super::walk::NONE;
use super::tally::{Names, Range};
use crate::view::View;

const COLUMNS: [&str; 5] = ["timestamp", "service", "event_type", "job_id", "data"];
/// Rows decoded at once.
const READ_ROWS: usize = 1_024;

/// What of errors is told apart: who sent them, what they are, and what they say but for ids and numbers.
pub(super) type Kind = [u32; 3];

/// The errors of one kind.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub events: u64,
    /// When the first happened, and the last.
    pub times: Option<(i64, i64)>,
    /// How many in each hour, by the hour's first ms.
    pub hours: BTreeMap<i64, u64>,
    /// Jobs that are in one file alone, where that is known.
    alone: u64,
    /// All others.
    jobs: HashSet<u64>,
}

impl Sum {
    fn add(&mut self, ms: i64, job: Option<u64>) {
        self.events += 1;
        self.note_times((ms, ms));
        *self.hours.entry(ms.div_euclid(HOUR_MS) * HOUR_MS).or_default() += 1;
        self.jobs.extend(job);
    }

    fn note_times(&mut self, (first_ms, last_ms): (i64, i64)) {
        let times = self.times.get_or_insert((first_ms, last_ms));
        *times = (times.0.min(first_ms), times.1.max(last_ms));
    }

    pub fn jobs(&self) -> u64 {
        self.alone + self.jobs.len() as u64
    }
}

/// What errors come to.
#[derive(Debug, Default)]
pub(super) struct Errors {
    pub by_kind: HashMap<Kind, Sum>,
    shared: emp_job::Texts,
}

impl Errors {
    /// Adds what is kept of a file.
    pub fn add_steps(&mut self, steps: &Steps, texts: &Texts) {
        for row in &steps.rows.errors {
            let name = |number: u32| steps.names.get(number as usize).map_or(NONE, |name| texts.number(name));
            let sum = self.by_kind.entry(row.kind.map(name)).or_default();
            sum.events += row.events;
            sum.note_times(row.times);
            for (hour, events) in &row.hours {
                *sum.hours.entry(hour * HOUR_MS).or_default() += events;
            }
            sum.alone += row.alone;
            sum.jobs.extend(&row.shared);
        }
    }

    /// Reads the errors of a file, or of a segment, that happened in the range by their producers' clocks.
    pub fn read(&mut self, view: &View, place: &Place, texts: &Texts, range: Range) -> Result<()> {
        match place {
            Place::Sealed(_, file) => self.read_file(file, texts, range),
            Place::Segment(at) => view.snapshot.segments[*at].batches.iter().try_for_each(|batch| {
                let errors = filter_record_batch(batch, &are_errors(batch)?)?;
                self.add_batch(&errors, texts, range)
            }),
        }
    }

    fn read_file(&mut self, file: &Partition, texts: &Texts, range: Range) -> Result<()> {
        let file = file.open()?;
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
        let at_once = rows_at_once(metadata.metadata(), READ_ROWS);
        let read = |columns: &[&str], selection: Option<RowSelection>| -> Result<_> {
            let indices = columns.iter().filter_map(|name| Some(metadata.schema().column_with_name(name)?.0));
            let mask = ProjectionMask::roots(metadata.parquet_schema(), indices);
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file.try_clone()?, metadata.clone());
            let reader = reader.with_projection(mask).with_batch_size(at_once);
            Ok(if let Some(selection) = selection { reader.with_row_selection(selection) } else { reader }.build()?)
        };
        let are_errors: Vec<BooleanArray> =
            read(&["level"], None)?.map(|batch| are_errors(&batch?)).collect::<Result<_>>()?;
        if are_errors.iter().all(|are| are.true_count() == 0) {
            return Ok(());
        }
        for batch in read(&COLUMNS, Some(RowSelection::from_filters(&are_errors)))? {
            self.add_batch(&batch?, texts, range)?;
        }
        Ok(())
    }

    fn add_batch(&mut self, batch: &RecordBatch, texts: &Texts, range: Range) -> Result<()> {
        let times = match batch.column_by_name("timestamp") {
            Some(times) => cast(&cast(times, &DataType::Timestamp(TimeUnit::Millisecond, None))?, &DataType::Int64)?,
            None => return Ok(()),
        };
        let times = times.as_primitive::<Int64Type>();
        let [services, types, jobs, data] =
            [COLUMNS[1], COLUMNS[2], COLUMNS[3], COLUMNS[4]].map(|name| column(batch, name));
        let (services, types, jobs, data) = (services?, types?, jobs?, data?);
        fn text(column: Option<&StringArray>, row: usize) -> Option<&str> {
            column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
        }
        for row in (0..batch.num_rows()).filter(|row| times.is_valid(*row) && range.holds(times.value(*row))) {
            let number =
                |column: &Option<StringArray>| text(column.as_ref(), row).map_or(NONE, |text| texts.number(text));
            let said = text(data.as_ref(), row).and_then(|data| error_text(&Data::read(data, &mut self.shared)));
            let said = texts.number(&fingerprint(&said.unwrap_or_default()));
            let job = text(jobs.as_ref(), row).map(job_number);
            let kind = [number(&services), number(&types), said];
            self.by_kind.entry(kind).or_default().add(times.value(row), job);
        }
        Ok(())
    }

    /// As it is kept, of one file, of whose jobs these are in others, too.
    pub fn into_rows(self, are_shared: &HashSet<u64>, names: &mut Names, texts: &Texts) -> Vec<ErrorRow> {
        let mut rows: Vec<ErrorRow> = Vec::new();
        for (kind, sum) in self.by_kind {
            let mut shared: Vec<u64> = sum.jobs.iter().filter(|job| are_shared.contains(job)).copied().collect();
            shared.sort_unstable();
            rows.push(ErrorRow {
                kind: kind.map(|number| names.number(number, texts)),
                events: sum.events,
                times: sum.times.unwrap_or_default(),
                hours: sum.hours.into_iter().map(|(ms, events)| (ms / HOUR_MS, events)).collect(),
                alone: (sum.jobs.len() - shared.len()) as u64,
                shared,
            });
        }
        rows.sort_unstable_by_key(|row| row.kind);
        rows
    }
}

fn are_errors(batch: &RecordBatch) -> Result<BooleanArray> {
    let Some(levels) = column(batch, "level")? else { return Ok(BooleanArray::from(vec![false; batch.num_rows()])) };
    Ok(levels.iter().map(|level| Some(level == Some("error"))).collect())
}

/// A column as text; `None` where the file lacks it.
fn column(batch: &RecordBatch, name: &str) -> Result<Option<StringArray>> {
    let Some(column) = batch.column_by_name(name) else { return Ok(None) };
    Ok(Some(cast(column, &DataType::Utf8)?.as_string::<i32>().clone()))
}

/// Errors that say the same but for ids and numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorFigures {
    /// Who sent them.
    pub service: Arc<str>,
    /// What they are.
    pub event_type: Arc<str>,
    /// What they say, without what differs from case to case.
    pub fingerprint: Arc<str>,
    /// How many.
    pub events: u64,
    /// Of how many jobs.
    pub jobs: u64,
    /// When the first happened, ms since the epoch.
    pub first_ms: i64,
    /// When the last did.
    pub last_ms: i64,
    /// How many in each hour that has any, by the hour's first ms since the epoch.
    pub hours: Vec<(i64, u64)>,
}

impl ErrorFigures {
    /// Of all kinds, the most frequent first.
    pub(super) fn of(errors: Errors, texts: &Texts) -> Vec<Self> {
        let name = |number: u32| if number == NONE { Arc::from("") } else { texts.text(number) };
        let figures = errors.by_kind.into_iter().filter_map(|(kind, sum)| {
            let (first_ms, last_ms) = sum.times?;
            let [service, event_type, fingerprint] = kind.map(name);
            let jobs = sum.jobs();
            Some(Self {
                service,
                event_type,
                fingerprint,
                events: sum.events,
                jobs,
                first_ms,
                last_ms,
                hours: sum.hours.into_iter().collect(),
            })
        });
        let mut figures: Vec<Self> = figures.collect();
        let key = |one: &Self| (Arc::clone(&one.service), Arc::clone(&one.event_type), Arc::clone(&one.fingerprint));
        figures.sort_by(|a, b| b.events.cmp(&a.events).then_with(|| key(a).cmp(&key(b))));
        figures
    }
}
