//! The two ranges, cut into slots of one length.

use std::sync::Arc;

use emp_query::{Cut, Engine, HAPPENED_MS, happened_within, moment_literal};
use emp_statistics::Slot;
use emp_units as units;

use crate::clocks::{ByClocks, clocks_note};
use crate::investigation::InvestigationError;
use crate::rows::Rows;

/// The shorter range has so many slots: enough to see how bursty events are.
const SLOTS: i64 = 24;
/// The longer one has slots of the same length, but no more than this.
const SLOTS_MAX: i64 = 480;
/// Slots without any event are an outage of the store where there are so many events a slot else, and so many
/// of them follow each other.
const EVENTS_OF_SLOT_MIN: u64 = 20;
const EMPTY_MIN: usize = 4;

/// Two ranges of time, as far as the store covers them.
#[derive(Debug, Clone)]
pub(super) struct Ranges {
    pub before: Side,
    pub after: Side,
    pub times: Times,
}

/// By which clocks an event is of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// As all say: no clock is known to be wrong, and what is known of hours answers.
    AsSent,
    /// Put right by what is known of clocks.
    PutRight,
}

impl Times {
    /// When an event happened, in SQL, in ms since the epoch.
    pub fn ms(self) -> &'static str {
        match self {
            Self::AsSent => "cast(timestamp as bigint)",
            Self::PutRight => HAPPENED_MS,
        }
    }

    /// The condition that an event happened from then on and before then, in SQL.
    pub fn within(self, since_ms: i64, until_ms: i64) -> String {
        match self {
            Self::AsSent => {
                format!("(timestamp >= {} and timestamp < {})", moment_literal(since_ms), moment_literal(until_ms))
            }
            Self::PutRight => happened_within(since_ms, until_ms),
        }
    }
}

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Side {
    pub since_ms: i64,
    pub until_ms: i64,
    /// How many slots it is cut into, a multiple of four.
    pub slots: usize,
    /// Those in which anything happened at all, whatever it was.
    pub covered: Vec<bool>,
    pub events: u64,
}

impl Side {
    fn new((since_ms, until_ms): (i64, i64)) -> Self {
        Self { since_ms, until_ms, slots: 0, covered: Vec::new(), events: 0 }
    }

    fn length_ms(&self) -> i64 {
        self.until_ms - self.since_ms
    }

    /// The slot of a moment within.
    fn slot_of(&self, ms: i64) -> usize {
        // No overflow: both are below 2^43, or the moment is none of our time.
        ((ms - self.since_ms) as i128 * self.slots as i128 / i128::from(self.length_ms())) as usize
    }

    /// The same of an event, in SQL.
    fn slot(&self, times: Times) -> String {
        let Self { since_ms, slots, .. } = self;
        // Whole numbers: they divide downwards.
        format!("({} - {since_ms}) * {slots} / {}", times.ms(), self.length_ms())
    }

    pub fn hours_of_slot(&self) -> f64 {
        self.length_ms() as f64 / 3.6e6 / self.slots as f64
    }

    /// How long the store covers it.
    pub fn hours(&self) -> f64 {
        self.hours_of_slot() * self.covered.iter().filter(|is_covered| **is_covered).count() as f64
    }
}

impl Ranges {
    /// Those of the question, less what lies before the store's first event or after its last; with what there is
    /// to say about that.
    pub async fn within_store(
        engine: &Engine,
        before: (i64, i64),
        after: (i64, i64),
    ) -> Result<(Self, Vec<String>), InvestigationError> {
        let sql = "select cast(min(timestamp) as bigint) as first, \
                   cast(least(max(timestamp), max(ingested_at)) as bigint) as last, count(*) as events from events";
        let ends = Rows::ask(engine, sql)
            .await?
            .map(|row| Ok((row.integer("first")?, row.integer("last")?, row.integer("events")?)))?;
        let mut ranges = Self { before: Side::new(before), after: Side::new(after), times: Times::AsSent };
        let Some((first_ms, last_ms, _)) = ends.first().copied().filter(|(.., events)| *events > 0) else {
            return Ok((ranges, vec!["the store has no events".to_owned()]));
        };
        let mut notes = Vec::new();
        let slack_ms = (after.1 - after.0).min(before.1 - before.0) / SLOTS;
        for (side, name) in [(&mut ranges.before, "earlier"), (&mut ranges.after, "later")] {
            if side.since_ms < first_ms && first_ms < side.until_ms {
                let missing = first_ms - side.since_ms;
                side.since_ms = first_ms;
                if missing > slack_ms {
                    let covered = units::millis(side.length_ms() as f64);
                    notes.push(format!(
                        "the store begins {} after the {name} range does: the {covered} that it has are compared",
                        units::millis(missing as f64)
                    ));
                }
            }
            if side.until_ms > last_ms + 1 && last_ms >= side.since_ms {
                let missing = side.until_ms - last_ms - 1;
                side.until_ms = last_ms + 1;
                if missing > slack_ms {
                    notes.push(format!(
                        "the store's newest event is {} older than the end of the {name} range: compared until then",
                        units::millis(missing as f64)
                    ));
                }
            }
        }
        ranges.cut();
        Ok((ranges, notes))
    }

