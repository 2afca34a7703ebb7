//! Asking the store.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use emp_event::EntryId;
use emp_findings::{Diagnosis, Judged};
use emp_job::{History, JobEvent, Meaning, Offsets, vocabulary};
use emp_query::{EVENT_COLUMNS, Engine, EventsRead, QueryError, column_as, literal, moment_literal};
use emp_typical::{Learning, Typical};

use super::judge::{clock, judge, missing_steps, not_found};
use super::past::Memory;
use super::rows::Rows;
use super::surroundings::{Lost, Surroundings};
use super::why_slow::shared_traits;
use super::workers::{HEARD_MS, missed};

/// Why a question about jobs has no answer.
#[derive(Debug, thiserror::Error)]
pub enum InvestigationError {
    /// The store was asked in vain.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A row is not what it should be.
    #[error("the store's rows cannot be read as events: {0}")]
    Rows(#[from] ArrowError),
}

/// A question that is being answered, behind a pointer. What a future does is compiled by whoever awaits it, so that without
/// this each room that asks would compile it anew.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<T, InvestigationError>> + Send + 'a>>;

/// Questions about the jobs of one store, as of one moment.
#[derive(Debug)]
pub struct Investigation<'a> {
    engine: &'a Engine,
    typical: Typical,
    now_ms: i64,
    newest_ms: Option<i64>,
    memory: Arc<Memory>,
}

/// Longer texts in `data` say nothing more about what goes on, and larger lists nothing at all.
const MEMBER_BYTES_MAX: usize = 4 << 10;
/// How long before a job and after it its surroundings reach.
const MARGIN_MS: i64 = 30 * 60_000;
/// Of a job that lasts longer only its last two hours have surroundings: the end is what matters.
const LIFE_MS_MAX: i64 = 2 * 3_600_000;
/// Events of its surroundings that are looked at.
const SURROUNDING_EVENTS_MAX: usize = 100_000;
/// A job that ended within this time, and whoever is slow in it, is seen among all of the last hours.
const RECENT_MS: i64 = 3_600_000;
/// Jobs that began before a range and of which all is read.
const CUT_MAX: usize = 500;
/// A queue that was paused longer ago is not looked for.
const PAUSE_MS_MAX: i64 = 7 * 24 * 3_600_000;
const PAUSES_MAX: usize = 10_000;
/// Events of a range that are looked at, the newest.
const RANGE_EVENTS_MAX: usize = 1_000_000;

impl<'a> Investigation<'a> {
    /// Looks at the store as of `now_ms`.
    ///
    /// # Errors
    /// [`InvestigationError::Query`] where the store cannot be read.
    pub async fn open(engine: &'a Engine, now_ms: i64) -> Result<Self, InvestigationError> {
        let newest_ms = engine.newest_ms()?;
        let typical = engine.typical(now_ms)?;
        Ok(Self { engine, typical, now_ms, newest_ms, memory: Arc::default() })
    }

