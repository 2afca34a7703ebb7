//! The detectors: each compares what happened lately with what is usual.

use std::collections::{BTreeMap, BTreeSet};

use super::frame::{Frame, Row};
use emp_findings::{AnomalyKind, Moment, Severity, Subject};
use emp_statistics::{fisher_more, mann_whitney_larger, quantile, rate_test};
use emp_units as units;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Rates are counted in buckets of this length.
const BUCKET_MS: i64 = 5 * MINUTE_MS;
/// Of the last three buckets two have to be unusual.
const BUCKETS_NOW: i64 = 3;
/// Fewer buckets tell nothing about what is usual.
const BASE_BUCKETS_MIN: usize = 12;
/// Days of which the same hours are looked at.
pub(super) const BASE_DAYS: i64 = 28;
/// Workers are compared with each other over so long: each does few jobs an hour.
const PEERS_MS: i64 = 3 * HOUR_MS;

/// The times that are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    pub now_ms: i64,
    /// How far back what happens now reaches.
    pub length_ms: i64,
}

/// Something that may be unusual, of one test of many.
#[derive(Debug)]
pub(super) struct Suspicion {
    pub kind: AnomalyKind,
    pub severity: Severity,
    pub subject: Subject,
    pub value: f64,
    pub baseline: Option<f64>,
    pub n: u64,
    pub p: Option<f64>,
    /// Is the difference large enough to matter, whatever its probability?
    pub is_large: bool,
    pub message: String,
}

impl Windows {
    pub fn at(now_ms: i64) -> Self {
        Self { now_ms, length_ms: HOUR_MS }
    }

    pub fn begins_ms(&self) -> i64 {
        self.now_ms - self.length_ms
    }

    pub fn shown(&self) -> [Moment; 2] {
        [Moment(self.begins_ms()), Moment(self.now_ms)]
    }

    /// The same hour, and one before and after it, so many days ago.
    pub fn same_hours(&self, days: i64) -> (i64, i64) {
        let then_ms = self.now_ms - days * DAY_MS;
        (then_ms - HOUR_MS - self.length_ms, then_ms + HOUR_MS)
    }

    /// Is that moment of a working day where now is, or else of a weekend?
    pub fn is_same_class(&self, ms: i64) -> bool {
        is_weekend(ms) == is_weekend(self.now_ms)
    }
}

/// By UTC: 1970 began on a Thursday.
fn is_weekend(ms: i64) -> bool {
    matches!(ms.div_euclid(DAY_MS).rem_euclid(7), 2 | 3)
}

/// Times with which now is compared: the same hours of other days where there are enough, else the
/// last day. `None` where there is too little of either.
pub(super) fn baseline(frame: &Frame, windows: &Windows) -> Option<Vec<(i64, i64)>> {
    let has_events = |range: &(i64, i64)| !frame.between(range.0, range.1).is_empty();
    let days = (1..=BASE_DAYS).map(|days| windows.same_hours(days)).filter(|range| windows.is_same_class(range.0));
    let same_hours: Vec<(i64, i64)> = days.filter(has_events).collect();
    if same_hours.len() >= 3 {
        return Some(same_hours);
    }
    // From the first hour of the last day in which anything happened.
    let day_ms = windows.begins_ms() - DAY_MS;
    let first_ms = frame.between(day_ms, windows.begins_ms()).first()?.happened_ms;
    let buckets = (windows.begins_ms() - first_ms) / BUCKET_MS;
    (buckets >= BASE_BUCKETS_MIN as i64).then(|| vec![(windows.begins_ms() - buckets * BUCKET_MS, windows.begins_ms())])
}

fn in_base<'a>(frame: &'a Frame, base: &'a [(i64, i64)]) -> impl Iterator<Item = &'a Row> {
    base.iter().flat_map(|(from_ms, until_ms)| frame.between(*from_ms, *until_ms))
}

/// What one bucket after another counted.
fn counts(frame: &Frame, (from_ms, until_ms): (i64, i64), is_meant: &dyn Fn(&Row) -> bool) -> Vec<f64> {
    let buckets = ((until_ms - from_ms) / BUCKET_MS) as usize;
    let mut counts = vec![0.0; buckets];
    for row in frame.between(from_ms, from_ms + buckets as i64 * BUCKET_MS).iter().filter(|row| is_meant(row)) {
        counts[((row.happened_ms - from_ms) / BUCKET_MS) as usize] += 1.0;
    }
    counts
}

