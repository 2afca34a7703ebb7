//! Counting events as they are read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatchReader as _;

use emp_job::{Meaning, Told, fingerprint, happened_ms, vocabulary};
use emp_store::Partition;

use super::row::{Compared, ComparedRows, ErrorsRow, JobsRow, TypeRow, WorkRow, bin_of, hash_of_job};
use super::{Clocks, Slots};
use crate::arrivals::arrived;
use crate::derive::{millis, reader};
use crate::names::{NONE, Names};
use crate::sketch::Sketch;

const COLUMNS: [&str; 9] =
    ["timestamp", "service", "event_type", "level", "job_id", "worker_id", "machine_id", "duration_ms", "data"];
/// When it arrived; of a file of another writer without it, the ID of the entry tells.
const ARRIVED: [&str; 2] = ["ingested_at", "id"];
const ERROR: &str = "error";
const MINUTE_MS: i64 = 60_000;

/// Events of some files or segments, while they are counted.
pub(super) struct Reading {
    names: Names,
    /// Of each slot.
    counts: BTreeMap<usize, Counts>,
    begins: BTreeSet<&'static str>,
    /// When the first event happened, and the last, put right; `None` where there is none, or one does not say.
    pub put_right: Bounds,
}

impl Reading {
    pub fn new() -> Self {
        let meanings = Meaning::ALL.iter().map(|(.., meaning)| *meaning).filter(|meaning| meaning.is_beginning());
        let begins = meanings.flat_map(|meaning| vocabulary().types(meaning)).collect();
        Self { names: Names::default(), counts: BTreeMap::new(), begins, put_right: Bounds::default() }
    }

    /// What the events of a file contribute to each slot that they touch.
    pub fn of_file(file: &Partition, slots: &Slots<'_>) -> io::Result<Vec<(usize, Compared)>> {
        Ok(Self::through(file, slots, usize::MAX)?.map(Self::finish).unwrap_or_default())
    }

    /// All events of a file, counted; `None` where it would be more rows than that.
    pub fn through(file: &Partition, slots: &Slots<'_>, rows_max: usize) -> io::Result<Option<Self>> {
        let mut reading = Self::new();
        let [arrived, id] = ARRIVED;
        let mut batches = reader(file, COLUMNS.into_iter().chain([arrived]))?;
        if batches.schema().column_with_name(arrived).is_none() {
            batches = reader(file, COLUMNS.into_iter().chain([id]))?;
        }
        for batch in batches {
            reading.add(&batch.map_err(io::Error::other)?, slots).map_err(io::Error::other)?;
            if reading.counts.values().map(Counts::len).sum::<usize>() > rows_max {
                return Ok(None);
            }
        }
        Ok(Some(reading))
    }

    pub fn add(&mut self, batch: &RecordBatch, slots: &Slots<'_>) -> Result<(), ArrowError> {
        let columns = Columns::of(batch, &mut self.names)?;
        let begins: Vec<bool> = self.numbers_that_begin();
        for row in 0..batch.num_rows() {
            let times = Times { sent_ms: columns.sent_ms(row), put_right_ms: columns.put_right_ms(row, slots.clocks) };
            self.put_right.add(times);
            let Some(slot) = times.by(slots.clocks).and_then(slots.slot_of) else { continue };
            let is_begin = begins.get(columns.event_type[row] as usize).is_some_and(|begins| *begins);
            self.counts.entry(slot).or_default().add(&columns, (row, times), is_begin, &mut self.names);
        }
        Ok(())
    }

    /// Whether the type of each number begins a job.
    fn numbers_that_begin(&self) -> Vec<bool> {
        let begins = |number| self.names.name(number).is_some_and(|name| self.begins.contains(name));
        (0..=self.names.len() as u32).map(begins).collect()
    }

    pub fn finish(self) -> Vec<(usize, Compared)> {
        let mut names = self.names;
        let finished = self.counts.into_iter().map(|(slot, counts)| (slot, counts.finish(&mut names)));
        let rows: Vec<(usize, ComparedRows)> = finished.collect();
        let names: Arc<[Box<str>]> = names.into_names().into();
        rows.into_iter().map(|(slot, rows)| (slot, Compared { names: Arc::clone(&names), rows })).collect()
    }
}