    /// The same as of a moment that is no earlier than those before, by what was typical then.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn moved_to(&self, now_ms: i64, learning: &mut Learning) -> Result<Self, InvestigationError> {
        let typical = self.engine.typical_by(learning, now_ms)?;
        let memory = Arc::clone(&self.memory);
        Ok(Self { engine: self.engine, typical, now_ms, newest_ms: self.newest_ms, memory })
    }

    /// As of when the store is looked at, ms since the epoch.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// When the newest event of the store arrived.
    pub(super) fn newest_ms(&self) -> Option<i64> {
        self.newest_ms
    }

    /// What looks at the same store, one after the other, have in common.
    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// What is typical in the store.
    pub fn typical(&self) -> &Typical {
        &self.typical
    }

    /// The engine that is asked.
    pub fn engine(&self) -> &'a Engine {
        self.engine
    }

    /// The history of a job; `None` where the store has no event of it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn history(&self, job_id: &str) -> Result<Option<History>, InvestigationError> {
        self.history_in(job_id, usize::MAX).await
    }

    /// The same for whoever needs a job's steps alone: of members of `data` that are large, texts are cut and all else
    /// is left out.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn steps(&self, job_id: &str) -> Result<Option<History>, InvestigationError> {
        self.history_in(job_id, MEMBER_BYTES_MAX).await
    }

    /// The same of the last events alone, so many at most, and whether there are more.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn last_steps(&self, job_id: &str, most: usize) -> Result<Option<(History, bool)>, InvestigationError> {
        // Events are put in order by their times alone: what they say may be large.
        let sql = format!(
            "select cast(timestamp as bigint) as ms from events where job_id = {} \
             order by timestamp desc limit 1 offset {most}",
            literal(job_id)
        );
        let earlier = Rows::ask(self.engine, &sql).await?.map(|row| row.integer("ms"))?.first().copied();
        let since = earlier.map_or(String::new(), |ms| format!(" and timestamp >= {}", moment_literal(ms)));
        let mut events = self.read(&(events_of(job_id) + &since), MEMBER_BYTES_MAX).await?;
        self.correct(&mut events).await?;
        Ok(History::new(events, self.now_ms).map(|history| (history, earlier.is_some())))
    }

    async fn history_in(&self, job_id: &str, member_bytes_max: usize) -> Result<Option<History>, InvestigationError> {
        let mut events = self.read(&events_of(job_id), member_bytes_max).await?;
        self.correct(&mut events).await?;
        Ok(History::new(events, self.now_ms))
    }

    /// Lets events of one time have happened when they did, where somebody's clock was behind then.
    async fn correct(&self, events: &mut [JobEvent]) -> Result<(), InvestigationError> {
        let is_suspicious = |event: &JobEvent| Offsets::is_suspicious(event.timestamp_ms, event.arrived_ms);
        if !events.iter().any(is_suspicious) {
            return Ok(());
        }
        let arrivals = || events.iter().map(|event| event.arrived_ms);
        let from_ms = arrivals().min().unwrap_or_default() - MARGIN_MS;
        let until_ms = arrivals().max().unwrap_or_default().min(from_ms + LIFE_MS_MAX) + MARGIN_MS;
        let offsets = self.engine.offsets(Some(from_ms), Some(until_ms)).await?;
        events.iter_mut().for_each(|event| event.correct(&offsets));
        Ok(())
    }

    /// The newest events for which a condition in SQL holds, in no order; so many at most.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn events(&self, condition: &str, most: usize) -> Result<Vec<JobEvent>, InvestigationError> {
        let limit = match most {
            usize::MAX => String::new(),
            most => format!(" order by ingested_at desc limit {most}"),
        };
        self.read(&format!("select {EVENT_COLUMNS} from events where {condition}{limit}"), MEMBER_BYTES_MAX).await
    }

    /// The events of rows, of which few are held beside them. Of members of `data` that take more bytes than that, texts
    /// are cut and all else is left out.
    async fn read(&self, sql: &str, member_bytes_max: usize) -> Result<Vec<JobEvent>, InvestigationError> {
        let mut answer = self.engine.sql(sql).await?;
        let mut read = EventsRead::new(member_bytes_max);
        while let Some(batch) = answer.next().await? {
            read.add(&batch)?;
        }
        Ok(read.events)
    }

    /// The events that arrived between two moments, in no order: so many at most, the newest, and since when these are.
    async fn newest_between(
        &self,
        (from_ms, until_ms): (i64, i64),
        most: usize,
    ) -> Result<(Vec<JobEvent>, i64), InvestigationError> {
        let from_ms = match self.engine.arrived_at_most(from_ms, until_ms)? > most as u64 {
            true => self.whole_seconds((from_ms, until_ms), most).await?,
            false => from_ms,
        };
        // What an earlier look has read of it is not read again.
        let known = self.memory.events_of((from_ms, until_ms));
        let (mut events, unread_ms) = known.map_or((Vec::new(), from_ms), |(events, read_ms)| (events, read_ms + 1));
        let sql = format!("select {EVENT_COLUMNS} from events where {}", arrived_between(unread_ms, until_ms));
        events.extend(self.read(&sql, MEMBER_BYTES_MAX).await?);
        self.memory.keep_events((from_ms, until_ms), &events);
        Ok((events, from_ms))
    }

    /// Since when no more events than that have arrived until a moment, in whole seconds; of the last one all, however many.
    async fn whole_seconds(&self, (from_ms, until_ms): (i64, i64), most: usize) -> Result<i64, InvestigationError> {
        let sql = format!(
            "select cast(ingested_at as bigint) / 1000 as second, count(*) as events from events where {} \
             group by 1 order by 1 desc",
            arrived_between(from_ms, until_ms)
        );
        let seconds =
            Rows::ask(self.engine, &sql).await?.map(|row| Ok((row.integer("second")?, row.integer("events")?)))?;
        let mut left = most as i64;
        let fit = seconds.into_iter().take_while(|(_, events)| {
            left -= events;
            left >= 0
        });
        let first = fit.last().map_or(until_ms / 1_000, |(second, _)| second);
        Ok((first * 1_000).max(from_ms))
    }

    /// What is the matter with a job.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn diagnose(&self, job_id: &str) -> Result<Diagnosis, InvestigationError> {
        let Some(history) = self.steps(job_id).await? else {
            let similar = self.engine.similar_jobs(job_id).await?;
            return Ok(not_found(job_id, self.engine.why_no_job(job_id, &similar).await?, &similar));
        };
        let surroundings = self.surroundings(&history).await?;
        let mut diagnosis = judge(job_id, &history, &self.typical, &surroundings);
        self.note_lag(&history, &mut diagnosis);
        Ok(diagnosis)
    }

    /// What is the matter with every job of a range of time with which something is; `since_ms` is
    /// when the range begins, it ends now.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn diagnose_all(&self, since_ms: i64) -> Result<Judged, InvestigationError> {
        Ok(self.look_at_all(since_ms).await?.0)
    }

    /// The same, with all that was looked at.
    pub(super) fn look_at_all(&self, since_ms: i64) -> Answering<'_, (Judged, Surroundings)> {
        Box::pin(async move {
            let (around, note) = self.around_range(since_ms).await?;
            let around = around.with_living(self.living_since(self.now_ms - HEARD_MS).await?);
            let (mut found, mut missing, mut looked_at) = (Vec::new(), Vec::new(), 0);
            let mut cut = Vec::new();
            for (job_id, history) in around.histories() {
                if history.terminal().is_some() && history.last().arrived_ms < since_ms {
                    continue;
                }
                looked_at += 1;
                if history.end_ms() >= since_ms {
                    missing.extend(missing_steps(job_id, history, &self.typical));
                }
                let diagnosis = judge(job_id, history, &self.typical, &around);
                if !diagnosis.is_unwell() {
                    continue;
                }
                // What came before the range may tell that it ended long ago.
                if history.has_beginning() || cut.len() == CUT_MAX {
                    found.push(diagnosis);
                } else {
                    cut.push(job_id);
                }
            }
            for (job_id, history) in self.histories(&cut).await? {
                found.push(judge(&job_id, &history, &self.typical, &around));
            }
            found.retain(Diagnosis::is_unwell);
            let shared = shared_traits(&around, &found);
            let mut judged = Judged::new(since_ms, self.now_ms, looked_at, found, &shared);
            judged.missing_steps = missing;
            judged.workers = missed(&around);
            judged.notes.extend(note);
            Ok((judged, around))
        })
    }

    /// The events of a range that ends now, of an hour at least, and of two hours before it; and a word where these were
    /// too many to be looked at.
    pub(super) async fn around_range(
        &self,
        since_ms: i64,
    ) -> Result<(Surroundings, Option<String>), InvestigationError> {
        // Of a short range, too, what is usual is told by all of the last hours: who is asked makes no other factor.
        let from_ms = since_ms.min(self.now_ms - RECENT_MS) - LIFE_MS_MAX;
        let (mut events, whole_since_ms) = self.newest_between((from_ms, self.now_ms), RANGE_EVENTS_MAX).await?;
        let note = (whole_since_ms > from_ms).then(|| {
            format!(
                "only the newest {} events were looked at, those since {}: what jobs did before is not known",
                emp_units::count(events.len() as u64),
                clock(whole_since_ms)
            )
        });
        events.extend(self.pauses_before(whole_since_ms).await?);
        let lost = self.lost(from_ms).await?;
        Ok((Surroundings::new(events, lost, self.now_ms).whole_since(whole_since_ms), note))
    }

    /// The whole histories of some jobs.
    async fn histories(&self, jobs: &[&str]) -> Result<Vec<(String, History)>, InvestigationError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let among: Vec<String> = jobs.iter().map(|job| literal(job)).collect();
        let mut events: BTreeMap<Arc<str>, Vec<JobEvent>> = BTreeMap::new();
        let mut all = self.events(&format!("job_id in ({})", among.join(", ")), usize::MAX).await?;
        self.correct(&mut all).await?;
        for event in all {
            events.entry(event.job_id.clone().unwrap_or_default()).or_default().push(event);
        }
        let histories =
            events.into_iter().filter_map(|(job, events)| Some((job.to_string(), History::new(events, self.now_ms)?)));
        Ok(histories.collect())
    }

    pub(super) async fn surroundings(&self, history: &History) -> Result<Surroundings, InvestigationError> {
        let end_ms = history.terminal().map_or(history.last().arrived_ms, |event| event.arrived_ms);
        let mut from_ms = history.start_ms().max(end_ms - LIFE_MS_MAX) - MARGIN_MS;
        let mut until_ms = (end_ms + MARGIN_MS).min(self.now_ms);
        if end_ms >= self.now_ms - RECENT_MS {
            // As all jobs of the last hour are looked at, so that one is not told otherwise alone.
            from_ms = from_ms.min(self.now_ms - RECENT_MS - LIFE_MS_MAX);
            until_ms = self.now_ms;
        }
        let (mut events, from_ms) = self.newest_between((from_ms, until_ms), SURROUNDING_EVENTS_MAX).await?;
        events.extend(self.pauses_before(from_ms).await?);
        events.extend(self.pauses_between(until_ms, self.now_ms).await?);
        let lost = self.lost(from_ms).await?;
        let living = self.living_about(history).await?;
        Ok(Surroundings::new(events, lost, self.now_ms).whole_since(from_ms).with_living(living))
    }

    /// The last that was said of each queue's being paused or not before that moment.
    async fn pauses_before(&self, ms: i64) -> Result<Vec<JobEvent>, InvestigationError> {
        self.pauses_between(ms - PAUSE_MS_MAX, ms).await
    }

    async fn pauses_between(&self, from_ms: i64, until_ms: i64) -> Result<Vec<JobEvent>, InvestigationError> {
        let types = [Meaning::QueuePaused, Meaning::QueueResumed].into_iter().flat_map(|of| vocabulary().types(of));
        let types: Vec<String> = types.map(literal).collect();
        let condition = format!(
            "event_type in ({}) and ingested_at >= {} and ingested_at <= {}",
            types.join(", "),
            moment_literal(from_ms),
            moment_literal(until_ms)
        );
        self.events(&condition, PAUSES_MAX).await
    }

    /// What was lost since then.
    async fn lost(&self, since_ms: i64) -> Result<Vec<Lost>, InvestigationError> {
        let batches = self.engine.sql("select from_id, to_id, lost from losses").await?.batches().await?;
        let mut found = Vec::new();
        for batch in &batches {
            let text = |name| column_as(batch, name, &DataType::Utf8);
            let (from, to, lost) = (text("from_id")?, text("to_id")?, text("lost")?);
            for row in 0..batch.num_rows() {
                let id_ms = |column: &ArrayRef| {
                    let id = column.is_valid(row).then(|| column.as_string::<i32>().value(row))?;
                    id.parse::<EntryId>().ok()?.ingested_at()
                };
                let count = lost.as_string::<i32>().value(row).parse().unwrap_or(0);
                let (from_ms, to_ms) = (id_ms(&from).unwrap_or(0), id_ms(&to).unwrap_or(self.now_ms));
                if to_ms >= since_ms && from_ms <= self.now_ms {
                    found.push(Lost { from_ms, to_ms, count });
                }
            }
        }
        Ok(found)
    }

    fn note_lag(&self, history: &History, diagnosis: &mut Diagnosis) {
        let Some(newest_ms) = self.newest_ms.filter(|_| history.terminal().is_none()) else { return };
        let lag_ms = self.now_ms - newest_ms;
        if lag_ms > 60_000 {
            let lag = emp_units::millis(lag_ms as f64);
            diagnosis.completeness.complete = false;
            diagnosis.completeness.notes.push(format!(
                "the store's newest event is {lag} old: either nothing happened since, or the collector is behind \
                 (`emp-events health` tells)"
            ));
        }
    }
}

/// The condition that an event arrived between two moments.
fn arrived_between(from_ms: i64, until_ms: i64) -> String {
    format!("ingested_at >= {} and ingested_at <= {}", moment_literal(from_ms), moment_literal(until_ms))
}

/// The statement that reads the events of a job.
fn events_of(job_id: &str) -> String {
    format!("select {EVENT_COLUMNS} from events where job_id = {}", literal(job_id))
}
