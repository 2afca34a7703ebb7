//! What the steps of jobs contribute, file by file, as it is kept.
//!
//! The event before another one may be in another file. So beside each file its jobs are kept, as hashes; which files
//! have jobs in common is told by all of these. What a file contributes is kept under a number that is made of its own
//! and of those of all files with which it shares a job. Where one of these comes, changes or goes – a late event, a
//! compaction, an import – the number is another one, and what is kept under the old one is not found any more.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use xxhash_rust::xxh3::xxh3_64;

use emp_catalog::{Sealed, SealedFiles, Storage};
use emp_store::{Hour, Layout};
use emp_system::{all_threads, for_each_share, share};

use super::kept::{day, number};
use super::part::{Kind, Part, Record};
use super::sharing::{jobs_of, neighbours};
use super::steps::Steps;

/// Names are kept under numbers that begin so, and end with the name's hash.
const NAME: u64 = 0x4e41_4d45 << 32;

/// What is kept of the jobs of all files of one look at a store.
#[derive(Debug)]
pub struct JobRollups {
    storage: Storage,
    sealed: Arc<SealedFiles>,
    days: Vec<Day>,
    /// Of each file, then of each set of other events.
    neighbours: Vec<Vec<u32>>,
    /// Of each file: under what it is kept; `None` where it is not.
    numbers: Vec<Option<u64>>,
    day_of: Vec<Option<usize>>,
    /// What was derived since it was read.
    derived: Mutex<HashMap<usize, Steps>>,
}

#[derive(Debug)]
struct Day {
    part: Part,
    /// Which files are of this day.
    files: Vec<usize>,
    names: HashMap<u32, Box<str>>,
    /// Where in the part each record stands.
    records: HashMap<u64, (usize, std::ops::Range<usize>)>,
}

impl JobRollups {
    /// Of these files, and of other events, by the
    /// [`super::job_hash`]es of their jobs, ascending, each once; by a vocabulary of that number. Of files that are not closed, nothing is kept. Jobs of
    /// closed files that are not known yet are read, and kept for the next question; `progress` is told of how many files
    /// they were, of how many. `None` where nothing can be kept, a file cannot be read, or so many share jobs that it is of
    /// no use.
    pub fn of(
        layout: &Layout,
        sealed: &Arc<SealedFiles>,
        is_closed: impl Fn(&Sealed) -> bool + Sync,
        (others, vocabulary): (&[Vec<u32>], u64),
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Option<Self> {
        let (storage, files) = (Storage::of(layout), &sealed.files[..]);
        if !storage.is_writable() || layout.away().is_some() {
            return None;
        }
        let closed: Vec<usize> =
            (0..files.len()).filter(|at| files[*at].facts.is_ok() && is_closed(&files[*at])).collect();
        let open: Vec<usize> =
            (0..files.len()).filter(|at| files[*at].facts.is_ok() && !is_closed(&files[*at])).collect();
        let by_day: Vec<&[usize]> = closed.chunk_by(|a, b| day(&files[*a]) == day(&files[*b])).collect();
        let threads = share(by_day.len(), all_threads());
        let days = for_each_share(by_day.chunks(threads), |days| {
            days.iter().map(|of_day| Day::read(&storage, files, of_day)).collect::<Vec<_>>()
        });
        let mut days: Vec<(Day, Vec<Option<Vec<u32>>>)> = days.into_iter().flatten().collect();
        let missing = days.iter().map(|(_, lists)| lists.iter().filter(|list| list.is_none()).count()).sum();
        let read = AtomicUsize::new(0);
        let tell = || progress(read.fetch_add(1, Ordering::Relaxed) + 1, missing);
        for_each_share(days.chunks_mut(threads), |days| {
            days.iter_mut().for_each(|(day, lists)| day.complete(&storage, files, lists, &tell));
        });
        let mut lists: Vec<Vec<u32>> = vec![Vec::new(); files.len()];
        let mut day_of = vec![None; files.len()];
        for (at, (day, of_day)) in days.iter_mut().enumerate() {
            for (file, list) in day.files.iter().zip(of_day) {
                lists[*file] = list.take()?;
                day_of[*file] = Some(at);
            }
        }
        for file in open {
            lists[file] = jobs_of(&files[file].partition)?;
        }
        let all: Vec<&[u32]> = lists.iter().chain(others).map(Vec::as_slice).collect();
        let neighbours = neighbours(&all)?;
        let number = |file: usize| {
            day_of[file]?;
            let near = &neighbours[file];
            let is_closed = |near: &u32| day_of.get(*near as usize).is_some_and(Option::is_some);
            near.iter()
                .all(is_closed)
                .then(|| number_of(vocabulary, &files[file], near.iter().map(|near| &files[*near as usize])))
        };
        let numbers = (0..files.len()).map(number).collect();
        let days = days.into_iter().map(|(day, _)| day).collect();
        let sealed = Arc::clone(sealed);
        Some(Self { storage, sealed, days, neighbours, numbers, day_of, derived: Mutex::default() })
    }

    /// The files, by their numbers, and behind them the sets of other events, that have a job in common with that one.
    pub fn neighbours(&self, unit: usize) -> &[u32] {
        self.neighbours.get(unit).map_or(&[], Vec::as_slice)
    }

    /// Can what that file contributes be kept? Not of one that is open, or shares a job with such a one.
    pub fn can_be_kept(&self, file: usize) -> bool {
        self.numbers.get(file).is_some_and(Option::is_some)
    }

    /// What is kept of that file.
    pub fn steps(&self, file: usize) -> Option<Steps> {
        if let Some(steps) = self.derived().get(&file) {
            return Some(steps.clone());
        }
        let day = &self.days[self.day_of.get(file).copied().flatten()?];
        Steps::decode(day.record(self.numbers[file]?)?, &day.names)
    }

    /// Keeps what files contribute for the next question. Where that fails, it is derived again.
    pub fn keep(&self, steps: &[(usize, Steps)]) {
        let day_of = |(file, _): &&(usize, Steps)| self.day_of.get(*file).copied().flatten();
        let mut steps: Vec<&(usize, Steps)> = steps.iter().filter(|one| day_of(one).is_some()).collect();
        steps.sort_by_key(|one| day_of(one));
        for of_day in steps.chunk_by(|a, b| day_of(a) == day_of(b)) {
            let Some(at) = day_of(&of_day[0]) else { continue };
            let _ = self.keep_day(&self.days[at], of_day);
        }
        let derived = steps.into_iter().map(|(file, steps)| (*file, steps.clone()));
        self.derived().extend(derived);
    }

    fn derived(&self) -> MutexGuard<'_, HashMap<usize, Steps>> {
        // No holder leaves it half changed, even where it panics.
        self.derived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep_day(&self, day: &Day, steps: &[&(usize, Steps)]) -> std::io::Result<()> {
        let mut records: Vec<Record> = Vec::new();
        let mut names = day.names.clone();
        for (file, steps) in steps {
            let Some(number) = self.numbers[*file] else { continue };
            let mut is_told_apart = true;
            for name in &steps.names {
                let known = names.entry(name_hash(name)).or_insert_with(|| {
                    records.push((NAME | u64::from(name_hash(name)), name.as_bytes().to_vec()));
                    name.clone()
                });
                is_told_apart &= known == name;
            }
            // Two names of one hash, once in a thousand million stores: then it is derived each time.
            if is_told_apart {
                records.push((number, steps.encode(name_hash)?));
            }
        }
        let lists = day.files.iter().map(|file| number(&self.sealed.files[*file]));
        let own = day.files.iter().filter_map(|file| self.numbers[*file]);
        let of_names = names.keys().map(|hash| NAME | u64::from(*hash));
        day.part.add(&self.storage, &records, &lists.chain(own).chain(of_names).collect())
    }
}

fn name_hash(name: &str) -> u32 {
    xxh3_64(name.as_bytes()) as u32
}

/// The number under which what a file contributes is kept, by the files with which it shares jobs.
fn number_of<'a>(vocabulary: u64, file: &Sealed, neighbours: impl Iterator<Item = &'a Sealed>) -> u64 {
    let mut numbers: Vec<u64> = neighbours.map(number).collect();
    numbers.sort_unstable();
    let numbers = [vocabulary, number(file)].into_iter().chain(numbers);
    xxh3_64(&numbers.flat_map(u64::to_le_bytes).collect::<Vec<u8>>())
}

