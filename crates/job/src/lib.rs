//! What the events of one job mean: its steps and spans, where it stood still, how long each part
//! took, and what it is waiting for.
//!
//! [`History`] is made of a job's events and a moment from which it is looked at. This room
//! computes; it reads no files and knows neither SQL nor screens. What the words mean, exactly, is
//! in `docs/definitions.md`.

mod budget;
mod event;
mod fingerprint;
mod history;
mod joining;
mod vocabulary;

pub use budget::{Part, PartKind, budget};
pub use event::{JobEvent, happened_ms};
pub use fingerprint::{ERROR_KEYS, error_text, error_values, fingerprint};
pub use history::{Gap, GapKind, Handoff, History, Span, State};
pub use joining::{Attempt, OpenWork, is_begun};
pub use vocabulary::{
    Role, closes, entity, is_claim, is_queued, is_retry, is_terminal, job_type_of, retry_at_ms, role, span_name,
};

#[cfg(test)]
mod tests;
