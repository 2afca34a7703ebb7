//! Questions in SQL to small stores, asked and answered by the engine's own door.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod arrivals;
mod canned;
mod closed_days;
mod compared;
mod damage;
mod errors;
mod figures;
mod functions;
mod happenings;
mod index;
mod json;
mod pruning;
mod read_only;
mod rollups;
mod similar;
mod statements;
mod support;
mod tables;
mod texts;
mod transitions;
mod user_queries;
