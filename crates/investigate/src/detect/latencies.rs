//! Latencies: how long events say that they took.

use std::collections::BTreeMap;

use emp_findings::{AnomalyKind, Severity, Subject, Unit};
use emp_job::{Meaning, vocabulary};
use emp_query::{HAPPENED_MS, literal};
use emp_statistics::{Counted, fisher_more, mann_whitney_counted, quantile};
use emp_units as units;

use super::{MINUTE_MS, Suspicion, Windows};
use crate::counts::{BUCKET_MS, arrived_in};
use crate::investigation::{Investigation, InvestigationError};
use crate::past::Past;
use crate::surroundings::Surroundings;

/// Durations are counted in steps of 1 %, so that there are a few hundred numbers for any number of events.
const STEP: f64 = 1.01;
/// How far back each of the windows reaches that are compared with what is usual: what began two minutes ago does
/// not show in an hour.
const REACHES_MS: [i64; 3] = [5 * MINUTE_MS, 15 * MINUTE_MS, 60 * MINUTE_MS];
/// What is no more likely than that is looked at more closely.
const P_SUSPICIOUS: f64 = 0.01;
/// It is news where it is so many times what all but one of two hundred stretches of that length had,
const NEWS_FACTOR: f64 = 1.2;
const STRETCHES_SHARE: f64 = 0.995;
/// of stretches with so many events at least; of fewer stretches nothing is known.
const STRETCH_EVENTS_MIN: u64 = 10;
const STRETCHES_MIN: usize = 12;
/// So many they are.
const TRIES: i64 = REACHES_MS.len() as i64;

/// The durations of one type of events, from the newest part of the window to its oldest.
type Parts = BTreeMap<i64, Vec<(f64, u64)>>;

impl Investigation<'_> {
    /// Types of events that take longer than usual.
    pub(crate) async fn latencies(
        &self,
        windows: &Windows,
        past: &Past,
        around: &Surroundings,
    ) -> Result<Vec<Suspicion>, InvestigationError> {
        let now = windows.now_ms;
        let part = REACHES_MS.iter().enumerate().fold(String::new(), |sql, (part, reach_ms)| {
            sql + &format!("when {HAPPENED_MS} > {} then {part} ", now - reach_ms)
        });
        let sql = format!(
            "select event_type, part, step, count(*) as events from (select event_type, case {part} else {last} end \
             as part, cast(round(ln(greatest({}, 0.5)) / ln({STEP})) as bigint) as step from events \
             where duration_ms is not null and ({})) group by 1, 2, 3",
            duration(),
            arrived_in(&[windows.range()]),
            last = REACHES_MS.len() - 1
        );
        let mut types: BTreeMap<String, Parts> = BTreeMap::new();
        self.ask_by_clocks(&sql, now).await?.map(|row| {
            let parts = types.entry(row.text("event_type")?).or_default();
            let ms = STEP.powi(row.integer("step")? as i32);
            parts.entry(row.integer("part")?).or_default().push((ms, row.integer("events")?.unsigned_abs()));
            Ok(())
        })?;
        leave_out_asked(&mut types, around, now);
        let mut tested: Vec<Slower> = types
            .iter()
            .filter_map(|(event_type, parts)| latency(event_type, parts, past.durations.get(event_type)?, now))
            .collect();
        for slower in tested.iter_mut().filter(|one| one.is_suspicious()) {
            slower.found.is_large = self.is_news(slower, past).await?;
        }
        Ok(tested.into_iter().map(|slower| slower.found).collect())
    }

    /// Is it longer than it ever was for as long? Waits come together: those of one rush are one case and not a hundred, and
    /// only the other rushes tell how long they take.
    async fn is_news(&self, slower: &Slower, past: &Past) -> Result<bool, InvestigationError> {
        let event_type = slower.found.subject.event_type.as_deref().unwrap_or_default();
        let base = past.base.as_deref().unwrap_or_default();
        let lasted = match self.memory().durations_of(event_type) {
            Some(held) => held,
            None => self.durations_of(base, past.windows.now_ms, Each::FiveMinutes(Some(event_type))).await?,
        };
        let mut slots: BTreeMap<i64, Vec<(f64, u64)>> = BTreeMap::new();
        for one in &lasted {
            slots.entry(one.slot).or_default().push((STEP.powi(one.step as i32), one.events));
        }
        let stretches = base.iter().flat_map(|(from_ms, until_ms)| {
            let (from, until) = (from_ms / BUCKET_MS, until_ms / BUCKET_MS);
            (from..=until - slower.slots).map(|first| first..first + slower.slots)
        });
        let values = stretches.filter_map(|stretch| {
            let all: Counted = slots.range(stretch).flat_map(|(_, steps)| steps.iter().copied()).collect();
            (all.count() >= STRETCH_EVENTS_MIN).then(|| all.quantile(slower.share)).flatten()
        });
        let mut values: Vec<f64> = values.collect();
        if values.len() < STRETCHES_MIN {
            return Ok(true);
        }
        let most = quantile(&mut values, STRETCHES_SHARE).unwrap_or_default();
        Ok(slower.found.value >= NEWS_FACTOR * most)
    }

    /// How long the events of each type said that they took, in ranges of the past before a moment; of each five minutes by
    /// the clock for itself, or all together.
    pub(crate) async fn durations_of(
        &self,
        ranges: &[(i64, i64)],
        now_ms: i64,
        each: Each<'_>,
    ) -> Result<Vec<Lasted>, InvestigationError> {
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        let slot = match each {
            Each::All => "0".to_owned(),
            Each::FiveMinutes(_) => format!("cast(ingested_at as bigint) / {BUCKET_MS}"),
        };
        let of_type = match each {
            Each::FiveMinutes(Some(event_type)) => format!(" and event_type = {}", literal(event_type)),
            Each::FiveMinutes(None) | Each::All => String::new(),
        };
        let sql = format!(
            "select event_type, slot, step, count(*) as events from (select event_type, {slot} as slot, \
             cast(round(ln(greatest({}, 0.5)) / ln({STEP})) as bigint) as step from events \
             where duration_ms is not null{of_type} and ({})) group by 1, 2, 3",
            duration(),
            arrived_in(ranges)
        );
        self.ask_by_clocks(&sql, now_ms).await?.map(|row| {
            let events = row.integer("events")?.unsigned_abs();
            let (slot, step) = (row.integer("slot")?, row.integer("step")?);
            Ok(Lasted { event_type: row.text("event_type")?, slot, step, events })
        })
    }
}

