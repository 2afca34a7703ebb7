//! Who lives: the one judgement that every command asks for.
//!
//! A worker lives that was heard of within its own habit before now. What it said after a job's last event is
//! no sign of life, and one that has started anew has died, however soon it was back.

use std::collections::BTreeMap;

use emp_event::EntryId;
use emp_findings::Life;
use emp_job::{History, Meaning, vocabulary};
use emp_query::{literal, moment_literal};
use emp_typical::Sketch;
use emp_units as units;

use super::investigation::{Investigation, InvestigationError};
use super::judge::{CASES_MIN, last_word};
use super::rows::Rows;

/// A worker that said something within this time is never called silent.
const SILENT_MS_MIN: i64 = 30_000;
/// How long a worker may be silent where too few intervals of any worker are known.
const SILENT_MS_UNKNOWN: i64 = 60_000;
/// So many intervals tell how long a worker without a heartbeat may be idle.
const INTERVALS_MIN: u64 = 200;
/// An idle worker without a heartbeat is silent after so many times its longest silence.
const LONGEST_FACTOR: i64 = 2;
/// Where nothing at all was heard for that long, nothing can be said of single workers.
const ALL_SILENT_MS: i64 = 60_000;
/// Two words of one start, `worker.starting` and `worker.started`, are no further apart.
const START_MS_MAX: i64 = 120_000;
/// Workers of which nothing was heard for that long are no peers of a job that is looked at now.
const RECENT_MS: i64 = 15 * 60_000;

/// About so long after its last word about a job a worker that died is back.
const NEAR_MS: i64 = 24 * 3_600_000;
/// Heartbeats are listened for over that long.
const BEATS_MS: i64 = 3 * 3_600_000;

/// Every worker that was heard of, as of one moment.
#[derive(Debug, Default)]
pub(super) struct Living {
    now_ms: i64,
    /// When anything at all was heard last.
    heard_ms: i64,
    workers: BTreeMap<String, Worker>,
}

/// What is known of a worker.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    pub machine: Option<String>,
    pub events: u64,
    /// When it was heard of last, by Redis' clock: its own may be off.
    pub last_ms: i64,
    /// When it started, in order.
    pub starts: Vec<Word>,
    /// Its last words, where it said that it ends.
    stop: Option<Word>,
    pub habit: Habit,
}

/// A word about a worker's own life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    pub id: EntryId,
    pub arrived_ms: i64,
}

/// How long a worker leaves nothing to be heard.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Habit {
    /// In ms; `None` where it is not known.
    pub within_ms: Option<f64>,
    intervals: u64,
    longest_ms: i64,
    has_beat: bool,
}

impl Habit {
    /// Of these intervals: 99 of 100 are no longer, or it is the heartbeat of one that is busy at other times.
    fn of(intervals: &Sketch) -> Self {
        let beat_ms = intervals.regular_ms();
        let p99_ms = intervals.quantile(0.99).filter(|_| intervals.count() >= CASES_MIN);
        Self {
            within_ms: p99_ms.map(|p99_ms| p99_ms.max(beat_ms.unwrap_or_default())),
            intervals: intervals.count(),
            longest_ms: intervals.max_ms(),
            has_beat: beat_ms.is_some(),
        }
    }

    /// The same with a heartbeat that was heard lately.
    fn with_beat(self, beat_ms: f64) -> Self {
        Self { within_ms: Some(self.within_ms.unwrap_or_default().max(beat_ms)), has_beat: true, ..self }
    }

    /// From which silence on it is taken to be dead, in ms.
    pub fn limit_ms(&self) -> i64 {
        self.within_ms.map_or(SILENT_MS_UNKNOWN, |within_ms| ((3.0 * within_ms) as i64).max(SILENT_MS_MIN))
    }
}

impl Worker {
    /// Does it live, as of then?
    pub fn life(&self, now_ms: i64) -> Life {
        let is_quiet = now_ms - self.last_ms > self.habit.limit_ms();
        match self.stop.filter(|stop| self.starts.last().is_none_or(|start| start.id < stop.id)) {
            // One that ends may first bring its work to an end, and says no more when it has.
            Some(stop) if is_quiet || stop.arrived_ms >= self.last_ms => Life::Stopped,
            None if is_quiet => Life::Silent,
            _ => Life::Alive,
        }
    }

    /// Is its silence unusual even if it has no work? A heartbeat tells, else how long it ever was idle.
    fn is_unusually_silent(&self, silent_ms: i64) -> bool {
        self.habit.has_beat
            || (self.habit.intervals >= INTERVALS_MIN && silent_ms > LONGEST_FACTOR * self.habit.longest_ms)
    }

