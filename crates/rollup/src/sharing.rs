//! Which files have jobs in common: as it is kept, by the index of ids, and by the jobs of those that neither knows.
//!
//! A job that is open for months would have all its files share a job with each other, and with the hour that goes on.
//! One that is in very many files is known by itself, and makes no two of them neighbours.

use std::collections::{BTreeSet, HashMap};

use xxhash_rust::xxh3::xxh3_64;

use emp_catalog::{Indexed, Sealed, SealedFiles, SharedJobs};
use emp_system::{all_threads, for_each_share, share};

use super::days::number;

/// Jobs are compared in so many slices, by the first bits of their hashes, which have 48.
const SLICES: usize = 64;
const SLICE_SHIFT: u32 = 48 - SLICES.trailing_zeros();
/// Where so many pairs of files share jobs, going through all of them is no longer.
const PAIRS_MAX: usize = 4_000_000;
/// A job in more files than that is a long one, whatever it does in them.
pub(super) const FILES_MAX: usize = 12;

/// What tells one job from another where they are counted.
pub fn job_number(job_id: &str) -> u64 {
    xxh3_64(job_id.as_bytes())
}

/// What is kept of a file's number where another one names it: enough that hardly two are taken for one, and then more is
/// read and not less.
pub(super) fn short_number(file: &Sealed) -> u32 {
    number(file) as u32
}

/// What is kept of a file: its long jobs, by their hashes as of [`SharedJobs::hash`], and the [`short_number`]s of the files
/// with which it shares others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Links {
    pub long: Vec<u64>,
    pub near: Vec<u32>,
}

impl Links {
    pub fn encode(&self) -> Vec<u8> {
        // A file has fewer of them than this counts.
        let count = (self.long.len() as u32).to_le_bytes();
        let long = self.long.iter().flat_map(|hash| hash.to_le_bytes());
        count.into_iter().chain(long).chain(self.near.iter().flat_map(|number| number.to_le_bytes())).collect()
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk()?;
        let (long, near) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*count)).ok()?.checked_mul(8)?)?;
        Some(Self {
            long: long.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect(),
            near: near.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect(),
        })
    }
}

/// How the files of a store hang together, and behind them sets of other jobs; both are units, by their places.
#[derive(Debug)]
pub(super) struct Sharing {
    /// Of each unit those with which it shares a job that is not long, ascending.
    pub near: Vec<Vec<u32>>,
    /// Of each unit its long jobs, by their hashes, ascending.
    pub long: HashMap<u32, Vec<u64>>,
}

impl Sharing {
    /// Those of a unit.
    pub fn long_jobs(&self, unit: usize) -> &[u64] {
        // There are no more units than numbers.
        self.long.get(&(unit as u32)).map_or(&[], Vec::as_slice)
    }
}

/// What has to be known to tell how files hang together, with other events behind them.
pub(super) struct Asked<'a> {
    pub sealed: &'a SealedFiles,
    /// Of each file what is kept of it; `None` of one that has to be read.
    pub known: &'a [Option<Links>],
    /// The jobs of other events, as of [`SharedJobs::hash`], ascending, each once.
    pub others: &'a [Vec<u64>],
    /// Hears of each file that is read.
    pub progress: &'a (dyn Fn() + Sync),
}

impl Asked<'_> {
    /// `None` where a file cannot be read, or so many share jobs that it is of no use. Of a pair of files it is known where
    /// it is kept of either, and a job is a long one where it is for any file.
    pub fn answer(&self) -> Option<Sharing> {
        let files = &self.sealed.files;
        let is_known = |file: &Sealed| self.known[file.position].is_some() && !file.is_not_indexed(Indexed::Ids);
        let read: Vec<&Sealed> = files.iter().filter(|file| file.facts.is_ok() && !is_known(file)).collect();
        let lists =
            Lists { units: self.lists(&read)?, asked: self, read: read.iter().map(|file| unit(file)).collect() };
        let mut found = match lists.compare() {
            Ok(found) => found,
            Err(Trouble::TooMany) => return None,
            // What the index cannot tell, the files do.
            Err(Trouble::Index) => return Asked { known: &vec![None; files.len()], ..*self }.answer(),
        };
        let places: HashMap<u32, u32> = files.iter().map(|file| (short_number(file), unit(file))).collect();
        for (file, known) in files.iter().zip(self.known).filter(|(file, _)| is_known(file)) {
            let near = known.iter().flat_map(|known| &known.near).filter_map(|number| places.get(number));
            found.pairs.extend(near.map(|near| (unit(file), *near)));
        }
        found.sharing(files.len() + self.others.len())
    }

    /// The jobs of files that are read, and of other events.
    fn lists(&self, read: &[&Sealed]) -> Option<Vec<(u32, Vec<u64>)>> {
        let lists = for_each_share(read.chunks(share(read.len(), all_threads())), |files| {
            let of = |file: &&Sealed| {
                let jobs = SharedJobs::hashes_of(&file.partition);
                (self.progress)();
                Some((unit(file), jobs?))
            };
            files.iter().map(of).collect::<Option<Vec<_>>>()
        });
        let read: Vec<(u32, Vec<u64>)> = lists.into_iter().collect::<Option<Vec<_>>>()?.concat();
        let others = (self.sealed.files.len() as u32..).zip(self.others.iter().cloned());
        Some(read.into_iter().chain(others).collect())
    }

    fn known_long(&self) -> BTreeSet<u64> {
        self.known.iter().flatten().flat_map(|links| &links.long).copied().collect()
    }
}

