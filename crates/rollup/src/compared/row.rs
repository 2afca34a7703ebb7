//! What events contribute, in rows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::sketch::{Sketch, each_bin};

/// Durations are counted in steps of 2 %, from the smallest that is told apart on.
const STEP: f64 = 1.02;
const SMALLEST_MS: f64 = 0.01;
/// The step of the smallest one is below zero, and a bin is not.
const BIN_OF_STEP_0: i32 = 256;
/// Jobs are known by so many bytes of the hashes of their ids: of two million, two have the same once in a hundred stores.
const HASH_BYTES: usize = 6;

/// What some events contribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The names in the rows, where number 1 is the first; 0 stands for one that an event lacks.
    pub names: Arc<[Box<str>]>,
    /// What they contribute.
    pub rows: ComparedRows,
}

/// [`Compared`], with numbers for names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ComparedRows {
    /// How many there are of each type and service.
    pub types: Vec<TypeRow>,
    /// How many are from each machine that is named.
    pub machines: Vec<(u32, u64)>,
    /// The same of workers.
    pub workers: Vec<(u32, u64)>,
    /// How long each kind of work took.
    pub works: Vec<WorkRow>,
    /// Which types of events the jobs have.
    pub jobs: Vec<JobsRow>,
    /// What errors say.
    pub errors: Vec<ErrorsRow>,
}

impl ComparedRows {
    /// The number of each name in it.
    pub(super) fn each_name(&self) -> impl Iterator<Item = u32> {
        let types = self.types.iter().flat_map(|row| [row.service, row.event_type]);
        let members = self.machines.iter().chain(&self.workers).map(|(name, _)| *name);
        let works = self.works.iter().flat_map(|row| [row.event_type, row.connector, row.worker]);
        let jobs = self.jobs.iter().flat_map(|row| row.event_types.iter().copied().chain([row.kind]));
        let errors = self.errors.iter().flat_map(|row| [row.service, row.event_type, row.fingerprint, row.example]);
        types.chain(members).chain(works).chain(jobs).chain(errors)
    }
}

/// The events of one type and service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TypeRow {
    /// Who sent them.
    pub service: u32,
    /// What they are.
    pub event_type: u32,
    /// How many.
    pub events: u64,
    /// How many of them are errors.
    pub errors: u64,
    /// How many name a job.
    pub of_jobs: u64,
}

/// How long events of one type took that are of one connector and worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkRow {
    /// What they are.
    pub event_type: u32,
    /// What the work was handed to.
    pub connector: u32,
    /// Who did it.
    pub worker: u32,
    pub(super) durations: Sketch,
}

impl WorkRow {
    /// How often it took how long: by number of the step, which [`middle_of_step`] knows.
    pub fn each_step(&self, mut take: impl FnMut(i32, u64)) {
        each_bin(self.durations.as_bytes(), |bin, count| take(step_of_bin(bin), count));
    }
}

/// Jobs of one kind that have the same types of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobsRow {
    /// Their kind, as the events that begin them say: of several the last one by name.
    pub kind: u32,
    /// Each type that they have.
    pub event_types: Vec<u32>,
    /// Which jobs they are.
    pub jobs: Hashes,
}

/// Errors of one type and service that say the same but for ids and numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorsRow {
    /// Who sent them.
    pub service: u32,
    /// What they are.
    pub event_type: u32,
    /// What they say, without ids and numbers; empty where they do not say anything.
    pub fingerprint: u32,
    /// What one of them says: the first by its text of those that say anything.
    pub example: u32,
    /// How many.
    pub events: u64,
    /// The jobs that have one.
    pub jobs: Hashes,
    /// The minutes in which one happened that names no job, since the epoch: by its producer's clock, and put right where none is
    /// behind.
    pub minutes: [Vec<i64>; 2],
}

/// Hashes of the ids of jobs, as of [`hash_of_job`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashes(#[serde(with = "crate::sketch::bytes")] Vec<u8>);

impl Hashes {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.0
            .chunks_exact(HASH_BYTES)
            .map(|bytes| bytes.iter().rev().fold(0, |hash, byte| hash << 8 | u64::from(*byte)))
    }
}

impl FromIterator<u64> for Hashes {
    fn from_iter<I: IntoIterator<Item = u64>>(hashes: I) -> Self {
        Self(hashes.into_iter().flat_map(|hash| hash.to_le_bytes().into_iter().take(HASH_BYTES)).collect())
    }
}

/// What stands for a job.
pub fn hash_of_job(id: &str) -> u64 {
    xxh3_64(id.as_bytes()) & ((1 << (8 * HASH_BYTES)) - 1)
}

/// The step of a duration in ms.
pub(super) fn bin_of(ms: f64) -> u32 {
    let step = (ms.max(SMALLEST_MS).ln() / STEP.ln()).floor() as i32;
    step.saturating_add(BIN_OF_STEP_0).max(0).unsigned_abs()
}

fn step_of_bin(bin: u32) -> i32 {
    i32::try_from(bin).unwrap_or(i32::MAX).saturating_sub(BIN_OF_STEP_0)
}

/// In ms.
pub fn middle_of_step(step: i32) -> f64 {
    STEP.powf(f64::from(step) + 0.5)
}
