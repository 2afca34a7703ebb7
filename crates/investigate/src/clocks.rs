//! Whose clock is ahead: of the finest name that has a clock of its own, by how much, and since when.
//!
//! Redis' IDs are one clock for all. An event that arrives before it happened proves that its producer's clock is
//! ahead. A worker has one clock; a machine is named where all its workers and what it says itself agree.

use std::collections::{BTreeMap, BTreeSet};

use emp_findings::{AnomalyKind, ClockAhead, Moment, Severity, Subject, Unit};
use emp_query::{literal, moment_literal};
use emp_units as units;

use super::detect::Suspicion;
use super::investigation::{Investigation, InvestigationError};
use super::judge::clock;
use super::rows::Rows;

/// An event may seem to arrive so much before it happened where both clocks are right: they are read in ms.
const PROVEN_MS: i64 = 20;
/// A clock that is ahead by less is no reason to get up.
const ALERT_MS: i64 = 500;
/// Fewer events prove nothing.
const EVENTS_MIN: u64 = 30;
const MINUTE_MS: i64 = 60_000;
/// Whether a clock is ahead is looked at minute by minute; more of its minutes than these without a sign of it, and
/// it was right then.
const RIGHT_MINUTES: i64 = 5;
/// Where none of so many of its newest events proves it, its clock has been put right.
const NEWEST_EVENTS: usize = 10;
/// Its newest events are those of that long.
const NEWEST_MS: i64 = 3_600_000;

/// Whoever has a clock of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Producer {
    Worker(String),
    Machine(String),
    Service(String),
}

/// What a minute of a producer's events says of its clock.
#[derive(Debug, Clone, Copy, Default)]
struct Minute {
    events: u64,
    /// How far the clock is ahead at least, in ms; below zero where nothing is proven.
    ahead_ms: i64,
}

/// By the minutes before now.
type Minutes = BTreeMap<i64, Minute>;

/// A clock that is, or was, ahead.
#[derive(Debug, Clone)]
struct Ahead {
    ms: i64,
    since_ms: i64,
    until_ms: i64,
    events: u64,
    /// Has it not been put right since?
    is_now: bool,
    /// Was it ahead in all that was looked at?
    since_before: bool,
}

/// The clocks that are proven to be ahead.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    ahead: BTreeMap<Producer, Ahead>,
}

impl Clocks {
    /// Of a worker, or of the machine that it is on; nothing of a clock that has been put right.
    pub fn of_worker(&self, worker_id: &str, machine_id: Option<&str>) -> Option<ClockAhead> {
        let machine = machine_id.map(|machine| Producer::Machine(machine.to_owned()));
        let own = self.ahead.get(&Producer::Worker(worker_id.to_owned()));
        let ahead = own.or_else(|| self.ahead.get(&machine?)).filter(|ahead| ahead.is_now)?;
        Some(ClockAhead { ms: ahead.ms, since: Moment(ahead.since_ms) })
    }

    /// Is one of them ahead since before that moment?
    pub fn have_begun_by(&self, ms: i64) -> bool {
        self.ahead.values().any(|ahead| ahead.since_ms < ms)
    }

    /// Those that were ahead since then, whenever that began.
    #[must_use]
    pub fn seen_since(mut self, ms: i64) -> Self {
        self.ahead.retain(|_, ahead| ahead.until_ms >= ms);
        self
    }

    /// What is to be said of each; of one that has been put right a note.
    pub fn suspicions(&self) -> Vec<Suspicion> {
        self.ahead.iter().map(|(producer, ahead)| suspicion(producer, ahead)).collect()
    }
}

