//! What changed from one range of time to another: what is new, gone, more, less, slower, faster.
//!
//! All is counted by the engine, in slots of time, so that no number of events is too many; here only the counts are
//! compared. `docs/definitions.md` says what is taken for a change.

mod belongs;
mod candidate;
mod causes;
mod earlier;
mod fold;
mod latencies;
mod members;
mod new_types;
mod ranges;
mod rates;
mod series;
mod shares;
mod speeds;
mod steps;
mod table;
mod tally;
mod texts;

use emp_findings::{Changes, Jobs, Moment};
use emp_query::{Engine, moment_literal};
use emp_statistics::benjamini_hochberg;

use self::candidate::{Candidate, rounded};
use self::earlier::Earlier;
use self::ranges::{Ranges, Side};
use self::series::AllSeries;
use self::tally::Tally;
use super::investigation::{Answering, InvestigationError};
use super::rows::Rows;

pub use self::table::changes_table;

/// Of the changes that are told this share is false, at most.
const Q_MAX: f64 = 0.01;
/// Of the earlier range the store has this part, at least, or it says nothing about the later one.
const COVERED_SHARE_MIN: i64 = 20;

/// Two ranges of time, each from its first moment to before its last, in ms since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangesQuestion {
    after: (i64, i64),
    before: (i64, i64),
}

/// Why two ranges cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RangesError {
    /// One of them has no time.
    #[error("the range from {} to {} has no length", Moment(.0.0).time(), Moment(.0.1).time())]
    Empty((i64, i64)),
    /// Events would be in both, or the earlier one is the later.
    #[error(
        "the range to compare with ends at {}, after the other one begins at {}: it has to lie before",
        Moment(*.until_ms).time(), Moment(*.since_ms).time()
    )]
    NotEarlier {
        /// When the earlier range ends, ms since the epoch.
        until_ms: i64,
        /// When the later one begins.
        since_ms: i64,
    },
}

impl ChangesQuestion {
    /// How long each of the ranges is where nobody says otherwise, in ms.
    pub const RECENT_MS: i64 = 2 * 3_600_000;

    /// What is different in the time up to that moment, the event of which belongs to it, from as long before.
    pub const fn recent(now_ms: i64) -> Self {
        let until_ms = now_ms + 1;
        let since_ms = until_ms - Self::RECENT_MS;
        Self { after: (since_ms, until_ms), before: (since_ms - Self::RECENT_MS, since_ms) }
    }

    /// What is different `after` from `before`: first moments, and those after the last, in ms since the epoch.
    ///
    /// # Errors
    /// [`RangesError`] where a range is empty, or `before` ends after `after` begins.
    pub fn new(after: (i64, i64), before: (i64, i64)) -> Result<Self, RangesError> {
        if let Some(empty) = [before, after].into_iter().find(|(since_ms, until_ms)| since_ms >= until_ms) {
            return Err(RangesError::Empty(empty));
        }
        if before.1 > after.0 {
            return Err(RangesError::NotEarlier { until_ms: before.1, since_ms: after.0 });
        }
        Ok(Self { after, before })
    }
}

/// What changed, the most important first.
///
/// # Errors
/// [`InvestigationError`] where the store cannot be read.
pub fn changes<'a>(engine: &'a Engine, question: &'a ChangesQuestion) -> Answering<'a, Changes> {
    Box::pin(async move {
        let (mut ranges, mut notes) = Ranges::within_store(engine, question.before, question.after).await?;
        let before = tally::types_of_side(engine, &ranges.before).await?;
        if let Some(nothing) = nothing_before(engine, question, (&ranges, &before), &notes).await? {
            return Ok(nothing);
        }
        notes.splice(0..0, ranges.put_right(engine).await?);
        let tally = Tally::of(engine, &ranges, before).await?;
        let series = tally.series.all(&tally.names);
        let mut events = vec![0; ranges.slots()];
        for one in &series {
            events.iter_mut().zip(&one.events).for_each(|(sum, events)| *sum += events);
        }
        notes.extend(ranges.cover(&events));
        notes.extend(lost(engine, &ranges).await?);
        notes.extend(tally.jobs.note());
        notes.extend(empty(ranges.before.events, ranges.after.events));
        let mut found = none_yet(&ranges, (ranges.before.events, ranges.after.events), notes);
        if found.before_events == 0 || found.after_events == 0 {
            return Ok(found);
        }
        let all = AllSeries::new(series, &ranges);
        found.jobs = jobs(&all, &ranges);
        let (mut candidates, more) = candidates(engine, (&all, &tally), &ranges).await?;
        found.notes.extend(more);
        found.tests = candidates.len();
        judge(&mut candidates);
        found.changes = fold::told(engine, candidates, &ranges).await?;
        Ok(found)
    })
}

