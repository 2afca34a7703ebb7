//! Whose clock is wrong: of the finest name that has a clock of its own, by how much, and since when.
//!
//! Redis' IDs are one clock for all. An event that arrives before it happened proves that its producer's clock is
//! ahead; that one is behind is proven by [`Offsets`]. A worker has one clock; a machine is named where all its workers
//! and what it says itself agree.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use emp_findings::{AnomalyKind, ClockOff, Moment, Severity, Subject, Unit};
use emp_job::Offsets;
use emp_query::{Engine, literal, moment_literal};
use emp_units as units;

use super::detect::Suspicion;
use super::investigation::{Answering, Investigation, InvestigationError};
use super::judge::clock;
use super::rows::Rows;

/// An event may seem to arrive so much before it happened where both clocks are right: they are read in ms.
const PROVEN_MS: i64 = 20;
/// A clock that is off by less is no reason to get up.
const ALERT_MS: i64 = 500;
/// In a minute in which a clock is behind, no event arrives sooner than that.
const BEHIND_MS: i64 = 500;
/// Fewer events prove nothing.
const EVENTS_MIN: u64 = 30;
/// Where it is far ahead in two minutes, each event that arrives so long before it happened is a proof for itself, but for
/// one that states another moment than its own.
const EVENTS_FAR_AHEAD_MIN: u64 = 10;
const MINUTE_MS: i64 = 60_000;
/// Whether a clock is wrong is looked at minute by minute; more of its minutes than these without a sign of it, and
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

impl Producer {
    fn name(&self) -> &str {
        let (Self::Worker(name) | Self::Machine(name) | Self::Service(name)) = self;
        name
    }

    /// Its kind and its name, as one text.
    fn key(&self) -> String {
        let kind = match self {
            Self::Worker(_) => 'w',
            Self::Machine(_) => 'm',
            Self::Service(_) => 's',
        };
        format!("{kind}{}", self.name())
    }
}

/// What a minute of a producer's events says of its clock.
#[derive(Debug, Clone, Copy, Default)]
struct Minute {
    events: u64,
    /// How far the clock is ahead at least, in ms; below zero where the quickest event took so long to arrive.
    ahead_ms: i64,
}

/// Into which direction a clock may be off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Ahead,
    Behind,
}

impl Direction {
    /// Was the clock off so in that minute?
    const fn shows_in(self, minute: Minute) -> bool {
        match self {
            Self::Ahead => minute.ahead_ms > PROVEN_MS,
            Self::Behind => minute.ahead_ms <= -BEHIND_MS,
        }
    }
}

/// By how many minutes they are before that of now.
type Minutes = BTreeMap<i64, Minute>;

/// A clock that is, or was, wrong.
#[derive(Debug, Clone)]
struct Off {
    /// By how much it is ahead; below zero where it is behind.
    ms: i64,
    since_ms: i64,
    until_ms: i64,
    events: u64,
    /// Has it not been put right since?
    is_now: bool,
    /// Was it wrong in all that was looked at?
    since_before: bool,
}

/// The clocks that are proven to be wrong.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    off: BTreeMap<Producer, Off>,
    /// On which machine each worker is, where it says so.
    machines: BTreeMap<String, String>,
}

impl Clocks {
    /// Of a worker, or of the machine that it is on; nothing of a clock that has been put right.
    pub fn of_worker(&self, worker_id: &str, machine_id: Option<&str>) -> Option<ClockOff> {
        let machine = machine_id.map(|machine| Producer::Machine(machine.to_owned()));
        let own = self.off.get(&Producer::Worker(worker_id.to_owned()));
        let off = own.or_else(|| self.off.get(&machine?)).filter(|off| off.is_now)?;
        Some(ClockOff { ms: off.ms, since: Moment(off.since_ms) })
    }

    /// Is one of them wrong since before that moment?
    pub fn have_begun_by(&self, ms: i64) -> bool {
        self.off.values().any(|off| off.since_ms < ms)
    }

    /// Those that were wrong since then, whenever that began.
    #[must_use]
    pub fn seen_since(mut self, ms: i64) -> Self {
        self.off.retain(|_, off| off.until_ms >= ms);
        self
    }

