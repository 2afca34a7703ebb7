//! What slow jobs have in common.

use serde::Serialize;

use crate::{Moment, Speed};

/// What slow jobs have in common.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WhySlow {
    /// From when to when jobs are looked at.
    pub window: [Moment; 2],
    /// How many jobs ended then.
    pub jobs: usize,
    /// How many of them were slow.
    pub slow: usize,
    /// What more of the slow ones have than of the others, the surest first.
    pub traits: Vec<Trait>,
}

/// A value that slow jobs have more often than others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trait {
    /// `worker_id`, `connectorType`, `hour`, a key of `data`.
    pub key: String,
    /// Its value.
    pub value: String,
    /// How many slow jobs have it.
    pub slow_with: u64,
    /// How many jobs have it.
    pub with: u64,
    /// How many slow jobs have it not.
    pub slow_without: u64,
    /// How many jobs have it not.
    pub without: u64,
    /// By Fisher's exact test.
    pub p: f64,
    /// The share of false findings among those up to this one.
    pub q: f64,
    /// Of a worker, a connector or a queue that takes longer than others: how many times, and since when.
    pub speed: Option<Speed>,
}