    /// Goes by corrected times from now on, where a clock is proven to be wrong, which is said.
    pub async fn put_right(&mut self, engine: &Engine) -> Result<Option<String>, InvestigationError> {
        let note = clocks_of(engine, self.ends()).await?;
        if note.is_some() {
            self.times = Times::PutRight;
        }
        Ok(note)
    }

    /// Asks for rows of either.
    pub async fn ask(&self, engine: &Engine, sql: &str) -> Result<Rows, InvestigationError> {
        Rows::ask_within(engine, sql, self.ends()).await
    }

    /// As the engine takes them.
    pub fn to_cut(&self) -> Cut {
        let ranges = vec![(self.before.since_ms, self.before.until_ms), (self.after.since_ms, self.after.until_ms)];
        let own = self.clone();
        let slot_of = Arc::new(move |ms| own.slot_of(ms));
        Cut { ranges, slot_of, put_right: self.times == Times::PutRight }
    }

    /// From the first moment of both to the last.
    fn ends(&self) -> (i64, i64) {
        (self.before.since_ms, self.after.until_ms)
    }

    fn cut(&mut self) {
        let (before, after) = (self.before.length_ms().max(1), self.after.length_ms().max(1));
        let slot_ms = (before.min(after) / SLOTS).max(1);
        for side in [&mut self.before, &mut self.after] {
            // Slots are put together by two and by four.
            side.slots = ((side.length_ms() / slot_ms).clamp(4, SLOTS_MAX) / 4 * 4) as usize;
            side.covered = vec![true; side.slots];
        }
    }

    /// All slots of both.
    pub fn slots(&self) -> usize {
        self.before.slots + self.after.slots
    }

    /// Notes which slots have any event; slots without any count as not covered where there are many events else.
    pub fn cover(&mut self, events: &[u64]) -> Vec<String> {
        let (of_before, of_after) = events.split_at(self.before.slots);
        let mut notes = Vec::new();
        for (side, events, name) in [(&mut self.before, of_before, "earlier"), (&mut self.after, of_after, "later")] {
            side.events = events.iter().sum();
            let seen = events.iter().filter(|events| **events > 0).count();
            if side.events < EVENTS_OF_SLOT_MIN * seen as u64 {
                continue;
            }
            let runs = events.chunk_by(|a, b| (*a == 0) == (*b == 0));
            let is_outage = |run: &[u64]| run[0] == 0 && run.len() >= EMPTY_MIN;
            side.covered = runs.flat_map(|run| vec![!is_outage(run); run.len()]).collect();
            let empty = side.covered.iter().filter(|is_covered| !**is_covered).count();
            if empty == 0 {
                continue;
            }
            let empty_ms = empty as f64 * side.hours_of_slot() * 3.6e6;
            notes.push(format!(
                "{} of the {name} range have no event of any kind: taken as not observed",
                units::millis(empty_ms)
            ));
        }
        notes
    }

    /// The condition that an event is of either, in SQL.
    pub fn condition(&self) -> String {
        let within = |side: &Side| self.times.within(side.since_ms, side.until_ms);
        format!("({} or {})", within(&self.before), within(&self.after))
    }

    /// The number of an event's slot in SQL: first those of the earlier range, then those of the later one.
    pub fn slot(&self) -> String {
        let Side { since_ms, until_ms, .. } = self.after;
        format!(
            "case when {} then {} + {} else {} end",
            self.times.within(since_ms, until_ms),
            self.before.slots,
            self.after.slot(self.times),
            self.before.slot(self.times)
        )
    }

    /// The slot of a moment, ms since the epoch; `None` where it is of neither range.
    pub fn slot_of(&self, ms: i64) -> Option<usize> {
        let of = |side: &Side| (side.since_ms..side.until_ms).contains(&ms).then(|| side.slot_of(ms));
        of(&self.after).map(|slot| self.before.slots + slot).or_else(|| of(&self.before))
    }

    /// Counts of all slots as slots of both ranges, each with as much exposure as it has time.
    pub fn by_time(&self, counts: &[u64]) -> [Vec<Slot>; 2] {
        let exposure = |side: &Side| -> Vec<f64> {
            let hours = side.hours_of_slot();
            side.covered.iter().map(|is_covered| if *is_covered { hours } else { 0.0 }).collect()
        };
        let (before, after) = counts.split_at(self.before.slots);
        [slots(before, exposure(&self.before)), slots(after, exposure(&self.after))]
    }
}

/// What there is to say of clocks that are wrong in a range; nothing where all are right.
async fn clocks_of(engine: &Engine, (since_ms, until_ms): (i64, i64)) -> Result<Option<String>, InvestigationError> {
    let parameter = |name: &str, ms: i64| (name.to_owned(), ms.to_string());
    clocks_note(engine, &[parameter("since", since_ms), parameter("until", until_ms)], ByClocks::Corrected).await
}

/// Counts, each with its exposure.
pub(super) fn slots(counts: &[u64], exposures: impl IntoIterator<Item = f64>) -> Vec<Slot> {
    counts.iter().zip(exposures).map(|(count, exposure)| Slot { count: *count as f64, exposure }).collect()
}
