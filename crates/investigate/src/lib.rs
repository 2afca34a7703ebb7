//! From questions about jobs to their reasons: what is wrong, why, how sure that is, and what to
//! look at next.
//!
//! An [`Investigation`] asks the store through the query engine and judges what it answers by what is
//! typical. It prints nothing: its answers are plain values that `render` shows, and that become
//! JSON as they are.

mod about;
mod anomalies;
mod attempts;
mod backtest;
mod blocked;
mod busy;
mod changes;
mod check_names;
mod clocks;
mod compare;
mod correlate;
mod counts;
mod custody;
mod detect;
mod errors;
mod event_name;
mod failure;
mod histogram;
mod investigation;
mod judge;
mod living;
mod past;
mod perf;
mod perf_speed;
mod pieces;
mod queues;
mod rows;
mod shared;
mod silence;
mod slow;
mod speed;
mod sudden;
mod surroundings;
mod timeline;
mod waiting;
mod webhook;
mod why_slow;
mod without_level;
mod workers;
mod workers_table;

pub use changes::{ChangesQuestion, RangesError, changes, changes_table};
pub use check_names::{NameCheck, check_names};
pub use clocks::{ByClocks, clocks_note, clocks_since};
pub use histogram::{histogram, no_such_key, why_nothing};
pub use investigation::{Answering, Investigation, InvestigationError};
pub use perf::{EVENTS_READ_MAX, EVENTS_WITH_CLOCKS_MAX, PerfQuestion, has_many_events, perf};
pub use rows::Rows;
pub use without_level::WithoutLevel;
pub use workers_table::workers_table;
