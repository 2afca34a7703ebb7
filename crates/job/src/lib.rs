//! What the events of one job mean: its steps and spans, where it stood still, how long each part
//! took, and what it is waiting for.
//!
//! [`History`] is made of a job's events and a moment from which it is looked at. This room
//! computes; it reads no files and knows neither SQL nor screens. What the words mean, exactly, is
//! in `docs/definitions.md`; which types of events mean what is in `vocabulary.toml`.

mod budget;
mod data;
mod event;
mod fingerprint;
mod gaps;
mod history;
mod joining;
mod meaning;
mod meanings;
mod offsets;
mod order;
mod runs;
mod spans;
mod told;
mod tries;
mod vocabulary;
mod words;

pub use budget::{Part, PartKind, budget};
pub use data::{Data, Texts};
pub use event::{EventFields, JobEvent, happened_ms, named_in};
pub use fingerprint::{error_text, error_values, fingerprint};
pub use gaps::{Gap, GapKind};
pub use history::{Handoff, History, State};
pub use joining::{Attempt, OpenWork, is_begun};
pub use meaning::Meaning;
pub use offsets::Offsets;
pub use order::Order;
pub use runs::{Loss, Run};
pub use spans::Span;
pub use told::Told;
pub use tries::is_tried_again;
pub use vocabulary::{Dialect, Named, Vocabulary, VocabularyError, is_claim, speak, vocabulary};
pub use words::{Role, begins_work, closes, entity, job_type_of, role, span_name};

#[cfg(test)]
mod tests;
