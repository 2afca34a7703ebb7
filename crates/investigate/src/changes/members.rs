//! Services, machines and workers that came or went.

use std::collections::{BTreeMap, HashMap, HashSet};

use emp_findings::{ChangeKind, Direction};
use emp_query::{Engine, literal};

use super::candidate::{Candidate, rounded};
use super::earlier::{Earlier, absence};
use super::ranges::Ranges;
use super::series::Series;
use super::tally::{Name, Names, Numbered, Tally};
use crate::investigation::InvestigationError;
use crate::judge::clock;

/// One that is heard of in the first part of the later range alone is gone, too: one of so many parts.
const FIRST_PART: usize = 4;
/// Where so many went in the earlier range already, workers come and go by themselves.
const FLUX_MIN: usize = 3;
/// One that was heard of in fewer slots has not lived there: a machine says what it is as it starts, and no more.
const LIVED_SLOTS_MIN: u64 = 4;
/// What is less likely by chance than this would have been told.
const P_MAX: f64 = 1e-3;

/// When one was heard of.
#[derive(Debug, Clone)]
struct Member {
    name: String,
    before: u64,
    after: u64,
    /// In how many slots.
    active: u64,
    first: usize,
    last: usize,
}

/// What came and went of each kind, with what there is to say about that.
pub(super) async fn members(
    engine: &Engine,
    (series, tally): (&[Series], &Tally),
    ranges: &Ranges,
    earlier: &Earlier,
) -> Result<(Vec<Candidate>, Vec<String>), InvestigationError> {
    let mut found = Vec::new();
    let mut notes = Vec::new();
    for (kind, column) in
        [(ChangeKind::Service, "service"), (ChangeKind::Machine, "machine_id"), (ChangeKind::Worker, "worker_id")]
    {
        let members = match kind {
            ChangeKind::Service => services(series, ranges),
            ChangeKind::Machine => tally.machines.members(&tally.names, ranges),
            _ => tally.workers.members(&tally.names, ranges),
        };
        let gone = gone(kind, &members, ranges);
        let new = new(engine, (kind, column), &members, ranges, earlier).await?;
        let real = [&gone[..], &new].map(|found| found.iter().filter(|one| one.change.p_value < P_MAX).count());
        match in_flux(&members, real, ranges) {
            // Those that came or went since say nothing then.
            Some(others) if real != [0, 0] => notes.push(format!(
                "{}s come and go by themselves, {others} within the earlier range: those that came or went since are \
                 not told",
                kind.in_words()
            )),
            Some(_) => {}
            None => found.extend([gone, new].concat()),
        }
    }
    Ok((found, notes))
}

/// How many events of each, by the slots that have any.
#[derive(Debug, Default)]
pub(super) struct Heard(HashMap<(Name, usize), u64>);

impl Heard {
    pub fn add(&mut self, slot: usize, events: &[(u32, u64)], names: Numbered<'_>) {
        for (number, events) in events {
            *self.0.entry((names.name(*number), slot)).or_default() += events;
        }
    }

    fn members(&self, names: &Names, ranges: &Ranges) -> Vec<Member> {
        let events = self.0.iter().map(|((name, slot), events)| (names.text(*name), *slot, *events));
        members_of(events, ranges)
    }
}

fn services(series: &[Series], ranges: &Ranges) -> Vec<Member> {
    let of_series = |one: &'_ Series| {
        let slots = one.events.iter().enumerate().filter(|(_, events)| **events > 0);
        slots.map(|(slot, events)| (slot, *events)).collect::<Vec<_>>()
    };
    let events = series
        .iter()
        .flat_map(|one| of_series(one).into_iter().map(|(slot, events)| (one.service.as_str(), slot, events)));
    members_of(events, ranges)
}

fn members_of<'a>(events: impl Iterator<Item = (&'a str, usize, u64)>, ranges: &Ranges) -> Vec<Member> {
    let mut all: BTreeMap<&str, BTreeMap<usize, u64>> = BTreeMap::new();
    for (name, slot, events) in events {
        *all.entry(name).or_default().entry(slot).or_default() += events;
    }
    let member = |(name, slots): (&str, BTreeMap<usize, u64>)| {
        Some(Member {
            name: name.to_owned(),
            before: slots.range(..ranges.before.slots).map(|(_, events)| events).sum(),
            after: slots.range(ranges.before.slots..).map(|(_, events)| events).sum(),
            active: slots.len() as u64,
            first: *slots.first_key_value()?.0,
            last: *slots.last_key_value()?.0,
        })
    };
    all.into_iter().filter_map(member).collect()
}

