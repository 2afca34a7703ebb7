//! Errors: which share of the events they are.

use std::collections::BTreeMap;

use emp_findings::{AnomalyKind, Severity, Subject, Unit};
use emp_job::entity;
use emp_statistics::fisher_more;

use super::{Suspicion, Windows, in_base};
use crate::counts::{BUCKET_MS, Count, Counts};
use crate::judge::clock;
use crate::past::Past;

/// A share of errors says something from so many events on, and from so many before.
const EVENTS_MIN: u64 = 20;
const BASE_EVENTS_MIN: u64 = 100;
const ERRORS_MIN: u64 = 3;
/// Errors matter where their share is so many times the usual one, and that much more.
const TIMES_MIN: f64 = 2.0;
const POINTS_MIN: f64 = 0.02;

/// Errors among events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub errors: u64,
    pub events: u64,
}

impl Share {
    fn add(&mut self, count: &Count) {
        self.errors += count.errors;
        self.events += count.events;
    }

    pub fn value(self) -> f64 {
        self.errors as f64 / self.events.max(1) as f64
    }

    /// The probability of so many errors or more by chance, where the share is large enough to matter.
    fn more_than(self, base: Self) -> Option<(f64, bool)> {
        if self.events < EVENTS_MIN || base.events < BASE_EVENTS_MIN {
            return None;
        }
        let (share, usual) = (self.value(), base.value());
        let is_large = self.errors >= ERRORS_MIN && share >= TIMES_MIN * usual && share - usual >= POINTS_MIN;
        Some((fisher_more(self.errors, self.events, base.errors, base.events), is_large))
    }
}

/// Services of which more fails than usual: over the whole window, or in the worst five minutes of it. An outage of
/// a minute is one of a hundred events of an hour, and one of five of those five minutes.
pub(crate) fn error_shares(counts: &Counts, windows: &Windows, past: &Past, base: &[(i64, i64)]) -> Vec<Suspicion> {
    let mut now: BTreeMap<(&str, &str), BTreeMap<i64, Share>> = BTreeMap::new();
    for count in counts.within(&windows.buckets()) {
        let buckets = now.entry((&count.service, entity(&count.event_type))).or_default();
        buckets.entry(count.bucket).or_default().add(count);
    }
    let mut usual: BTreeMap<(&str, &str), Share> = BTreeMap::new();
    for count in in_base(past, base) {
        usual.entry((&count.service, entity(&count.event_type))).or_default().add(count);
    }
    let tested = now.iter().filter_map(|((service, entity), buckets)| {
        let usual = usual.get(&(*service, *entity)).copied().unwrap_or_default();
        error_share((service, entity), buckets, usual, windows)
    });
    tested.collect()
}

fn error_share(
    (service, entity): (&str, &str),
    buckets: &BTreeMap<i64, Share>,
    usual: Share,
    windows: &Windows,
) -> Option<Suspicion> {
    let whole = buckets
        .values()
        .fold(Share::default(), |sum, one| Share { errors: sum.errors + one.errors, events: sum.events + one.events });
    let of_window = whole.more_than(usual).map(|(p, is_large)| (p, is_large, whole, None));
    // The worst was chosen among all of them, so its probability counts as often.
    let chosen_of = buckets.len() as f64;
    let of_buckets = buckets.iter().filter_map(|(bucket, share)| {
        let (p, is_large) = share.more_than(usual)?;
        Some(((p * chosen_of).min(1.0), is_large, *share, Some(*bucket)))
    });
    let tests: Vec<_> = of_window.into_iter().chain(of_buckets).collect();
    let (p, is_large, share, bucket) =
        tests.into_iter().min_by(|a, b| (!a.1, a.0).partial_cmp(&(!b.1, b.0)).unwrap_or(std::cmp::Ordering::Equal))?;
    let when = bucket.map(|bucket| {
        let until_ms = windows.now_ms - bucket * BUCKET_MS;
        (until_ms - BUCKET_MS, until_ms)
    });
    let told = when.map(|(since_ms, until_ms)| format!(" from {} to {}", clock(since_ms), clock(until_ms)));
    let subject =
        Subject { service: Some(service.to_owned()), event_type: Some(format!("{entity}.*")), ..Subject::default() };
    let what = format!("{entity} events of {service}{}", told.unwrap_or_default());
    let mut found = suspicion(AnomalyKind::ErrorShare, subject, &what, (p, is_large), (share, usual));
    found.since_ms = when.map(|(since_ms, _)| since_ms);
    // What fills the newest minutes goes on.
    found.until_ms = when.map(|(_, until_ms)| until_ms).filter(|until_ms| *until_ms < windows.now_ms);
    Some(found)
}

/// A larger share of errors than others have, by Fisher.
pub(super) fn more_errors(subject: Subject, what: &str, own: Share, others: Share) -> Option<Suspicion> {
    let test = own.more_than(others)?;
    Some(suspicion(AnomalyKind::Outlier, subject, what, test, (own, others)))
}

fn suspicion(
    kind: AnomalyKind,
    subject: Subject,
    what: &str,
    (p, is_large): (f64, bool),
    (share, usual): (Share, Share),
) -> Suspicion {
    let rounded = |share: Share| (share.value() * 1e4).round() / 1e4;
    Suspicion {
        kind,
        severity: Severity::Alert,
        subject,
        value: rounded(share),
        baseline: Some(rounded(usual)),
        unit: Unit::Share,
        since_ms: None,
        until_ms: None,
        n: share.events,
        p: Some(p),
        is_large,
        message: format!(
            "{:.1} % of the {what} are errors ({} of {}), where {:.1} % are usual",
            share.value() * 100.0,
            share.errors,
            share.events,
            usual.value() * 100.0
        ),
        shared: None,
    }
}