    /// The machine of a worker, where that is told of with another clock of it that is off: both are one incident. One
    /// worker's clock alone says nothing of its machine.
    fn machine_of(&self, producer: &Producer) -> Option<&String> {
        let Producer::Worker(worker) = producer else { return None };
        let machine = self.machines.get(worker)?;
        let is_beside = |other: &Producer| match other {
            Producer::Worker(other) => other != worker && self.machines.get(other) == Some(machine),
            Producer::Machine(other) => other == machine,
            Producer::Service(_) => false,
        };
        self.off.keys().any(is_beside).then_some(machine)
    }

    /// What is to be said of each; of one that has been put right a note.
    pub fn suspicions(&self) -> Vec<Suspicion> {
        self.off.iter().map(|(producer, off)| suspicion(producer, self.machine_of(producer), off)).collect()
    }
}

/// `1 m 30 s ahead`, or `8 s behind`, of a clock that is ahead by so many ms.
pub(super) fn off_in_words(ahead_ms: i64) -> String {
    let by = units::millis(ahead_ms.unsigned_abs() as f64);
    format!("{by} {}", if ahead_ms < 0 { "behind" } else { "ahead" })
}

/// What times that two clocks tell are judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByClocks {
    /// By what is known of the clocks.
    Corrected,
    /// As they were sent.
    Raw,
    /// By what each event says itself, which its producer has measured.
    Stated,
}

/// Since when clocks that were wrong are told of, ms since the epoch: those of a longer range's last week, which somebody
/// can still put right.
pub fn clocks_since(since_ms: Option<i64>, until_ms: i64) -> i64 {
    const WEEK_MS: i64 = 7 * 24 * 3_600_000;
    since_ms.unwrap_or(i64::MIN).max(until_ms - WEEK_MS)
}

/// One line about all clocks that are wrong in a range, the worst first; nothing where all are right. The parameters
/// are those of the canned query `clocks`.
///
/// # Errors
/// As [`Investigation::open`].
pub fn clocks_note<'a>(
    engine: &'a Engine,
    parameters: &'a [(String, String)],
    by: ByClocks,
) -> Answering<'a, Option<String>> {
    Box::pin(async move {
        let off = engine.clocks_off(parameters).await?;
        let Some((worst, ahead_ms)) = off.first() else { return Ok(None) };
        let others = match off.len() - 1 {
            0 => String::new(),
            others => format!(", and {} less", units::counted(others, "other", "others")),
        };
        let judged = match by {
            ByClocks::Raw => "times are subtracted as they were sent",
            ByClocks::Stated => "a duration that it reckons from another's clock is wrong by as much",
            ByClocks::Corrected => "times are put right by when events arrive",
        };
        Ok(Some(format!("the clock of {worst} is at least {}{others}: {judged}", off_in_words(*ahead_ms))))
    })
}

fn suspicion(producer: &Producer, machine: Option<&String>, off: &Off) -> Suspicion {
    let mut subject = Subject { machine_id: machine.cloned(), ..Subject::default() };
    let (name, place) = match producer {
        Producer::Worker(id) => (id, &mut subject.worker_id),
        Producer::Machine(id) => (id, &mut subject.machine_id),
        Producer::Service(id) => (id, &mut subject.service),
    };
    *place = Some(name.clone());
    let by = off_in_words(off.ms);
    let message = if off.is_now {
        let since = if off.since_before { "since before" } else { "since" };
        format!("the clock of {name} is at least {by}, {since} {}", clock(off.since_ms))
    } else {
        let (since, until) = (clock(off.since_ms), clock(off.until_ms));
        format!("the clock of {name} was at least {by} from {since} until {until}; it has been put right")
    };
    let is_grave = off.is_now && off.ms.abs() >= ALERT_MS;
    Suspicion {
        kind: AnomalyKind::Skew,
        severity: if is_grave { Severity::Alert } else { Severity::Note },
        subject,
        value: off.ms as f64,
        baseline: Some(0.0),
        unit: Unit::Ms,
        since_ms: Some(off.since_ms),
        until_ms: (!off.is_now).then_some(off.until_ms),
        n: off.events,
        p: None,
        is_large: true,
        message,
        shared: None,
    }
}

