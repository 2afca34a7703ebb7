//! What takes longer or less: types of events, each as a whole and by connector, and the slowest of them alone.

use std::collections::{BTreeMap, HashMap};

use emp_findings::{ChangeKind, Direction, Test};
use emp_query::{WorkRow, middle_of_step};
use emp_statistics::{Counted, Part, clustered_rank_test, share_test};
use emp_units as units;

use super::candidate::{Candidate, finite, times};
use super::ranges::Ranges;
use super::tally::{Name, Names, Numbered};

/// Fewer durations on one side say nothing.
const DURATIONS_MIN: u64 = 10;
/// A median is worth telling that is so many times as long,
const TIMES_MIN: f64 = 1.2;
/// and by so much longer, in ms.
const MS_MIN: f64 = 5.0;
/// What explains how long something takes, beside its type, in SQL: the connector, by whichever key names it.
pub(super) const CONNECTOR: &str = "connector_name(data)";
/// So many durations tell what 99 of 100 of them take at most.
const TAIL_DURATIONS_MIN: u64 = 200;
/// That is worth telling where it is so many times as long,
const TAIL_TIMES_MIN: f64 = 1.3;
/// and by so much, in ms.
const TAIL_MS_MIN: f64 = 50.0;
/// So many durations are that long, at least.
const TAIL_COUNT_MIN: u64 = 3;

/// Durations by slot, each with how often it occurs.
#[derive(Debug, Clone)]
pub(super) struct Lengths {
    before: Vec<Vec<(f64, u64)>>,
    after: Vec<Vec<(f64, u64)>>,
}

impl Lengths {
    pub fn new(ranges: &Ranges) -> Self {
        // Two slots at a time: a slot alone has few durations.
        let slots = |slots: usize| vec![Vec::new(); slots / 2];
        Self { before: slots(ranges.before.slots), after: slots(ranges.after.slots) }
    }

    /// Adds durations of a pair of slots, those of the earlier range first.
    pub fn add(&mut self, slot: usize, value: f64, count: u64) {
        let later = slot.checked_sub(self.before.len());
        let into = match later {
            Some(slot) => self.after.get_mut(slot),
            None => self.before.get_mut(slot),
        };
        into.into_iter().for_each(|values| values.push((value, count)));
    }

    fn with(&mut self, other: &Self) {
        let both = [(&mut self.before, &other.before), (&mut self.after, &other.after)];
        for (own, others) in both {
            own.iter_mut().zip(others).for_each(|(own, other)| own.extend_from_slice(other));
        }
    }

    pub fn counted(&self) -> [Vec<Counted>; 2] {
        [&self.before, &self.after].map(|slots| slots.iter().map(|values| values.iter().copied().collect()).collect())
    }

    /// All of each range.
    pub fn wholes(&self) -> [Counted; 2] {
        [&self.before, &self.after].map(|slots| slots.iter().flatten().copied().collect())
    }

    /// What the test says, where there are enough: with the medians of both ranges.
    pub fn compared(&self, kind: ChangeKind, what: &str) -> Option<(Candidate, f64, f64)> {
        let [before, after] = self.wholes();
        if before.count() < DURATIONS_MIN || after.count() < DURATIONS_MIN {
            return None;
        }
        let (median_before, median_after) = (before.quantile(0.5)?, after.quantile(0.5)?);
        let [before_slots, after_slots] = self.counted();
        let test = clustered_rank_test(&before_slots, &after_slots)?;
        let factor = median_after / median_before;
        let direction = if test.larger >= 0.5 { Direction::Slower } else { Direction::Faster };
        let mut found = Candidate::new(kind, direction, what, test.p);
        (found.change.before_count, found.change.after_count) = (before.count(), after.count());
        found.change.factor = finite(factor);
        let agree = (factor >= 1.0) == (direction == Direction::Slower);
        found.is_large = agree && factor.max(1.0 / factor) >= TIMES_MIN;
        Some((found, median_before, median_after))
    }
}

/// How long each type of event takes, by connector; of those without one by `None`.
pub(super) type ByType = BTreeMap<String, BTreeMap<Option<String>, Lengths>>;

/// All durations of both ranges, while they are counted: of each work in each two slots, by step.
#[derive(Debug, Default)]
pub(super) struct Durations(HashMap<(Work, u32), Steps>);

