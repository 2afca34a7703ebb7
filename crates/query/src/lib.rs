//! Questions about the store, in SQL.
//!
//! [`Engine`] answers one statement at a time over sealed files and journal together, each
//! event once; [`CannedQuery`] is a query of `sql/` or of the user's own, with parameters.
//! This room reads the store's files and prints nothing: what it has to say is in an
//! [`Answer`] or a [`QueryError`].

mod answer;
mod arrivals;
mod background;
mod canned;
mod clocks;
mod compared;
mod dialect;
mod engine;
mod error;
mod fetch;
mod filter;
mod functions;
mod json_column;
mod literal;
mod mention;
mod names;
mod nearest;
mod optimize;
mod postgres;
mod prune;
mod reader;
mod rollups;
mod session;
mod similar;
mod skip;
mod spread;
mod statement;
mod tables;
mod transitions;
mod translate;
mod view;
mod warning;

pub use answer::Answer;
pub use canned::{CannedQuery, Column, Kind, Need, Parameter, canned_queries, find};
pub use clocks::{HAPPENED_MS, happened_within};
pub use compared::Cut;
pub use emp_rollup::{Compared, ErrorsRow, JobsRow, TypeRow, WorkRow, middle_of_step};
pub use emp_sql::{POSTGRES_VERSION, postgres_name};
pub use engine::{Engine, Kept, Settings};
pub use error::QueryError;
pub use fetch::{EVENT_COLUMNS, EventsRead, column_as, read_events};
pub use filter::{Filter, FilterError};
pub use literal::{key_among, literal, moment_literal};
pub use names::Names;
pub use nearest::{any_of, nearest, suggestion};
pub use postgres::{Bound, Described};
pub use rollups::DurationCounts;
pub use session::usual_memory_bytes;
pub use spread::{Arriving, Spread, Spreading, leaving, session_of_worker};
pub use transitions::{ErrorFigures, JobFigures};
pub use view::{Learning, OnLearning};