/// The columns of some events, names by their numbers.
struct Columns<'a> {
    batch: &'a RecordBatch,
    sent: Option<Int64Array>,
    arrived: Option<Int64Array>,
    service: Vec<u32>,
    event_type: Vec<u32>,
    worker: Vec<u32>,
    machine: Vec<u32>,
    is_error: Option<BooleanArray>,
    job: Option<StringArray>,
    duration: Option<Float64Array>,
    data: Option<StringArray>,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch, names: &mut Names) -> Result<Self, ArrowError> {
        let text =
            |name| as_type(batch, name, &DataType::Utf8).map(|column| column.map(|one| one.as_string::<i32>().clone()));
        let ms = |column: Option<ArrayRef>| column.map(|column| column.as_primitive::<Int64Type>().clone());
        let is_error = text("level")?.map(|levels| levels.iter().map(|level| Some(level == Some(ERROR))).collect());
        let duration = as_type(batch, "duration_ms", &DataType::Float64)?;
        Ok(Self {
            batch,
            sent: ms(millis(batch, "timestamp")?),
            arrived: ms(arrived(batch)?),
            service: names.of_column(batch, "service")?,
            event_type: names.of_column(batch, "event_type")?,
            worker: names.of_column(batch, "worker_id")?,
            machine: names.of_column(batch, "machine_id")?,
            is_error,
            job: text("job_id")?,
            duration: duration.map(|column| column.as_primitive::<Float64Type>().clone()),
            data: text("data")?,
        })
    }

    fn sent_ms(&self, row: usize) -> Option<i64> {
        self.sent.as_ref().filter(|column| column.is_valid(row)).map(|column| column.value(row))
    }

    fn arrived_ms(&self, row: usize) -> Option<i64> {
        self.arrived.as_ref().filter(|column| column.is_valid(row)).map(|column| column.value(row))
    }

    /// As `happened_at()` has it.
    fn put_right_ms(&self, row: usize, clocks: Clocks<'_>) -> Option<i64> {
        let (sent_ms, arrived_ms) = (self.sent_ms(row), self.arrived_ms(row)?);
        let behind_ms = match (sent_ms, clocks) {
            (Some(sent_ms), Clocks::PutRight(offsets)) if offsets.is_any_behind() => {
                offsets.behind_ms(&self.producer(row), sent_ms, arrived_ms)
            }
            _ => 0,
        };
        Some(sent_ms.map_or(arrived_ms, |sent_ms| happened_ms(sent_ms + behind_ms, arrived_ms)))
    }

    /// Whose clock it goes by: as `JobEvent::producer`.
    fn producer(&self, row: usize) -> String {
        let name = |column: &str| {
            let column = as_type(self.batch, column, &DataType::Utf8).ok().flatten()?;
            let column = column.as_string::<i32>();
            column.is_valid(row).then(|| column.value(row).to_owned())
        };
        ["worker_id", "machine_id", "service"].into_iter().find_map(name).unwrap_or_default()
    }

    fn text(column: Option<&StringArray>, row: usize) -> Option<&str> {
        column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
    }

    fn data(&self, row: usize, told: Told) -> Option<String> {
        told.of(Self::text(self.data.as_ref(), row)?)
    }

    fn duration_ms(&self, row: usize) -> Option<f64> {
        let column = self.duration.as_ref().filter(|column| column.is_valid(row))?;
        Some(column.value(row)).filter(|ms| *ms >= 0.0 && ms.is_finite())
    }
}

fn as_type(batch: &RecordBatch, column: &str, data_type: &DataType) -> Result<Option<ArrayRef>, ArrowError> {
    batch.column_by_name(column).map(|column| cast(column, data_type)).transpose()
}

/// When an event happened, in ms since the epoch, as far as it says.
#[derive(Debug, Clone, Copy)]
struct Times {
    sent_ms: Option<i64>,
    put_right_ms: Option<i64>,
}

impl Times {
    const fn by(self, clocks: Clocks<'_>) -> Option<i64> {
        match clocks {
            Clocks::AsSent => self.sent_ms,
            Clocks::PutRight(_) => self.put_right_ms,
        }
    }
}

/// Between which moments all happened.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds {
    within: Option<(i64, i64)>,
    is_any_untimed: bool,
}

impl Bounds {
    fn add(&mut self, times: Times) {
        let (Some(_), Some(ms)) = (times.sent_ms, times.put_right_ms) else {
            self.is_any_untimed = true;
            return;
        };
        self.within = Some(self.within.map_or((ms, ms), |(first, last)| (first.min(ms), last.max(ms))));
    }

    /// `None` where there is no event, or one does not say when it happened.
    pub fn known(self) -> Option<(i64, i64)> {
        self.within.filter(|_| !self.is_any_untimed)
    }
}

/// What the events of one slot contribute, while they are counted.
#[derive(Default)]
struct Counts {
    types: HashMap<(u32, u32), TypeRow>,
    machines: HashMap<u32, u64>,
    workers: HashMap<u32, u64>,
    works: HashMap<[u32; 3], BTreeMap<u32, u64>>,
    jobs: HashMap<u64, Job>,
    errors: HashMap<[u32; 3], Errors>,
}

#[derive(Default)]
struct Job {
    kind: u32,
    /// Ascending.
    event_types: Vec<u32>,
}

#[derive(Default)]
struct Errors {
    example: String,
    events: u64,
    jobs: BTreeSet<u64>,
    minutes: [BTreeSet<i64>; 2],
}

