//! Real processes, a real Redis, and everything that can happen to them, again and again.
//!
//! `cargo test` does a few rounds; `make chaos` does a thousand kills of each: of collectors, of forwarders, of the
//! services that emit. After each round all is drained, and added up. `EMP_EVENTS_CHAOS_SEED` repeats a run's choices,
//! if not its timing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod clients;
mod collectors;
mod forwarders;
mod producer;
mod proxy;
mod receiver;
mod service;
#[allow(dead_code, reason = "the other tests need the rest of it")]
#[path = "../suite/support.rs"]
mod support;
mod worlds;

/// How many kills are asked for, and the seed of all choices; `few` where nothing is said.
fn asked(few: usize) -> (usize, u64) {
    (number("EMP_EVENTS_CHAOS_KILLS", few as u64) as usize, number("EMP_EVENTS_CHAOS_SEED", 7))
}

/// A number that the environment sets.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