/// Leaves out what jobs say at their claim that they waited, where they were to wait: nobody held them up.
fn leave_out_asked(types: &mut BTreeMap<String, Parts>, around: &Surroundings, now_ms: i64) {
    for (_, history) in around.histories() {
        let Some(asked) = history.meaning_that(Meaning::is_asked_wait).next() else { continue };
        for claim in history.meaning_that(|meaning| meaning == Meaning::Claimed) {
            let said = claim.duration_ms.filter(|_| claim.id > asked.id);
            let (Some(ms), Some(parts)) = (said, types.get_mut(&*claim.event_type)) else { continue };
            let ms = ms - (claim.timestamp_ms - claim.happened_ms()) as f64;
            let ago_ms = now_ms - claim.happened_ms();
            let part = REACHES_MS.iter().position(|reach_ms| ago_ms < *reach_ms).unwrap_or(REACHES_MS.len() - 1);
            let step = STEP.powi((ms.max(0.5).ln() / STEP.ln()).round() as i32);
            let counted = parts.get_mut(&(part as i64)).into_iter().flatten();
            for (_, events) in counted.filter(|(of, _)| *of == step) {
                *events = events.saturating_sub(1);
            }
        }
    }
}

/// What durations are counted together.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Each<'a> {
    /// All of a type.
    All,
    /// Those of each five minutes by the clock; of one type alone, where that is named.
    FiveMinutes(Option<&'a str>),
}

/// A type of event that takes longer, by so many buckets of five minutes and this quantile.
struct Slower {
    found: Suspicion,
    slots: i64,
    share: f64,
}

impl Slower {
    fn is_suspicious(&self) -> bool {
        self.found.is_large && self.found.p.is_some_and(|p| p <= P_SUSPICIOUS)
    }
}

/// How many events of a type took so long, in some five minutes.
#[derive(Debug, Clone)]
pub(crate) struct Lasted {
    pub event_type: String,
    /// Five minutes by the clock, since the epoch.
    pub slot: i64,
    step: i64,
    events: u64,
}

/// How long events of each type took, whenever that was.
pub(crate) fn durations_by_type<'a>(all: impl Iterator<Item = &'a Lasted>) -> BTreeMap<String, Counted> {
    let mut types: BTreeMap<&str, BTreeMap<i64, u64>> = BTreeMap::new();
    for one in all {
        *types.entry(&one.event_type).or_default().entry(one.step).or_default() += one.events;
    }
    let counted = |steps: BTreeMap<i64, u64>| steps.into_iter().map(|(step, n)| (STEP.powi(step as i32), n)).collect();
    types.into_iter().map(|(event_type, steps)| (event_type.to_owned(), counted(steps))).collect()
}