impl Investigation<'_> {
    /// The clocks that are wrong now, or were since `since_ms`.
    ///
    /// # Errors
    /// As [`Investigation::open`].
    pub(super) fn clocks(&self, since_ms: i64) -> Answering<'_, Clocks> {
        Box::pin(async move {
            let end_ms = (self.now_ms().div_euclid(MINUTE_MS) + 1) * MINUTE_MS;
            let mut producers: BTreeMap<Producer, Minutes> = BTreeMap::new();
            let mut workers_on: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for (names, minutes) in self.engine().arrivals(since_ms, self.now_ms()).await?.iter() {
                let [worker, machine, service] = [&names.worker, &names.machine, &names.service].map(Option::as_deref);
                if let Some((machine, worker)) = machine.zip(worker) {
                    workers_on.entry(machine.to_owned()).or_default().insert(worker.to_owned());
                }
                let producer = match (worker, machine) {
                    (Some(worker), _) => Producer::Worker(worker.to_owned()),
                    (None, Some(machine)) => Producer::Machine(machine.to_owned()),
                    (None, None) => Producer::Service(service.unwrap_or_default().to_owned()),
                };
                let known = producers.entry(producer).or_default();
                for one in minutes {
                    let back = (end_ms - one.start_ms()) / MINUTE_MS - 1;
                    let minute = known.entry(back).or_insert(Minute { events: 0, ahead_ms: i64::MIN });
                    minute.events += one.events;
                    minute.ahead_ms = minute.ahead_ms.max(one.ahead_ms);
                }
            }
            let mut found: Vec<(&Producer, Direction, Off)> = Vec::new();
            let mut offsets: Option<Arc<Offsets>> = None;
            for (producer, minutes) in &producers {
                for direction in [Direction::Ahead, Direction::Behind] {
                    let Some(off) = off(minutes, end_ms, direction) else { continue };
                    if direction == Direction::Behind {
                        let known = match &offsets {
                            Some(known) => known,
                            None => &*offsets.insert(self.engine().offsets(Some(since_ms), Some(self.now_ms())).await?),
                        };
                        if !known.is_behind(producer.name()) {
                            continue;
                        }
                    }
                    found.push((producer, direction, off));
                }
            }
            let newest = self.newest_of(found.iter().map(|(producer, ..)| *producer), &producers).await?;
            let mut off_by: BTreeMap<Producer, Off> = BTreeMap::new();
            for (producer, direction, mut off) in found {
                // One of a clock that is ahead, all of one that is behind: else it has been put right.
                off.is_now = newest.get(&producer.key()).is_some_and(|newest| direction.shows_in(*newest));
                off_by.entry(producer.clone()).or_insert(off);
            }
            let off = of_machines(off_by, &producers, &workers_on, end_ms);
            let on = |(machine, workers): (String, BTreeSet<String>)| {
                workers.into_iter().map(move |worker| (worker, machine.clone())).collect::<Vec<_>>()
            };
            Ok(Clocks { off, machines: workers_on.into_iter().flat_map(on).collect() })
        })
    }

    /// What the newest events of some producers say of their clocks, by their keys: by one look at no more than
    /// the minutes in which these are.
    async fn newest_of(
        &self,
        of: impl Iterator<Item = &Producer>,
        producers: &BTreeMap<Producer, Minutes>,
    ) -> Result<BTreeMap<String, Minute>, InvestigationError> {
        let (mut keys, mut minutes_back) = (BTreeSet::new(), 0);
        for producer in of {
            keys.insert(literal(&producer.key()));
            minutes_back = minutes_back.max(producers.get(producer).map_or(0, newest_minutes));
        }
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let keys: Vec<String> = keys.into_iter().collect();
        let from_ms = self.now_ms() - (minutes_back * MINUTE_MS).min(NEWEST_MS);
        let sql = format!(
            "select producer, max(ahead) as ahead from (select producer, ahead, \
             row_number() over (partition by producer order by arrived desc) as place from (select \
             case when worker_id is not null then concat('w', worker_id) \
             when machine_id is not null then concat('m', machine_id) else concat('s', service) end as producer, \
             cast(timestamp as bigint) - cast(ingested_at as bigint) as ahead, cast(ingested_at as bigint) as arrived \
             from events where ingested_at >= {} and ingested_at <= {}) where producer in ({})) \
             where place <= {NEWEST_EVENTS} group by 1",
            moment_literal(from_ms),
            moment_literal(self.now_ms()),
            keys.join(", ")
        );
        let newest = Rows::ask(self.engine(), &sql)
            .await?
            .map(|row| Ok((row.text("producer")?, Minute { events: 1, ahead_ms: row.integer("ahead")? })))?;
        Ok(newest.into_iter().collect())
    }
}

/// How many minutes before now have the newest events of a producer.
fn newest_minutes(minutes: &Minutes) -> i64 {
    let mut left = NEWEST_EVENTS as u64;
    let mut last = 0;
    for (minute, said) in minutes {
        last = *minute;
        left = left.saturating_sub(said.events);
        if left == 0 {
            break;
        }
    }
    last + 1
}

