//! Which files tell by what is kept of them, and which have to be read.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::error::Result;

use emp_catalog::{Sealed, SealedFiles, SharedJobs};
use emp_job::Offsets;
use emp_rollup::{JobRollups, Steps, job_number};
use emp_store::Layout;
use emp_system::{all_threads, for_each_share, share};

use super::super::names::Texts;
use super::super::scan::{Place, jobs_of};
use super::super::walk::{Event, Transition, Walk};
use super::errors::Errors;
use super::long_jobs::{add_kept, events_of};
use super::reading::{ToRead, each_job};
use super::tally::{Range, Tally};
use crate::tables::times;
use crate::view::{Learning, OnLearning, View};

/// Is shown a job's id, its steps, and which of the files these come from are to be counted here.
type Show<'a> = dyn FnMut(&str, &[Transition], &dyn Fn(u32) -> bool) + 'a;

/// Events that are put together at once, about.
const EVENTS_AT_ONCE: u64 = 300_000;

/// When events happened by their producers' clocks, and when they arrived: the first and the last, ms since the epoch.
type Times = ((i64, i64), (i64, i64));

/// The files of a store, and behind them the journal's segments, for one question about the steps of jobs.
pub(super) struct Split<'a> {
    view: &'a View,
    files: &'a SealedFiles,
    rollups: &'a JobRollups,
    clocks: &'a Offsets,
    pub range: Range,
    pub texts: Texts,
    /// Of each segment, when its events happened by their producers' clocks, and when they arrived.
    segments: Vec<Option<Times>>,
    /// Does a file, or a segment, have something to do with the range?
    is_wanted: Vec<bool>,
    /// Of each file that has, what is kept of it.
    steps: Vec<Option<Steps>>,
    /// Does a file, or a segment, tell by what is kept of it?
    is_told: Vec<bool>,
}

