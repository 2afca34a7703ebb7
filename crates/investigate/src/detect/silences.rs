//! Silences: of whom nothing is heard any more.

use std::collections::BTreeMap;

use emp_findings::{AnomalyKind, Severity, Subject};
use emp_units as units;

use super::{DAY_MS, MINUTE_MS, Suspicion, Windows};
use crate::frame::{Frame, Row};

/// Services and workers of which nothing is heard for longer than they were ever silent at this hour.
pub(crate) fn silences(frame: &Frame, windows: &Windows, base: &[(i64, i64)]) -> Vec<Suspicion> {
    let last_of_all = frame.between(windows.begins_ms(), windows.now_ms).last().map(|row| row.happened_ms);
    // Where nobody at all is heard of, it is the collector that is silent.
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
