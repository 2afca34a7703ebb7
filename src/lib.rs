//! `emp-events`: a local columnar event store with SQL, for people who debug distributed
//! job systems.
//!
//! Data goes one way through the rooms, and a room knows only the rooms before it:
//! `event` → `stream` → `store` → `catalog` → `job` → `typical` → `query` → `investigate` → `render` → `report`, `dashboard`, wired together by `collect` (the
//! daemon), `import` and `cli`. ARCHITECTURE.md is the map.

pub mod catalog;
pub mod cli;
mod closed_pipe;
pub mod collect;
#[cfg(feature = "query")]
pub mod dashboard;
pub mod event;
pub mod forward;
pub mod import;
#[cfg(feature = "query")]
pub mod investigate;
pub mod job;
#[cfg(feature = "query")]
pub mod prompt;
#[cfg(feature = "query")]
pub mod query;
#[cfg(feature = "query")]
pub mod render;
#[cfg(feature = "query")]
pub mod report;
pub mod simulate;
#[cfg(feature = "query")]
pub mod statistics;
pub mod store;
pub mod stream;
#[cfg(feature = "query")]
pub mod tail;
pub mod typical;
#[cfg(feature = "query")]
pub mod units;
mod user_folder;