fn suspicion(producer: &Producer, ahead: &Ahead) -> Suspicion {
    let mut subject = Subject::default();
    let (name, place) = match producer {
        Producer::Worker(id) => (id, &mut subject.worker_id),
        Producer::Machine(id) => (id, &mut subject.machine_id),
        Producer::Service(id) => (id, &mut subject.service),
    };
    *place = Some(name.clone());
    let by = units::millis(ahead.ms as f64);
    let message = if ahead.is_now {
        let since = if ahead.since_before { "since before" } else { "since" };
        format!("the clock of {name} is at least {by} ahead, {since} {}", clock(ahead.since_ms))
    } else {
        let (since, until) = (clock(ahead.since_ms), clock(ahead.until_ms));
        format!("the clock of {name} was at least {by} ahead from {since} until {until}; it has been put right")
    };
    let is_grave = ahead.is_now && ahead.ms >= ALERT_MS;
    Suspicion {
        kind: AnomalyKind::Skew,
        severity: if is_grave { Severity::Alert } else { Severity::Note },
        subject,
        value: ahead.ms as f64,
        baseline: Some(0.0),
        unit: Unit::Ms,
        since_ms: Some(ahead.since_ms),
        until_ms: (!ahead.is_now).then_some(ahead.until_ms),
        n: ahead.events,
        p: None,
        is_large: true,
        message,
    }
}

impl Investigation<'_> {
    /// The clocks that are ahead now, or were since `since_ms`.
    ///
    /// # Errors
    /// As [`Investigation::open`].
    pub(super) async fn clocks(&self, since_ms: i64) -> Result<Clocks, InvestigationError> {
        let sql = format!(
            "select worker_id, machine_id, service, \
             cast(floor(({now} - cast(ingested_at as bigint)) / {MINUTE_MS}.0) as bigint) as minute, \
             count(*) as events, max(cast(timestamp as bigint) - cast(ingested_at as bigint)) as ahead \
             from events where ingested_at >= {} and ingested_at <= {} group by 1, 2, 3, 4",
            moment_literal(since_ms),
            moment_literal(self.now_ms()),
            now = self.now_ms()
        );
        let mut producers: BTreeMap<Producer, Minutes> = BTreeMap::new();
        let mut workers_on: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        Rows::ask(self.engine(), &sql).await?.map(|row| {
            let (worker, machine) = (row.optional_text("worker_id")?, row.optional_text("machine_id")?);
            let producer = match (worker, machine) {
                (Some(worker), machine) => {
                    if let Some(machine) = machine {
                        workers_on.entry(machine).or_default().insert(worker.clone());
                    }
                    Producer::Worker(worker)
                }
                (None, Some(machine)) => Producer::Machine(machine),
                (None, None) => Producer::Service(row.text("service")?),
            };
            let events = row.integer("events")?.unsigned_abs();
            let ahead_ms = row.integer("ahead")?;
            let minute = producers.entry(producer).or_default().entry(row.integer("minute")?);
            let known = minute.or_insert(Minute { events: 0, ahead_ms: i64::MIN });
            known.events += events;
            known.ahead_ms = known.ahead_ms.max(ahead_ms);
            Ok(())
        })?;
        let mut found: BTreeMap<Producer, Ahead> = BTreeMap::new();
        for (producer, minutes) in &producers {
            if let Some(mut ahead) = ahead(minutes, self.now_ms()) {
                ahead.is_now = self.is_still_ahead(producer).await?;
                found.insert(producer.clone(), ahead);
            }
        }
        Ok(Clocks { ahead: of_machines(found, &producers, &workers_on, self.now_ms()) })
    }

    /// Does one of its newest events prove it? Else its clock has been put right.
    async fn is_still_ahead(&self, producer: &Producer) -> Result<bool, InvestigationError> {
        let who = match producer {
            Producer::Worker(id) => format!("worker_id = {}", literal(id)),
            Producer::Machine(id) => format!("worker_id is null and machine_id = {}", literal(id)),
            Producer::Service(id) => format!("worker_id is null and machine_id is null and service = {}", literal(id)),
        };
        let sql = format!(
            "select max(cast(timestamp as bigint) - cast(ingested_at as bigint)) as ahead from (select timestamp, \
             ingested_at from events where {who} and ingested_at >= {} and ingested_at <= {} \
             order by ingested_at desc limit {NEWEST_EVENTS})",
            moment_literal(self.now_ms() - NEWEST_MS),
            moment_literal(self.now_ms())
        );
        let ahead = Rows::ask(self.engine(), &sql).await?.map(|row| row.integer("ahead"))?;
        Ok(ahead.first().is_some_and(|ahead| *ahead > PROVEN_MS))
    }
}

