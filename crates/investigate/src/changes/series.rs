//! How many events there are of each type, slot by slot: what rates, shares and outcomes are read from.

use std::collections::HashMap;

use emp_job::{Meaning, vocabulary};
use emp_query::TypeRow;
use emp_statistics::Slot;

use super::ranges::{Ranges, slots};
use super::tally::{Name, Names, Numbered};

/// So many jobs of each range tell by how much there are more of them.
const JOBS_MIN: u64 = 30;
/// Where no type of event begins jobs, the middle of so many types does, or of more.
const TYPES_MIN: usize = 5;
/// Of types with fewer events in a slot of others, what is expected in a slot is taken to be the same in all.
const OTHERS_OF_SLOT_MIN: f64 = 5.0;

/// The events of one service and type.
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    pub service: String,
    pub event_type: String,
    /// In each slot, those of the earlier range first.
    pub events: Vec<u64>,
    pub errors: Vec<u64>,
    /// How many name a job.
    pub of_jobs: u64,
}

impl Series {
    pub fn meaning(&self) -> Option<Meaning> {
        vocabulary().meaning_anywhere(&self.event_type)
    }

    pub fn all(&self) -> u64 {
        self.events.iter().sum()
    }

    /// Are its events those of jobs, so that there are more of them where there are more jobs?
    pub fn is_of_jobs(&self) -> bool {
        2 * self.of_jobs >= self.all()
    }

    /// How many times as many there are in the later range, where there are enough to tell.
    fn ratio(&self, ranges: &Ranges) -> Option<f64> {
        let (before, after) = self.totals(ranges);
        (before >= JOBS_MIN && after >= JOBS_MIN).then(|| after as f64 / before as f64)
    }

    /// How many there are in each range.
    pub fn totals(&self, ranges: &Ranges) -> (u64, u64) {
        let (before, after) = self.events.split_at(ranges.before.slots);
        (before.iter().sum(), after.iter().sum())
    }
}

/// All events of both ranges, by service and type.
#[derive(Debug)]
pub(super) struct AllSeries {
    pub series: Vec<Series>,
    /// How many times as many jobs there are in the whole of the later range, by what the vocabulary says begins a
    /// job, where there is no such type by most types of events; as many an hour where that is not known.
    pub jobs_ratio: f64,
    /// The series that jobs are counted by.
    pub begins: Option<usize>,
    /// Is it most types that tell how many jobs there are?
    pub is_by_most: bool,
    /// The events of jobs in each slot.
    of_jobs: Vec<u64>,
}

/// The events of each service and type, while they are counted.
#[derive(Debug)]
pub(super) struct SeriesCounts {
    slots: usize,
    series: HashMap<(Name, Name), Series>,
}

impl SeriesCounts {
    pub fn new(ranges: &Ranges) -> Self {
        Self { slots: ranges.slots(), series: HashMap::new() }
    }

    pub fn add(&mut self, slot: usize, row: &TypeRow, names: Numbered<'_>) {
        let key = (names.name(row.service), names.name(row.event_type));
        let series = self.series.entry(key).or_insert_with(|| Series {
            events: vec![0; self.slots],
            errors: vec![0; self.slots],
            ..Series::default()
        });
        series.events[slot] += row.events;
        series.errors[slot] += row.errors;
        series.of_jobs += row.of_jobs;
    }

    /// All of them, by service and type.
    pub fn all(&self, names: &Names) -> Vec<Series> {
        let named = self.series.iter().map(|((service, event_type), series)| Series {
            service: names.text(*service).to_owned(),
            event_type: names.text(*event_type).to_owned(),
            ..series.clone()
        });
        let mut all: Vec<Series> = named.collect();
        all.sort_by(|a, b| (&a.service, &a.event_type).cmp(&(&b.service, &b.event_type)));
        all
    }
}

impl AllSeries {
    /// Those, with what they say about the number of jobs.
    pub fn new(series: Vec<Series>, ranges: &Ranges) -> Self {
        let begins = beginning(&series);
        let by_time = ranges.after.hours() / ranges.before.hours();
        let by_begins = begins.and_then(|at| series[at].ratio(ranges));
        let by_most = middle_ratio(&series, ranges).filter(|_| begins.is_none());
        let jobs_ratio = by_begins.or(by_most).unwrap_or(by_time);
        let mut of_jobs = vec![0; ranges.slots()];
        for one in series.iter().filter(|one| one.is_of_jobs()) {
            of_jobs.iter_mut().zip(&one.events).for_each(|(sum, events)| *sum += events);
        }
        Self { series, jobs_ratio, begins, is_by_most: by_most.is_some(), of_jobs }
    }

    /// The slots of a series, each with as much exposure as there are other events of jobs, and the ranges with
    /// as much as there are jobs.
    pub fn by_jobs(&self, one: &Series, ranges: &Ranges) -> [Vec<Slot>; 2] {
        let own = |at: usize| if one.is_of_jobs() { one.events[at] } else { 0 };
        let others: Vec<f64> = self.of_jobs.iter().enumerate().map(|(at, sum)| (sum - own(at)) as f64).collect();
        let (others_before, others_after) = others.split_at(ranges.before.slots);
        let (before, after) = one.events.split_at(ranges.before.slots);
        let exposures = |others: &[f64], covered: &[bool], of_range: f64| -> Vec<f64> {
            let sum: f64 = others.iter().sum();
            let seen = covered.iter().filter(|is_covered| **is_covered).count() as f64;
            let is_even = sum < OTHERS_OF_SLOT_MIN * seen;
            let of_slot = |(events, is_covered): (&f64, &bool)| match (is_even, is_covered) {
                (true, true) => of_range / seen,
                (true, false) => 0.0,
                // No slot expects nothing: its own events would be beyond all measure.
                (false, _) => of_range * (events + 0.5) / (sum + 0.5 * others.len() as f64),
            };
            others.iter().zip(covered).map(of_slot).collect()
        };
        [
            slots(before, exposures(others_before, &ranges.before.covered, 1.0)),
            slots(after, exposures(others_after, &ranges.after.covered, self.jobs_ratio)),
        ]
    }
}

/// The series by which jobs are counted: of what creates them, else submits or queues them. Claims are none, as a job
/// that fails is claimed again.
fn beginning(series: &[Series]) -> Option<usize> {
    let most = |meaning: Meaning| {
        let of_meaning = series.iter().enumerate().filter(|(_, one)| one.meaning() == Some(meaning));
        of_meaning.max_by_key(|(_, one)| one.all()).map(|(at, _)| at)
    };
    [Meaning::Created, Meaning::Submitted, Meaning::Queued].into_iter().find_map(most)
}

/// The median of the ratios of all types of which there are enough events, as DESeq has it (Anders & Huber 2010):
/// of what follows the number of jobs, whatever it is, most is as it was.
fn middle_ratio(series: &[Series], ranges: &Ranges) -> Option<f64> {
    let ratios = |series: &mut dyn Iterator<Item = &Series>| -> Vec<f64> {
        series.filter_map(|one| one.ratio(ranges)).collect()
    };
    let of_jobs = ratios(&mut series.iter().filter(|one| one.is_of_jobs()));
    let mut ratios = if of_jobs.len() >= TYPES_MIN { of_jobs } else { ratios(&mut series.iter()) };
    (ratios.len() >= TYPES_MIN).then(|| emp_statistics::quantile(&mut ratios, 0.5)).flatten()
}
