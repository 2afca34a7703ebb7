//! New errors: kinds of them that were not seen before.

use std::collections::HashSet;

use emp_findings::{Anomaly, AnomalyKind, Moment, Severity, Subject, Unit};
use emp_query::{literal, moment_literal};
use emp_statistics::new_a_day;
use emp_units as units;

use super::{DAY_MS, RARE_A_DAY, Windows};
use crate::investigation::{Investigation, InvestigationError};
use crate::past::Past;
use crate::rows::Rows;

/// An error that was not seen for that long is new.
const SEEN_MS: i64 = 7 * DAY_MS;
/// Without an hour of earlier events nothing can be called new.
const BUCKETS_MIN: i64 = 12;
/// An alert needs so many events, of so many jobs or minutes.
const EVENTS_MIN: i64 = 3;
const SPREAD_MIN: i64 = 2;
/// Where no more new errors than that come on a day, two of one are an alert; and where they are rare, one is.
const SELDOM_A_DAY: f64 = 1.0;

/// An error by who sent it, its type, and its text without ids and numbers.
pub(crate) type Kind = (String, String, String);

/// Errors of one kind.
struct Errors {
    kind: Kind,
    example: String,
    events: i64,
    jobs: i64,
    minutes: i64,
    first_ms: i64,
}

impl Investigation<'_> {
    /// Errors that were not seen in the days before, as far as the store reaches back.
    pub(crate) async fn new_errors(&self, windows: &Windows, past: &Past) -> Result<Vec<Anomaly>, InvestigationError> {
        let before = past.windows.buckets().end..i64::MAX;
        if past.counts.oldest_within(&before).is_none_or(|oldest| oldest + 1 - before.start < BUCKETS_MIN) {
            return Ok(Vec::new());
        }
        let since_ms = past.windows.begins_ms();
        let mut errors = self.errors_since(since_ms, windows).await?;
        if self.memory().is_held() {
            self.remember_errors((since_ms - SEEN_MS, since_ms)).await?;
            errors.retain(|one| !self.memory().knows_error(&one.kind, since_ms - SEEN_MS));
        }
        // Most were seen within a day: what lies before it is looked at for the others alone.
        for (from_ms, until_ms) in [(since_ms - DAY_MS, since_ms), (since_ms - SEEN_MS, since_ms - DAY_MS)] {
            if !errors.is_empty() && !self.memory().is_held() {
                let known = self.known_errors(&errors, (from_ms, until_ms)).await?;
                errors.retain(|one| !known.contains(&one.kind));
            }
        }
        let new = once_each(errors.into_iter());
        let are_sure = new.iter().all(Errors::are_many);
        let a_day = if are_sure { f64::MAX } else { self.new_kinds_a_day(since_ms).await? };
        Ok(new.into_iter().map(|one| anomaly(one, windows, a_day)).collect())
    }

    /// How many kinds of errors that were not seen before come on a day, before that moment.
    async fn new_kinds_a_day(&self, until_ms: i64) -> Result<f64, InvestigationError> {
        let from_ms = until_ms - SEEN_MS;
        if self.memory().is_held() {
            return Ok(new_a_day(&self.memory().errors_first_seen(), from_ms, until_ms));
        }
        let sql = format!(
            "select service, error_fingerprint(data) as kind, cast(min(ingested_at) as bigint) as first from events \
             where level = 'error' and ingested_at >= {} and ingested_at < {} group by 1, 2",
            moment_literal(from_ms),
            moment_literal(until_ms)
        );
        let first = Rows::ask(self.engine(), &sql).await?.map(|row| row.integer("first"))?;
        Ok(new_a_day(&first, from_ms, until_ms))
    }

    async fn errors_since(&self, since_ms: i64, windows: &Windows) -> Result<Vec<Errors>, InvestigationError> {
        let sql = format!(
            "select service, event_type, error_fingerprint(data) as kind, first_value(error_text(data)) as example, \
             count(*) as events, count(distinct job_id) as jobs, \
             count(distinct cast(floor(cast(ingested_at as bigint) / 60000.0) as bigint)) as minutes, \
             cast(min(ingested_at) as bigint) as first from events \
             where level = 'error' and ingested_at >= {} and ingested_at <= {} group by 1, 2, 3 order by 1, 2, 3",
            moment_literal(since_ms),
            moment_literal(windows.now_ms)
        );
        Rows::ask(self.engine(), &sql).await?.map(|row| {
            Ok(Errors {
                kind: (row.text("service")?, row.text("event_type")?, row.text("kind")?),
                example: row.text("example")?,
                events: row.integer("events")?,
                jobs: row.integer("jobs")?,
                minutes: row.integer("minutes")?,
                first_ms: row.integer("first")?,
            })
        })
    }

    /// Remembers when each error was seen last in a range of the past, of which the beginning may be known.
    async fn remember_errors(&self, (from_ms, until_ms): (i64, i64)) -> Result<(), InvestigationError> {
        let from_ms = self.memory().errors_known_until().unwrap_or(from_ms).max(from_ms);
        if from_ms >= until_ms {
            return Ok(());
        }
        let sql = format!(
            "select service, event_type, error_fingerprint(data) as kind, cast(min(ingested_at) as bigint) as first, \
             cast(max(ingested_at) as bigint) as last from events where level = 'error' and ingested_at >= {} and ingested_at < {} group by 1, 2, 3",
            moment_literal(from_ms),
            moment_literal(until_ms)
        );
        let seen = Rows::ask(self.engine(), &sql).await?.map(|row| {
            let kind = (row.text("service")?, row.text("event_type")?, row.text("kind")?);
            Ok((kind, (row.integer("first")?, row.integer("last")?)))
        })?;
        self.memory().learn_errors(seen, until_ms);
        Ok(())
    }

    /// What was seen in a range of the past, among errors of the types that are seen now.
    async fn known_errors(
        &self,
        errors: &[Errors],
        (from_ms, until_ms): (i64, i64),
    ) -> Result<HashSet<Kind>, InvestigationError> {
        let mut types: Vec<String> = errors.iter().map(|one| literal(&one.kind.1)).collect();
        types.sort_unstable();
        types.dedup();
        let sql = format!(
            "select service, event_type, error_fingerprint(data) as kind from events where level = 'error' \
             and event_type in ({}) and ingested_at >= {} and ingested_at < {} group by 1, 2, 3",
            types.join(", "),
            moment_literal(from_ms),
            moment_literal(until_ms)
        );
        let known = Rows::ask(self.engine(), &sql).await?;
        Ok(known
            .map(|row| Ok((row.text("service")?, row.text("event_type")?, row.text("kind")?)))?
            .into_iter()
            .collect())
    }
}

