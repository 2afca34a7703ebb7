//! Whose clocks are behind in a range of time, for `happened_at()` and for whoever judges jobs: asked of the store once,
//! told by one rule.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::ParamValues;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use emp_job::{Offsets, Order};
use emp_rollup::Minute;

use super::QueryError;
use super::canned::{CannedQuery, Values, canned_queries, find};
use super::engine::{Engine, Given};
use super::fetch::column_as;
use super::functions::HAPPENED_AT;
use super::literal::{literal, moment_literal};
use super::view::lock;

/// A producer of which little is heard is as it was so long before.
const BEFORE_MS: i64 = 40 * 60_000;
/// What happened at the end of a range may arrive so long after it.
const AFTER_MS: i64 = 10 * 60_000;
/// Of a longer range the clocks of its end are looked at: those of a year would take longer than the question.
const RANGE_MS_MAX: i64 = 7 * 24 * 3_600_000;
/// How long before a job and after it others tell of the clocks.
const JOB_MARGIN_MS: i64 = 30 * 60_000;
/// Of a job that lasts longer the clocks of its first hours are looked at.
const JOB_MS_MAX: i64 = 2 * 3_600_000;
/// Steps of jobs that are looked at for a proof, the newest.
const STEPS_MAX: usize = 200_000;
const MINUTE_MS: i64 = 60_000;
const BUCKET_MS: i64 = 10 * MINUTE_MS;
/// Fewer late events of ten minutes are no reason to look more closely; [`Offsets`] has the rule.
const LATE_EVENTS_MIN: u64 = 20;
/// Fewer events prove nothing of a clock, as in the canned query `clocks`.
const PROVEN_EVENTS_MIN: u64 = 30;

/// When something arrived: from then, until then, in ms since the epoch.
pub(super) type Arrived = (i64, i64);

/// Does a statement ask when events happened?
pub(super) fn goes_by_clocks(sql: &str) -> bool {
    sql.contains(HAPPENED_AT) || sql.contains("transitions")
}

/// What was asked last, with its answers.
pub(super) type KnownOffsets = VecDeque<(Arrived, Arc<Offsets>)>;
/// So many ranges are asked about beside each other.
const KNOWN_MAX: usize = 4;

