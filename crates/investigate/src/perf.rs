//! How often things happen, how long they take and how much fails; and whether that has changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};

use emp_query::{Engine, QueryError, column_as, key_among, moment_literal};
use emp_statistics::{benjamini_hochberg, mann_whitney_larger, quantile};
use emp_units as units;

use super::investigation::{Answering, InvestigationError};
use super::without_level::WithoutLevel;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct PerfQuestion {
    /// A column, or a key of `data`.
    pub by: String,
    /// From when on, ms since the epoch; the whole store where there is none.
    pub since_ms: Option<i64>,
    /// Until when.
    pub until_ms: Option<i64>,
    /// When the range begins that it is compared with, which is as long and ends before this one begins; the
    /// one right before where it is `None`.
    pub against_ms: Option<i64>,
    /// As of when.
    pub now_ms: i64,
    /// Rows at most.
    pub limit: usize,
    /// Is each event to be read, however many there are? Else the quantiles of very many are within 0.1 %, where hours
    /// can tell them.
    pub exact: bool,
}

impl PerfQuestion {
    /// Are the quantiles within 0.1 %, and not exact?
    ///
    /// # Errors
    /// [`InvestigationError`] where the store cannot be read.
    pub fn is_approximate(&self, engine: &Engine) -> Result<bool, InvestigationError> {
        let is_of_hours = OF_HOURS.contains(&self.by.as_str());
        Ok(!self.exact && is_of_hours && has_many_events(engine, self.since_ms, self.until_ms, EVENTS_READ_MAX)?)
    }
}

/// May more than so many events have arrived in that range, ms since the epoch?
///
/// # Errors
/// [`InvestigationError`] where the store cannot be read.
pub fn has_many_events(
    engine: &Engine,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
    events: u64,
) -> Result<bool, InvestigationError> {
    let (since_ms, until_ms) = (since_ms.unwrap_or(i64::MIN), until_ms.unwrap_or(i64::MAX));
    Ok(engine.arrived_at_most(since_ms, until_ms)? > events)
}

/// So many events are read, which takes a tenth of a second where each hour has few, and their quantiles are exact; of more
/// they are taken from what is kept of files.
pub const EVENTS_READ_MAX: u64 = 250_000;
/// Of a range of more events, the clocks of its last week are told.
pub const EVENTS_WITH_CLOCKS_MAX: u64 = 1_000_000;
/// What hours tell apart.
const OF_HOURS: [&str; 5] = ["event_type", "service", "level", "date", "hour"];
const COLUMNS: [&str; 10] =
    ["event_type", "service", "level", "worker_id", "machine_id", "user_id", "job_id", "trace_id", "date", "hour"];
/// A change with a larger share of false ones is not called real.
const Q_MAX: f64 = 0.01;
/// Durations that are compared: of more the test says nothing new.
const DURATIONS_MAX: i64 = 400_000;
/// The same of one type, where hours tell.
const DURATIONS_OF_TYPE_MAX: u64 = 20_000;
/// Bars of a histogram, each for durations twice as long as those of the one before.
const HISTOGRAM_BARS: usize = 18;

struct Row {
    name: String,
    count: i64,
    numbers: [Option<f64>; 5],
    errors: i64,
    /// Events of the level `info`.
    infos: i64,
    now: Vec<f64>,
    before: Vec<f64>,
}