impl<'a> Split<'a> {
    /// Of all that the view shows. What is missing of files that are closed is derived, and kept. `None` where that
    /// cannot be done: then the question is answered from all events.
    pub fn of(
        (view, files, rollups): (&'a View, &'a SealedFiles, &'a JobRollups),
        clocks: &'a Offsets,
        range: Range,
        on_learning: &OnLearning,
    ) -> Option<Self> {
        let units = files.files.len() + view.snapshot.segments.len();
        let mut split = Self {
            view,
            files,
            rollups,
            clocks,
            range,
            texts: Texts::default(),
            segments: Vec::new(),
            is_wanted: Vec::new(),
            steps: Vec::new(),
            is_told: Vec::new(),
        };
        let times_of = |batches| times(batches, "timestamp").zip(times(batches, "ingested_at"));
        split.segments = view.snapshot.segments.iter().map(|segment| times_of(&segment.batches)).collect();
        split.is_wanted = split.wanted(units);
        split.learn(on_learning)?;
        let usable: Vec<bool> = (0..units).map(|unit| split.is_usable(unit)).collect();
        let tells =
            |unit: usize| usable[unit] && split.rollups.neighbours(unit).iter().all(|near| usable[*near as usize]);
        split.is_told = (0..units).map(tells).collect();
        Some(split)
    }

    /// Those that may have events of the range; and since any event may come between two of a long job, those of such jobs
    /// that may have arrived among them.
    fn wanted(&self, units: usize) -> Vec<bool> {
        let mut is_wanted: Vec<bool> = (0..units).map(|unit| self.touches(unit)).collect();
        let with_long_jobs: Vec<usize> = (0..units).filter(|unit| self.rollups.has_long_jobs(*unit)).collect();
        let touched = with_long_jobs.iter().filter(|unit| is_wanted[**unit]);
        let ends = touched.map(|unit| self.times(*unit).map_or(i64::MAX, |(_, (_, last_ms))| last_ms));
        let Some(end_ms) = ends.max() else { return is_wanted };
        for unit in with_long_jobs.into_iter().filter(|unit| self.can_be_read(*unit)) {
            is_wanted[unit] |= self.times(unit).is_none_or(|(_, (first_ms, last_ms))| {
                first_ms <= end_ms && self.range.since_ms.is_none_or(|since_ms| last_ms >= since_ms)
            });
        }
        is_wanted
    }

    /// What is kept of the files of the range, and of the others what they contribute.
    fn learn(&mut self, on_learning: &OnLearning) -> Option<()> {
        let numbers: Vec<usize> = (0..self.files.files.len()).collect();
        let size = share(numbers.len(), all_threads());
        let steps = for_each_share(numbers.chunks(size), |numbers| {
            let of = |number: &usize| {
                Some(*number).filter(|number| self.is_wanted[*number]).and_then(|number| self.rollups.steps(number))
            };
            numbers.iter().map(of).collect::<Vec<_>>()
        });
        self.steps = steps.into_iter().flatten().collect();
        let is_missing = |number: &usize| {
            self.rollups.can_be_kept(*number) && self.steps[*number].is_none() && self.is_wanted[*number]
        };
        let missing: Vec<usize> = numbers.into_iter().filter(is_missing).collect();
        // What is kept of a day is written at once.
        let pieces = self.pieces(&missing, |file| self.files.files[file].partition.hour.date());
        let done = AtomicUsize::new(0);
        let derived = for_each_share(pieces.chunks(share(pieces.len(), all_threads())), |pieces| {
            let mut all: Vec<(usize, Steps)> = Vec::new();
            for piece in pieces {
                let steps = self.derive(piece).ok()?;
                self.rollups.keep(&steps);
                all.extend(steps);
                let done = done.fetch_add(piece.len(), Ordering::Relaxed) + piece.len();
                on_learning(Learning::Jobs, done, missing.len());
            }
            Some(all)
        });
        for derived in derived {
            derived?.into_iter().for_each(|(file, steps)| self.steps[file] = Some(steps));
        }
        Some(())
    }

    /// So many at a time that their events can be held, and only those of one key together.
    fn pieces<K: PartialEq>(&self, units: &[usize], key: impl Fn(usize) -> K) -> Vec<Vec<usize>> {
        let mut pieces: Vec<(K, u64, Vec<usize>)> = Vec::new();
        for unit in units {
            let (key, rows) = (key(*unit), self.rows(*unit));
            match pieces.last_mut().filter(|(of, events, _)| *of == key && events + rows <= EVENTS_AT_ONCE) {
                Some((_, events, piece)) => {
                    *events += rows;
                    piece.push(*unit);
                }
                None => pieces.push((key, rows, vec![*unit])),
            }
        }
        pieces.into_iter().map(|(_, _, piece)| piece).collect()
    }

    /// Those of a segment are held anyway.
    fn rows(&self, unit: usize) -> u64 {
        let facts = self.files.files.get(unit).and_then(|file| file.facts.as_ref().ok());
        facts.map_or(0, |facts| facts.rows)
    }

    /// What these files contribute, by clocks of which none is behind.
    fn derive(&self, piece: &[usize]) -> Result<Vec<(usize, Steps)>> {
        let texts = Texts::default();
        let mut tallies: Vec<Tally> = piece.iter().map(|_| Tally::default()).collect();
        // Files come in the order of their numbers.
        let of = |step: &Transition| piece.binary_search(&(step.event.unit as usize)).ok();
        let mut are_shared = HashSet::new();
        let mut long_jobs: Vec<Vec<(Box<str>, Vec<Event>)>> = vec![Vec::new(); piece.len()];
        each_job(self.view, self.to_read(piece), Some(&Offsets::default()), &texts, &mut |job, steps| {
            let is_long = self.rollups.is_long(job);
            if is_long || steps.iter().any(|step| step.event.unit != steps[0].event.unit) {
                are_shared.insert(job_number(job));
            }
            if is_long {
                for (long_jobs, file) in long_jobs.iter_mut().zip(piece) {
                    long_jobs.extend(events_of(*file, steps).map(|events| (job.into(), events)));
                }
                return;
            }
            for step in steps {
                if let Some(at) = of(step) {
                    tallies[at].add(step, job, Range::default());
                }
            }
            if let Some(((first, last), at)) =
                steps.first().zip(steps.last()).and_then(|ends| Some((ends, of(ends.1)?)))
            {
                tallies[at].add_life(job, first.event.happened_ms, last.event.happened_ms);
            }
        })?;
        let tallies = piece.iter().zip(tallies.into_iter().zip(long_jobs));
        tallies
            .map(|(file, (tally, long_jobs))| {
                let mut errors = Errors::default();
                let place = Place::Sealed(*file, self.files.files[*file].partition.clone());
                errors.read(self.view, &place, &texts, Range::default())?;
                Ok((*file, tally.into_steps((errors, &are_shared), long_jobs, &texts)))
            })
            .collect()
    }

    /// These files and segments, and those with which they share jobs.
    fn to_read(&self, units: &[usize]) -> Vec<ToRead> {
        let near = units.iter().flat_map(|unit| self.rollups.neighbours(*unit).iter().map(|near| *near as usize));
        let mut all: Vec<usize> = units.iter().copied().chain(near).collect();
        all.sort_unstable();
        all.dedup();
        let to_read = |unit: usize| {
            let place = self.place(unit);
            let ids = match &place {
                Place::Sealed(_, file) => file.name.ids,
                Place::Segment(at) => self.view.snapshot.segments[*at].ids,
            };
            // There are no more of them than numbers.
            ToRead { number: unit as u32, ids, place, with_ids: self.rollups.has_long_jobs(unit) }
        };
        all.into_iter().map(to_read).collect()
    }

    fn can_be_read(&self, unit: usize) -> bool {
        self.files.files.get(unit).is_none_or(|file| file.facts.is_ok())
    }

    /// `None` where that is not known.
    fn times(&self, unit: usize) -> Option<Times> {
        match self.files.files.get(unit) {
            Some(file) => file.facts.as_ref().ok().and_then(|facts| facts.timestamps.zip(facts.ingested)),
            None => self.segments[unit - self.files.files.len()],
        }
    }

    /// May it have events that happened in the range? No event happens after it arrived.
    fn touches(&self, unit: usize) -> bool {
        let is_of_range = |(sent, arrived): Times| {
            self.range.until_ms.is_none_or(|until_ms| sent.0.min(arrived.0) < until_ms)
                && self.range.since_ms.is_none_or(|since_ms| arrived.1 >= since_ms)
        };
        self.can_be_read(unit) && self.times(unit).is_none_or(is_of_range)
    }

    /// Is all that is kept of it of the range, and by the clocks of the question?
    fn is_usable(&self, unit: usize) -> bool {
        let Some(steps) = self.steps.get(unit).and_then(Option::as_ref) else { return false };
        let is_within = steps.rows.times.is_none_or(|(first, last)| self.range.holds(first) && self.range.holds(last));
        is_within && !self.is_put_right(unit)
    }

    /// May the time of one of its events be put right?
    fn is_put_right(&self, file: usize) -> bool {
        let since_ms = self.clocks.since_ms().filter(|_| self.clocks.is_any_behind());
        let arrived = self.files.files[file].facts.as_ref().ok().and_then(|facts| facts.ingested);
        since_ms.is_some_and(|since_ms| arrived.is_none_or(|(_, last_ms)| last_ms >= since_ms))
    }

    /// Are the events of its long jobs known by what is kept of it?
    fn tells_long_jobs(&self, unit: usize) -> bool {
        self.steps.get(unit).is_some_and(Option::is_some) && !self.is_put_right(unit)
    }

    /// Files that tell by what is kept of them.
    pub fn told(&self) -> impl Iterator<Item = &Steps> {
        self.steps.iter().zip(&self.is_told).filter(|(_, is_told)| **is_told).filter_map(|(steps, _)| steps.as_ref())
    }

    /// Shows each job with an event of the range in a file that does not tell, or in one that is to be read all the same,
    /// with its steps; and each long job.
    pub fn read_others(&self, is_to_be_read: impl Fn(&Steps) -> bool, show: &mut Show<'_>) -> Result<()> {
        let is_read = |unit: usize| match self.is_told[unit] {
            true => self.steps[unit].as_ref().is_some_and(&is_to_be_read),
            false => self.touches(unit) || (self.is_wanted[unit] && !self.tells_long_jobs(unit)),
        };
        let read: Vec<usize> = (0..self.is_told.len()).filter(|unit| is_read(*unit)).collect();
        let is_read = |unit: u32| read.binary_search(&(unit as usize)).is_ok();
        let mut long_jobs = self.kept_long_jobs();
        for piece in self.pieces(&read, |_| ()) {
            let is_own = |unit: u32| is_read(unit) && piece.binary_search(&(unit as usize)).is_ok();
            each_job(self.view, self.to_read(&piece), Some(self.clocks), &self.texts, &mut |job, steps| {
                if !self.rollups.is_long(job) {
                    return show(job, steps, &is_own);
                }
                for unit in piece.iter().filter(|unit| !self.tells_long_jobs(**unit)) {
                    if let Some(events) = events_of(*unit, steps) {
                        long_jobs.entry(job.into()).or_default().extend(events);
                    }
                }
            })?;
        }
        let (mut walk, mut steps) = (Walk::default(), Vec::new());
        for (job, mut events) in long_jobs {
            steps.clear();
            walk.go_through(&mut events, false, &self.texts, &mut |step| steps.push(*step));
            show(&job, &steps, &|_| true);
        }
        Ok(())
    }

    /// The events of long jobs in files that tell them.
    fn kept_long_jobs(&self) -> BTreeMap<Box<str>, Vec<Event>> {
        let mut jobs = BTreeMap::new();
        for (unit, steps) in self.steps.iter().enumerate().filter(|(unit, _)| self.tells_long_jobs(*unit)) {
            steps.iter().for_each(|steps| add_kept(unit, steps, &self.texts, &mut jobs));
        }
        jobs
    }

    /// What the errors come to that happened in the range by their producers' clocks.
    pub fn errors(&self) -> Result<Errors> {
        let mut errors = Errors::default();
        for unit in 0..self.is_told.len() {
            let facts = self.files.files.get(unit).map(|file| file.facts.as_ref().ok());
            if facts == Some(None) {
                continue;
            }
            let sent = facts.flatten().and_then(|facts| facts.timestamps);
            let begins_late = |(first, _): (i64, i64)| self.range.until_ms.is_some_and(|until_ms| first >= until_ms);
            let ends_early = |(_, last): (i64, i64)| self.range.since_ms.is_some_and(|since_ms| last < since_ms);
            if sent.is_some_and(|sent| begins_late(sent) || ends_early(sent)) {
                continue;
            }
            let is_within = sent.is_some_and(|(first, last)| self.range.holds(first) && self.range.holds(last));
            match self.steps.get(unit).and_then(Option::as_ref).filter(|_| is_within) {
                Some(steps) => errors.add_steps(steps, &self.texts),
                None => errors.read(self.view, &self.place(unit), &self.texts, self.range)?,
            }
        }
        Ok(errors)
    }

    fn place(&self, unit: usize) -> Place {
        match self.files.files.get(unit) {
            Some(file) => Place::Sealed(unit, file.partition.clone()),
            None => Place::Segment(unit - self.files.files.len()),
        }
    }

    /// The files that may have events of the range, also those that cannot be read.
    pub fn touched(&self) -> impl Iterator<Item = &Sealed> {
        self.files.files.iter().filter(|file| file.facts.is_err() || self.touches(file.position))
    }
}

/// What is kept of the jobs in all that the view shows.
pub(super) fn rollups_of(
    (view, files, layout): (&View, &Arc<SealedFiles>, &Layout),
    on_learning: &OnLearning,
) -> Option<JobRollups> {
    let newest = files.files.iter().map(|file| file.partition.hour).max()?;
    let is_closed = |file: &Sealed| file.partition.hour < newest;
    let segments = view.snapshot.segments.iter();
    let of_segments: Vec<Vec<u64>> = segments.map(|one| jobs_of(&one.batches, SharedJobs::hash)).collect();
    let tell = |done, all| on_learning(Learning::Jobs, done, all);
    let vocabulary = emp_job::vocabulary().fingerprint();
    JobRollups::of(layout, files, is_closed, (&of_segments, vocabulary), &tell)
}
