//! Outliers: workers and connectors that do worse than the others at the same work.

use emp_findings::{AnomalyKind, CulpritKind, Severity, Subject, Unit};
use emp_query::moment_literal;
use emp_units as units;

use super::errors::{Share, more_errors};
use super::{HOUR_MS, Suspicion, Windows};
use crate::investigation::{Investigation, InvestigationError};
use crate::rows::Rows;
use crate::speed::{Slowness, Speeds};

/// Workers are compared with each other over so long: each does few jobs an hour.
const PEERS_MS: i64 = 3 * HOUR_MS;
/// Somebody has to look at whoever takes so many times as long; of others it is good to know.
const GRAVE_FACTOR: f64 = 2.0;
/// Three pieces in a row may be long by chance.
const GRAVE_PIECES: usize = 4;
/// What is looked at reaches back three hours, and each of its stretches is looked at for itself: so many alerts a day may
/// come by chance, whoever else is looked at and however many others are unusual then. With 0.02 there were four on four
/// healthy days: what peers take meanwhile is known by few of their pieces, and so the probability of a few is too small.
const STRETCHES_A_DAY: f64 = 8.0;
const FALSE_A_DAY: f64 = 0.0004;
/// A difference that nobody feels.
const FELT_MS: f64 = 50.0;

/// Workers and connectors that take longer than others, as [`crate::speed`] finds them: those that still do, or did
/// within the window.
pub(crate) fn slow_ones(speeds: &Speeds, windows: &Windows) -> Vec<Suspicion> {
    let is_recent = |slow: &&Slowness| slow.until_ms >= windows.begins_ms() && slow.kind != CulpritKind::Queue;
    let subjects = speeds.subjects() as f64;
    let judged = speeds.all().iter().chain(speeds.sudden()).filter(is_recent).map(|slow| {
        let a_day = slow.p * subjects * STRETCHES_A_DAY;
        let is_sure = slow.is_sudden || (slow.pieces >= GRAVE_PIECES && a_day <= FALSE_A_DAY);
        let is_grave = slow.factor >= GRAVE_FACTOR && is_sure;
        suspicion(slow, if is_grave { Severity::Alert } else { Severity::Note })
    });
    judged.collect()
}

fn suspicion(slow: &Slowness, severity: Severity) -> Suspicion {
    let is_worker = slow.kind == CulpritKind::Worker;
    let (kind, who) = match slow.kind {
        CulpritKind::Worker => (AnomalyKind::Outlier, ""),
        _ => (AnomalyKind::Latency, "the connector "),
    };
    let takes = if slow.over_ms.is_some() { "took" } else { "takes" };
    Suspicion {
        kind,
        severity,
        subject: Subject {
            worker_id: is_worker.then(|| slow.id.clone()),
            event_type: (!is_worker).then(|| "connector.*".to_owned()),
            ..Subject::default()
        },
        value: units::tenth(slow.ms),
        baseline: Some(units::tenth(slow.usual_ms)),
        unit: Unit::Ms,
        since_ms: Some(slow.since_ms),
        until_ms: slow.over_ms,
        n: slow.pieces as u64,
        p: Some(slow.p),
        is_large: slow.ms - slow.usual_ms >= FELT_MS,
        message: format!(
            "{who}{}: half of its work {takes} {}, where {} is usual (n = {})",
            slow.in_words(),
            units::millis(slow.ms),
            units::millis(slow.usual_ms),
            slow.pieces
        ),
        shared: (!is_worker).then(|| format!("connector {}", slow.id)),
    }
}

impl Investigation<'_> {
    /// Workers that fail more than the others.
    pub(crate) async fn failing_workers(&self, windows: &Windows) -> Result<Vec<Suspicion>, InvestigationError> {
        let sql = format!(
            "select worker_id, count(*) as events, count(*) filter (where level = 'error') as errors \
             from events where worker_id is not null and ingested_at >= {} and ingested_at <= {} group by 1",
            moment_literal(windows.now_ms - PEERS_MS),
            moment_literal(windows.now_ms)
        );
        let workers = Rows::ask(self.engine(), &sql).await?.map(|row| {
            let (events, errors) = (row.integer("events")?.unsigned_abs(), row.integer("errors")?.unsigned_abs());
            Ok((row.text("worker_id")?, Share { events, errors }))
        })?;
        let all = workers.iter().fold(Share::default(), |sum, (_, one)| Share {
            errors: sum.errors + one.errors,
            events: sum.events + one.events,
        });
        let found = workers.into_iter().filter_map(|(worker, own)| {
            let what = format!("events of {worker}, compared with its peers,");
            let others = Share { errors: all.errors - own.errors, events: all.events - own.events };
            more_errors(Subject { worker_id: Some(worker), ..Subject::default() }, &what, own, others)
        });
        Ok(found.collect())
    }
}
