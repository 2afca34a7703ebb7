//! What errors say: texts that are new, gone, more or fewer.

use std::collections::HashSet;

use emp_findings::{ChangeKind, Direction, Test};
use emp_query::{Engine, literal};
use emp_statistics::{Slot, p_of_totals};
use emp_units as units;

use super::candidate::{Candidate, times};
use super::earlier::{Earlier, absence};
use super::ranges::{Ranges, Side};
use super::rates::count;
use super::series::AllSeries;
use crate::investigation::InvestigationError;
use crate::rows::{Row, Rows};

/// What fewer events say in both ranges together is no change.
const EVENTS_MIN: i64 = 3;

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
    fn read(row: &Row<'_>, side: &str) -> Result<Self, InvestigationError> {
        let number = |name: &str| row.number(&format!("{side}_{name}")).map(Option::unwrap_or_default);
        let events = row.integer(&format!("{side}_events"))?.unsigned_abs();
        Ok(Self { events, units: number("units")?, squares: number("squares")? })
    }

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
    all: &AllSeries,
    ranges: &Ranges,
    earlier: &Earlier,
) -> Result<Vec<Candidate>, InvestigationError> {
    if all.series.iter().all(|one| one.errors.iter().all(|errors| *errors == 0)) {
        return Ok(Vec::new());
    }
    let errors = ask(engine, ranges).await?;
    let new: Vec<&Errors> = errors.iter().filter(|one| one.before.events == 0).collect();
    let known = known(engine, &new, earlier).await?;
    let tested = errors.iter().map(|one| candidate(one, all, ranges, earlier, known.contains(&one.kind)));
    Ok(tested.collect())
}

async fn ask(engine: &Engine, ranges: &Ranges) -> Result<Vec<Errors>, InvestigationError> {
    // Jobs of each slot, slots of each kind, kinds: the engine puts together what may be many.
    let by_unit = format!(
        "select service, event_type, coalesce(error_fingerprint(data), '') as kind, {} as slot, \
         coalesce(job_id, cast(cast(timestamp as bigint) / 60000 as varchar)) as unit, count(*) as events, \
         min(error_text(data)) as example from events where level = 'error' and {} group by 1, 2, 3, 4, 5",
        ranges.slot(),
        ranges.condition()
    );
    let by_slot = format!(
        "select service, event_type, kind, slot >= {} as is_after, sum(events) as events, count(*) as units, \
         min(example) as example from ({by_unit}) group by service, event_type, kind, slot",
        ranges.before.slots
    );
    let side = |name: &str, condition: &str| {
        let sum = |value: &str| format!("coalesce(sum({value}) filter (where {condition}), 0)");
        format!(
            "{} as {name}_events, {} as {name}_units, {} as {name}_squares",
            sum("events"),
            sum("units"),
            sum("units * units")
        )
    };
    let sql = format!(
        "select service, event_type, kind, min(example) as example, {}, {} from ({by_slot}) \
         group by 1, 2, 3 having sum(events) >= {EVENTS_MIN} order by 1, 2, 3",
        side("before", "not is_after"),
        side("after", "is_after")
    );
    Rows::ask(engine, &sql).await?.map(|row| {
        Ok(Errors {
            kind: (row.text("service")?, row.text("event_type")?, row.text("kind")?),
            example: row.text("example")?,
            before: Units::read(row, "before")?,
            after: Units::read(row, "after")?,
        })
    })
}

/// Those that were seen before both ranges.
async fn known(engine: &Engine, errors: &[&Errors], earlier: &Earlier) -> Result<HashSet<Kind>, InvestigationError> {
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
    let known = Rows::ask(engine, &sql).await?;
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
    found.is_large = found.is_large || (is_new && one.after.events >= EVENTS_MIN as u64);
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
