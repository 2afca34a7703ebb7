//! What a report tells, before it is drawn.

use jiff::tz::TimeZone;

use emp_findings::{Anomalies, Changes, ErrorClass, Judged, Judgement, Moment};
use emp_job::History;
use emp_units as units;

/// What a report is asked for: a range of time, and one as long that it is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportQuestion {
    pub(super) since_ms: i64,
    pub(super) until_ms: i64,
    pub(super) against_ms: i64,
}

/// A range up to now takes in the millisecond that now is, so that `--last 6h` is longer than six hours.
const NOW_MS: i64 = 1;

/// Why a report cannot be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// Events would be on both sides of the comparison, or on the wrong one.
    #[error(
        "a report is compared with an earlier range as long as its own, {}: it would end at {}, after the report \
         begins at {}; let --against be {} or earlier",
        units::millis(*.length_ms as f64), Moment(.against_ms + .length_ms).time(), Moment(*.since_ms).time(),
        Moment(.since_ms - .length_ms).time()
    )]
    NotEarlier {
        /// When the range that it is compared with begins, ms since the epoch.
        against_ms: i64,
        /// When the report's own range begins.
        since_ms: i64,
        /// How long both are, in ms.
        length_ms: i64,
    },
}

impl ReportQuestion {
    /// About the range from `since_ms` to before `until_ms`, ms since the epoch, compared with the one that
    /// begins at `against_ms` and is as long.
    ///
    /// # Errors
    /// [`QuestionError::NotEarlier`] where the range that it is compared with ends after `since_ms`.
    pub fn new(since_ms: i64, until_ms: i64, against_ms: i64) -> Result<Self, QuestionError> {
        let length_ms = until_ms - since_ms;
        if against_ms + length_ms > since_ms + NOW_MS {
            return Err(QuestionError::NotEarlier { against_ms, since_ms, length_ms });
        }
        Ok(Self { since_ms, until_ms, against_ms })
    }

    /// When the range ends that it is compared with, before its own begins.
    pub(super) fn against_until_ms(&self) -> i64 {
        (self.against_ms + self.length_ms()).min(self.since_ms)
    }

    /// How long both ranges are, in ms.
    pub(super) fn length_ms(&self) -> i64 {
        self.until_ms - self.since_ms
    }
}

/// How a system did over a range of time, compared with an earlier one.
#[derive(Debug)]
pub struct Report {
    pub(super) question: ReportQuestion,
    /// As of when jobs and anomalies are judged.
    pub(super) now_ms: i64,
    pub(super) zone: TimeZone,
    pub(super) totals: Totals,
    pub(super) before: Totals,
    pub(super) completeness: Completeness,
    /// What is wrong with the jobs of the last hour.
    pub(super) judged: Judged,
    pub(super) anomalies: Anomalies,
    /// What is different from the earlier range.
    pub(super) changes: Option<Changes>,
    pub(super) rates: Section<Rates>,
    pub(super) latencies: Section<Vec<Latency>>,
    pub(super) course: Section<Course>,
    pub(super) handoffs: Section<Vec<Handoff>>,
    pub(super) jobs: Section<Vec<SlowJob>>,
    pub(super) gaps: Section<Vec<GapClass>>,
    pub(super) errors: Section<Vec<ErrorClass>>,
}

/// A part of the report, and what it was read by.
#[derive(Debug)]
pub(super) struct Section<T> {
    /// The SQL that gave it.
    pub sql: String,
    /// The command that shows the same, where there is one.
    pub command: Option<String>,
    pub content: T,
}

/// Figures of a range.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Totals {
    pub events: i64,
    pub jobs: i64,
    pub completed: i64,
    pub failed: i64,
    pub errors: i64,
    /// From the first to the last event of a job, in ms.
    pub job_p50_ms: Option<f64>,
    pub job_p95_ms: Option<f64>,
    /// When the first event happened.
    pub first_ms: Option<i64>,
}

/// Whether the range is all there.
#[derive(Debug, Default)]
pub(super) struct Completeness {
    /// Events that Redis trimmed before they were read, as noticed in the range.
    pub lost: i64,
    /// Entries that are no events, as noticed in the range.
    pub quarantined: i64,
    /// Failures that count as no errors, as they were stored without a level.
    pub without_level: Option<String>,
    /// Whose clocks are wrong.
    pub clocks: Option<String>,
    /// Parts of the range without any event, from when to when.
    pub empty: Vec<(i64, i64)>,
    /// The first and the last event of the range.
    pub ends: Option<(i64, i64)>,
}

/// Events over time.
#[derive(Debug)]
pub(super) struct Rates {
    pub from_ms: i64,
    pub bucket_ms: i64,
    /// Events a minute in each bucket, by service.
    pub services: Vec<(String, Vec<f64>)>,
}

/// How long events of a type take.
#[derive(Debug)]
pub(super) struct Latency {
    pub event_type: String,
    pub count: i64,
    /// p5, p25, p50, p75, p95, p99, max.
    pub quantiles: [f64; 7],
    pub before_p50_ms: Option<f64>,
    /// Of the median: 0.25 is a quarter more.
    pub change: Option<f64>,
    pub is_real: Option<bool>,
}

/// How long events take over time.
#[derive(Debug)]
pub(super) struct Course {
    /// By event type.
    pub event_types: Vec<(String, Vec<Point>)>,
}

/// When a bucket begins, its median and its p95.
pub(super) type Point = (i64, f64, f64);

/// From one service to the next.
#[derive(Debug)]
pub(super) struct Handoff {
    pub from: String,
    pub to: String,
    pub count: i64,
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub skewed: i64,
    pub worst_job: Option<String>,
}

/// One of the jobs that took longest.
#[derive(Debug)]
pub(super) struct SlowJob {
    pub job_id: String,
    pub history: History,
    pub judgement: Judgement,
    /// The history is that of its last events alone.
    pub is_cut: bool,
}

/// Silences between events of the same types.
#[derive(Debug)]
pub(super) struct GapClass {
    pub from_event: String,
    pub from_service: String,
    pub to_event: String,
    pub to_service: String,
    pub count: i64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub max_ms: f64,
    pub worst_job: String,
}
