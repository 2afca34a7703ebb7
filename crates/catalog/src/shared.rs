//! Which jobs occur in more than one file: whoever goes through the files one by one is through with all
//! others at the end of their file.

use std::collections::HashMap;

use super::ids::{self, Run, SLICE_BITS, slice_of};
use super::sealed::Sealed;
use emp_store::Partition;
use emp_system::{all_threads, for_each_share, share};

/// The jobs that occur in more than one of some files, by the hashes of their ids. Two jobs of one hash, one in
/// many millions, count as one, which then occurs in more files.
#[derive(Debug, Default)]
pub struct SharedJobs {
    files: HashMap<u64, u32>,
}

/// The files of one run of the index that are asked about.
pub(super) struct ChosenFiles<'a> {
    pub run: &'a Run,
    /// By their numbers in the run.
    pub are_chosen: Vec<bool>,
}

impl ChosenFiles<'_> {
    fn count(&self, files: &[u32]) -> u32 {
        let chosen = files.iter().filter(|file| self.are_chosen.get(**file as usize).copied().unwrap_or(false));
        // No more than there are files in a run.
        chosen.count() as u32
    }
}

/// The run of that number among those that were given is broken.
pub(super) struct BrokenRun(pub usize);

const SLICES: usize = 1 << SLICE_BITS;

impl SharedJobs {
    /// What is kept of a job's id.
    pub fn hash(job_id: &str) -> u64 {
        ids::job_hash(job_id)
    }

    /// The hashes of the jobs in a file, ascending, each once; `None` where it cannot be read.
    pub fn hashes_of(file: &Partition) -> Option<Vec<u64>> {
        ids::collect_jobs(file)
    }

    /// In how many of the files that job occurs, where that is more than one.
    pub fn files(&self, job_id: &str) -> Option<u32> {
        self.files.get(&Self::hash(job_id)).copied()
    }

    /// Of the files of these runs, of those that the index does not know, and of other sets of hashes.
    pub(super) fn of(runs: &[ChosenFiles<'_>], unknown: &[&Sealed], others: &[Vec<u64>]) -> Result<Self, BrokenRun> {
        let unknown_sets = for_each_share(unknown.chunks(share(unknown.len(), all_threads())), |files| {
            // A file that cannot be read has no jobs; whoever reads its events says so.
            files.iter().filter_map(|file| ids::collect_jobs(&file.partition)).collect::<Vec<_>>()
        });
        let mut unknown: Vec<u64> = unknown_sets.iter().flatten().chain(others).flatten().copied().collect();
        unknown.sort_unstable();
        let slices: Vec<usize> = (0..SLICES).collect();
        let shares = for_each_share(slices.chunks(share(SLICES, all_threads())), |slices| {
            slices.iter().map(|slice| shared_in(*slice, runs, &unknown)).collect::<Result<Vec<_>, _>>()
        });
        let slices = shares.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Self { files: slices.into_iter().flatten().flatten().collect() })
    }
}

/// The ids of a slice that occur in more than one file, and in how many.
fn shared_in(slice: usize, runs: &[ChosenFiles<'_>], unknown: &[u64]) -> Result<Vec<(u64, u32)>, BrokenRun> {
    let mut counts: Vec<(u64, u32)> = Vec::new();
    let begin = unknown.partition_point(|hash| slice_of(*hash) < slice);
    let end = unknown.partition_point(|hash| slice_of(*hash) <= slice);
    counts.extend(unknown[begin..end].iter().map(|hash| (*hash, 1)));
    let is_alone = counts.is_empty() && runs.len() == 1;
    for (number, files) in runs.iter().enumerate() {
        let visited = files.run.visit_slice(slice, &mut |hash, numbers| {
            let count = files.count(numbers);
            if count > u32::from(is_alone) {
                counts.push((hash, count));
            }
        });
        visited.map_err(|_| BrokenRun(number))?;
    }
    counts.sort_unstable_by_key(|(hash, _)| *hash);
    let same = counts.chunk_by(|(a, _), (b, _)| a == b);
    let summed = same.map(|same| (same[0].0, same.iter().map(|(_, count)| count).sum::<u32>()));
    Ok(summed.filter(|(_, files)| *files > 1).collect())
}