/// One clock instead of several, where all that are on a machine agree.
fn of_machines(
    mut found: BTreeMap<Producer, Ahead>,
    producers: &BTreeMap<Producer, Minutes>,
    workers_on: &BTreeMap<String, BTreeSet<String>>,
    now_ms: i64,
) -> BTreeMap<Producer, Ahead> {
    for (machine, workers) in workers_on.iter().filter(|(_, workers)| workers.len() >= 2) {
        let own = Producer::Machine(machine.clone());
        let members = workers.iter().map(|worker| Producer::Worker(worker.clone()));
        let members: Vec<Producer> = members.chain(producers.contains_key(&own).then(|| own.clone())).collect();
        let is_against = |member: &&Producer| {
            let said = producers.get(member).filter(|_| !found.contains_key(member));
            // One of which too little is heard says neither yes nor no.
            said.is_some_and(|minutes| stretch(minutes, now_ms).is_none() && events_of(minutes) >= EVENTS_MIN)
        };
        if members.iter().any(|member| is_against(&member)) {
            continue;
        }
        let agree: Vec<Ahead> = members.iter().filter_map(|member| found.get(member).cloned()).collect();
        let is_one = |agree: &Vec<Ahead>| agree.len() >= 2 && agree.iter().all(|one| one.is_now == agree[0].is_now);
        if !is_one(&agree) {
            continue;
        }
        found.retain(|name, _| !members.contains(name));
        found.insert(own, together(&agree));
    }
    found
}

fn events_of(minutes: &Minutes) -> u64 {
    minutes.values().map(|minute| minute.events).sum()
}

/// What is said of one clock by all that go by it.
fn together(agree: &[Ahead]) -> Ahead {
    Ahead {
        ms: agree.iter().map(|one| one.ms).max().unwrap_or_default(),
        since_ms: agree.iter().map(|one| one.since_ms).min().unwrap_or_default(),
        until_ms: agree.iter().map(|one| one.until_ms).max().unwrap_or_default(),
        events: agree.iter().map(|one| one.events).sum(),
        is_now: agree.iter().all(|one| one.is_now),
        since_before: agree.iter().any(|one| one.since_before),
    }
}

/// The last stretch of minutes in which a clock was ahead, where it proves something.
fn ahead(minutes: &Minutes, now_ms: i64) -> Option<Ahead> {
    stretch(minutes, now_ms).filter(|stretch| stretch.events >= EVENTS_MIN)
}

fn stretch(minutes: &Minutes, now_ms: i64) -> Option<Ahead> {
    let is_ahead = |minute: &Minute| minute.ahead_ms > PROVEN_MS;
    let (newest, _) = minutes.iter().find(|(_, minute)| is_ahead(minute))?;
    let until_ms = now_ms - newest * MINUTE_MS;
    let mut stretch = Ahead { ms: 0, since_ms: 0, until_ms, events: 0, is_now: false, since_before: false };
    let (mut oldest, mut right) = (*newest, 0);
    for (minute, said) in minutes.range(newest..) {
        right = if is_ahead(said) { 0 } else { right + 1 };
        if right > RIGHT_MINUTES {
            break;
        }
        if right == 0 {
            oldest = *minute;
            // As it is now: a clock may drift.
            if minute - newest < RIGHT_MINUTES {
                stretch.ms = stretch.ms.max(said.ahead_ms);
            }
        }
        stretch.events += said.events;
    }
    stretch.since_ms = now_ms - (oldest + 1) * MINUTE_MS;
    stretch.since_before = minutes.keys().next_back() == Some(&oldest);
    Some(stretch)
}