/// Per value of `by`: how often, how many a minute, how long, how much failed; with a range of time also
/// how long in the range of the same length before, whether the difference is real, and a histogram.
///
/// The columns: `by` itself, `count`, `avg_ms`, `p50_ms`, `p95_ms`, `p99_ms`, `max_ms`, `errors`,
/// `error_share`, `per_min`, `p50_before_ms`, `change` (of the median, 0.25 being a quarter more), `q`
/// (Mann–Whitney, two-sided, corrected for all rows), `is_real`, `histogram` (bars from 1 ms on, each
/// for twice as long).
///
/// Beside them the failures that count as no errors, where the rows show all of them: by type, and no type left out.
///
/// # Errors
/// [`InvestigationError`] where the store cannot be read.
pub fn perf<'a>(engine: &'a Engine, question: &'a PerfQuestion) -> Answering<'a, (RecordBatch, Option<WithoutLevel>)> {
    Box::pin(async move {
        let mut rows = aggregate(engine, question).await?;
        let are_all_types = question.by == "event_type" && rows.len() < question.limit;
        let infos = rows.iter().map(|row| (row.name.as_str(), row.infos.unsigned_abs()));
        let without_level = are_all_types.then(|| WithoutLevel::of_types(infos));
        let minutes = minutes(engine, question).await?;
        let has_range = question.since_ms.is_some();
        if has_range {
            add_durations(engine, question, &mut rows).await?;
        }
        let tests: Vec<Option<(f64, f64)>> = rows.iter_mut().map(change).collect();
        let p_values: Vec<f64> = tests.iter().flatten().map(|(_, p)| *p).collect();
        let mut q_values = benjamini_hochberg(&p_values).into_iter();
        let q_values: Vec<Option<f64>> = tests.iter().map(|test| test.and_then(|_| q_values.next())).collect();
        let before: Vec<Option<f64>> =
            rows.iter_mut().map(|row| quantile(&mut row.before, 0.5).map(units::tenth)).collect();
        let number =
            |index: usize| Float64Array::from_iter(rows.iter().map(|row| row.numbers[index].map(units::tenth)));
        let changes = tests.iter().map(|test| test.map(|(change, _)| (change * 1e3).round() / 1e3));
        let share = |row: &Row| (row.errors as f64 / row.count.max(1) as f64 * 1e4).round() / 1e4;
        let columns: Vec<(&str, ArrayRef)> = vec![
            (&question.by, Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.name)))),
            ("count", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.count)))),
            ("avg_ms", Arc::new(number(0))),
            ("p50_ms", Arc::new(number(1))),
            ("p95_ms", Arc::new(number(2))),
            ("p99_ms", Arc::new(number(3))),
            ("max_ms", Arc::new(number(4))),
            ("errors", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.errors)))),
            ("error_share", Arc::new(Float64Array::from_iter_values(rows.iter().map(share)))),
            (
                "per_min",
                Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| hundredth(row.count as f64 / minutes)))),
            ),
            ("p50_before_ms", Arc::new(Float64Array::from_iter(before))),
            ("change", Arc::new(Float64Array::from_iter(changes))),
            ("q", Arc::new(Float64Array::from_iter(q_values.iter().copied()))),
            ("is_real", Arc::new(BooleanArray::from_iter(q_values.iter().map(|q| q.map(|q| q <= Q_MAX))))),
            ("histogram", Arc::new(StringArray::from_iter(rows.iter().map(|row| histogram(&row.now))))),
        ];
        // Without a range there is nothing to compare with.
        let shown = if has_range { columns.len() } else { 10 };
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns
            .into_iter()
            .take(shown)
            .map(|(name, array)| (Field::new(name, array.data_type().clone(), true), array))
            .unzip();
        Ok((RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?, without_level))
    })
}

fn condition(key: &str, since_ms: Option<i64>, until_ms: Option<i64>) -> String {
    let mut parts = vec![format!("{key} is not null")];
    parts.extend(since_ms.map(|ms| format!("timestamp >= {}", moment_literal(ms))));
    parts.extend(until_ms.map(|ms| format!("timestamp < {}", moment_literal(ms))));
    parts.join(" and ")
}

async fn aggregate(engine: &Engine, question: &PerfQuestion) -> Result<Vec<Row>, InvestigationError> {
    let key = key_among(&COLUMNS, &question.by);
    let quantile = if question.is_approximate(engine)? { "approx_quantile" } else { "quantile_cont" };
    let sql = format!(
        "select {key} as name, count(*) as count, avg(duration_ms) as avg, \
         {quantile}(duration_ms, 0.5) as p50, {quantile}(duration_ms, 0.95) as p95, \
         {quantile}(duration_ms, 0.99) as p99, max(duration_ms) as max, \
         count(*) filter (where level = 'error') as errors, count(*) filter (where level = 'info') as infos \
         from events where {} group by 1 order by count(*) desc, 1 limit {}",
        condition(&key, question.since_ms, question.until_ms),
        question.limit
    );
    let mut rows = Vec::new();
    for batch in &engine.sql(&sql).await?.batches().await? {
        let names = column_as(batch, "name", &DataType::Utf8)?;
        let integers = |name| column_as(batch, name, &DataType::Int64);
        let (counts, errors, infos) = (integers("count")?, integers("errors")?, integers("infos")?);
        let numbers = ["avg", "p50", "p95", "p99", "max"].map(|name| column_as(batch, name, &DataType::Float64));
        let [avg, p50, p95, p99, max] = numbers;
        let numbers = [avg?, p50?, p95?, p99?, max?];
        for row in 0..batch.num_rows() {
            let number = |array: &ArrayRef| array.is_valid(row).then(|| array.as_primitive::<Float64Type>().value(row));
            rows.push(Row {
                name: names.as_string::<i32>().value(row).to_owned(),
                count: counts.as_primitive::<Int64Type>().value(row),
                numbers: numbers.each_ref().map(number),
                errors: errors.as_primitive::<Int64Type>().value(row),
                infos: infos.as_primitive::<Int64Type>().value(row),
                now: Vec::new(),
                before: Vec::new(),
            });
        }
    }
    Ok(rows)
}

