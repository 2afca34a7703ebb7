//! The product as its users meet it: the binary, with a real Redis and a real DuckDB.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod accounting;
mod addresses;
mod advice;
mod answers;
mod bullmq;
mod changes;
mod check_names;
mod collecting;
mod command_line;
mod crashes;
mod debugging;
mod disk_faults;
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
mod meaning;
mod memory;
mod naming_jobs;
mod other_engines;
mod permissions;
mod producers;
mod programs;
mod prompt;
mod proxy;
mod ranges;
mod read_only_store;
mod report;
mod servers;
mod support;
mod tls;
mod upkeep;
mod vocabulary;
mod wire;
