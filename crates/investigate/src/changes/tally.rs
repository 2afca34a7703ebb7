//! One look at all events of both ranges, along which everything that is compared is counted.
//!
//! Many hours cost more to open than to count, so they are gone through once. What is held is bound by how many jobs,
//! names and different durations there are, not by events.

use std::collections::HashMap;

use arrow::array::{Array as _, AsArray as _, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use emp_job::{Meaning, vocabulary};
use emp_query::{Engine, column_as, literal};
use xxhash_rust::xxh3::xxh3_64;

use super::latencies::{CONNECTOR, Durations};
use super::members::Heard;
use super::ranges::Ranges;
use super::series::SeriesCounts;
use super::steps::{Jobs, TRACKED_MAX};
use super::texts::ErrorCounts;
use crate::investigation::InvestigationError;
use crate::rows::Rows;

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Tally {
    pub names: Names,
    pub series: SeriesCounts,
    pub machines: Heard,
    pub workers: Heard,
    pub durations: Durations,
    pub jobs: Jobs,
    pub errors: ErrorCounts,
}

/// An event, as far as it counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    /// First those of the earlier range, then those of the later one.
    pub slot: usize,
    pub service: Name,
    pub event_type: Name,
    /// The hash of its job's id.
    pub job: Option<u64>,
    pub worker: Option<Name>,
    pub machine: Option<Name>,
    /// Of an event that has a duration.
    pub connector: Option<Name>,
    pub duration_ms: Option<f64>,
    /// What kind of job it begins, of an event that begins one.
    pub kind: Option<Name>,
    pub error: Option<ErrorTold<'a>>,
}

/// What an error says.
#[derive(Debug, Clone, Copy)]
pub(super) struct ErrorTold<'a> {
    /// Its text without ids and numbers.
    pub fingerprint: Name,
    pub text: &'a str,
    /// The minute in which it happened, by number.
    pub minute: i64,
}

impl Tally {
    pub async fn of(engine: &Engine, ranges: &Ranges) -> Result<Self, InvestigationError> {
        let mut names = Names::default();
        let jobs = Jobs::new(&tracked(engine, ranges).await?, &mut names);
        let mut tally = Self {
            names,
            series: SeriesCounts::new(ranges),
            machines: Heard::default(),
            workers: Heard::default(),
            durations: Durations::default(),
            jobs,
            errors: ErrorCounts::default(),
        };
        let sql = format!(
            "select {ms} as ms, service, event_type, level = 'error' as is_error, job_id, worker_id, machine_id, duration_ms, \
             case when duration_ms >= 0 then {CONNECTOR} end as connector, \
             case when event_type in ({begins}) then coalesce(job_type(data), '') end as kind, \
             case when level = 'error' then coalesce(error_fingerprint(data), '') end as fingerprint, \
             case when level = 'error' then error_text(data) end as text from events where {condition}",
            ms = ranges.times.ms(),
            begins = types_in_sql(Meaning::is_beginning),
            condition = ranges.condition()
        );
        let mut answer = ranges.stream(engine, &sql).await?;
        while let Some(batch) = answer.next().await? {
            tally.add(&batch, ranges)?;
        }
        Ok(tally)
    }

    fn add(&mut self, batch: &RecordBatch, ranges: &Ranges) -> Result<(), InvestigationError> {
        let columns = Columns::of(batch)?;
        for row in 0..batch.num_rows() {
            // Those of neither range were left out by the question.
            let Some(slot) = ranges.slot_of(columns.ms.value(row)) else { continue };
            let told = columns.told(row, slot, &mut self.names);
            self.series.add(&told);
            told.machine.into_iter().for_each(|machine| self.machines.add(machine, slot));
            told.worker.into_iter().for_each(|worker| self.workers.add(worker, slot));
            self.durations.add(&told);
            self.jobs.add(&told, &self.names);
            self.errors.add(&told);
        }
        Ok(())
    }
}

/// The types of events of which it is known whether a job has them: the most frequent.
async fn tracked(engine: &Engine, ranges: &Ranges) -> Result<Vec<String>, InvestigationError> {
    let sql = format!(
        "select event_type, count(*) as events from events where {} group by 1 order by 2 desc, 1 limit {TRACKED_MAX}",
        ranges.condition()
    );
    let types: Rows = ranges.ask(engine, &sql).await?;
    types.map(|row| row.text("event_type"))
}

