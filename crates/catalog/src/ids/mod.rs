//! The index: which sealed files hold a job, a trace, a worker, a machine, a user, and which may mention a text.
//!
//! A *run* covers some files, numbered from 0. It maps the hash of each id, or of each [gram](grams) of their texts, that
//! occurs to the numbers of the files in which it does, in buckets by the hash's first bits, so that one question
//! reads one bucket of each run. Runs are written once. New files come into new small runs, and
//! these are merged into larger ones as in a log-structured merge tree, so that their number grows
//! with the logarithm of the store.

mod collect;
mod grams;
mod run;

pub(super) use collect::{Entries, collect, collect_jobs};
pub(super) use grams::wanted as wanted_of_text;
pub(super) use run::{Broken, Run, RunBuilder, SLICE_BITS, slice_of};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The columns whose values are in the index.
pub(super) const ID_COLUMNS: [&str; 5] = ["job_id", "trace_id", "worker_id", "machine_id", "user_id"];

/// What a run tells of its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indexed {
    /// The ids in them.
    Ids,
    /// The words of their texts.
    Texts,
}

impl Indexed {
    pub(super) const ALL: [Self; 2] = [Self::Ids, Self::Texts];
}

/// Where the index has what it knows of a file; `None` where it knows nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Places([Option<Place>; Indexed::ALL.len()]);

impl Places {
    pub fn of(&self, what: Indexed) -> Option<Place> {
        self.0[what as usize]
    }

    pub fn of_mut(&mut self, what: Indexed) -> &mut Option<Place> {
        &mut self.0[what as usize]
    }
}

/// Where it is in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The run's number, which is also its file's name.
    pub run: u64,
    /// The file's number in that run.
    pub number: u32,
}

/// How many bits of a hash are kept. IdScope ten million ids in the store, a wrong one is taken for
/// the one asked for in 1 of 28 million questions; the scan then finds nothing in its file.
const HASH_BITS: u32 = 48;

/// In which events an id is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdScope {
    /// In any.
    AllEvents,
    /// In those of the level `error`. A user or a worker occurs in most hours, and an error in
    /// most hours, but both together in few.
    ErrorEvents,
}

/// The place of `job_id` among [`ID_COLUMNS`].
const JOB_COLUMN: usize = 0;

/// What the index keeps of a job's id.
pub(super) fn job_hash(job_id: &str) -> u64 {
    hash(JOB_COLUMN, job_id, IdScope::AllEvents)
}

/// What the index keeps of an id: the first 48 bits of its hash, in which its column counts, too,
/// and where it occurs.
pub(super) fn hash(column: usize, id: &str, scope: IdScope) -> u64 {
    let seed = column + if scope == IdScope::ErrorEvents { ID_COLUMNS.len() } else { 0 };
    xxh3_64_with_seed(id.as_bytes(), seed as u64) >> (64 - HASH_BITS)
}

/// What the index keeps of these ids of a column; `None` where it has nothing to say about the column.
pub(super) fn hashes(column: &str, wanted: &[&str], scope: IdScope) -> Option<Vec<u64>> {
    let column = ID_COLUMNS.iter().position(|name| *name == column)?;
    Some(wanted.iter().map(|id| hash(column, id, scope)).collect())
}

/// What may hold one hash at least of each of these lists, by what may hold any of some; `None` where there is no list.
pub(super) fn holding_each(lists: &[Vec<u64>], holding_any: impl Fn(&[u64]) -> Vec<bool>) -> Option<Vec<bool>> {
    let each = lists.iter().map(|hashes| holding_any(hashes));
    each.reduce(|mut all, one| {
        all.iter_mut().zip(one).for_each(|(all, one)| *all &= one);
        all
    })
}