impl Engine {
    /// By how much clocks are behind for what happened in a range, ms since the epoch; of a long one in its last week.
    ///
    /// # Errors
    /// As [`Engine::sql`].
    pub fn offsets(
        &self,
        since_ms: Option<i64>,
        until_ms: Option<i64>,
    ) -> BoxFuture<'_, Result<Arc<Offsets>, QueryError>> {
        // Behind a pointer, so that it is compiled here and not anew by whoever awaits it.
        async move {
            let newest_ms = self.newest_ms()?.unwrap_or(0);
            let until_ms = until_ms.map_or(newest_ms, |until_ms| until_ms.min(newest_ms));
            let since_ms = since_ms.unwrap_or(i64::MIN).max(until_ms.saturating_sub(RANGE_MS_MAX));
            let arrived = (since_ms - BEFORE_MS, until_ms + AFTER_MS);
            if let Some((_, offsets)) = lock(&self.offsets).iter().find(|(of, _)| *of == arrived) {
                return Ok(Arc::clone(offsets));
            }
            let offsets = Arc::new(self.ask_for_offsets(arrived).await?);
            let mut known = lock(&self.offsets);
            known.push_front((arrived, Arc::clone(&offsets)));
            known.truncate(KNOWN_MAX);
            Ok(offsets)
        }
        .boxed()
    }

    /// Those that a canned query needs, by its parameters.
    pub(super) async fn offsets_for(&self, sql: &str, values: &ParamValues) -> Result<Arc<Offsets>, QueryError> {
        let values = Values(values);
        if values.text("clocks") == Some("raw") || !goes_by_clocks(sql) {
            return Ok(Arc::default());
        }
        match values.text("job_id") {
            Some(job_id) => self.offsets_of_job(job_id).await,
            None => self.offsets(values.moment_ms("since"), values.moment_ms("until")).await,
        }
    }

    /// Those of the time of a job: none where none of its events is late.
    async fn offsets_of_job(&self, job_id: &str) -> Result<Arc<Offsets>, QueryError> {
        let sql = format!(
            "select cast(min(ingested_at) as bigint) as first, cast(max(ingested_at) as bigint) as last, \
             max(cast(ingested_at as bigint) - cast(timestamp as bigint)) as late from events where job_id = {}",
            literal(job_id)
        );
        let batches = self.run(&sql, Given::Nothing, None).await?.batches().await?;
        let Some(batch) = batches.first().filter(|batch| batch.num_rows() > 0) else { return Ok(Arc::default()) };
        let [first, last, late] = numbers(batch, ["first", "last", "late"])?.map(|column| column.value(0));
        if !Offsets::is_suspicious(0, late) {
            return Ok(Arc::default());
        }
        let until = last.min(first + JOB_MS_MAX) + JOB_MARGIN_MS;
        self.offsets(Some(first - JOB_MARGIN_MS), Some(until)).await
    }

    async fn ask_for_offsets(&self, arrived: Arrived) -> Result<Offsets, QueryError> {
        let mut offsets = Offsets::default();
        let arrivals = self.arrivals(arrived.0, arrived.1).await?;
        for (producer, minutes) in arrivals.by_clock() {
            // Of those that may be behind each minute tells, of the others so many together.
            let step_ms = if is_ever_late(&minutes) { MINUTE_MS } else { BUCKET_MS };
            note(&mut offsets, producer, &minutes, step_ms);
        }
        let suspects: Vec<String> = offsets.suspects().into_iter().map(str::to_owned).collect();
        if !suspects.is_empty() {
            let order = self.order_of_jobs(&within(arrived), &suspects).await?;
            offsets.prove(&order);
        }
        Ok(offsets)
    }

    /// The clocks that are proven to be wrong, with by how many ms they are ahead at least, below zero where they are behind; the
    /// worst first. `given` are the parameters of the canned query `clocks`, of which this has two columns.
    ///
    /// # Errors
    /// As [`Engine::canned`].
    pub async fn clocks_off(&self, given: &[(String, String)]) -> Result<Vec<(String, i64)>, QueryError> {
        let queries = canned_queries(None)?;
        let query = find(&queries, "clocks")?;
        let bound = query.bind(given, &self.clock)?;
        let values = Values(&bound);
        if values.text("job_id").is_some() {
            return self.clocks_off_in_job(query, given).await;
        }
        let (since_ms, until_ms) = (values.moment_ms("since"), values.moment_ms("until"));
        let offsets = self.offsets(since_ms, until_ms).await?;
        let until_ms = until_ms.map_or(i64::MAX, |until_ms| until_ms.saturating_sub(1));
        let arrivals = self.arrivals(since_ms.unwrap_or(i64::MIN), until_ms).await?;
        let mut off: Vec<(String, i64)> = Vec::new();
        for (producer, minutes) in arrivals.by_clock() {
            let ahead = minutes.iter().filter(|minute| minute.ahead > 0);
            let ahead = ahead.map(|minute| (minute.ahead, minute.ahead_ms));
            let behind = minutes.iter().map(|minute| {
                let arrived_ms = minute.start_ms();
                (minute.events, -offsets.behind_ms(producer, arrived_ms + minute.ahead_ms, arrived_ms))
            });
            off.extend(proven(ahead).map(|ms| (producer.to_owned(), ms)));
            off.extend(proven(behind.filter(|(_, ms)| *ms < 0)).map(|ms| (producer.to_owned(), ms)));
        }
        off.sort_by(|(a, a_ms), (b, b_ms)| (b_ms.abs(), a).cmp(&(a_ms.abs(), b)));
        Ok(off)
    }

    async fn clocks_off_in_job(
        &self,
        query: &CannedQuery,
        given: &[(String, String)],
    ) -> Result<Vec<(String, i64)>, QueryError> {
        let mut off = Vec::new();
        for batch in &self.canned(query, given).await?.batches().await? {
            let ([producers], [ahead]) = (texts(batch, ["producer"])?, numbers(batch, ["ahead_ms"])?);
            off.extend((0..batch.num_rows()).map(|row| (producers.value(row).to_owned(), ahead.value(row))));
        }
        Ok(off)
    }

    /// The steps of the jobs of these producers.
    async fn order_of_jobs(&self, within: &str, producers: &[String]) -> Result<Order, QueryError> {
        let types: Vec<String> = Order::types().into_iter().map(str::to_owned).collect();
        let sql = format!(
            "select job_id, event_type, {PRODUCER} as producer, cast(timestamp as bigint) as timestamp, \
             cast(ingested_at as bigint) as arrived from events where {within} \
             and (event_type in ({}) or starts_with(event_type, 'webhook.')) and job_id in \
             (select job_id from events where {within} and job_id is not null and {PRODUCER} in ({})) \
             order by ingested_at desc limit {STEPS_MAX}",
            literals(&types),
            literals(producers)
        );
        let mut order = Order::default();
        for batch in &self.run(&sql, Given::Nothing, None).await?.batches().await? {
            let [jobs, types, producers] = texts(batch, ["job_id", "event_type", "producer"])?;
            let [timestamps, arrivals] = numbers(batch, ["timestamp", "arrived"])?;
            for row in 0..batch.num_rows() {
                let (job, event_type, producer) = (jobs.value(row), types.value(row), producers.value(row));
                order.note(job, event_type, producer, timestamps.value(row), arrivals.value(row));
            }
        }
        Ok(order)
    }
}

