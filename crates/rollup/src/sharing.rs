//! Which files have jobs in common: as it is kept, by the index of ids, and by the jobs of those that neither knows.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use emp_catalog::{Indexed, Sealed, SealedFiles, SharedJobs};
use emp_system::{all_threads, for_each_share, share};

use super::days::number;

/// Jobs are compared in so many slices, by the first bits of their hashes, which have 48.
const SLICES: usize = 64;
const SLICE_SHIFT: u32 = 48 - SLICES.trailing_zeros();
/// Where so many pairs of files share jobs, going through all of them is no longer.
const PAIRS_MAX: usize = 4_000_000;

/// What tells one job from another where they are counted.
pub fn job_number(job_id: &str) -> u64 {
    xxh3_64(job_id.as_bytes())
}

/// What is kept of a file's number where another one names it: enough that hardly two are taken for one, and then more is
/// read and not less.
pub(super) fn short_number(file: &Sealed) -> u32 {
    number(file) as u32
}

/// For each file of a store, and behind them for each set of other jobs, those with which it has a job in common, ascending.
/// Of a pair of files it is known where it is kept of either. `known` are of each file the [`short_number`]s of those with
/// which it shares jobs, as they were kept; `None` of one that has to be read. `others` are hashes as of [`SharedJobs::hash`],
/// ascending, each once. `None` where a file cannot be read, or too many share jobs.
pub(super) fn neighbours(
    sealed: &SealedFiles,
    known: &[Option<Vec<u32>>],
    others: &[Vec<u64>],
    progress: &(dyn Fn() + Sync),
) -> Option<Vec<Vec<u32>>> {
    let files = &sealed.files;
    let is_known = |file: &Sealed| known[file.position].is_some() && !file.is_not_indexed(Indexed::Ids);
    let read: Vec<&Sealed> = files.iter().filter(|file| file.facts.is_ok() && !is_known(file)).collect();
    let lists = for_each_share(read.chunks(share(read.len(), all_threads())), |files| {
        let of = |file: &&Sealed| {
            let jobs = SharedJobs::hashes_of(&file.partition);
            progress();
            jobs
        };
        files.iter().map(of).collect::<Option<Vec<_>>>()
    });
    let lists: Vec<Vec<u64>> = lists.into_iter().collect::<Option<Vec<_>>>()?.into_iter().flatten().collect();
    let lists: Vec<&[u64]> = lists.iter().chain(others).map(Vec::as_slice).collect();
    let units: Vec<u32> = read
        .iter()
        .map(|file| file.position)
        .chain(files.len()..files.len() + others.len())
        .map(|unit| unit as u32)
        .collect();
    let mut pairs: Vec<(u32, u32)> =
        pairs_of(&lists)?.into_iter().map(|(a, b)| (units[a as usize], units[b as usize])).collect();
    if read.len() < files.len() {
        let Some(having) = sealed.having_jobs(&lists) else {
            // What the index cannot tell, the files do.
            return neighbours(sealed, &vec![None; files.len()], others, progress);
        };
        let with_files =
            units.iter().zip(having).flat_map(|(unit, having)| having.into_iter().map(move |file| (*unit, file)));
        pairs.extend(with_files);
    }
    let places: HashMap<u32, u32> = files.iter().map(|file| (short_number(file), file.position as u32)).collect();
    for (file, known) in files.iter().zip(known).filter(|(file, _)| is_known(file)) {
        let near = known.iter().flatten().filter_map(|number| places.get(number));
        pairs.extend(near.map(|near| (file.position as u32, *near)));
    }
    by_unit(files.len() + others.len(), &pairs)
}

fn by_unit(units: usize, pairs: &[(u32, u32)]) -> Option<Vec<Vec<u32>>> {
    let mut neighbours = vec![Vec::new(); units];
    for (a, b) in pairs.iter().filter(|(a, b)| a != b) {
        neighbours[*a as usize].push(*b);
        neighbours[*b as usize].push(*a);
    }
    neighbours.iter_mut().for_each(|near: &mut Vec<u32>| {
        near.sort_unstable();
        near.dedup();
    });
    (neighbours.iter().map(Vec::len).sum::<usize>() <= 2 * PAIRS_MAX).then_some(neighbours)
}

/// The pairs of lists that have a job in common, by their numbers, each once; `None` where too many do.
pub(super) fn pairs_of(lists: &[&[u64]]) -> Option<Vec<(u32, u32)>> {
    let slices: Vec<usize> = (0..SLICES).collect();
    let pairs = for_each_share(slices.chunks(share(SLICES, all_threads())), |slices| {
        let mut pairs = Vec::new();
        slices.iter().try_for_each(|slice| pairs_in(*slice, lists, &mut pairs))?;
        Some(pairs)
    });
    let mut pairs = pairs.into_iter().collect::<Option<Vec<_>>>()?.concat();
    sort(&mut pairs);
    (pairs.len() <= PAIRS_MAX).then_some(pairs)
}

/// Adds the pairs of lists that share a job of a slice. `None` where they are too many.
fn pairs_in(slice: usize, lists: &[&[u64]], pairs: &mut Vec<(u32, u32)>) -> Option<()> {
    let slice_of = |hash: &u64| (*hash >> SLICE_SHIFT) as usize;
    let mut found: Vec<(u64, u32)> = Vec::new();
    for (number, list) in (0..).zip(lists) {
        let list = &list[list.partition_point(|hash| slice_of(hash) < slice)..];
        found.extend(list.iter().take_while(|hash| slice_of(hash) == slice).map(|hash| (*hash, number)));
    }
    found.sort_unstable();
    for same in found.chunk_by(|(a, _), (b, _)| a == b).filter(|same| same.len() > 1) {
        for (at, (_, a)) in same.iter().enumerate() {
            pairs.extend(same[at + 1..].iter().map(|(_, b)| (*a, *b)));
            if pairs.len() > 2 * PAIRS_MAX {
                sort(pairs);
                if pairs.len() > PAIRS_MAX {
                    return None;
                }
            }
        }
    }
    sort(pairs);
    Some(())
}

fn sort(pairs: &mut Vec<(u32, u32)>) {
    pairs.sort_unstable();
    pairs.dedup();
}