/// How many lived and went within the earlier range already, where these are half as many as came or went since, or
/// more.
fn in_flux(members: &[Member], [gone, new]: [usize; 2], ranges: &Ranges) -> Option<usize> {
    let half = ranges.before.slots / 2;
    let went = members.iter().filter(|one| one.active >= LIVED_SLOTS_MIN && one.last < half).count();
    // These are among the gone.
    let since = gone.saturating_sub(went).max(new);
    (went >= FLUX_MIN && 2 * went >= since).then_some(went)
}

/// Those that nothing is heard of any more: the probability that none of the slots in which they were active is
/// among those since.
fn gone(kind: ChangeKind, members: &[Member], ranges: &Ranges) -> Vec<Candidate> {
    let limit = ranges.before.slots + ranges.after.slots / FIRST_PART;
    let is_gone = |one: &&Member| one.before > 0 && one.last < limit;
    let told = members.iter().filter(is_gone).map(|one| {
        // What came and went within the earlier range is no sign of when it would come again.
        let since_ms = end_of_slot(one.last, ranges).max(ranges.after.since_ms);
        let silent = (ranges.after.until_ms - since_ms) as f64 / 3.6e6 / (ranges.before.hours() + ranges.after.hours());
        let mut found = candidate(kind, Direction::Gone, one, ranges, absence(one.active as f64, silent.min(1.0)));
        found.change.words = format!(
            "{} {} is gone: last heard of before {}",
            kind.in_words(),
            one.name,
            clock(end_of_slot(one.last, ranges))
        );
        found
    });
    told.collect()
}

/// Those of which nothing was heard before.
async fn new(
    engine: &Engine,
    (kind, column): (ChangeKind, &str),
    members: &[Member],
    ranges: &Ranges,
    earlier: &Earlier,
) -> Result<Vec<Candidate>, InvestigationError> {
    let new: Vec<&Member> = members.iter().filter(|one| one.before == 0).collect();
    let known = known(engine, column, &new, ranges, earlier).await?;
    let told = new.into_iter().map(|one| {
        let is_known = known.contains(&one.name);
        let before = ranges.before.hours() / (ranges.before.hours() + ranges.after.hours());
        let share = if is_known { before } else { earlier.share_with(ranges) };
        let mut found = candidate(kind, Direction::New, one, ranges, absence(one.active as f64, share));
        let since = clock(start_of_slot(one.first, ranges));
        found.change.words = match is_known {
            true => format!("{} {} is back, since {since} or later", kind.in_words(), one.name),
            false => format!("{} {} is new, since {since} or later", kind.in_words(), one.name),
        };
        found
    });
    Ok(told.collect())
}

async fn known(
    engine: &Engine,
    column: &str,
    members: &[&Member],
    ranges: &Ranges,
    earlier: &Earlier,
) -> Result<HashSet<String>, InvestigationError> {
    if members.is_empty() || earlier.is_empty() {
        return Ok(HashSet::new());
    }
    let names: Vec<String> = members.iter().map(|one| literal(&one.name)).collect();
    let sql = format!(
        "select {column} as name from events where {column} in ({}) and {} group by 1",
        names.join(", "),
        earlier.condition()
    );
    Ok(ranges.ask(engine, &sql).await?.map(|row| row.text("name"))?.into_iter().collect())
}

fn candidate(kind: ChangeKind, direction: Direction, one: &Member, ranges: &Ranges, p: f64) -> Candidate {
    let mut found = Candidate::new(kind, direction, &one.name, p);
    (found.change.before_count, found.change.after_count) = (one.before, one.after);
    found.change.before_per_hour = Some(rounded(one.before as f64 / ranges.before.hours()));
    found.change.after_per_hour = Some(rounded(one.after as f64 / ranges.after.hours()));
    found.is_large = true;
    found
}

fn start_of_slot(slot: usize, ranges: &Ranges) -> i64 {
    let (side, slot) = match slot.checked_sub(ranges.before.slots) {
        Some(slot) => (&ranges.after, slot),
        None => (&ranges.before, slot),
    };
    side.since_ms + (slot as f64 * side.hours_of_slot() * 3.6e6) as i64
}

fn end_of_slot(slot: usize, ranges: &Ranges) -> i64 {
    if slot + 1 == ranges.before.slots { ranges.before.until_ms } else { start_of_slot(slot + 1, ranges) }
}