/// When an event happened, in SQL, in ms since the epoch: what asks so is asked by [`Engine::sql_within`].
pub const HAPPENED_MS: &str =
    "cast(happened_at(timestamp, ingested_at, coalesce(worker_id, machine_id, service)) as bigint)";

/// The condition that an event happened from then on and before then, ms since the epoch, whatever its producer's clock
/// says, in SQL: as [`HAPPENED_MS`].
pub fn happened_within(since_ms: i64, until_ms: i64) -> String {
    let (since, until) = (moment_literal(since_ms), moment_literal(until_ms));
    // What is put right lies between when it was sent and when it arrived: by that, files without such events are left out.
    format!(
        "({HAPPENED_MS} >= {since_ms} and {HAPPENED_MS} < {until_ms} and ingested_at >= {since} \
         and (timestamp < {until} or ingested_at < {until}))"
    )
}

/// Whose clock an event goes by, in SQL: as `JobEvent::producer`.
const PRODUCER: &str = "coalesce(worker_id, machine_id, service)";

/// Are so many of its events of ten minutes late, all of them, at one time at least?
fn is_ever_late(minutes: &[Minute]) -> bool {
    by_bucket(minutes, BUCKET_MS).any(|minutes| {
        let quickest_ms = minutes.iter().map(|minute| -minute.ahead_ms).min();
        let is_late = quickest_ms.is_some_and(|quickest_ms| Offsets::is_suspicious(0, quickest_ms));
        is_late && minutes.iter().map(|minute| minute.events).sum::<u64>() >= LATE_EVENTS_MIN
    })
}

fn note(offsets: &mut Offsets, producer: &str, minutes: &[Minute], step_ms: i64) {
    for minutes in by_bucket(minutes, step_ms) {
        let Some(quickest_ms) = minutes.iter().map(|minute| -minute.ahead_ms).min() else { continue };
        let events = minutes.iter().map(|minute| minute.events).sum();
        offsets.note_many(producer, minutes[0].start_ms(), events, quickest_ms);
    }
}

fn by_bucket(minutes: &[Minute], step_ms: i64) -> impl Iterator<Item = &[Minute]> {
    minutes.chunk_by(move |a, b| a.start_ms().div_euclid(step_ms) == b.start_ms().div_euclid(step_ms))
}

/// By how much a clock is wrong, where so many events tell of it; each with how many they are, and by how much.
fn proven(told: impl Iterator<Item = (u64, i64)>) -> Option<i64> {
    let (events, worst) = told
        .fold((0, 0_i64), |(sum, worst), (events, ms)| (sum + events, if ms.abs() > worst.abs() { ms } else { worst }));
    (events >= PROVEN_EVENTS_MIN).then_some(worst)
}

fn texts<const N: usize>(batch: &RecordBatch, names: [&str; N]) -> Result<[StringArray; N], QueryError> {
    columns(batch, names, &DataType::Utf8).map(|columns| columns.map(|column| column.as_string::<i32>().clone()))
}

fn numbers<const N: usize>(batch: &RecordBatch, names: [&str; N]) -> Result<[Int64Array; N], QueryError> {
    let columns = columns(batch, names, &DataType::Int64)?;
    Ok(columns.map(|column| column.as_primitive::<Int64Type>().clone()))
}

fn columns<const N: usize>(
    batch: &RecordBatch,
    names: [&str; N],
    data_type: &DataType,
) -> Result<[ArrayRef; N], QueryError> {
    let read: Result<Vec<ArrayRef>, _> = names.iter().map(|name| column_as(batch, name, data_type)).collect();
    let read = read.map_err(|error| QueryError::Failed(error.to_string()))?;
    read.try_into().map_err(|_| QueryError::Failed("a column is missing".to_owned()))
}

fn within((from_ms, until_ms): Arrived) -> String {
    format!("ingested_at >= {} and ingested_at <= {}", moment_literal(from_ms), moment_literal(until_ms))
}

fn literals(texts: &[String]) -> String {
    texts.iter().map(|text| literal(text)).collect::<Vec<_>>().join(", ")
}
