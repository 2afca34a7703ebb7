//! The detectors: each compares what happened lately with what is usual.
//!
//! `docs/definitions.md` has the words under "Anomalies": which windows and baselines there are, which tests,
//! and how often a healthy system is reported.

mod errors;
mod latencies;
mod outliers;
mod rates;
mod silences;
mod skews;

use emp_findings::{AnomalyKind, Moment, Severity, Subject};

use super::frame::{Frame, Row};

pub(super) use errors::error_shares;
pub(super) use latencies::latencies;
pub(super) use outliers::outliers;
pub(super) use rates::rates;
pub(super) use silences::silences;
pub(super) use skews::skews;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Rates are counted in buckets of this length.
const BUCKET_MS: i64 = 5 * MINUTE_MS;
/// With fewer buckets than these, nothing is said about what is usual.
const BASE_BUCKETS_MIN: usize = 12;
/// Days of which the same hours are looked at.
pub(super) const BASE_DAYS: i64 = 28;

/// The times that are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    pub now_ms: i64,
    /// How far back what happens now reaches.
    pub length_ms: i64,
}

/// Something that may be unusual, of one test of many.
#[derive(Debug)]
pub(super) struct Suspicion {
    pub kind: AnomalyKind,
    pub severity: Severity,
    pub subject: Subject,
    pub value: f64,
    pub baseline: Option<f64>,
    pub n: u64,
    pub p: Option<f64>,
    /// Is the difference large enough to matter, whatever its probability?
    pub is_large: bool,
    pub message: String,
}

impl Windows {
    pub fn at(now_ms: i64) -> Self {
        Self { now_ms, length_ms: HOUR_MS }
    }

    pub fn begins_ms(&self) -> i64 {
        self.now_ms - self.length_ms
    }

    pub fn shown(&self) -> [Moment; 2] {
        [Moment(self.begins_ms()), Moment(self.now_ms)]
    }

    /// The same hour, and one before and after it, so many days ago.
    pub fn same_hours(&self, days: i64) -> (i64, i64) {
        let then_ms = self.now_ms - days * DAY_MS;
        (then_ms - HOUR_MS - self.length_ms, then_ms + HOUR_MS)
    }

    /// Is that moment of a working day where now is, or else of a weekend?
    pub fn is_same_class(&self, ms: i64) -> bool {
        is_weekend(ms) == is_weekend(self.now_ms)
    }
}

/// By UTC: 1970 began on a Thursday.
fn is_weekend(ms: i64) -> bool {
    matches!(ms.div_euclid(DAY_MS).rem_euclid(7), 2 | 3)
}

/// Times with which now is compared: the same hours of other days where there are enough, else the
/// last day. `None` where there is too little of either.
pub(super) fn baseline(frame: &Frame, windows: &Windows) -> Option<Vec<(i64, i64)>> {
    let has_events = |range: &(i64, i64)| !frame.between(range.0, range.1).is_empty();
    let days = (1..=BASE_DAYS).map(|days| windows.same_hours(days)).filter(|range| windows.is_same_class(range.0));
    let same_hours: Vec<(i64, i64)> = days.filter(has_events).collect();
    if same_hours.len() >= 3 {
        return Some(same_hours);
    }
    // From the first hour of the last day in which anything happened.
    let day_ms = windows.begins_ms() - DAY_MS;
    let first_ms = frame.between(day_ms, windows.begins_ms()).first()?.happened_ms;
    let buckets = (windows.begins_ms() - first_ms) / BUCKET_MS;
    (buckets >= BASE_BUCKETS_MIN as i64).then(|| vec![(windows.begins_ms() - buckets * BUCKET_MS, windows.begins_ms())])
}

fn in_base<'a>(frame: &'a Frame, base: &'a [(i64, i64)]) -> impl Iterator<Item = &'a Row> {
    base.iter().flat_map(|(from_ms, until_ms)| frame.between(*from_ms, *until_ms))
}