/// The answer where the store has next to nothing of the earlier range: then the events of the later one need not be
/// looked through. `before` is how many it has of each type.
async fn nothing_before(
    engine: &Engine,
    question: &ChangesQuestion,
    (ranges, before): (&Ranges, &[(String, u64)]),
    notes: &[String],
) -> Result<Option<Changes>, InvestigationError> {
    let (asked_ms, covered_ms) =
        (question.before.1 - question.before.0, ranges.before.until_ms - ranges.before.since_ms);
    let is_little = covered_ms < asked_ms / COVERED_SHARE_MIN;
    let before_events: u64 = before.iter().map(|(_, events)| events).sum();
    if before_events > 0 && !is_little {
        return Ok(None);
    }
    let after_events = tally::types_of_side(engine, &ranges.after).await?.iter().map(|(_, events)| events).sum();
    let covered = emp_units::millis(covered_ms as f64);
    let mut said: Vec<String> = empty(before_events, after_events).collect();
    if before_events > 0 {
        said.push(format!("the store has only {covered} of the earlier range: too little to compare with"));
    }
    let known = notes.iter().filter(|_| before_events == 0).cloned();
    Ok(Some(none_yet(ranges, (before_events, after_events), known.chain(said).collect())))
}

/// What is said of ranges with so many events, the earlier one's first, before anything is compared.
fn none_yet(ranges: &Ranges, (before_events, after_events): (u64, u64), notes: Vec<String>) -> Changes {
    Changes {
        after: range(&ranges.after),
        before: range(&ranges.before),
        after_hours: rounded(ranges.after.hours()),
        before_hours: rounded(ranges.before.hours()),
        after_events,
        before_events,
        jobs: None,
        tests: 0,
        q_max: Q_MAX,
        changes: Vec::new(),
        notes,
    }
}

/// What is said of ranges without events.
fn empty(before_events: u64, after_events: u64) -> impl Iterator<Item = String> {
    let ranges = [(before_events, "earlier"), (after_events, "later")].into_iter();
    let empty = ranges.filter(|(events, _)| *events == 0);
    empty.map(|(_, name)| format!("the {name} range has no events: there is nothing to compare"))
}

fn range(side: &Side) -> [Moment; 2] {
    [Moment(side.since_ms), Moment(side.until_ms)]
}

/// How many jobs there are, by what begins them.
fn jobs(all: &AllSeries, ranges: &Ranges) -> Option<Jobs> {
    let series = &all.series[all.begins?];
    let (before, after) = series.totals(ranges);
    Some(Jobs {
        event_type: series.event_type.clone(),
        before_per_hour: rounded(before as f64 / ranges.before.hours()),
        after_per_hour: rounded(after as f64 / ranges.after.hours()),
    })
}

/// What the store lacks of both ranges, in words.
async fn lost(engine: &Engine, ranges: &Ranges) -> Result<Option<String>, InvestigationError> {
    let noticed = |side: &Side| {
        let (since, until) = (moment_literal(side.since_ms), moment_literal(side.until_ms));
        format!("(noticed_at >= {since} and noticed_at < {until})")
    };
    let sql = format!(
        "select coalesce(sum(lost), 0) as lost from losses where {} or {}",
        noticed(&ranges.before),
        noticed(&ranges.after)
    );
    let lost = Rows::ask(engine, &sql).await?.map(|row| row.integer("lost"))?.first().copied().unwrap_or(0);
    let events = emp_units::counted(lost.max(0) as usize, "event was", "events were");
    Ok((lost > 0).then(|| format!("{events} lost in these ranges before they were stored")))
}

/// All differences that are looked for, tested, with what there is to say about them.
async fn candidates(
    engine: &Engine,
    (all, tally): (&AllSeries, &Tally),
    ranges: &Ranges,
) -> Result<(Vec<Candidate>, Vec<String>), InvestigationError> {
    let first = Rows::ask(engine, "select cast(min(timestamp) as bigint) as first from events").await?;
    let first_ms = first.map(|row| row.integer("first"))?.first().copied().unwrap_or(ranges.before.since_ms);
    let earlier = Earlier::of(ranges, first_ms);
    let mut found = rates::rates(all, ranges);
    new_types::judge(engine, &mut found, &all.series, ranges, &earlier).await?;
    found.extend(shares::error_shares(&all.series, ranges));
    found.extend(shares::outcomes(&all.series, ranges));
    found.extend(steps::steps(tally, &all.series, ranges));
    found.extend(texts::texts(engine, (all, tally), ranges, &earlier).await?);
    let (members, notes) = members::members(engine, (&all.series, tally), ranges, &earlier).await?;
    found.extend(members);
    let durations = tally.durations.by_type(&tally.names, ranges);
    found.extend(latencies::latencies(&durations, ranges));
    found.extend(speeds::speeds(tally, &durations, ranges));
    Ok((found, notes))
}

/// Gives each its q-value, over all of them.
fn judge(found: &mut [Candidate]) {
    let p_values: Vec<f64> = found.iter().map(|one| one.change.p_value).collect();
    for (one, q) in found.iter_mut().zip(benjamini_hochberg(&p_values)) {
        one.change.q_value = q;
    }
}