impl Counts {
    fn add(&mut self, columns: &Columns<'_>, (row, times): (usize, Times), is_begin: bool, names: &mut Names) {
        let (service, event_type) = (columns.service[row], columns.event_type[row]);
        let job = Columns::text(columns.job.as_ref(), row).map(hash_of_job);
        let is_error = columns.is_error.as_ref().is_some_and(|column| column.value(row));
        let of_type = self.types.entry((service, event_type)).or_default();
        of_type.events += 1;
        of_type.errors += u64::from(is_error);
        of_type.of_jobs += u64::from(job.is_some());
        for (counts, number) in [(&mut self.machines, columns.machine[row]), (&mut self.workers, columns.worker[row])] {
            if number != NONE {
                *counts.entry(number).or_default() += 1;
            }
        }
        if let Some(ms) = columns.duration_ms(row) {
            let connector = columns.data(row, Told::ConnectorName).map_or(NONE, |name| names.number(&name));
            let work = self.works.entry([event_type, connector, columns.worker[row]]).or_default();
            *work.entry(bin_of(ms)).or_default() += 1;
        }
        if let Some(hash) = job {
            let job = self.jobs.entry(hash).or_default();
            if let Err(at) = job.event_types.binary_search(&event_type) {
                job.event_types.insert(at, event_type);
            }
            let kind = if is_begin { columns.data(row, Told::JobType) } else { None };
            if let Some(kind) = kind.filter(|kind| Some(kind.as_str()) > names.name(job.kind)) {
                job.kind = names.number(&kind);
            }
        }
        if is_error {
            self.add_error(columns, (row, times), job, names);
        }
    }

    fn add_error(&mut self, columns: &Columns<'_>, (row, times): (usize, Times), job: Option<u64>, names: &mut Names) {
        let text = columns.data(row, Told::ErrorText).unwrap_or_default();
        let kind = names.number(&fingerprint(&text));
        let errors = self.errors.entry([columns.service[row], columns.event_type[row], kind]).or_default();
        errors.events += 1;
        // The same one, in whichever order they come.
        if !text.is_empty() && (errors.example.is_empty() || text < errors.example) {
            errors.example = text;
        }
        if let Some(job) = job {
            errors.jobs.insert(job);
            return;
        }
        for (minutes, ms) in errors.minutes.iter_mut().zip([times.sent_ms, times.put_right_ms]) {
            minutes.extend(ms.map(|ms| ms.div_euclid(MINUTE_MS)));
        }
    }

    /// How many rows it will be.
    pub fn len(&self) -> usize {
        self.jobs.len() + self.works.values().map(BTreeMap::len).sum::<usize>()
    }

    fn finish(self, names: &mut Names) -> ComparedRows {
        let mut types: Vec<TypeRow> = Vec::with_capacity(self.types.len());
        types.extend(self.types.into_iter().map(|((service, event_type), row)| TypeRow { service, event_type, ..row }));
        types.sort_unstable_by_key(|row| (row.service, row.event_type));
        let works = self.works.into_iter().map(|([event_type, connector, worker], bins)| WorkRow {
            event_type,
            connector,
            worker,
            durations: Sketch::of(&bins),
        });
        let mut works: Vec<WorkRow> = works.collect();
        works.sort_unstable_by_key(|row| (row.event_type, row.connector, row.worker));
        let errors = self.errors.into_iter().map(|([service, event_type, fingerprint], errors)| ErrorsRow {
            service,
            event_type,
            fingerprint,
            example: if errors.example.is_empty() { NONE } else { names.number(&errors.example) },
            events: errors.events,
            jobs: errors.jobs.into_iter().collect(),
            minutes: errors.minutes.map(|minutes| minutes.into_iter().collect()),
        });
        let mut errors: Vec<ErrorsRow> = errors.collect();
        errors.sort_unstable_by_key(|row| (row.service, row.event_type, row.fingerprint));
        let (machines, workers) = (sorted(self.machines), sorted(self.workers));
        ComparedRows { types, machines, workers, works, jobs: jobs(self.jobs), errors }
    }
}

fn sorted(counts: HashMap<u32, u64>) -> Vec<(u32, u64)> {
    let mut counts: Vec<(u32, u64)> = counts.into_iter().collect();
    counts.sort_unstable();
    counts
}

/// Those of one kind that have the same types of events together.
fn jobs(jobs: HashMap<u64, Job>) -> Vec<JobsRow> {
    let mut alike: BTreeMap<(u32, Vec<u32>), Vec<u64>> = BTreeMap::new();
    for (hash, job) in jobs {
        alike.entry((job.kind, job.event_types)).or_default().push(hash);
    }
    let rows = alike.into_iter().map(|((kind, event_types), mut hashes)| {
        hashes.sort_unstable();
        JobsRow { kind, event_types, jobs: hashes.into_iter().collect() }
    });
    rows.collect()
}