    /// Its first start after that word: then it has died in between.
    pub fn start_after(&self, id: EntryId) -> Option<Word> {
        self.starts.iter().copied().find(|start| start.id > id)
    }

    /// `it says something within 15 s 99 of 100 times`.
    pub fn habit_in_words(&self) -> Option<String> {
        let within_ms = self.habit.within_ms?;
        Some(format!("99 of 100 times it says something within {}", units::millis(within_ms)))
    }
}

impl Living {
    /// Without any worker.
    pub fn none(now_ms: i64) -> Self {
        Self { now_ms, ..Self::default() }
    }

    /// As of when.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// A worker that was heard of.
    pub fn worker(&self, worker_id: &str) -> Option<&Worker> {
        self.workers.get(worker_id)
    }

    /// All that were heard of, by name.
    pub fn workers(&self) -> impl Iterator<Item = (&str, &Worker)> {
        self.workers.iter().map(|(id, worker)| (id.as_str(), worker))
    }

    /// Those that live.
    pub fn alive(&self) -> impl Iterator<Item = &str> {
        self.workers().filter(|(_, worker)| worker.life(self.now_ms) == Life::Alive).map(|(id, _)| id)
    }

    /// Is a worker's silence worth an alert? Of one that had work it is; an idle one may have nothing to say. Where
    /// nobody at all is heard of, it is the collector that is silent.
    pub fn is_missed(&self, worker: &Worker, had_work: bool) -> bool {
        let silent_ms = self.now_ms - worker.last_ms;
        let others_speak = self.now_ms - self.heard_ms <= ALL_SILENT_MS;
        worker.life(self.now_ms) == Life::Silent && others_speak && (had_work || worker.is_unusually_silent(silent_ms))
    }
}

fn is_start(event_type: &str) -> bool {
    vocabulary().meaning(event_type) == Some(Meaning::WorkerStarted)
}

