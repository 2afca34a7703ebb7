//! Emits events about jobs, workers and machines into a Redis stream, for emp-events to collect.
//!
//! Fire and forget: a call neither fails nor waits, whatever Redis does. What could not be sent
//! is counted, and told once Redis is back.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use emp_events_client::EventClient;
//! use serde_json::json;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = EventClient::builder("api-server").url("redis://127.0.0.1:6379").build()?;
//! client.event("job.created").job_id("job-7").data(json!({"jobType": "image"})).emit();
//! client.close(Duration::from_secs(2));
//! # Ok(())
//! # }
//! ```

mod address;
mod breaker;
mod builder;
mod call_times;
mod client;
mod config;
mod core;
mod data;
mod draft;
mod event;
mod ids;
#[cfg(feature = "tracing")]
mod layer;
#[cfg(feature = "tracing")]
mod layer_fields;
mod level;
mod limit;
mod link;
mod patience;
mod problem;
mod random;
mod ready;
mod refusal;
mod report;
mod sampling;
mod settings;
mod spool;
mod spool_room;
mod stats;
mod stats_report;
pub mod testing;
mod trace;
mod track;
mod wire;
mod worker;

pub use address::AddressError;
pub use builder::EventClientBuilder;
pub use client::EventClient;
pub use config::{TELEMETRY_CONFIG, TelemetryConfig};
pub use draft::EventDraft;
pub use ids::Ids;
#[cfg(feature = "tracing")]
pub use layer::TelemetryLayer;
pub use level::{Level, UnknownLevel};
pub use ready::{api_telemetry, machine_telemetry, monitor_telemetry, webhook_telemetry, worker_telemetry};
pub use stats::{Reason, Stats};
pub use trace::{Trace, current_trace, trace_from_headers, traceparent, with_trace, with_trace_sync};
pub use track::Timer;