/// There are no more files than numbers.
fn unit(file: &Sealed) -> u32 {
    file.position as u32
}

/// Units of which all jobs were read, and all others by the index.
struct Lists<'a> {
    asked: &'a Asked<'a>,
    units: Vec<(u32, Vec<u64>)>,
    read: BTreeSet<u32>,
}

/// Why the jobs of files cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// So many share jobs that it is of no use.
    TooMany,
    /// The index of ids cannot be read.
    Index,
}

impl Lists<'_> {
    fn compare(&self) -> Result<Found, Trouble> {
        let (slices, known_long) = ((0..SLICES).collect::<Vec<_>>(), self.asked.known_long());
        let found = for_each_share(slices.chunks(share(SLICES, all_threads())), |slices| {
            let mut found = Found::default();
            slices.iter().try_for_each(|slice| found.add(self.places(*slice, &known_long)?, &known_long))?;
            Ok(found)
        });
        let mut all = Found::default();
        for found in found {
            let found = found?;
            all.pairs.extend(found.pairs);
            all.long.extend(found.long);
        }
        all.check()?;
        Ok(all)
    }

    /// Each job of a slice that is in a unit that was read, and each long one, with each unit that it is in.
    fn places(&self, slice: usize, known_long: &BTreeSet<u64>) -> Result<Vec<(u64, u32)>, Trouble> {
        let hashes = (slice as u64) << SLICE_SHIFT..(slice as u64 + 1) << SLICE_SHIFT;
        let mut places: Vec<(u64, u32)> = Vec::new();
        for (unit, list) in &self.units {
            let list = &list[list.partition_point(|hash| *hash < hashes.start)..];
            places.extend(list.iter().take_while(|hash| **hash < hashes.end).map(|hash| (*hash, *unit)));
        }
        if self.read.len() < self.asked.sealed.files.len() {
            let mut wanted: Vec<u64> =
                places.iter().map(|(hash, _)| *hash).chain(known_long.range(hashes).copied()).collect();
            wanted.sort_unstable();
            wanted.dedup();
            let asked = self.asked.sealed.each_having(&wanted, &mut |hash, file| {
                if !self.read.contains(&file) {
                    places.push((hash, file));
                }
            });
            asked.ok_or(Trouble::Index)?;
        }
        Ok(places)
    }
}

/// Pairs of units that share a job, each once, and the units of each long job.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub pairs: Vec<(u32, u32)>,
    pub long: Vec<(u64, u32)>,
}

impl Found {
    /// Adds jobs with the units that they are in.
    pub fn add(&mut self, mut places: Vec<(u64, u32)>, known_long: &BTreeSet<u64>) -> Result<(), Trouble> {
        places.sort_unstable();
        for same in places.chunk_by(|(a, _), (b, _)| a == b) {
            if same.len() > FILES_MAX || known_long.contains(&same[0].0) {
                self.long.extend(same);
                continue;
            }
            for (at, (_, a)) in same.iter().enumerate() {
                self.pairs.extend(same[at + 1..].iter().map(|(_, b)| (*a, *b)));
            }
            if self.pairs.len() > 2 * PAIRS_MAX {
                self.check()?;
            }
        }
        self.check()
    }

    fn check(&mut self) -> Result<(), Trouble> {
        self.pairs.sort_unstable();
        self.pairs.dedup();
        if self.pairs.len() > PAIRS_MAX || self.long.len() > PAIRS_MAX { Err(Trouble::TooMany) } else { Ok(()) }
    }

    fn sharing(self, units: usize) -> Option<Sharing> {
        let mut near = vec![Vec::new(); units];
        for (a, b) in self.pairs.into_iter().filter(|(a, b)| a != b) {
            near[a as usize].push(b);
            near[b as usize].push(a);
        }
        near.iter_mut().for_each(|near: &mut Vec<u32>| {
            near.sort_unstable();
            near.dedup();
        });
        let mut long: HashMap<u32, Vec<u64>> = HashMap::new();
        self.long.into_iter().for_each(|(hash, unit)| long.entry(unit).or_default().push(hash));
        long.values_mut().for_each(|hashes| hashes.sort_unstable());
        (near.iter().map(Vec::len).sum::<usize>() <= 2 * PAIRS_MAX).then_some(Sharing { near, long })
    }
}
