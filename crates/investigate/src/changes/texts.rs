//! What errors say: texts that are new, gone, more or fewer.

use std::collections::{BTreeMap, HashMap, HashSet};

use emp_findings::{ChangeKind, Direction, Test};
use emp_query::{Engine, ErrorsRow, literal};
use emp_statistics::{Slot, p_of_totals};
use emp_units as units;

use super::candidate::{Candidate, times};
use super::earlier::{Earlier, absence};
use super::ranges::{Ranges, Side, Times};
use super::rates::count;
use super::series::AllSeries;
use super::tally::{Name, Names, Numbered, Tally};
use crate::investigation::InvestigationError;

/// What fewer events say in both ranges together is no change.
const EVENTS_MIN: u64 = 3;

/// An error by who sent it, its type, and its text without ids and numbers.
type Kind = (String, String, String);

/// The errors of one kind. They are counted by jobs, or by minutes where they name no job: one that fails again and
/// again tells of itself alone.
struct Errors {
    kind: Kind,
    example: String,
    before: Units,
    after: Units,
}

/// Jobs or minutes with an error, summed up over the slots of a range.
#[derive(Default)]
struct Units {
    events: u64,
    units: f64,
    /// The sum of the squares of each slot's.
    squares: f64,
}

impl Units {
    /// How many times as spread as Poisson's they are over the slots.
    fn spread(&self, side: &Side) -> f64 {
        let slots = side.slots as f64;
        let mean = self.units / slots;
        let variance = (self.squares - self.units * mean) / (slots - 1.0);
        if mean > 0.0 { (variance / mean).max(1.0) } else { 1.0 }
    }
}

/// Every text of errors, tested.
pub(super) async fn texts(
    engine: &Engine,
    (all, tally): (&AllSeries, &Tally),
    ranges: &Ranges,
    earlier: &Earlier,
) -> Result<Vec<Candidate>, InvestigationError> {
    let errors = tally.errors.all(&tally.names, ranges);
    let new: Vec<&Errors> = errors.iter().filter(|one| one.before.events == 0).collect();
    let known = known(engine, &new, ranges, earlier).await?;
    let tested = errors.iter().map(|one| candidate(one, all, ranges, earlier, known.contains(&one.kind)));
    Ok(tested.collect())
}

/// All errors of both ranges, while they are counted.
#[derive(Debug)]
pub(super) struct ErrorCounts {
    times: Times,
    kinds: HashMap<(Name, Name, Name), CountedKind>,
    /// Each slot of a kind with the jobs, or the minutes, that have one.
    units: HashSet<(usize, usize, u64)>,
}

#[derive(Debug)]
struct CountedKind {
    number: usize,
    example: String,
    /// By slot.
    events: BTreeMap<usize, u64>,
}

impl ErrorCounts {
    /// None yet, by those clocks.
    pub fn new(times: Times) -> Self {
        Self { times, kinds: HashMap::new(), units: HashSet::new() }
    }