/// How often each step occurs, from the first one that does.
#[derive(Debug, Default)]
struct Steps {
    first: i32,
    events: Vec<u32>,
}

impl Steps {
    fn add(&mut self, step: i32, events: u64) {
        if self.events.is_empty() {
            self.first = step;
        }
        if step < self.first {
            // No duration is more than some thousand steps below another one.
            let more = (self.first - step).unsigned_abs() as usize;
            self.events.splice(0..0, std::iter::repeat_n(0, more));
            self.first = step;
        }
        let at = (step - self.first).unsigned_abs() as usize;
        if at >= self.events.len() {
            self.events.resize(at + 1, 0);
        }
        self.events[at] = self.events[at].saturating_add(u32::try_from(events).unwrap_or(u32::MAX));
    }

    fn iter(&self) -> impl Iterator<Item = (i32, u64)> {
        let steps = (self.first..).zip(&self.events);
        steps.filter(|(_, events)| **events > 0).map(|(step, events)| (step, u64::from(*events)))
    }
}

/// What took so long: a type of events by a connector, and by a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Work {
    event_type: Name,
    connector: Option<Name>,
    worker: Option<Name>,
}

/// How often something took so long.
pub(super) struct Took<'a> {
    pub event_type: &'a str,
    pub connector: Option<&'a str>,
    pub worker: Option<&'a str>,
    /// Two slots, by number, those of the earlier range first.
    pub pair: usize,
    pub ms: f64,
    pub events: u64,
}

impl Durations {
    pub fn add(&mut self, slot: usize, row: &WorkRow, names: Numbered<'_>) {
        let event_type = names.name(row.event_type);
        let work = Work { event_type, connector: names.find(row.connector), worker: names.find(row.worker) };
        // There are a few hundred slots.
        let steps = self.0.entry((work, slot as u32 / 2)).or_default();
        row.each_step(|step, events| steps.add(step, events));
    }

    pub fn each<'a>(&'a self, names: &'a Names) -> impl Iterator<Item = Took<'a>> {
        let of_pair = |((work, pair), steps): (&'a (Work, u32), &'a Steps)| {
            let (event_type, pair) = (names.text(work.event_type), *pair as usize);
            let [connector, worker] = [work.connector, work.worker].map(|name| name.map(|name| names.text(name)));
            steps.iter().map(move |(step, events)| Took {
                event_type,
                connector,
                worker,
                pair,
                ms: middle_of_step(step),
                events,
            })
        };
        self.0.iter().flat_map(of_pair)
    }

    /// By type and connector, whoever the worker is.
    pub fn by_type(&self, names: &Names, ranges: &Ranges) -> ByType {
        let mut found = ByType::new();
        for took in self.each(names) {
            let by_key = found.entry(took.event_type.to_owned()).or_default();
            let lengths = by_key.entry(took.connector.map(str::to_owned)).or_insert_with(|| Lengths::new(ranges));
            lengths.add(took.pair, took.ms, took.events);
        }
        found
    }
}

/// Every type of event that has durations, tested as a whole and by connector.
pub(super) fn latencies(by_type: &ByType, ranges: &Ranges) -> Vec<Candidate> {
    let mut found = Vec::new();
    for (event_type, by_key) in by_type {
        let mut whole = Lengths::new(ranges);
        by_key.values().for_each(|lengths| whole.with(lengths));
        let keys = || by_key.iter().filter(|_| by_key.len() > 1);
        let tails_by_key: Vec<Candidate> =
            keys().filter_map(|(key, lengths)| tail(lengths, event_type, key.as_deref())).collect();
        let medians_by_key: Vec<Candidate> =
            keys().filter_map(|(key, lengths)| latency(lengths, event_type, key.as_deref())).collect();
        let mut medians = latency(&whole, event_type, None);
        if let Some(whole) = &mut medians {
            // Where a slow connector does less, the others' times are no shorter for it.
            let by_key = standardized(&medians_by_key);
            whole.is_large &= medians_by_key.is_empty() || by_key.max(1.0 / by_key) >= TIMES_MIN;
        }
        // Of what takes longer by half of its cases the longest are not told besides.
        let is_slower = medians.iter().chain(&medians_by_key).any(|one| one.is_large);
        found.extend(medians);
        found.extend(medians_by_key.into_iter().filter(|one| one.connector.is_some()));
        if !is_slower {
            found.extend(tail(&whole, event_type, None));
            found.extend(tails_by_key.into_iter().filter(|one| one.connector.is_some()));
        }
    }
    found
}