/// One clock instead of several, where all that are on a machine agree: the machine's, or that of its only worker.
fn of_machines(
    mut found: BTreeMap<Producer, Off>,
    producers: &BTreeMap<Producer, Minutes>,
    workers_on: &BTreeMap<String, BTreeSet<String>>,
    end_ms: i64,
) -> BTreeMap<Producer, Off> {
    for (machine, workers) in workers_on {
        let own = Producer::Machine(machine.clone());
        let members = workers.iter().map(|worker| Producer::Worker(worker.clone()));
        let members: Vec<Producer> = members.chain(producers.contains_key(&own).then(|| own.clone())).collect();
        let is_against = |member: &&Producer| {
            let said = producers.get(member).filter(|_| !found.contains_key(member));
            // One of which too little is heard says neither yes nor no.
            said.is_some_and(|minutes| {
                let is_right = |direction| stretch(minutes, end_ms, direction).is_none();
                is_right(Direction::Ahead) && is_right(Direction::Behind) && events_of(minutes) >= EVENTS_MIN
            })
        };
        if members.iter().any(|member| is_against(&member)) {
            continue;
        }
        let agree: Vec<Off> = members.iter().filter_map(|member| found.get(member).cloned()).collect();
        let is_alike = |one: &Off, other: &Off| (one.is_now, one.ms < 0) == (other.is_now, other.ms < 0);
        let is_one = |agree: &Vec<Off>| agree.len() >= 2 && agree.iter().all(|one| is_alike(one, &agree[0]));
        if !is_one(&agree) {
            continue;
        }
        found.retain(|name, _| !members.contains(name));
        let only = workers.first().filter(|_| workers.len() == 1);
        found.insert(only.map_or(own, |worker| Producer::Worker(worker.clone())), together(&agree));
    }
    found
}

fn events_of(minutes: &Minutes) -> u64 {
    minutes.values().map(|minute| minute.events).sum()
}

/// What is said of one clock by all that go by it.
fn together(agree: &[Off]) -> Off {
    Off {
        ms: agree.iter().map(|one| one.ms).max().unwrap_or_default(),
        since_ms: agree.iter().map(|one| one.since_ms).min().unwrap_or_default(),
        until_ms: agree.iter().map(|one| one.until_ms).max().unwrap_or_default(),
        events: agree.iter().map(|one| one.events).sum(),
        is_now: agree.iter().all(|one| one.is_now),
        since_before: agree.iter().any(|one| one.since_before),
    }
}

/// The last stretch of minutes in which a clock was off so, where it proves something.
fn off(minutes: &Minutes, end_ms: i64, direction: Direction) -> Option<Off> {
    stretch(minutes, end_ms, direction).filter(|stretch| {
        let are_minutes = stretch.until_ms - stretch.since_ms >= 2 * MINUTE_MS;
        let is_far_ahead = direction == Direction::Ahead && stretch.ms >= ALERT_MS && are_minutes;
        stretch.events >= if is_far_ahead { EVENTS_FAR_AHEAD_MIN } else { EVENTS_MIN }
    })
}

/// `end_ms` is the end of the minute of now.
fn stretch(minutes: &Minutes, end_ms: i64, direction: Direction) -> Option<Off> {
    let (newest, first) = minutes.iter().find(|(_, minute)| direction.shows_in(**minute))?;
    let until_ms = end_ms - newest * MINUTE_MS;
    let mut stretch = Off { ms: first.ahead_ms, since_ms: 0, until_ms, events: 0, is_now: false, since_before: false };
    let (mut oldest, mut right) = (*newest, 0);
    for (minute, said) in minutes.range(newest..) {
        right = if direction.shows_in(*said) { 0 } else { right + 1 };
        if right > RIGHT_MINUTES {
            break;
        }
        if right == 0 {
            oldest = *minute;
            // As it is now: a clock may drift. Of a clock that is behind, too, it is the quickest event that tells.
            if minute - newest < RIGHT_MINUTES {
                stretch.ms = stretch.ms.max(said.ahead_ms);
            }
        }
        stretch.events += said.events;
    }
    stretch.since_ms = end_ms - (oldest + 1) * MINUTE_MS;
    stretch.since_before = minutes.keys().next_back() == Some(&oldest);
    Some(stretch)
}
