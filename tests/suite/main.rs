//! The product as its users meet it: the binary, with a real Redis and a real DuckDB.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod accounting;
mod answers;
mod check_names;
mod collecting;
mod command_line;
mod crashes;
mod debugging;
mod disk_faults;
mod engines;
mod faults;
mod forwarding;
mod health;
mod identity;
mod import;
mod levels;
mod living;
mod meaning;
mod memory;
mod other_engines;
mod producers;
mod prompt;
mod proxy;
mod read_only_store;
mod report;
mod support;
mod tls;
mod upkeep;
mod vocabulary;
mod wire;