/// How many times as long each connector takes, on average over the events of the earlier range.
fn standardized(by_key: &[Candidate]) -> f64 {
    let weighed = by_key.iter().filter_map(|one| {
        let change = &one.change;
        Some((change.before_count as f64, change.factor.filter(|factor| *factor > 0.0)?.ln()))
    });
    let (weights, sum) = weighed.fold((0.0, 0.0), |(all, sum), (weight, ln)| (all + weight, sum + weight * ln));
    if weights > 0.0 { (sum / weights).exp() } else { 1.0 }
}

fn latency(lengths: &Lengths, event_type: &str, connector: Option<&str>) -> Option<Candidate> {
    let kind = if connector.is_some() { ChangeKind::Connector } else { ChangeKind::Latency };
    let (mut found, before, after) = lengths.compared(kind, connector.unwrap_or(event_type))?;
    found.is_large &= (after - before).abs() >= MS_MIN;
    found.change.before_p50_ms = Some(units::tenth(before));
    found.change.after_p50_ms = Some(units::tenth(after));
    found.event_type = Some(event_type.to_owned());
    found.connector = connector.map(str::to_owned);
    let of = connector.map(|connector| format!("{connector}: ")).unwrap_or_default();
    found.change.words = format!(
        "{of}{event_type} takes {} at the median, {} before ({})",
        units::millis(after),
        units::millis(before),
        times(after / before)
    );
    Some(found)
}

/// What only the slowest take longer: more durations than before are well above what 99 of 100 took.
fn tail(lengths: &Lengths, event_type: &str, connector: Option<&str>) -> Option<Candidate> {
    let [before, after] = lengths.wholes();
    if before.count().min(after.count()) < TAIL_DURATIONS_MIN {
        return None;
    }
    let (p99_before, p99_after) = (before.quantile(0.99)?, after.quantile(0.99)?);
    let long_ms = TAIL_TIMES_MIN * p99_before;
    let parts = |slots: &[Vec<(f64, u64)>]| -> Vec<Part> {
        let count = |slot: &[(f64, u64)], least: f64| slot.iter().filter(|one| one.0 >= least).map(|one| one.1).sum();
        slots.iter().map(|slot| Part { hits: count(slot, long_ms), of: count(slot, 0.0) }).collect()
    };
    let (of_before, of_after) = (parts(&lengths.before), parts(&lengths.after));
    let hits = |parts: &[Part]| parts.iter().map(|part| part.hits).sum::<u64>();
    let kind = if connector.is_some() { ChangeKind::Connector } else { ChangeKind::Latency };
    let what = connector.unwrap_or(event_type);
    let mut found = Candidate::new(kind, Direction::Slower, what, share_test(&of_before, &of_after));
    found.change.test = Test::Fisher;
    (found.change.before_count, found.change.after_count) = (hits(&of_before), hits(&of_after));
    (found.change.before_of, found.change.after_of) = (Some(before.count()), Some(after.count()));
    found.change.before_p50_ms = before.quantile(0.5).map(units::tenth);
    found.change.after_p50_ms = after.quantile(0.5).map(units::tenth);
    found.change.factor = finite(p99_after / p99_before);
    found.is_large = p99_after >= TAIL_TIMES_MIN * p99_before
        && p99_after - p99_before >= TAIL_MS_MIN
        && found.change.after_count >= TAIL_COUNT_MIN;
    found.event_type = Some(event_type.to_owned());
    found.connector = connector.map(str::to_owned);
    found.is_tail = true;
    let of = connector.map(|connector| format!("{connector}: ")).unwrap_or_default();
    found.change.words = format!(
        "{of}the slowest {event_type} take longer, half of them do not: {} at most in 99 of 100 cases, {} before ({}); \
         {} of {} take {} or longer, {} of {} before",
        units::millis(p99_after),
        units::millis(p99_before),
        times(p99_after / p99_before),
        units::count(found.change.after_count),
        units::count(after.count()),
        units::millis(long_ms),
        units::count(found.change.before_count),
        units::count(before.count()),
    );
    Some(found)
}
