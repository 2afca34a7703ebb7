//! Keeping the index: new files come in, runs are merged, what is gone is forgotten.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::iter::Peekable;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Catalog;
use super::ids::{self, Broken, Entries, Indexed, Run, RunBuilder};
use super::saved::Storage;
use super::values::Values;
use emp_store::Partition;
use emp_system::{all_threads, for_each_share, share};

/// How much to do at once.
#[derive(Debug, Clone, Copy)]
pub struct IndexingPace {
    /// Files are read on so many threads.
    pub threads: usize,
    /// So many files come into a run at once; their ids are held in memory.
    pub files: usize,
}

impl IndexingPace {
    /// As fast as the machine can: somebody is waiting.
    pub fn hurried() -> Self {
        Self { threads: all_threads(), files: 1_024 }
    }

    /// Beside other work, in a few megabytes: no more than the ids of one file are held.
    pub const CALM: Self = Self { threads: 1, files: 1 };
}

/// Brings the ids, or the texts, of those files into the index that are not in it. A file that cannot be read
/// stays out of it. `progress` is told how many files have been read so far.
pub(super) fn extend(
    catalog: &mut Catalog,
    files: &[Partition],
    what: Indexed,
    pace: IndexingPace,
    progress: &(dyn Fn(usize) + Sync),
) -> io::Result<()> {
    let read = AtomicUsize::new(0);
    for chunk in files.chunks(pace.files.max(1)) {
        let sets = collect_all(chunk, what, pace.threads, &|| progress(read.fetch_add(1, Ordering::Relaxed) + 1));
        let sets: Vec<(&Partition, Entries)> =
            chunk.iter().zip(sets).filter_map(|(file, set)| Some((file, set?))).collect();
        if sets.is_empty() {
            continue;
        }
        let run = write(&catalog.storage, &sets)?;
        catalog.unsaved_runs.insert(run);
        let with_values = sets.iter().filter(|_| what == Indexed::Ids);
        let values: Vec<Values> = with_values.map(|(_, set)| catalog.saved.numbers.learn(set.values())).collect();
        let indexed: Vec<Partition> = sets.iter().map(|(file, _)| (*file).clone()).collect();
        catalog.saved.folders.for_each_known(&indexed, |index, file| {
            if let Some(knowledge) = &mut file.knowledge {
                // There are no more files than the run has numbers.
                *knowledge.places.of_mut(what) = Some(ids::Place { run, number: index as u32 });
                knowledge.values = values.get(index).copied().or(knowledge.values);
            }
        });
        catalog.has_learned = true;
        drop(sets);
        merge_runs(catalog, what)?;
    }
    Ok(())
}

/// What is in these files, in their order.
fn collect_all(files: &[Partition], what: Indexed, threads: usize, tell: &(dyn Fn() + Sync)) -> Vec<Option<Entries>> {
    let read = |file: &Partition| {
        let set = ids::collect(file, what);
        tell();
        set
    };
    let shares = files.chunks(share(files.len(), threads));
    for_each_share(shares, |files| files.iter().map(read).collect::<Vec<_>>()).into_iter().flatten().collect()
}

/// Writes what is in these files, which are numbered as they come, into a new run.
fn write(storage: &Storage, sets: &[(&Partition, Entries)]) -> io::Result<u64> {
    // A collector does one file at a time, and in half of the memory.
    if let [(_, set)] = sets {
        return storage.write_run(|file| {
            let mut builder = RunBuilder::new(file, 1, set.hashes.len());
            set.hashes.iter().try_for_each(|hash| builder.push(*hash, &[0]))?;
            builder.finish()
        });
    }
    let mut pairs: Vec<(u64, u32)> = Vec::with_capacity(sets.iter().map(|(_, set)| set.hashes.len()).sum());
    for (number, (_, set)) in (0..).zip(sets) {
        pairs.extend(set.hashes.iter().map(|hash| (*hash, number)));
    }
    pairs.sort_unstable();
    let files = u32::try_from(sets.len()).map_err(io::Error::other)?;
    storage.write_run(|file| {
        let mut builder = RunBuilder::new(file, files, pairs.len());
        let mut numbers = Vec::new();
        for same in pairs.chunk_by(|(a, _), (b, _)| a == b) {
            numbers.clear();
            numbers.extend(same.iter().map(|(_, number)| *number));
            builder.push(same[0].0, &numbers)?;
        }
        builder.finish()
    })
}