impl Errors {
    /// Are they an alert, however often new ones come?
    fn are_many(&self) -> bool {
        self.events >= EVENTS_MIN && self.jobs.max(self.minutes) >= SPREAD_MIN
    }

    /// Are they more than is to be expected, where so many new ones come on a day?
    fn are_news(&self, a_day: f64) -> bool {
        let are_two = self.events >= SPREAD_MIN && self.jobs.max(self.minutes) >= SPREAD_MIN;
        self.are_many() || (are_two && a_day <= SELDOM_A_DAY) || a_day <= RARE_A_DAY
    }
}

/// What one service says about one error in several types of events is told by the most frequent of them.
fn once_each(errors: impl Iterator<Item = Errors>) -> Vec<Errors> {
    let mut found: Vec<Errors> = Vec::new();
    for one in errors {
        let is_it =
            |other: &&mut Errors| other.kind.0 == one.kind.0 && other.kind.2 == one.kind.2 && !one.kind.2.is_empty();
        match found.iter_mut().find(is_it) {
            Some(other) if other.events < one.events => *other = one,
            Some(_) => {}
            None => found.push(one),
        }
    }
    found
}

fn anomaly(errors: Errors, windows: &Windows, a_day: f64) -> Anomaly {
    let is_alert = errors.are_news(a_day);
    let Errors { kind: (service, event_type, _), example, events, jobs, first_ms, .. } = errors;
    let said = if example.is_empty() { event_type.clone() } else { example.clone() };
    let example = Some(example).filter(|example| !example.is_empty());
    let (events, jobs) = (events.max(0) as usize, jobs.max(0) as usize);
    let of_jobs = if jobs > 0 { format!(" of {}", units::counted(jobs, "job", "jobs")) } else { String::new() };
    let message = format!(
        "an error that was not seen before, in 7 days or as far as the store reaches back: {said} ({}{of_jobs}, since {})",
        units::counted(events, "event", "events"),
        crate::judge::clock(first_ms)
    );
    Anomaly {
        kind: AnomalyKind::NewError,
        severity: if is_alert { Severity::Alert } else { Severity::Note },
        subject: Subject { service: Some(service), event_type: Some(event_type), ..Subject::default() },
        value: events as f64,
        baseline: Some(0.0),
        unit: Unit::Events,
        since: Some(Moment(first_ms)),
        until: None,
        n: events as u64,
        p: None,
        q: None,
        window: windows.shown(),
        message,
        shared: None,
        example,
    }
}
