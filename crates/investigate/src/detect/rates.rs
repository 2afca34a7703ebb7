//! Rates: how many events there are in five minutes.

use std::collections::BTreeSet;

use emp_findings::{AnomalyKind, Severity, Subject};
use emp_statistics::rate_test;
use emp_units as units;

use super::{BASE_BUCKETS_MIN, BUCKET_MS, Suspicion, Windows, in_base};
use crate::frame::{Frame, Row};

/// Of the last three buckets two have to be unusual.
const BUCKETS_NOW: i64 = 3;

/// More or fewer events of a service, or of a type, than usual.
pub(crate) fn rates(frame: &Frame, windows: &Windows, base: &[(i64, i64)]) -> Vec<Suspicion> {
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

/// What one bucket after another counted.
fn counts(frame: &Frame, (from_ms, until_ms): (i64, i64), is_meant: &dyn Fn(&Row) -> bool) -> Vec<f64> {
    let buckets = ((until_ms - from_ms) / BUCKET_MS) as usize;
    let mut counts = vec![0.0; buckets];
    for row in frame.between(from_ms, from_ms + buckets as i64 * BUCKET_MS).iter().filter(|row| is_meant(row)) {
        counts[((row.happened_ms - from_ms) / BUCKET_MS) as usize] += 1.0;
    }
    counts
}
