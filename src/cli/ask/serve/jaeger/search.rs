//! Which jobs a search is for.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Value, json};

use emp_investigate::{Investigation, Rows};
use emp_job::{History, JobEvent, Offsets};
use emp_query::{Filter, literal, moment_literal};
use emp_units::parse_duration;

use super::JOB;
use super::shape::{end_of, trace_of};
use crate::cli::ask::Asking;
use crate::cli::ask::answer::AsOf;
use crate::cli::failure::Failure;

/// Traces where nobody says how many.
const TRACES: usize = 20;
const TRACES_MAX: usize = 200;
/// Where what is wanted is told only by the whole job, so many more are looked at for each.
const LOOKED_AT: usize = 5;
/// How far back where nobody says.
const HOUR_MS: i64 = 3_600_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct Traces {
    /// The service that had to do with the job
    #[arg(long)]
    service: String,
    /// The name of a span
    #[arg(long)]
    operation: Option<String>,
    /// Since when, in microseconds since the epoch
    #[arg(long, value_name = "MICROSECONDS", value_parser = clap::value_parser!(i64).range(0..=MICROS_MAX))]
    start: Option<i64>,
    /// Until when, in microseconds since the epoch
    #[arg(long, value_name = "MICROSECONDS", value_parser = clap::value_parser!(i64).range(0..=MICROS_MAX))]
    end: Option<i64>,
    /// How far back, where no start is given: 1h, 2d
    #[arg(long)]
    lookback: Option<String>,
    /// Traces at most
    #[arg(long, value_name = "TRACES", default_value_t = TRACES)]
    limit: usize,
    /// Only those that took that long: 1.5s, 100ms
    #[arg(long = "minDuration")]
    min_duration: Option<String>,
    /// Only those that took no longer
    #[arg(long = "maxDuration")]
    max_duration: Option<String>,
    /// What an event of the job has to say, as JSON: {"error": "true", "worker_id": "w1"}
    #[arg(long)]
    tags: Option<String>,
}

/// The year 2500.
const MICROS_MAX: i64 = 16_725_225_600_000_000;

impl Traces {
    pub async fn traces(&self, asking: &Asking<'_>) -> Result<Value, Failure> {
        let engine = asking.engine()?;
        let investigation = AsOf::default().investigation_quietly(asking, &engine).await?;
        let limit = self.limit.min(TRACES_MAX);
        let bounds = [&self.min_duration, &self.max_duration].map(|text| text.as_deref().map(duration_ms).transpose());
        let [least, most] = bounds;
        let (least_ms, most_ms) = (least?.unwrap_or(0), most?.unwrap_or(i64::MAX));
        let is_exact = self.operation.is_none() && (least_ms, most_ms) == (0, i64::MAX);
        let candidates = if is_exact { limit } else { limit * LOOKED_AT };
        let condition = self.condition(investigation.now_ms())?;
        let jobs = format!(
            "select job_id from events where job_id is not null and {condition} \
             group by 1 order by max(ingested_at) desc, 1 limit {candidates}"
        );
        let jobs = Rows::ask(&engine, &jobs).await?.map(|row| row.text("job_id"))?;
        let histories = histories(&investigation, &jobs).await?;
        let took = |history: &History| end_of(history) - history.start_ms();
        let wanted = histories
            .iter()
            .filter(|(_, history)| (least_ms..=most_ms).contains(&took(history)) && self.has_operation(history));
        let traces = wanted
            .take(limit)
            .map(|(job, history)| trace_of((job, JOB), history, &investigation.judge_timeline(history, None)));
        Ok(json!(traces.collect::<Vec<_>>()))
    }

    /// Of an event of the job.
    fn condition(&self, now_ms: i64) -> Result<String, Failure> {
        let until_ms = self.end.map_or(now_ms + 1, |end| end / 1_000);
        let lookback = self.lookback.as_deref().filter(|lookback| *lookback != "custom");
        let lookback_ms = lookback.map(duration_ms).transpose()?.unwrap_or(HOUR_MS);
        let since_ms = self.start.map_or(until_ms - lookback_ms, |start| start / 1_000);
        let then = format!("timestamp >= {} and timestamp < {}", moment_literal(since_ms), moment_literal(until_ms));
        let mut all = format!("service = {} and {then}", literal(&self.service));
        if let Some(operation) = self.operation.as_deref().filter(|operation| *operation != JOB) {
            all += &format!(" and starts_with(event_type, {})", literal(operation));
        }
        for tag in self.tags()? {
            all += &format!(" and job_id in (select job_id from events where {} and {then})", tag.sql());
        }
        Ok(all)
    }

    /// Each as a filter of its own: several events may tell them.
    fn tags(&self) -> Result<Vec<Filter>, Failure> {
        let Some(text) = self.tags.as_deref().filter(|text| !text.trim().is_empty()) else { return Ok(Vec::new()) };
        let malformed = |error: &dyn std::fmt::Display| {
            Failure::Usage(format!("tags: expected JSON such as {{\"error\": \"true\"}}: {error}"))
        };
        let tags: BTreeMap<String, Value> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
        let filter = |(key, value): (String, Value)| {
            let mut filter = Filter::default();
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match (key.as_str(), value.as_str()) {
                ("error", "true") => filter.is("level", "error"),
                ("job.id", job) => filter.is("job_id", job),
                _ => filter.add(&format!("{key}={value}")).map_err(|error| malformed(&error))?,
            }
            Ok(filter)
        };
        tags.into_iter().map(filter).collect()
    }

    fn has_operation(&self, history: &History) -> bool {
        let Some(operation) = self.operation.as_deref().filter(|operation| *operation != JOB) else { return true };
        history.spans().iter().any(|span| span.name == operation && *span.service == *self.service)
    }
}

/// Of all these jobs, read at once; one whose clocks are to be looked at is read by itself.
async fn histories(investigation: &Investigation<'_>, jobs: &[String]) -> Result<Vec<(String, History)>, Failure> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let all: Vec<String> = jobs.iter().map(|job| literal(job)).collect();
    let events = investigation.events(&format!("job_id in ({})", all.join(", ")), usize::MAX).await?;
    let mut by_job: BTreeMap<String, Vec<JobEvent>> = BTreeMap::new();
    for event in events {
        if let Some(job) = event.job_id.as_deref() {
            by_job.entry(job.to_owned()).or_default().push(event.clone());
        }
    }
    let mut histories = Vec::new();
    for job in jobs {
        let events = by_job.remove(job).unwrap_or_default();
        let is_suspicious = |event: &JobEvent| Offsets::is_suspicious(event.timestamp_ms, event.arrived_ms);
        let history = match events.iter().any(is_suspicious) {
            true => investigation.history(job).await?,
            false => History::new(events, investigation.now_ms()),
        };
        histories.extend(history.map(|history| (job.clone(), history)));
    }
    Ok(histories)
}

/// As Jaeger has it: of `us` there are a thousand in a millisecond.
fn duration_ms(text: &str) -> Result<i64, Failure> {
    let micros = text.strip_suffix("us").or(text.strip_suffix("µs"));
    if let Some(micros) = micros.and_then(|number| number.trim().parse::<i64>().ok()) {
        return Ok(micros / 1_000);
    }
    let duration = parse_duration(text).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}
