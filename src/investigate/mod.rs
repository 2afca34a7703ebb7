//! From questions about jobs to their reasons: what is wrong, why, how sure that is, and what to
//! look at next.
//!
//! An [`Investigation`] asks the store through the query engine and judges what it answers by what is
//! typical. It prints nothing: its answers are plain values that `render` shows, and that become
//! JSON as they are.

mod anomalies;
mod backtest;
mod check_names;
mod correlate;
mod detect;
mod diagnosis;
mod errors;
mod event_name;
mod failure;
mod fetch;
mod frame;
mod histogram;
mod investigation;
mod judge;
mod perf;
mod rows;
mod silence;
mod slow;
mod surroundings;
mod timeline;
mod waiting;
mod why_slow;

pub use anomalies::{Anomalies, Anomaly, AnomalyKind, Severity, Subject};
pub use backtest::{Alert, Backtest, Compared, Hit, Incident, KnownCulprit, Truth};
pub use check_names::{NameCheck, check_names};
pub use correlate::{Correlation, OtherJob, SameError, SameWorker};
pub use diagnosis::{
    BudgetPart, Completeness, Confidence, Culprit, CulpritKind, Diagnosis, Evidence, Group, Judged, LastEvent,
    MissingStep, Moment, SameCause, Verdict,
};
pub use errors::ErrorClass;
pub use fetch::{COLUMNS as EVENT_COLUMNS, read as read_events};
pub use histogram::{Bucket, histogram, why_nothing};
pub use investigation::{Investigation, InvestigationError};
pub use perf::{PerfQuestion, perf};
pub(crate) use rows::Rows;
pub use timeline::{ComparedStep, FlaggedGap, Judgement};
pub use why_slow::{Trait, WhySlow};

#[cfg(test)]
mod tests;