/// The types of events with such a meaning, as literals of SQL.
fn types_in_sql(is_it: fn(Meaning) -> bool) -> String {
    types_of(is_it).into_iter().map(literal).collect::<Vec<_>>().join(", ")
}

/// The types of events with such a meaning.
pub(super) fn types_of(is_it: fn(Meaning) -> bool) -> Vec<&'static str> {
    let meanings = Meaning::ALL.iter().map(|(.., meaning)| *meaning).filter(|meaning| is_it(*meaning));
    meanings.flat_map(|meaning| vocabulary().types(meaning)).collect()
}

/// The columns of some events.
struct Columns {
    ms: arrow::array::Int64Array,
    service: StringArray,
    event_type: StringArray,
    is_error: arrow::array::BooleanArray,
    job_id: StringArray,
    worker_id: StringArray,
    machine_id: StringArray,
    duration_ms: arrow::array::Float64Array,
    connector: StringArray,
    kind: StringArray,
    fingerprint: StringArray,
    text: StringArray,
}

impl Columns {
    fn of(batch: &RecordBatch) -> Result<Self, InvestigationError> {
        let text = |name: &str| {
            Ok::<_, InvestigationError>(column_as(batch, name, &DataType::Utf8)?.as_string::<i32>().clone())
        };
        Ok(Self {
            ms: column_as(batch, "ms", &DataType::Int64)?.as_primitive::<Int64Type>().clone(),
            service: text("service")?,
            event_type: text("event_type")?,
            is_error: column_as(batch, "is_error", &DataType::Boolean)?.as_boolean().clone(),
            job_id: text("job_id")?,
            worker_id: text("worker_id")?,
            machine_id: text("machine_id")?,
            duration_ms: column_as(batch, "duration_ms", &DataType::Float64)?.as_primitive::<Float64Type>().clone(),
            connector: text("connector")?,
            kind: text("kind")?,
            fingerprint: text("fingerprint")?,
            text: text("text")?,
        })
    }

    fn told<'a>(&'a self, row: usize, slot: usize, names: &mut Names) -> Told<'a> {
        let text = |column: &'a StringArray| column.is_valid(row).then(|| column.value(row));
        let mut name = |column: &'a StringArray| text(column).map(|text| names.number(text));
        let is_error = self.is_error.is_valid(row) && self.is_error.value(row);
        let duration_ms = self.duration_ms.is_valid(row).then(|| self.duration_ms.value(row));
        Told {
            slot,
            service: name(&self.service).unwrap_or_default(),
            event_type: name(&self.event_type).unwrap_or_default(),
            job: text(&self.job_id).map(|job| xxh3_64(job.as_bytes())),
            worker: name(&self.worker_id),
            machine: name(&self.machine_id),
            connector: name(&self.connector),
            duration_ms: duration_ms.filter(|ms| *ms >= 0.0 && ms.is_finite()),
            kind: name(&self.kind),
            error: is_error.then(|| ErrorTold {
                fingerprint: name(&self.fingerprint).unwrap_or_default(),
                text: text(&self.text).unwrap_or_default(),
                minute: self.ms.value(row).div_euclid(60_000),
            }),
        }
    }
}

/// The number of a name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name(u32);

/// Names, each of which stands for itself by a number. The first is the empty one.
#[derive(Debug)]
pub(super) struct Names {
    texts: Vec<Box<str>>,
    numbers: HashMap<Box<str>, Name>,
}

impl Default for Names {
    fn default() -> Self {
        Self { texts: vec![Box::default()], numbers: HashMap::from([(Box::default(), Name(0))]) }
    }
}

impl Names {
    pub fn number(&mut self, text: &str) -> Name {
        if let Some(name) = self.numbers.get(text) {
            return *name;
        }
        // There are never four billion.
        let name = Name(self.texts.len() as u32);
        self.texts.push(text.into());
        self.numbers.insert(text.into(), name);
        name
    }

    pub fn find(&self, text: &str) -> Option<Name> {
        self.numbers.get(text).copied()
    }

    pub fn text(&self, name: Name) -> &str {
        &self.texts[name.0 as usize]
    }
}
