//! The days of a store whose files were not looked at, and which of them a question needs.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use super::DAY_MS;
use super::ids::{self, IdScope, Indexed, Run};
use super::saved::Storage;
use super::summary::{Summary, Times};
use emp_event::EntryId;
use emp_store::Hour;

/// A day of which nothing is known but what was kept in short.
#[derive(Debug)]
pub struct ClosedDay {
    /// Its place in the catalog.
    pub(super) place: usize,
    /// Its first hour.
    pub first: Hour,
    pub(super) summary: Arc<Summary>,
}

impl ClosedDay {
    /// When its events happened, ms since the epoch; `None` where a file does not tell.
    pub fn timestamps(&self) -> Option<Times> {
        self.summary.timestamps
    }

    /// When they arrived.
    pub fn ingested(&self) -> Option<Times> {
        self.summary.ingested
    }

    /// The first millisecond after it.
    pub fn end_ms(&self) -> i64 {
        self.first.start_ms() + DAY_MS
    }

    /// The highest ID in it, by the names of its files.
    pub fn newest(&self) -> Option<EntryId> {
        self.summary.newest
    }

    /// How many files it has.
    pub fn files(&self) -> usize {
        self.summary.files as usize
    }

    /// How many of them the index could know, and does not.
    pub fn not_indexed(&self, what: Indexed) -> usize {
        self.summary.not_indexed[what as usize] as usize
    }
}

/// All of them, by date: whoever needs files of one has it looked at.
#[derive(Debug)]
pub struct ClosedDays {
    /// Only those that have files.
    pub days: Vec<ClosedDay>,
    storage: Storage,
    /// Of each kind.
    runs: [OnceLock<HashMap<u64, SpansOfRun>>; Indexed::ALL.len()],
}

/// A run of the index, and the days of its files.
#[derive(Debug)]
struct SpansOfRun {
    /// `None` where it cannot be read: then any of the days may hold anything.
    run: Option<Run>,
    /// The first and the last number, and where in [`ClosedDays::days`] the day is; ascending.
    spans: Vec<(u32, u32, usize)>,
}

impl ClosedDays {
    pub(super) fn new(days: Vec<ClosedDay>, storage: &Storage) -> Self {
        Self { days, storage: storage.clone(), runs: Default::default() }
    }

    /// Which of the days may hold one of these ids in that column, in such events; `None` where the index has nothing to
    /// say about the column.
    pub fn holding(&self, column: &str, wanted: &[&str], scope: IdScope) -> Option<Vec<bool>> {
        Some(self.holding_any(Indexed::Ids, &ids::hashes(column, wanted, scope)?))
    }

    /// Which of the days may mention a text, as [`super::SealedFiles::mentioning`] tells of files.
    pub fn mentioning(&self, text: &str) -> Option<Vec<bool>> {
        let wanted = ids::wanted_of_text(text);
        ids::holding_each(&wanted, |hashes| self.holding_any(Indexed::Texts, hashes))
    }

    fn holding_any(&self, what: Indexed, hashes: &[u64]) -> Vec<bool> {
        let mut may_hold: Vec<bool> = self.days.iter().map(|day| day.summary.unknown[what as usize] > 0).collect();
        for of_run in self.runs[what as usize].get_or_init(|| self.open_runs(what)).values() {
            match of_run.run.as_ref().and_then(|run| run.find_any(hashes).ok()) {
                Some(numbers) => {
                    numbers.into_iter().filter_map(|number| of_run.day_of(number)).for_each(|day| may_hold[day] = true)
                }
                None => of_run.spans.iter().for_each(|(.., day)| may_hold[*day] = true),
            }
        }
        may_hold
    }

    fn open_runs(&self, what: Indexed) -> HashMap<u64, SpansOfRun> {
        let mut runs: HashMap<u64, SpansOfRun> = HashMap::new();
        for (day, closed) in self.days.iter().enumerate() {
            for span in &closed.summary.spans[what as usize] {
                let of_run = runs
                    .entry(span.run)
                    .or_insert_with(|| SpansOfRun { run: self.storage.run(span.run).ok(), spans: Vec::new() });
                of_run.spans.push((span.first, span.last, day));
            }
        }
        for of_run in runs.values_mut() {
            of_run.spans.sort_unstable();
            let last = of_run.spans.last().map_or(0, |(_, last, _)| *last);
            // No such file in that run: it is not the one that the catalog means.
            of_run.run = of_run.run.take().filter(|run| last < run.files());
        }
        runs
    }
}

impl SpansOfRun {
    fn day_of(&self, number: u32) -> Option<usize> {
        let at = self.spans.partition_point(|(first, ..)| *first <= number).checked_sub(1)?;
        let (_, last, day) = self.spans[at];
        (number <= last).then_some(day)
    }
}

/// The runs that days refer to.
pub(super) fn runs_of<'a>(summaries: impl Iterator<Item = &'a Summary>) -> BTreeSet<u64> {
    summaries.flat_map(|summary| summary.spans.iter().flatten()).map(|span| span.run).collect()
}
