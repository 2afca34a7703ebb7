//! The daemon: wires the stream to the store.
//!
//! [`collect`] reads entries, makes them durable in the store, acknowledges them, and seals
//! the hours that are over. [`check_health`] says how that goes, from the outside.

mod archive_health;
mod archiving;
mod consumer;
mod daemon;
mod desk;
mod error;
mod event_log;
mod health;
mod intake;
mod lag;
mod law;
mod law_of_all;
mod liveness;
mod memory;
mod meter;
mod place;
mod reading;
mod room;
mod store_health;
mod takeover;
mod told;
mod trouble;
mod upkeep;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use archiving::ArchiveSettings;
pub use consumer::{collector_of, default_consumer};
pub use daemon::collect;
pub use error::CollectError;
pub use health::{Check, Status, check_health};
pub use lag::Lag;
pub use law::{Law, check_law, check_law_by_catalog};
pub use law_of_all::{LawOfAll, StoreShare, check_law_of_all};
pub use memory::{MemoryLimit, MemoryLimits};
pub use meter::Meter;
pub use room::Room;
pub use told::CollectorMetrics;
pub use upkeep::derive_all;

use emp_store::{Layout, Retention};
use emp_stream::RedisAddress;

/// The consumer group of the collectors.
pub const GROUP: &str = "emp-collector";

/// What a collector reads, and where it writes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where Redis is.
    pub address: RedisAddress,
    /// The stream's key.
    pub stream: String,
    /// The name to which the store's id is added: that is the consumer in the group, and the writer in the store.
    pub consumer: String,
    /// The store.
    pub layout: Layout,
    /// A consumer whose collector is gone for good: take over what it has not acknowledged.
    pub adopt: Option<String>,
    /// Drain what is there, seal, and end; else go on until told to stop.
    pub once: bool,
    /// Write one JSON line an event to this file, for development.
    pub event_log: Option<PathBuf>,
    /// Seal that often even within an hour, so that foreign readers see new events.
    pub seal_every: Option<Duration>,
    /// What is kept of the hours that are over.
    pub retention: Retention,
    /// Where closed hours go beside.
    pub archive: Option<ArchiveSettings>,
    /// From where on Redis' memory is worth a warning.
    pub memory: MemoryLimits,
    /// Where it counts what it does.
    pub meter: Arc<Meter>,
}

/// What a collector has done since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Events that are durable now.
    pub stored: u64,
    /// Entries that were no events, kept in the quarantine.
    pub quarantined: u64,
    /// Entries that the stream trimmed before they were read.
    pub lost: u64,
}
