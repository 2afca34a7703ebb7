//! Latencies: how long events say that they took.

use std::collections::BTreeMap;

use emp_findings::{AnomalyKind, Severity, Subject};
use emp_statistics::{fisher_more, mann_whitney_larger, quantile};
use emp_units as units;

use super::{Suspicion, Windows, in_base};
use crate::frame::{Frame, Row};

/// Types of events that take longer than usual.
pub(crate) fn latencies(frame: &Frame, windows: &Windows, base: &[(i64, i64)]) -> Vec<Suspicion> {
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
pub(super) fn slower(
    kind: AnomalyKind,
    subject: Subject,
    what: &str,
    now: &mut [f64],
    base: &mut [f64],
) -> Option<Suspicion> {
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