/// More or fewer events of a service, or of a type, than usual.
pub(super) fn rates(frame: &Frame, windows: &Windows, base: &[(i64, i64)]) -> Vec<Suspicion> {
    let seen: Vec<&Row> = in_base(frame, base).collect();
    let services: BTreeSet<u16> = seen.iter().map(|row| row.service).collect();
    let types: BTreeSet<u16> = seen.iter().map(|row| row.event_type).collect();
    let of_service = services.into_iter().map(|service| (Some(service), None));
    let of_type = types.into_iter().map(|event_type| (None, Some(event_type)));
    let subjects = of_service.chain(of_type);
    subjects.filter_map(|(service, event_type)| rate(frame, windows, base, service, event_type)).collect()
}

fn rate(
    frame: &Frame,
    windows: &Windows,
    base: &[(i64, i64)],
    service: Option<u16>,
    event_type: Option<u16>,
) -> Option<Suspicion> {
    let is_meant = |row: &Row| {
        service.is_none_or(|service| row.service == service)
            && event_type.is_none_or(|event_type| row.event_type == event_type)
    };
    let others: Vec<f64> = base.iter().flat_map(|range| counts(frame, *range, &is_meant)).collect();
    if others.len() < BASE_BUCKETS_MIN {
        return None;
    }
    let now = counts(frame, (windows.now_ms - BUCKETS_NOW * BUCKET_MS, windows.now_ms), &is_meant);
    let mut tests = Vec::new();
    for count in &now {
        let test = rate_test(*count, &others)?;
        let is_large = (*count >= 2.0 * test.mean || *count <= test.mean / 2.0) && (count - test.mean).abs() >= 10.0;
        tests.push((test.p, test.t > 0.0, is_large, *count, test.mean));
    }
    // The second of the three decides: two have to be unusual.
    tests.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (p, is_surge, is_large, count, mean) = *tests.get(1)?;
    let agree = tests[0].1 == is_surge && tests[0].2;
    let name = service.or(event_type).map(|number| frame.name(number).to_owned());
    let what = name.clone().unwrap_or_default();
    Some(Suspicion {
        kind: if is_surge { AnomalyKind::RateSurge } else { AnomalyKind::RateDrop },
        severity: Severity::Note,
        subject: Subject {
            service: name.clone().filter(|_| service.is_some()),
            event_type: name.filter(|_| event_type.is_some()),
            ..Subject::default()
        },
        value: count,
        baseline: Some(units::tenth(mean)),
        n: others.len() as u64,
        p: Some(p),
        is_large: is_large && agree,
        message: format!("{count} events of {what} in 5 minutes, where {:.1} are usual", mean),
    })
}

/// Types of events that take longer than usual.
pub(super) fn latencies(frame: &Frame, windows: &Windows, base: &[(i64, i64)]) -> Vec<Suspicion> {
    let by_type = |rows: &mut dyn Iterator<Item = &Row>| {
        let mut durations: BTreeMap<u16, Vec<f64>> = BTreeMap::new();
        for row in rows {
            if let Some(ms) = row.duration_ms {
                durations.entry(row.event_type).or_default().push(ms);
            }
        }
        durations
    };
    let now = by_type(&mut frame.between(windows.begins_ms(), windows.now_ms).iter());
    let mut usual = by_type(&mut in_base(frame, base));
    let tested = now.into_iter().filter_map(|(event_type, mut now)| {
        let name = frame.name(event_type).to_owned();
        let subject = Subject { event_type: Some(name.clone()), ..Subject::default() };
        slower(AnomalyKind::Latency, subject, &name, &mut now, usual.get_mut(&event_type)?)
    });
    tested.collect()
}

/// Longer at the middle, by Mann and Whitney, or more often very long, by Fisher: their joint
/// probability is twice the smaller one.
fn slower(kind: AnomalyKind, subject: Subject, what: &str, now: &mut [f64], base: &mut [f64]) -> Option<Suspicion> {
    let n = now.len();
    if n < 30 || base.len() < 200 {
        return None;
    }
    let by_rank = mann_whitney_larger(now, base);
    let (median, base_median) = (quantile(now, 0.5)?, quantile(base, 0.5)?);
    let (p95, base_p95) = (quantile(now, 0.95)?, quantile(base, 0.95)?);
    let over = |values: &[f64]| values.iter().filter(|value| **value > base_p95).count() as u64;
    let by_tail = if n >= 100 { fisher_more(over(now), n as u64, over(base), base.len() as u64) } else { 1.0 };
    let shifts = median >= 1.2 * base_median && median - base_median >= 50.0;
    let grows = n >= 100 && p95 >= 1.3 * base_p95 && p95 - base_p95 >= 50.0;
    let is_median = by_rank <= by_tail;
    let (value, baseline, share) =
        if is_median { (median, base_median, "half of them take") } else { (p95, base_p95, "19 of 20 take up to") };
    Some(Suspicion {
        kind,
        severity: Severity::Alert,
        subject,
        value: units::tenth(value),
        baseline: Some(units::tenth(baseline)),
        n: n as u64,
        p: Some((2.0 * by_rank.min(by_tail)).min(1.0)),
        is_large: if is_median { shifts } else { grows },
        message: format!(
            "{what} takes longer: {share} {}, where {} is usual (n = {n})",
            units::millis(value),
            units::millis(baseline)
        ),
    })
}