    pub fn add(&mut self, slot: usize, row: &ErrorsRow, (numbered, names): (Numbered<'_>, &Names)) {
        let number = self.kinds.len();
        let example = names.text(numbered.name(row.example));
        let key = [row.service, row.event_type, row.fingerprint].map(|number| numbered.name(number));
        let none_yet = || CountedKind { number, example: example.to_owned(), events: BTreeMap::new() };
        let kind = self.kinds.entry(key.into()).or_insert_with(none_yet);
        *kind.events.entry(slot).or_default() += row.events;
        // The same one, in whichever order they come.
        if !example.is_empty() && (kind.example.is_empty() || example < kind.example.as_str()) {
            example.clone_into(&mut kind.example);
        }
        let [as_sent, put_right] = &row.minutes;
        let minutes = if self.times == Times::AsSent { as_sent } else { put_right };
        let units = row.jobs.iter().chain(minutes.iter().map(|minute| minute.unsigned_abs()));
        self.units.extend(units.map(|unit| (kind.number, slot, unit)));
    }

    fn all(&self, names: &Names, ranges: &Ranges) -> Vec<Errors> {
        let mut units: HashMap<(usize, usize), u64> = HashMap::new();
        self.units.iter().for_each(|(kind, slot, _)| *units.entry((*kind, *slot)).or_default() += 1);
        let side = |kind: &CountedKind, slots: std::ops::Range<usize>| {
            let mut sum = Units::default();
            for (slot, events) in kind.events.range(slots) {
                let units = units.get(&(kind.number, *slot)).copied().unwrap_or_default() as f64;
                sum = Units {
                    events: sum.events + events,
                    units: sum.units + units,
                    squares: sum.squares + units * units,
                };
            }
            sum
        };
        let kinds = self.kinds.iter().filter(|(_, kind)| kind.events.values().sum::<u64>() >= EVENTS_MIN);
        let text = |name: Name| names.text(name).to_owned();
        let mut all: Vec<Errors> = kinds
            .map(|((service, event_type, fingerprint), kind)| Errors {
                kind: (text(*service), text(*event_type), text(*fingerprint)),
                example: kind.example.clone(),
                before: side(kind, 0..ranges.before.slots),
                after: side(kind, ranges.before.slots..ranges.slots()),
            })
            .collect();
        all.sort_by(|a, b| a.kind.cmp(&b.kind));
        all
    }
}

/// Those that were seen before both ranges.
async fn known(
    engine: &Engine,
    errors: &[&Errors],
    ranges: &Ranges,
    earlier: &Earlier,
) -> Result<HashSet<Kind>, InvestigationError> {
    let mut types: Vec<String> = errors.iter().map(|one| literal(&one.kind.1)).collect();
    types.sort_unstable();
    types.dedup();
    if types.is_empty() || earlier.is_empty() {
        return Ok(HashSet::new());
    }
    let sql = format!(
        "select service, event_type, coalesce(error_fingerprint(data), '') as kind from events \
         where level = 'error' and event_type in ({}) and {} group by 1, 2, 3",
        types.join(", "),
        earlier.condition()
    );
    let known = ranges.ask(engine, &sql).await?;
    Ok(known.map(|row| Ok((row.text("service")?, row.text("event_type")?, row.text("kind")?)))?.into_iter().collect())
}

fn candidate(one: &Errors, all: &AllSeries, ranges: &Ranges, earlier: &Earlier, is_known: bool) -> Candidate {
    let (service, event_type, _) = &one.kind;
    let slot = |units: &Units, exposure: f64| Slot { count: units.units, exposure };
    // How bursty it is, is known of the earlier range: an outage in the later one is what is looked for.
    let spread = one.before.spread(&ranges.before);
    let freedom = (ranges.slots() - 2) as f64;
    let (before, after) = (slot(&one.before, 1.0), slot(&one.after, all.jobs_ratio));
    let factor = after.count / after.exposure / before.count;
    let is_new = before.count == 0.0 && !is_known;
    let p = match is_new {
        true => absence(after.count, earlier.share_with(ranges)),
        false => p_of_totals(before, after, spread, freedom),
    };
    let direction = match (before.count == 0.0, after.count == 0.0) {
        (true, _) if is_new => Direction::New,
        (_, true) => Direction::Gone,
        _ if factor >= 1.0 => Direction::More,
        _ => Direction::Less,
    };
    let said = if one.example.is_empty() { format!("{event_type} without a text") } else { one.example.clone() };
    let mut found = Candidate::new(ChangeKind::ErrorText, direction, &said, p);
    found.change.test = if is_new { Test::Absence } else { Test::QuasiPoisson };
    found.event_type = Some(event_type.clone());
    found.change.service = Some(service.clone());
    count(&mut found, ranges, (one.before.events, one.after.events), factor);
    found.is_large = found.is_large || (is_new && one.after.events >= EVENTS_MIN);
    let events = |count: u64| units::counted(count as usize, "event", "events");
    found.change.words = match direction {
        Direction::New => format!("{said} ({} of {event_type}, {service})", events(one.after.events)),
        Direction::Gone => format!("{said} ({} of {event_type}, {service}, before)", events(one.before.events)),
        _ => {
            let times = if factor.is_finite() { format!(", {}", times(factor)) } else { ", seen earlier".to_owned() };
            format!("{said} ({} → {} of {event_type}, {service}{times})", one.before.events, one.after.events)
        }
    };
    found
}