/// How long the range is.
async fn minutes(engine: &Engine, question: &PerfQuestion) -> Result<f64, InvestigationError> {
    let until_ms = question.until_ms.unwrap_or(question.now_ms);
    let since_ms = match question.since_ms {
        Some(since_ms) => since_ms,
        None => {
            let sql = "select cast(min(ingested_at) as bigint) as first from events";
            let batches = engine.sql(sql).await?.batches().await?;
            let first = batches.first().map(|batch| column_as(batch, "first", &DataType::Int64)).transpose()?;
            first.and_then(|first| first.as_primitive::<Int64Type>().iter().next().flatten()).unwrap_or(until_ms)
        }
    };
    Ok(((until_ms - since_ms) as f64 / 60_000.0).max(1.0 / 60.0))
}

/// The durations of the range, and of the one before.
async fn add_durations(engine: &Engine, question: &PerfQuestion, rows: &mut [Row]) -> Result<(), InvestigationError> {
    let Some(since_ms) = question.since_ms else { return Ok(()) };
    let until_ms = question.until_ms.unwrap_or(question.now_ms);
    let length_ms = until_ms - since_ms;
    let before_ms = question.against_ms.unwrap_or(since_ms - length_ms);
    if question.by == "event_type" && question.is_approximate(engine)? {
        let mut now = engine.durations_of_hours(since_ms, until_ms + 1).await?;
        let mut before = engine.durations_of_hours(before_ms, before_ms + length_ms).await?;
        for row in rows {
            row.now = some_of(&now.remove(&row.name).unwrap_or_default());
            row.before = some_of(&before.remove(&row.name).unwrap_or_default());
        }
        return Ok(());
    }
    let key = key_among(&COLUMNS, &question.by);
    // Where there are more durations than can be held, only events of every n-th millisecond are read: the
    // same ones each time.
    let expected = 2 * rows.iter().map(|row| row.count).sum::<i64>();
    let every = (expected / DURATIONS_MAX).max(1);
    let sql = format!(
        "select {key} as name, cast(timestamp as bigint) as ms, duration_ms from events \
         where duration_ms is not null and cast(ingested_at as bigint) % {every} = 0 and (({}) or ({}))",
        condition(&key, Some(before_ms), Some(before_ms + length_ms)),
        condition(&key, Some(since_ms), Some(until_ms + 1)),
    );
    let batches: Result<Vec<RecordBatch>, QueryError> = engine.sql(&sql).await?.batches().await;
    let mut found: BTreeMap<String, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for batch in &batches? {
        let names = column_as(batch, "name", &DataType::Utf8)?;
        let (times, durations) =
            (column_as(batch, "ms", &DataType::Int64)?, column_as(batch, "duration_ms", &DataType::Float64)?);
        for row in 0..batch.num_rows() {
            let (now, before) = found.entry(names.as_string::<i32>().value(row).to_owned()).or_default();
            let is_now = times.as_primitive::<Int64Type>().value(row) >= since_ms;
            if is_now { now } else { before }.push(durations.as_primitive::<Float64Type>().value(row));
        }
    }
    for row in rows {
        if let Some((now, before)) = found.remove(&row.name) {
            (row.now, row.before) = (now, before);
        }
    }
    Ok(())
}

/// Of many durations, with how often each occurs, every n-th: more say nothing new about a type.
fn some_of(counts: &[(f64, u64)]) -> Vec<f64> {
    let all: u64 = counts.iter().map(|(_, count)| count).sum();
    let every = all / DURATIONS_OF_TYPE_MAX + 1;
    let mut passed = 0;
    let some = counts.iter().flat_map(|(ms, count)| {
        let (first, last) = (passed / every, (passed + count) / every);
        passed += count;
        std::iter::repeat_n(*ms, (last - first) as usize)
    });
    some.collect()
}

/// By how much the median has changed, and the probability of that by chance.
fn change(row: &mut Row) -> Option<(f64, f64)> {
    if row.now.len() < 10 || row.before.len() < 10 {
        return None;
    }
    let p = mann_whitney_larger(&row.now, &row.before).min(mann_whitney_larger(&row.before, &row.now));
    let (now, before) = (quantile(&mut row.now, 0.5)?, quantile(&mut row.before, 0.5)?);
    (before > 0.0).then(|| (now / before - 1.0, (2.0 * p).min(1.0)))
}

fn histogram(durations: &[f64]) -> Option<String> {
    let mut counts = [0.0; HISTOGRAM_BARS];
    for ms in durations {
        counts[(ms.max(1.0).log2() as usize).min(HISTOGRAM_BARS - 1)] += 1.0;
    }
    (!durations.is_empty()).then(|| units::sparkline(&counts))
}

fn hundredth(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