/// Services of which more fails than usual.
pub(super) fn error_shares(frame: &Frame, windows: &Windows, base: &[(i64, i64)]) -> Vec<Suspicion> {
    let by_entity = |rows: &mut dyn Iterator<Item = &Row>| {
        let mut shares: BTreeMap<(u16, String), (u64, u64)> = BTreeMap::new();
        for row in rows {
            let entity = emp_job::entity(frame.name(row.event_type)).to_owned();
            let (errors, all) = shares.entry((row.service, entity)).or_default();
            *errors += u64::from(row.is_error);
            *all += 1;
        }
        shares
    };
    let now = by_entity(&mut frame.between(windows.begins_ms(), windows.now_ms).iter());
    let usual = by_entity(&mut in_base(frame, base));
    let tested = now.into_iter().filter_map(|((service, entity), (errors, all))| {
        let (base_errors, base_all) = usual.get(&(service, entity.clone())).copied().unwrap_or_default();
        let name = frame.name(service).to_owned();
        let what = format!("{entity} events of {name}");
        let subject = Subject { service: Some(name), event_type: Some(format!("{entity}.*")), ..Subject::default() };
        more_errors(AnomalyKind::ErrorShare, subject, &what, (errors, all), (base_errors, base_all))
    });
    tested.collect()
}

fn more_errors(
    kind: AnomalyKind,
    subject: Subject,
    what: &str,
    (errors, all): (u64, u64),
    (base_errors, base_all): (u64, u64),
) -> Option<Suspicion> {
    if all < 20 || base_all < 100 {
        return None;
    }
    let (share, base_share) = (errors as f64 / all as f64, base_errors as f64 / base_all as f64);
    Some(Suspicion {
        kind,
        severity: Severity::Alert,
        subject,
        value: (share * 1e4).round() / 1e4,
        baseline: Some((base_share * 1e4).round() / 1e4),
        n: all,
        p: Some(fisher_more(errors, all, base_errors, base_all)),
        is_large: errors >= 3 && share >= 2.0 * base_share && share - base_share >= 0.02,
        message: format!(
            "{:.1} % of the {what} are errors ({errors} of {all}), where {:.1} % are usual",
            share * 100.0,
            base_share * 100.0
        ),
    })
}

/// Services and workers of which nothing is heard for longer than they were ever silent at this hour.
pub(super) fn silences(frame: &Frame, windows: &Windows, base: &[(i64, i64)]) -> Vec<Suspicion> {
    let last_of_all = frame.between(windows.begins_ms(), windows.now_ms).last().map(|row| row.happened_ms);
    // Where nobody is heard of it is the collector.
    if last_of_all.is_none_or(|last_ms| windows.now_ms - last_ms > MINUTE_MS) {
        return Vec::new();
    }
    let by_service = |row: &Row| Some(row.service);
    let by_worker = |row: &Row| row.worker;
    let mut found = silent(frame, windows, base, &by_service, false);
    found.extend(silent(frame, windows, base, &by_worker, true));
    found
}

fn silent(
    frame: &Frame,
    windows: &Windows,
    base: &[(i64, i64)],
    subject_of: &dyn Fn(&Row) -> Option<u16>,
    is_worker: bool,
) -> Vec<Suspicion> {
    let mut usual: BTreeMap<u16, (u64, i64)> = BTreeMap::new();
    for (from_ms, until_ms) in base {
        let mut last: BTreeMap<u16, i64> = BTreeMap::new();
        for row in frame.between(*from_ms, *until_ms) {
            let Some(subject) = subject_of(row) else { continue };
            if let Some(last_ms) = last.insert(subject, row.happened_ms) {
                let (intervals, longest_ms) = usual.entry(subject).or_default();
                *intervals += 1;
                *longest_ms = (*longest_ms).max(row.happened_ms - last_ms);
            }
        }
    }
    let recent = frame.between(windows.now_ms - DAY_MS, windows.now_ms);
    let found =
        usual.into_iter().filter(|(_, (intervals, _))| *intervals >= 200).filter_map(|(subject, (n, longest_ms))| {
            let last = recent.iter().rev().find(|row| subject_of(row) == Some(subject))?;
            let silent_ms = windows.now_ms - last.happened_ms;
            let is_stopped = frame.name(last.event_type) == "worker.shutting_down";
            let limit_ms = MINUTE_MS.max(2 * longest_ms);
            let name = frame.name(subject).to_owned();
            (silent_ms > limit_ms && !is_stopped).then(|| Suspicion {
                kind: AnomalyKind::Silence,
                severity: Severity::Alert,
                subject: Subject {
                    service: Some(name.clone()).filter(|_| !is_worker),
                    worker_id: Some(name.clone()).filter(|_| is_worker),
                    ..Subject::default()
                },
                value: silent_ms as f64,
                baseline: Some(longest_ms as f64),
                n,
                p: None,
                is_large: true,
                message: format!(
                    "{name} has been silent for {}, while others speak; it was never silent for more than {}",
                    units::millis(silent_ms as f64),
                    units::millis(longest_ms as f64)
                ),
            })
        });
    found.collect()
}