impl Day {
    /// With the jobs of each of the files, where they are known.
    fn read(storage: &Storage, files: &[Sealed], of_day: &[usize]) -> (Self, Vec<Option<Vec<u32>>>) {
        let day = of_day.first().map_or(Hour::of_ms(0), |file| day(&files[*file]));
        let mut read = Self {
            part: Part::read(storage, Kind::Jobs, day),
            files: of_day.to_vec(),
            names: HashMap::new(),
            records: HashMap::new(),
        };
        for (copy, number, range) in read.part.places() {
            read.records.insert(number, (copy, range));
        }
        let named = |number: &&u64| **number >> 32 == NAME >> 32;
        let names = read.records.keys().filter(named).filter_map(|number| {
            let name = std::str::from_utf8(read.record(*number)?).ok()?;
            Some((*number as u32, name.into()))
        });
        let names = names.collect();
        read.names = names;
        let lists = of_day.iter().map(|file| decoded(read.record(number(&files[*file]))?)).collect();
        (read, lists)
    }

    fn record(&self, number: u64) -> Option<&[u8]> {
        let (copy, range) = self.records.get(&number)?;
        self.part.bytes(*copy, range.clone())
    }

    /// Reads the jobs of files of which they are not known.
    fn complete(&self, storage: &Storage, files: &[Sealed], lists: &mut [Option<Vec<u32>>], tell: &dyn Fn()) {
        let mut records: Vec<Record> = Vec::new();
        for (file, list) in self.files.iter().zip(lists.iter_mut()).filter(|(_, list)| list.is_none()) {
            // Of one that cannot be read it is not known with which it shares jobs.
            let Some(jobs) = jobs_of(&files[*file].partition) else { continue };
            records.push((number(&files[*file]), encoded(&jobs)));
            *list = Some(jobs);
            tell();
        }
        if !records.is_empty() {
            let live: BTreeSet<u64> = self.records.keys().copied().collect();
            // What cannot be kept is read again the next time.
            let _ = self.part.add(storage, &records, &live);
        }
    }
}

/// The distances from one hash to the next.
fn encoded(hashes: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 * hashes.len());
    let mut before = 0;
    for hash in hashes {
        super::sketch::push(&mut bytes, u64::from(hash - before));
        before = *hash;
    }
    bytes
}

fn decoded(mut bytes: &[u8]) -> Option<Vec<u32>> {
    let mut hashes = Vec::with_capacity(bytes.len() / 3);
    let mut before = 0_u32;
    while !bytes.is_empty() {
        before = before.checked_add(u32::try_from(super::sketch::pull(&mut bytes)?).ok()?)?;
        hashes.push(before);
    }
    Some(hashes)
}
