//! One look at all events of both ranges, along which everything that is compared is counted.
//!
//! Many hours cost more to open than to count, so they are gone through once. What is held is bound by how many jobs,
//! names and different durations there are, not by events.

use std::collections::{BTreeMap, HashMap};

use emp_job::{Meaning, vocabulary};
use emp_query::{Compared, Engine};

use super::latencies::Durations;
use super::members::Heard;
use super::ranges::{Ranges, Side, Times};
use super::series::SeriesCounts;
use super::steps::{Jobs, TRACKED_MAX};
use super::texts::ErrorCounts;
use crate::investigation::InvestigationError;
use crate::rows::Rows;

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Tally {
    pub names: Names,
    pub series: SeriesCounts,
    pub machines: Heard,
    pub workers: Heard,
    pub durations: Durations,
    pub jobs: Jobs,
    pub errors: ErrorCounts,
}

impl Tally {
    /// All events of both ranges, with how many of each type the earlier one has.
    pub async fn of(engine: &Engine, ranges: &Ranges, before: Vec<(String, u64)>) -> Result<Self, InvestigationError> {
        let tracked = tracked(before, types_of_side(engine, &ranges.after).await?);
        let none_yet = || {
            let mut names = Names::default();
            let jobs = Jobs::new(&tracked, &mut names);
            Self {
                names,
                series: SeriesCounts::new(ranges),
                machines: Heard::default(),
                workers: Heard::default(),
                durations: Durations::default(),
                jobs,
                errors: ErrorCounts::new(ranges.times),
            }
        };
        Ok(engine.compared(&ranges.to_cut(), none_yet, Self::add).await?)
    }

    fn add(&mut self, slot: usize, compared: &Compared) {
        let names: Vec<Name> = compared.names.iter().map(|name| self.names.number(name)).collect();
        let names = Numbered(&names);
        let rows = &compared.rows;
        rows.types.iter().for_each(|row| self.series.add(slot, row, names));
        self.machines.add(slot, &rows.machines, names);
        self.workers.add(slot, &rows.workers, names);
        rows.works.iter().for_each(|row| self.durations.add(slot, row, names));
        rows.jobs.iter().for_each(|row| self.jobs.add(slot, row, (names, &self.names)));
        rows.errors.iter().for_each(|row| self.errors.add(slot, row, (names, &self.names)));
    }
}

/// The names of a piece by their numbers in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbered<'a>(&'a [Name]);

impl Numbered<'_> {
    /// `None` where the events have none.
    pub fn find(self, number: u32) -> Option<Name> {
        self.0.get((number as usize).checked_sub(1)?).copied()
    }

    /// The empty name where they have none.
    pub fn name(self, number: u32) -> Name {
        self.find(number).unwrap_or_default()
    }
}

/// The types of events of which it is known whether a job has them: the most frequent.
fn tracked(before: Vec<(String, u64)>, after: Vec<(String, u64)>) -> Vec<String> {
    let mut types: BTreeMap<String, u64> = BTreeMap::new();
    for (name, events) in before.into_iter().chain(after) {
        *types.entry(name).or_default() += events;
    }
    let mut types: Vec<(String, u64)> = types.into_iter().collect();
    types.sort_by(|(a, of_a), (b, of_b)| (of_b, a).cmp(&(of_a, b)));
    types.into_iter().take(TRACKED_MAX).map(|(name, _)| name).collect()
}

/// How many events of each type were sent in a range, by the clocks of whoever did, as what is known of hours answers that.
pub(super) async fn types_of_side(engine: &Engine, side: &Side) -> Result<Vec<(String, u64)>, InvestigationError> {
    let within = Times::AsSent.within(side.since_ms, side.until_ms);
    let sql = format!("select event_type, count(*) as events from events where {within} group by 1");
    Rows::ask(engine, &sql)
        .await?
        .map(|row| Ok((row.optional_text("event_type")?.unwrap_or_default(), row.integer("events")?.unsigned_abs())))
}

/// The types of events with such a meaning.
pub(super) fn types_of(is_it: fn(Meaning) -> bool) -> Vec<&'static str> {
    let meanings = Meaning::ALL.iter().map(|(.., meaning)| *meaning).filter(|meaning| is_it(*meaning));
    meanings.flat_map(|meaning| vocabulary().types(meaning)).collect()
}

/// The number of a name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name(u32);

/// Names, each of which stands for itself by a number. The first is the empty one.
#[derive(Debug)]
pub(super) struct Names {
    texts: Vec<Box<str>>,
    numbers: HashMap<Box<str>, Name>,
}

impl Default for Names {
    fn default() -> Self {
        Self { texts: vec![Box::default()], numbers: HashMap::from([(Box::default(), Name(0))]) }
    }
}

impl Names {
    pub fn number(&mut self, text: &str) -> Name {
        if let Some(name) = self.numbers.get(text) {
            return *name;
        }
        // There are never four billion.
        let name = Name(self.texts.len() as u32);
        self.texts.push(text.into());
        self.numbers.insert(text.into(), name);
        name
    }

    pub fn find(&self, text: &str) -> Option<Name> {
        self.numbers.get(text).copied()
    }

    pub fn text(&self, name: Name) -> &str {
        &self.texts[name.0 as usize]
    }
}
