//! The product as its users meet it: the binary, with a real Redis and a real DuckDB.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod accounting;
mod addresses;
mod advice;
mod answers;
mod bucket;
mod bullmq;
mod changes;
mod check_names;
mod collecting;
mod command_line;
mod crashes;
mod debugging;
mod disk_faults;
mod documents;
mod engines;
mod fail_over;
mod faults;
mod formats;
mod forwarding;
mod full_redis;
mod health;
mod identity;
mod image;
mod import;
mod large_entries;
mod levels;
mod living;
mod many_events;
mod mcp;
mod meaning;
mod memory;
mod metrics;
mod naming_jobs;
mod other_engines;
mod permissions;
mod producers;
mod programs;
mod prompt;
mod proxy;
mod ranges;
mod read_only_store;
mod readings;
mod report;
mod serve;
mod servers;
mod support;
mod tls;
mod upkeep;
mod usage;
mod vocabulary;
mod watch;
mod wire;
#[cfg(feature = "workers")]
mod workers;
