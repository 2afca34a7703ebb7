//! What an investigation finds: plain values, which become JSON as they are.
//!
//! They stand apart from the questions that lead to them, so that whoever shows them knows nothing of
//! the engine that was asked.

mod anomaly;
mod backtest;
mod bucket;
mod change;
mod command;
mod correlation;
mod diagnosis;
mod error_class;
mod judged;
mod moment;
mod timeline;
mod why_slow;
mod worker;

pub use anomaly::{Anomalies, Anomaly, AnomalyKind, Severity, Subject, Unit};
pub use backtest::{Alert, Backtest, Compared, Earliest, Hit, Incident, Knowable, KnownCulprit, Truth};
pub use bucket::Bucket;
pub use change::{Change, ChangeKind, Changes, Direction, Implied, Jobs, Test};
pub use command::{Carried, carry, command, moment_word};
pub use correlation::{Correlation, OtherJob, SameError, SameWorker};
pub use diagnosis::{
    BudgetPart, Completeness, Confidence, Culprit, CulpritKind, Diagnosis, Evidence, LastEvent, SameCause, Urgency,
    Verdict,
};
pub use error_class::ErrorClass;
pub use judged::{Group, Judged, MissingStep};
pub use moment::Moment;
pub use timeline::{ComparedStep, FlaggedGap, Judgement, TypicalTime};
pub use why_slow::{Trait, WhySlow};
pub use worker::{ClockOff, Life, LostJob, Speed, WorkerState, Workers};
