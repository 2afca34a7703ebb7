//! Skews: whose clocks are ahead.

use std::collections::BTreeMap;

use emp_findings::{AnomalyKind, Severity, Subject};
use emp_units as units;

use super::{Suspicion, Windows};
use crate::frame::Frame;

/// Producers whose clock is proven to be ahead: an event of theirs arrived before it happened.
pub(crate) fn skews(frame: &Frame, windows: &Windows) -> Vec<Suspicion> {
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
        let named = |of_kind: u8| Some(name.clone()).filter(|_| kind == of_kind);
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