/// Workers that take longer, or fail more, than the others at the same work.
pub(super) fn outliers(frame: &Frame, windows: &Windows) -> Vec<Suspicion> {
    let rows = frame.between(windows.now_ms - PEERS_MS, windows.now_ms);
    let mut by_type: BTreeMap<u16, BTreeMap<u16, Vec<f64>>> = BTreeMap::new();
    for row in rows {
        let (Some(worker), Some(ms)) = (row.worker, row.duration_ms) else { continue };
        if frame.name(row.event_type).starts_with("connector.") {
            by_type.entry(row.event_type).or_default().entry(worker).or_default().push(ms);
        }
    }
    let mut found = Vec::new();
    for (event_type, workers) in by_type {
        for (worker, own) in &workers {
            let others: Vec<f64> =
                workers.iter().filter(|(other, _)| *other != worker).flat_map(|(_, ms)| ms.clone()).collect();
            let (name, event) = (frame.name(*worker), frame.name(event_type));
            let subject =
                Subject { worker_id: Some(name.to_owned()), event_type: Some(event.to_owned()), ..Subject::default() };
            let what = format!("{event} on {name}, compared with its peers,");
            found.extend(slower(AnomalyKind::Outlier, subject, &what, &mut own.clone(), &mut others.clone()));
        }
    }
    found.extend(failing_workers(frame, rows));
    found
}

fn failing_workers(frame: &Frame, rows: &[Row]) -> Vec<Suspicion> {
    let mut by_worker: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
    for row in rows {
        if let Some(worker) = row.worker {
            let (errors, all) = by_worker.entry(worker).or_default();
            *errors += u64::from(row.is_error);
            *all += 1;
        }
    }
    let (all_errors, all) = by_worker.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let found = by_worker.iter().filter_map(|(worker, (errors, events))| {
        let name = frame.name(*worker).to_owned();
        let what = format!("events of {name}, compared with its peers,");
        let subject = Subject { worker_id: Some(name), ..Subject::default() };
        more_errors(AnomalyKind::Outlier, subject, &what, (*errors, *events), (all_errors - errors, all - events))
    });
    found.collect()
}

/// Producers whose clock is proven to be ahead: an event of theirs arrived before it happened.
pub(super) fn skews(frame: &Frame, windows: &Windows) -> Vec<Suspicion> {
    const PROVEN_MS: i64 = -20;
    const ALERT_MS: i64 = -500;
    const EVENTS_MIN: u64 = 30;
    let mut by_producer: BTreeMap<(u16, u8), (i64, u64)> = BTreeMap::new();
    for row in frame.between(windows.begins_ms(), windows.now_ms) {
        let producer = match (row.machine, row.worker) {
            (Some(machine), _) => (machine, 0),
            (None, Some(worker)) => (worker, 1),
            (None, None) => (row.service, 2),
        };
        let (least_ms, events) = by_producer.entry(producer).or_insert((i64::MAX, 0));
        *least_ms = (*least_ms).min(row.delay_ms);
        *events += 1;
    }
    let proven = by_producer.into_iter().filter(|(_, (least_ms, n))| *least_ms < PROVEN_MS && *n >= EVENTS_MIN);
    let found = proven.map(|((producer, kind), (least_ms, n))| {
        let name = frame.name(producer).to_owned();
        let named = |of: u8| Some(name.clone()).filter(|_| kind == of);
        Suspicion {
            kind: AnomalyKind::Skew,
            severity: if least_ms < ALERT_MS { Severity::Alert } else { Severity::Note },
            subject: Subject { machine_id: named(0), worker_id: named(1), service: named(2), ..Subject::default() },
            value: -least_ms as f64,
            baseline: Some(0.0),
            n,
            p: None,
            is_large: true,
            message: format!("the clock of {name} is at least {} ahead", units::millis(-least_ms as f64)),
        }
    });
    found.collect()
}