/// Puts small runs together where there are too many. A run that is broken is forgotten.
fn merge_runs(catalog: &mut Catalog, what: Indexed) -> io::Result<()> {
    let mut files_of: BTreeMap<u64, usize> = BTreeMap::new();
    for knowledge in catalog.saved.folders.knowledge_mut() {
        if let Some(place) = knowledge.places.of(what) {
            *files_of.entry(place.run).or_default() += 1;
        }
    }
    if files_of.len() <= catalog.runs_max {
        return Ok(());
    }
    let mut by_size: Vec<(usize, u64)> = files_of.into_iter().map(|(run, files)| (files, run)).collect();
    by_size.sort_unstable();
    // As long as what is merged is no less than half of what comes next, each id is written only
    // a few times over the years.
    let mut merged = 0;
    let small = by_size.iter().take_while(|(files, _)| {
        let joins = merged == 0 || *files <= 2 * merged;
        merged += files;
        joins
    });
    let small = small.count().max(by_size.len() - catalog.runs_max / 2);
    let small: BTreeSet<u64> = by_size[..small].iter().map(|(_, run)| *run).collect();
    merge(catalog, what, &small)
}

fn merge(catalog: &mut Catalog, what: Indexed, runs: &BTreeSet<u64>) -> io::Result<()> {
    let opened = match open_all(&catalog.storage, runs) {
        Ok(opened) => opened,
        Err(broken) => {
            broken.iter().for_each(|run| catalog.forget_run(*run));
            return Ok(());
        }
    };
    // Files that are gone lose their numbers.
    let mut numbers: HashMap<u64, Vec<Option<u32>>> =
        opened.iter().map(|(number, run)| (*number, vec![None; run.files() as usize])).collect();
    for knowledge in catalog.saved.folders.knowledge_mut() {
        let Some(place) = knowledge.places.of(what) else { continue };
        if let Some(number) = numbers.get_mut(&place.run).and_then(|of| of.get_mut(place.number as usize)) {
            *number = Some(0);
        }
    }
    let mut next = 0;
    for (run, _) in &opened {
        for number in numbers.get_mut(run).into_iter().flatten().flatten() {
            *number = next;
            next += 1;
        }
    }
    let written = write_merged(&catalog.storage, &opened, &numbers, next);
    let run = match written {
        Ok(run) => run,
        Err(Unmerged::Broken(run)) => {
            catalog.forget_run(run);
            return Ok(());
        }
        Err(Unmerged::Io(error)) => return Err(error),
    };
    for knowledge in catalog.saved.folders.knowledge_mut() {
        let Some(place) = knowledge.places.of_mut(what) else { continue };
        let number = numbers.get(&place.run).and_then(|of| of.get(place.number as usize).copied().flatten());
        if let Some(number) = number {
            *place = ids::Place { run, number };
        }
    }
    catalog.unsaved_runs.insert(run);
    for run in runs {
        // What no saved catalog refers to can go at once.
        match catalog.unsaved_runs.remove(run) {
            true => catalog.storage.remove_run(*run),
            false => catalog.retired_runs.push(*run),
        }
    }
    catalog.has_learned = true;
    Ok(())
}

fn open_all(storage: &Storage, runs: &BTreeSet<u64>) -> Result<Vec<(u64, Run)>, Vec<u64>> {
    let (mut opened, mut broken) = (Vec::new(), Vec::new());
    for run in runs {
        match storage.run(*run) {
            Ok(open) => opened.push((*run, open)),
            Err(Broken) => broken.push(*run),
        }
    }
    if broken.is_empty() { Ok(opened) } else { Err(broken) }
}

enum Unmerged {
    Broken(u64),
    Io(io::Error),
}

fn write_merged(
    storage: &Storage,
    runs: &[(u64, Run)],
    numbers: &HashMap<u64, Vec<Option<u32>>>,
    files: u32,
) -> Result<u64, Unmerged> {
    let mut broken = None;
    let ids: usize = runs.iter().map(|(_, run)| run.ids_about()).sum();
    let written = storage.write_run(|file| {
        let mut builder = RunBuilder::new(file, files, ids);
        let mut inputs: Vec<_> = runs.iter().map(|(number, run)| (*number, run.entries().peekable())).collect();
        let mut found = Vec::new();
        while let Some(hash) = inputs.iter_mut().filter_map(|(_, entries)| hash_of(entries)).min() {
            found.clear();
            for (number, entries) in &mut inputs {
                while let Some(entry) = entries.next_if(|entry| entry.as_ref().map_or(true, |(of, _)| *of == hash)) {
                    let Ok((_, files)) = entry else {
                        broken = Some(*number);
                        return Err(io::ErrorKind::InvalidData.into());
                    };
                    let new = &numbers[number];
                    found.extend(files.iter().filter_map(|old| new.get(*old as usize).copied().flatten()));
                }
            }
            if !found.is_empty() {
                builder.push(hash, &found)?;
            }
        }
        builder.finish()
    });
    written.map_err(|error| broken.map_or(Unmerged::Io(error), Unmerged::Broken))
}

/// The hash that comes next; what is broken comes first.
fn hash_of(entries: &mut Peekable<impl Iterator<Item = Result<(u64, Vec<u32>), Broken>>>) -> Option<u64> {
    entries.peek().map(|entry| entry.as_ref().map_or(0, |(hash, _)| *hash))
}