/// How long an event says that it took, in SQL. Whoever claims a job reckons how long it waited from the clock of who
/// created it: that is wrong by as much as its own clock is.
fn duration() -> String {
    let claimed: Vec<String> = vocabulary().types(Meaning::Claimed).into_iter().map(literal).collect();
    let ahead = format!("cast(timestamp as bigint) - {HAPPENED_MS}");
    format!("case when event_type in ({}) then duration_ms - ({ahead}) else duration_ms end", claimed.join(", "))
}

/// The most telling of the windows; each was one try of three.
fn latency(event_type: &str, parts: &Parts, usual: &Counted, now_ms: i64) -> Option<Slower> {
    let counted = |from: i64, until: i64| {
        parts.range(from..until).flat_map(|(_, part)| part.iter().copied()).collect::<Counted>()
    };
    let tests: Vec<(i64, (Suspicion, f64))> =
        (1..=TRIES).filter_map(|until| Some((until, slower(event_type, &counted(0, until), usual)?))).collect();
    let order = |a: &Suspicion, b: &Suspicion| (!a.is_large, a.p).partial_cmp(&(!b.is_large, b.p));
    let (best, _) = tests.iter().min_by(|(_, (a, _)), (_, (b, _))| order(a, b).unwrap_or(std::cmp::Ordering::Equal))?;
    // Of the newest part that has enough events to tell: is it as usual there?
    let over = tests.iter().find(|(until, (newest, _))| until < best && !newest.is_large).map(|(until, _)| *until);
    let best = *best;
    let (found, share) = tests.into_iter().find_map(|(until, found)| (until == best).then_some(found))?;
    let slots = REACHES_MS[(best - 1) as usize] / BUCKET_MS;
    let p = found.p.map(|p| (p * TRIES as f64).min(1.0));
    let Some(over) = over.filter(|_| found.is_large) else {
        return Some(Slower { found: Suspicion { p, ..found }, slots, share });
    };
    let since_ms = REACHES_MS[(over - 1) as usize];
    let message = found.message.replacen("takes longer", "took longer", 1);
    let message = message.replacen("them take ", "them took ", 1).replacen("20 take ", "20 took ", 1);
    let message = format!("{message}; as usual again for {}", units::millis(since_ms as f64));
    let found = Suspicion { p, message, until_ms: Some(now_ms - since_ms), ..found };
    Some(Slower { found, slots, share })
}

/// Longer at the middle, by Mann and Whitney, or more often very long, by Fisher: their joint
/// probability is twice the smaller one.
fn slower(event_type: &str, now: &Counted, base: &Counted) -> Option<(Suspicion, f64)> {
    let n = now.count();
    if n < 30 || base.count() < 200 {
        return None;
    }
    let by_rank = mann_whitney_counted(now, base);
    let (median, base_median) = (now.quantile(0.5)?, base.quantile(0.5)?);
    let (p95, base_p95) = (now.quantile(0.95)?, base.quantile(0.95)?);
    let over = |values: &Counted| values.above(base_p95);
    let by_tail = if n >= 100 { fisher_more(over(now), n, over(base), base.count()) } else { 1.0 };
    let shifts = median >= 1.2 * base_median && median - base_median >= 50.0;
    let grows = n >= 100 && p95 >= 1.3 * base_p95 && p95 - base_p95 >= 50.0;
    let is_median = by_rank <= by_tail;
    let (value, baseline, share) =
        if is_median { (median, base_median, "half of them take") } else { (p95, base_p95, "19 of 20 take up to") };
    let found = Suspicion {
        kind: AnomalyKind::Latency,
        severity: Severity::Alert,
        subject: Subject { event_type: Some(event_type.to_owned()), ..Subject::default() },
        value: units::tenth(value),
        baseline: Some(units::tenth(baseline)),
        unit: Unit::Ms,
        since_ms: None,
        until_ms: None,
        n,
        p: Some((2.0 * by_rank.min(by_tail)).min(1.0)),
        is_large: if is_median { shifts } else { grows },
        message: format!(
            "{event_type} takes longer: {share} {}, where {} is usual (n = {n})",
            units::millis(value),
            units::millis(baseline)
        ),
        shared: None,
    };
    Some((found, if is_median { 0.5 } else { 0.95 }))
}
