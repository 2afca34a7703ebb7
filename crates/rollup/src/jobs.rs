//! What the steps of jobs contribute, file by file, as it is kept.
//!
//! The event before another one may be in another file. So it is kept which files have jobs in common; of a file of which
//! that is not known its jobs are looked for in the index of ids. What a file contributes is kept under a number that is
//! made of its own and of those of all files with which it shares a job. Where one of these comes, changes or goes – a late
//! event, a compaction, an import – the number is another one, and what is kept under the old one is not found any more.
//!
//! A long job, which is in very many files, contributes nothing to what is kept of the steps: its events are kept as they
//! are, and whoever asks goes through them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use xxhash_rust::xxh3::xxh3_64;

use emp_catalog::{Sealed, SealedFiles, SharedJobs, Storage};
use emp_store::{Hour, Layout};
use emp_system::{all_threads, for_each_share, share};

use super::day_names::DayNames;
use super::days::{day, number};
use super::part::{Kind, Part, Record};
use super::sharing::{Asked, Links, Sharing, short_number};
use super::steps::Steps;

/// What is kept of the jobs of all files of one look at a store.
#[derive(Debug)]
pub struct JobRollups {
    storage: Storage,
    sealed: Arc<SealedFiles>,
    days: Vec<Day>,
    /// Of the files, and behind them of the sets of other events.
    sharing: Sharing,
    long_jobs: HashSet<u64>,
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
    names: DayNames,
    /// Where in the part each record stands.
    records: HashMap<u64, (usize, std::ops::Range<usize>)>,
}

impl JobRollups {
    /// Of these files, and of other events, by the hashes of their jobs, as of [`emp_catalog::SharedJobs::hash`], ascending, each
    /// once; by a vocabulary of that number. Of files that are not closed, nothing is kept. With which others closed files
    /// share jobs is found out where it is not known, and kept for the next question; `progress` is told of how many files it
    /// was, of how many. `None` where nothing can be kept, a file cannot be read, or so many share jobs that it is of no use.
    pub fn of(
        layout: &Layout,
        sealed: &Arc<SealedFiles>,
        is_closed: impl Fn(&Sealed) -> bool + Sync,
        (others, vocabulary): (&[Vec<u64>], u64),
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Option<Self> {
        let (storage, files) = (Storage::of(layout), &sealed.files[..]);
        if !storage.is_writable() || layout.away().is_some() {
            return None;
        }
        let closed: Vec<usize> =
            (0..files.len()).filter(|at| files[*at].facts.is_ok() && is_closed(&files[*at])).collect();
        let by_day: Vec<&[usize]> = closed.chunk_by(|a, b| day(&files[*a]) == day(&files[*b])).collect();
        let days = for_each_share(by_day.chunks(share(by_day.len(), all_threads())), |days| {
            days.iter().map(|of_day| Day::read(&storage, files, of_day)).collect::<Vec<_>>()
        });
        let days: Vec<Day> = days.into_iter().flatten().collect();
        let mut day_of = vec![None; files.len()];
        let mut known = vec![None; files.len()];
        for (at, day) in days.iter().enumerate() {
            for file in &day.files {
                day_of[*file] = Some(at);
                known[*file] = day.record(number(&files[*file])).and_then(Links::decode);
            }
        }
        let missing = closed.iter().filter(|file| known[**file].is_none()).count();
        let read = AtomicUsize::new(0);
        let tell = || progress((read.fetch_add(1, Ordering::Relaxed) + 1).min(missing), missing);
        let sharing = Asked { sealed, known: &known, others, progress: &tell }.answer()?;
        let is_closed = |unit: u32| day_of.get(unit as usize).is_some_and(Option::is_some);
        for day in &days {
            day.complete(&storage, files, &known, |file| {
                let near = sharing.near[file].iter().filter(|near| is_closed(**near));
                Links {
                    long: sharing.long_jobs(file).to_vec(),
                    near: near.map(|near| short_number(&files[*near as usize])).collect(),
                }
            });
        }
        let number = |file: usize| {
            let near = &sharing.near[file];
            let can_be_kept = day_of[file].is_some() && near.iter().all(|near| is_closed(*near));
            let near = near.iter().map(|near| &files[*near as usize]);
            can_be_kept.then(|| number_of(vocabulary, &files[file], near, sharing.long_jobs(file)))
        };
        let numbers = (0..files.len()).map(number).collect();
        let long_jobs = sharing.long.values().flatten().copied().collect();
        let sealed = Arc::clone(sealed);
        Some(Self { storage, sealed, days, sharing, long_jobs, numbers, day_of, derived: Mutex::default() })
    }

    /// The files, by their numbers, and behind them the sets of other events, that have a job in common with that one
    /// which is no long job.
    pub fn neighbours(&self, unit: usize) -> &[u32] {
        self.sharing.near.get(unit).map_or(&[], Vec::as_slice)
    }

    /// Is it a job whose events are kept as they are?
    pub fn is_long(&self, job_id: &str) -> bool {
        !self.long_jobs.is_empty() && self.long_jobs.contains(&SharedJobs::hash(job_id))
    }

    /// Has that file, or that set of other events, events of such a job?
    pub fn has_long_jobs(&self, unit: usize) -> bool {
        !self.sharing.long_jobs(unit).is_empty()
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
            // What cannot be kept is derived each time.
            if let Some(hashes) = names.hashes_of(&steps.names) {
                records.push((number, steps.encode(hashes)?));
            }
        }
        records.extend_from_slice(names.added());
        let lists = day.files.iter().map(|file| number(&self.sealed.files[*file]));
        let own = day.files.iter().filter_map(|file| self.numbers[*file]);
        day.part.add(&self.storage, &records, &lists.chain(own).chain(names.numbers()).collect())
    }
}

/// The number under which what a file contributes is kept, by the files with which it shares jobs, and by its long jobs.
fn number_of<'a>(vocabulary: u64, file: &Sealed, near: impl Iterator<Item = &'a Sealed>, long: &[u64]) -> u64 {
    let mut numbers: Vec<u64> = near.map(number).collect();
    numbers.sort_unstable();
    let counted = [vocabulary, number(file), numbers.len() as u64];
    let all = counted.iter().chain(&numbers).chain(long);
    xxh3_64(&all.flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())
}

impl Day {
    fn read(storage: &Storage, files: &[Sealed], of_day: &[usize]) -> Self {
        let day = of_day.first().map_or(Hour::of_ms(0), |file| day(&files[*file]));
        let part = Part::read(storage, Kind::Jobs, day);
        let places = part.places().into_iter();
        let records = places.map(|(copy, number, range)| (number, (copy, range))).collect();
        Self { files: of_day.to_vec(), names: DayNames::read(&part), records, part }
    }

    fn record(&self, number: u64) -> Option<&[u8]> {
        let (copy, range) = self.records.get(&number)?;
        self.part.bytes(*copy, range.clone())
    }

    /// Keeps how these files hang together with others, of those of which it was not known.
    fn complete(&self, storage: &Storage, files: &[Sealed], known: &[Option<Links>], links: impl Fn(usize) -> Links) {
        let missing = self.files.iter().filter(|file| known[**file].is_none());
        let records: Vec<Record> = missing.map(|file| (number(&files[*file]), links(*file).encode())).collect();
        if !records.is_empty() {
            let live: BTreeSet<u64> = self.records.keys().copied().collect();
            // What cannot be kept is found out again the next time.
            let _ = self.part.add(storage, &records, &live);
        }
    }
}
