//! A job's time line, judged.

use serde::Serialize;

use crate::BudgetPart;

/// A gap that is unusual.
#[derive(Debug, Clone, PartialEq)]
pub struct FlaggedGap {
    /// After which of the history's events it comes.
    pub before: usize,
    /// From when, ms since the epoch.
    pub start_ms: i64,
    /// Until when.
    pub end_ms: i64,
    /// `queue-wait`, `silent-run`, …
    pub kind: &'static str,
    /// How many times as long as half of its class; `None` without a baseline.
    pub times_typical: Option<f64>,
    /// How long 99 of 100 of its class last at most, in ms; `None` without a baseline.
    pub typical_p99_ms: Option<f64>,
}

impl FlaggedGap {
    /// How long it lasts.
    pub fn ms(&self) -> i64 {
        self.end_ms - self.start_ms
    }
}

/// How long something takes typically, in ms, where enough is known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TypicalTime {
    /// Half take less.
    pub median_ms: Option<f64>,
    /// 99 of 100 take less.
    pub p99_ms: Option<f64>,
}

/// What is known of a job's time line beside its events.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judgement {
    /// Its unusual gaps, in order.
    pub gaps: Vec<FlaggedGap>,
    /// How long such work takes typically, for each of its spans, in order.
    pub spans: Vec<TypicalTime>,
    /// Where its time went.
    pub budget: Vec<BudgetPart>,
    /// What to know about clocks.
    pub notes: Vec<String>,
}

/// A step of two jobs, or of one of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedStep {
    /// What happened.
    pub event_type: String,
    /// When, in ms since the beginning; `None` where it did not.
    pub left_at_ms: Option<f64>,
    /// The same of the other one.
    pub right_at_ms: Option<f64>,
    /// How long after the step before, in ms.
    pub left_step_ms: Option<f64>,
    /// The same of the other one.
    pub right_step_ms: Option<f64>,
}
