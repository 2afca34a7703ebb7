//! Outliers: workers that do worse than the others at the same work.

use std::collections::BTreeMap;

use emp_findings::{AnomalyKind, Subject};

use super::errors::more_errors;
use super::latencies::slower;
use super::{HOUR_MS, Suspicion, Windows};
use crate::frame::{Frame, Row};

/// Workers are compared with each other over so long: each does few jobs an hour.
const PEERS_MS: i64 = 3 * HOUR_MS;

/// Workers that take longer, or fail more, than the others at the same work.
pub(crate) fn outliers(frame: &Frame, windows: &Windows) -> Vec<Suspicion> {
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
