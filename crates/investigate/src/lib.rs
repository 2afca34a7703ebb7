//! From questions about jobs to their reasons: what is wrong, why, how sure that is, and what to
//! look at next.
//!
//! An [`Investigation`] asks the store through the query engine and judges what it answers by what is
//! typical. It prints nothing: its answers are plain values that `render` shows, and that become
//! JSON as they are.

mod anomalies;
mod attempts;
mod backtest;
mod check_names;
mod compare;
mod correlate;
mod detect;
mod errors;
mod event_name;
mod failure;
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
mod webhook;
mod why_slow;
mod without_level;

pub use check_names::{NameCheck, check_names};
pub use histogram::{histogram, why_nothing};
pub use investigation::{Investigation, InvestigationError};
pub use perf::{PerfQuestion, perf};
pub use rows::Rows;
pub use without_level::WithoutLevel;
