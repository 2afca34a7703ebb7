//! The detectors: each compares what happened lately with what is usual.
//!
//! `docs/definitions.md` has the words under "Anomalies": which windows and baselines there are, which tests,
//! and how often a healthy system is reported.

mod errors;
mod latencies;
mod new_errors;
mod outliers;
mod rates;
mod silences;

use std::ops::Range;

use emp_findings::{AnomalyKind, Moment, Severity, Subject, Unit};

use super::counts::{BUCKET_MS, Count, Counts};
use super::past::Past;

pub(super) use errors::error_shares;
pub(super) use latencies::{Each, Lasted, durations_by_type};
pub(super) use new_errors::Kind as ErrorKind;
pub(super) use outliers::slow_ones;
pub(super) use rates::rates;
pub(super) use silences::Longest;

const MINUTE_MS: i64 = 60_000;
pub(super) const HOUR_MS: i64 = 3_600_000;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;
/// What comes by chance less often than that a day, once in five, is an alert at its first case.
pub(super) const RARE_A_DAY: f64 = 0.2;
/// With fewer buckets than these, nothing is said about what is usual.
const BASE_BUCKETS_MIN: i64 = 12;
/// Days of which the same hours are looked at.
const BASE_DAYS: i64 = 28;

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
    pub unit: Unit,
    /// Since when, where that is known, ms since the epoch.
    pub since_ms: Option<i64>,
    /// Until when, where it is over.
    pub until_ms: Option<i64>,
    pub n: u64,
    pub p: Option<f64>,
    /// Is the difference large enough to matter, whatever its probability?
    pub is_large: bool,
    pub message: String,
    /// Whoever is behind it and is no service, worker or machine, such as `connector comfyui`.
    pub shared: Option<String>,
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

    /// The same as of the last five minutes by the clock: what is usual is looked at so, and the same for each look within
    /// them.
    pub fn of_past(&self) -> Self {
        Self { now_ms: self.now_ms.div_euclid(BUCKET_MS) * BUCKET_MS, ..*self }
    }

    /// The buckets of what happens now.
    pub fn buckets(&self) -> Range<i64> {
        0..self.length_ms / BUCKET_MS
    }

    /// The buckets of a range of time that ends with a bucket.
    pub fn buckets_of(&self, (from_ms, until_ms): (i64, i64)) -> Range<i64> {
        (self.now_ms - until_ms) / BUCKET_MS..(self.now_ms - from_ms) / BUCKET_MS
    }

    /// The last day, with now.
    fn day(&self) -> (i64, i64) {
        (self.begins_ms() - DAY_MS, self.begins_ms())
    }

    /// The same hour, and one before and after it, so many days ago.
    fn same_hours(&self, days: i64) -> (i64, i64) {
        let then_ms = self.now_ms - days * DAY_MS;
        (then_ms - HOUR_MS - self.length_ms, then_ms + HOUR_MS)
    }

    /// The same hours of the days of the same class: working days, or those of a weekend.
    fn days(&self) -> impl Iterator<Item = (i64, i64)> {
        let windows = *self;
        (1..=BASE_DAYS)
            .map(move |days| windows.same_hours(days))
            .filter(move |(from_ms, _)| windows.is_same_class(*from_ms))
    }

    /// Is that moment of a working day where now is, or else of a weekend?
    fn is_same_class(&self, ms: i64) -> bool {
        is_weekend(ms) == is_weekend(self.now_ms)
    }

    /// What happens now. The event of this very moment belongs to it.
    pub fn range(&self) -> (i64, i64) {
        (self.begins_ms(), self.now_ms + 1)
    }

    /// All of the past that is looked at: the last day, and the same hours of the days before, none twice.
    pub fn ranges_before(&self) -> Vec<(i64, i64)> {
        let (day_ms, until_ms) = self.day();
        let before = self.days().map(|(from_ms, until_ms)| (from_ms, until_ms.min(day_ms)));
        let before = before.filter(|(from_ms, until_ms)| from_ms < until_ms);
        std::iter::once((day_ms, until_ms)).chain(before).collect()
    }
}

/// By UTC: 1970 began on a Thursday.
fn is_weekend(ms: i64) -> bool {
    matches!(ms.div_euclid(DAY_MS).rem_euclid(7), 2 | 3)
}

/// Times with which now is compared: the same hours of other days where there are enough, else the
/// last day. `None` where there is too little of either.
pub(super) fn baseline(counts: &Counts, windows: &Windows) -> Option<Vec<(i64, i64)>> {
    let has_events = |range: &(i64, i64)| counts.within(&windows.buckets_of(*range)).next().is_some();
    let same_hours: Vec<(i64, i64)> = windows.days().filter(has_events).collect();
    if same_hours.len() >= 3 {
        return Some(same_hours);
    }
    // From the first hour of the last day in which anything happened.
    let day = windows.buckets_of(windows.day());
    let buckets = counts.oldest_within(&day)? + 1 - day.start;
    (buckets >= BASE_BUCKETS_MIN).then(|| vec![(windows.begins_ms() - buckets * BUCKET_MS, windows.begins_ms())])
}

/// Those of the baseline.
fn in_base<'a>(past: &'a Past, base: &'a [(i64, i64)]) -> impl Iterator<Item = &'a Count> {
    base.iter().flat_map(|range| past.counts.within(&past.windows.buckets_of(*range)))
}
