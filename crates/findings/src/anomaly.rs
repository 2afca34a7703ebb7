//! What is unusual.

use serde::Serialize;

use crate::Moment;

/// What is unusual.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Anomalies {
    /// Each of them, alerts first.
    pub found: Vec<Anomaly>,
    /// Why not all could be judged, where that is so.
    pub lack: Option<String>,
}

/// Something unusual.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Anomaly {
    /// What kind.
    pub kind: AnomalyKind,
    /// Whether somebody has to look.
    pub severity: Severity,
    /// Whom it is about.
    pub subject: Subject,
    /// What was measured.
    pub value: f64,
    /// What is usual.
    pub baseline: Option<f64>,
    /// What both are counted in.
    pub unit: Unit,
    /// How many cases were measured.
    pub n: u64,
    /// The probability of a difference this large where there is none.
    pub p: Option<f64>,
    /// The share of false findings among those up to this one.
    pub q: Option<f64>,
    /// Since when, where that is known; the window is what was looked at.
    pub since: Option<Moment>,
    /// Until when, where it is over.
    pub until: Option<Moment>,
    /// From when to when.
    pub window: [Moment; 2],
    /// In a sentence.
    pub message: String,
    /// What its cases have in common, and others do not, such as `connector comfyui`; the message says so.
    #[serde(skip)]
    pub shared: Option<String>,
    /// The text of an error of which it tells.
    #[serde(skip)]
    pub example: Option<String>,
}

/// What a value is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Milliseconds.
    Ms,
    /// Events.
    Events,
    /// Jobs.
    Jobs,
    /// A share of all, from 0 to 1.
    Share,
}

/// The kinds of anomalies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "their names say what they are; docs/debugging.md defines them")]
pub enum AnomalyKind {
    RateSurge,
    RateDrop,
    Latency,
    ErrorShare,
    Silence,
    NewError,
    RetryLoop,
    Outlier,
    Skew,
    Stuck,
    MissingStep,
}

/// Whether somebody has to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Yes.
    Alert,
    /// It is good to know.
    Note,
}

/// Whom an anomaly is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize)]
pub struct Subject {
    /// A service.
    pub service: Option<String>,
    /// A worker.
    pub worker_id: Option<String>,
    /// A machine.
    pub machine_id: Option<String>,
    /// A type of events.
    pub event_type: Option<String>,
    /// A job.
    pub job_id: Option<String>,
}

impl AnomalyKind {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateSurge => "rate_surge",
            Self::RateDrop => "rate_drop",
            Self::Latency => "latency",
            Self::ErrorShare => "error_share",
            Self::Silence => "silence",
            Self::NewError => "new_error",
            Self::RetryLoop => "retry_loop",
            Self::Outlier => "outlier",
            Self::Skew => "skew",
            Self::Stuck => "stuck",
            Self::MissingStep => "missing_step",
        }
    }
}