impl Investigation<'_> {
    /// Every worker that was heard of since then, as of now.
    ///
    /// # Errors
    /// As [`Investigation::open`].
    pub(super) async fn living_since(&self, since_ms: i64) -> Result<Living, InvestigationError> {
        let range =
            format!("ingested_at >= {} and ingested_at <= {}", moment_literal(since_ms), moment_literal(self.now_ms()));
        let mut living = self.living(&format!("worker_id is not null and {range}")).await?;
        self.add_beats(&mut living).await?;
        Ok(living)
    }

    /// The worker that has a job, and its peers of the last minutes; nobody where the job has ended.
    pub(super) async fn living_about(&self, history: &History) -> Result<Living, InvestigationError> {
        if history.terminal().is_some() {
            return Ok(Living::none(self.now_ms()));
        }
        let range = format!(
            "worker_id is not null and ingested_at >= {} and ingested_at <= {}",
            moment_literal(self.now_ms() - RECENT_MS),
            moment_literal(self.now_ms())
        );
        let mut living = self.living(&range).await?;
        let Some(holder) = history.holder() else { return Ok(living) };
        living.workers.extend(self.holder_of(history, holder).await?.workers);
        self.add_beats(&mut living).await?;
        Ok(living)
    }

    /// What the holder said since it had the job, however long ago that was. A start shortly after its last word about
    /// the job tells all: what lies between then and now is read only where there is none.
    async fn holder_of(&self, history: &History, holder: &str) -> Result<Living, InvestigationError> {
        let last = last_word(history, holder).unwrap_or(history.last());
        let since = |from_ms: i64, until_ms: i64| {
            format!("(ingested_at >= {} and ingested_at <= {})", moment_literal(from_ms), moment_literal(until_ms))
        };
        let of_holder = |range: String| format!("worker_id = {} and {range}", literal(holder));
        let (start_ms, now_ms) = (history.start_ms(), self.now_ms());
        if now_ms - last.arrived_ms > 2 * NEAR_MS {
            let near = since(start_ms, last.arrived_ms + NEAR_MS);
            let lately = since(now_ms - NEAR_MS, now_ms);
            let living = self.living(&of_holder(format!("({near} or {lately})"))).await?;
            if living.worker(holder).is_some_and(|worker| worker.start_after(last.id).is_some()) {
                return Ok(living);
            }
        }
        self.living(&of_holder(since(start_ms, now_ms))).await
    }

    async fn living(&self, condition: &str) -> Result<Living, InvestigationError> {
        let sql = format!(
            "select worker_id, count(*) as events, max(machine_id) as machine, cast(max(ingested_at) as bigint) as last \
             from events where {condition} group by worker_id"
        );
        let pooled = Habit::of(&self.typical().any_worker());
        let mut workers = BTreeMap::new();
        Rows::ask(self.engine(), &sql).await?.map(|row| {
            let id = row.text("worker_id")?;
            let own = self.typical().worker(&id).map(Habit::of).filter(|habit| habit.within_ms.is_some());
            let worker = Worker {
                machine: row.optional_text("machine")?,
                events: row.integer("events")?.unsigned_abs(),
                last_ms: row.integer("last")?,
                starts: Vec::new(),
                stop: None,
                habit: own.unwrap_or(Habit { intervals: 0, ..pooled }),
            };
            workers.insert(id, worker);
            Ok(())
        })?;
        self.add_words(condition, &mut workers).await?;
        Ok(Living { now_ms: self.now_ms(), heard_ms: self.heard_ms().await?, workers })
    }

    /// When anything at all was heard last, as of now; the epoch where that was long ago.
    async fn heard_ms(&self) -> Result<i64, InvestigationError> {
        if let Some(newest_ms) = self.newest_ms().filter(|newest_ms| *newest_ms <= self.now_ms()) {
            return Ok(newest_ms);
        }
        let sql = format!(
            "select cast(max(ingested_at) as bigint) as last from events where ingested_at >= {} and ingested_at <= {}",
            moment_literal(self.now_ms() - 2 * ALL_SILENT_MS),
            moment_literal(self.now_ms())
        );
        Ok(Rows::ask(self.engine(), &sql).await?.map(|row| row.integer("last"))?.first().copied().unwrap_or_default())
    }

    /// Heartbeats of the last hours, of which what is typical may know nothing yet: a worker may be new, or idle for the
    /// first time. Seconds in which it said something are enough for that, however much it said.
    async fn add_beats(&self, living: &mut Living) -> Result<(), InvestigationError> {
        let sql = format!(
            "select worker_id, second - before as seconds, count(*) as times from (select worker_id, second, \
             lag(second) over (partition by worker_id order by second) as before from (select distinct worker_id, \
             cast(round(cast(ingested_at as bigint) / 1000.0) as bigint) as second from events \
             where worker_id is not null and ingested_at >= {} and ingested_at <= {})) \
             where before is not null group by 1, 2",
            moment_literal(self.now_ms() - BEATS_MS),
            moment_literal(self.now_ms())
        );
        let mut intervals: BTreeMap<String, Sketch> = BTreeMap::new();
        Rows::ask(self.engine(), &sql).await?.map(|row| {
            let times = u32::try_from(row.integer("times")?).unwrap_or(u32::MAX);
            intervals.entry(row.text("worker_id")?).or_default().add_times(row.integer("seconds")? * 1_000, times);
            Ok(())
        })?;
        for (id, worker) in &mut living.workers {
            if let Some(beat_ms) = intervals.get(id).and_then(Sketch::regular_ms) {
                worker.habit = worker.habit.with_beat(beat_ms);
            }
        }
        Ok(())
    }

    /// What they said about their own lives.
    async fn add_words(
        &self,
        condition: &str,
        workers: &mut BTreeMap<String, Worker>,
    ) -> Result<(), InvestigationError> {
        let words = [Meaning::WorkerStarted, Meaning::WorkerStopped].into_iter().flat_map(|of| vocabulary().types(of));
        let words: Vec<String> = words.map(literal).collect();
        let sql = format!(
            "select worker_id, event_type, id, cast(ingested_at as bigint) as arrived from events \
             where event_type in ({}) and {condition} order by ingested_at, length(id), id",
            words.join(", ")
        );
        let mut last: BTreeMap<String, (String, i64)> = BTreeMap::new();
        Rows::ask(self.engine(), &sql).await?.map(|row| {
            let (id, event_type) = (row.text("worker_id")?, row.text("event_type")?);
            let word =
                Word { id: row.text("id")?.parse().unwrap_or(EntryId::ZERO), arrived_ms: row.integer("arrived")? };
            let before = last.insert(id.clone(), (event_type.clone(), word.arrived_ms));
            let goes_on = before.is_some_and(|(before, at_ms)| {
                is_start(&before) && before != event_type && word.arrived_ms - at_ms <= START_MS_MAX
            });
            let Some(worker) = workers.get_mut(&id) else { return Ok(()) };
            if !is_start(&event_type) {
                worker.stop = Some(word);
            } else if !goes_on {
                worker.starts.push(word);
            }
            Ok(())
        })?;
        Ok(())
    }
}
