//! Which files tell by what is kept of them, and which have to be read.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::error::Result;

use emp_catalog::{Sealed, SealedFiles, SharedJobs};
use emp_job::Offsets;
use emp_rollup::{JobRollups, Steps, job_number};
use emp_store::Layout;
use emp_system::{all_threads, for_each_share, share};

use super::super::IdRange;
use super::super::names::Texts;
use super::super::scan::{Place, jobs_of};
use super::super::walk::Transition;
use super::errors::Errors;
use super::reading::each_job;
use super::tally::{Range, Tally};
use crate::view::{Learning, OnLearning, View};

/// Is shown a job's id, its steps, and which of the files these come from are to be counted here.
type Show<'a> = dyn FnMut(&str, &[Transition], &dyn Fn(u32) -> bool) + 'a;

/// Events that are put together at once, about.
const EVENTS_AT_ONCE: u64 = 300_000;

/// The files of a store, and behind them the journal's segments, for one question about the steps of jobs.
pub(super) struct Split<'a> {
    view: &'a View,
    files: &'a SealedFiles,
    rollups: &'a JobRollups,
    clocks: &'a Offsets,
    pub range: Range,
    pub texts: Texts,
    /// Of each file that may have events of the range, what is kept of it.
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
            steps: Vec::new(),
            is_told: vec![false; units],
        };
        split.learn(on_learning)?;
        let usable: Vec<bool> = (0..units).map(|unit| split.is_usable(unit)).collect();
        let tells =
            |unit: usize| usable[unit] && split.rollups.neighbours(unit).iter().all(|near| usable[*near as usize]);
        split.is_told = (0..units).map(tells).collect();
        Some(split)
    }

    /// What is kept of the files of the range, and of the others what they contribute.
    fn learn(&mut self, on_learning: &OnLearning) -> Option<()> {
        let numbers: Vec<usize> = (0..self.files.files.len()).collect();
        let size = share(numbers.len(), all_threads());
        let steps = for_each_share(numbers.chunks(size), |numbers| {
            let of = |number: &usize| self.rollups.steps(*number).filter(|_| self.touches(*number));
            numbers.iter().map(of).collect::<Vec<_>>()
        });
        self.steps = steps.into_iter().flatten().collect();
        let is_missing = |number: &usize| {
            self.rollups.can_be_kept(*number) && self.steps[*number].is_none() && self.touches(*number)
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
        each_job(self.view, self.places(piece), Some(&Offsets::default()), &texts, &mut |job, steps| {
            for step in steps {
                if let Some(at) = of(step) {
                    tallies[at].add(step, job, Range::default());
                }
            }
            if steps.iter().any(|step| step.event.unit != steps[0].event.unit) {
                are_shared.insert(job_number(job));
            }
            if let Some(((first, last), at)) =
                steps.first().zip(steps.last()).and_then(|ends| Some((ends, of(ends.1)?)))
            {
                tallies[at].add_life(job, first.event.happened_ms, last.event.happened_ms);
            }
        })?;
        piece
            .iter()
            .zip(tallies)
            .map(|(file, tally)| {
                let mut errors = Errors::default();
                let place = Place::Sealed(*file, self.files.files[*file].partition.clone());
                errors.read(self.view, &place, &texts, Range::default())?;
                Ok((*file, tally.into_steps(errors, &are_shared, &texts)))
            })
            .collect()
    }

    /// These files and segments, and those with which they share jobs.
    fn places(&self, units: &[usize]) -> Vec<(u32, IdRange, Place)> {
        let near = units.iter().flat_map(|unit| self.rollups.neighbours(*unit).iter().map(|near| *near as usize));
        let mut all: Vec<usize> = units.iter().copied().chain(near).collect();
        all.sort_unstable();
        all.dedup();
        let place = |unit: usize| {
            let place = self.place(unit);
            let ids = match &place {
                Place::Sealed(_, file) => file.name.ids,
                Place::Segment(at) => self.view.snapshot.segments[*at].ids,
            };
            // There are no more of them than numbers.
            (unit as u32, ids, place)
        };
        all.into_iter().map(place).collect()
    }

    /// May it have events that happened in the range? No event happens after it arrived.
    fn touches(&self, unit: usize) -> bool {
        let Some(file) = self.files.files.get(unit) else { return true };
        let Ok(facts) = &file.facts else { return false };
        let (Some(sent), Some(arrived)) = (facts.timestamps, facts.ingested) else { return true };
        self.range.until_ms.is_none_or(|until_ms| sent.0.min(arrived.0) < until_ms)
            && self.range.since_ms.is_none_or(|since_ms| arrived.1 >= since_ms)
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

    /// Files that tell by what is kept of them.
    pub fn told(&self) -> impl Iterator<Item = &Steps> {
        self.steps.iter().zip(&self.is_told).filter(|(_, is_told)| **is_told).filter_map(|(steps, _)| steps.as_ref())
    }

    /// Shows each job with an event of the range in a file that does not tell, or in one that is to be read all the same,
    /// with its steps.
    pub fn read_others(&self, is_to_be_read: impl Fn(&Steps) -> bool, show: &mut Show<'_>) -> Result<()> {
        let is_read = |unit: usize| match self.is_told[unit] {
            true => self.steps[unit].as_ref().is_some_and(&is_to_be_read),
            false => self.touches(unit),
        };
        let read: Vec<usize> = (0..self.is_told.len()).filter(|unit| is_read(*unit)).collect();
        let is_read = |unit: u32| read.binary_search(&(unit as usize)).is_ok();
        for piece in self.pieces(&read, |_| ()) {
            let is_own = |unit: u32| is_read(unit) && piece.binary_search(&(unit as usize)).is_ok();
            each_job(self.view, self.places(&piece), Some(self.clocks), &self.texts, &mut |job, steps| {
                show(job, steps, &is_own);
            })?;
        }
        Ok(())
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
