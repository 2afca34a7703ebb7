//! Rates: how many events there are in five minutes.

use std::collections::{BTreeSet, HashMap};

use emp_findings::{AnomalyKind, Severity, Subject, Unit};
use emp_statistics::rate_test;
use emp_units as units;

use super::{BASE_BUCKETS_MIN, Suspicion, in_base};
use crate::counts::{Count, Counts};
use crate::past::Past;

/// Of the last three buckets two have to be unusual.
const BUCKETS_NOW: i64 = 3;

/// Events of a service, or of a type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Of<'a> {
    Service(&'a str),
    Type(&'a str),
}

/// More or fewer events of a service, or of a type, than usual.
pub(crate) fn rates(counts: &Counts, past: &Past, base: &[(i64, i64)]) -> Vec<Suspicion> {
    let before = by_bucket(in_base(past, base));
    let lately = by_bucket(counts.within(&(0..BUCKETS_NOW)));
    let buckets: BTreeSet<i64> = base.iter().flat_map(|range| past.windows.buckets_of(*range)).collect();
    let seen: BTreeSet<Of<'_>> = in_base(past, base).flat_map(each).collect();
    let count_of = |counts: &ByBucket<'_>, of: &Of<'_>, bucket: i64| {
        counts.get(&(of.clone(), bucket)).copied().unwrap_or_default()
    };
    let tested = seen.iter().filter_map(|of| {
        let others: Vec<f64> = buckets.iter().map(|bucket| count_of(&before, of, *bucket)).collect();
        let now: Vec<f64> = (0..BUCKETS_NOW).map(|bucket| count_of(&lately, of, bucket)).collect();
        rate(of, &now, &others)
    });
    tested.collect()
}

/// How many events there were in each bucket.
type ByBucket<'a> = HashMap<(Of<'a>, i64), f64>;

fn by_bucket<'a>(counts: impl Iterator<Item = &'a Count>) -> ByBucket<'a> {
    let mut buckets = ByBucket::new();
    for count in counts {
        for of in each(count) {
            *buckets.entry((of, count.bucket)).or_default() += count.events as f64;
        }
    }
    buckets
}

fn each(count: &Count) -> [Of<'_>; 2] {
    [Of::Service(&count.service), Of::Type(&count.event_type)]
}

fn rate(of: &Of<'_>, now: &[f64], others: &[f64]) -> Option<Suspicion> {
    if (others.len() as i64) < BASE_BUCKETS_MIN {
        return None;
    }
    let mut tests = Vec::new();
    for count in now {
        let test = rate_test(*count, others)?;
        let is_large = (*count >= 2.0 * test.mean || *count <= test.mean / 2.0) && (count - test.mean).abs() >= 10.0;
        tests.push((test.p, test.t > 0.0, is_large, *count, test.mean));
    }
    // The second of the three decides: two have to be unusual.
    tests.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (p, is_surge, is_large, count, mean) = *tests.get(1)?;
    let agree = tests[0].1 == is_surge && tests[0].2;
    let (name, subject) = match of {
        Of::Service(name) => (name, Subject { service: Some((*name).to_owned()), ..Subject::default() }),
        Of::Type(name) => (name, Subject { event_type: Some((*name).to_owned()), ..Subject::default() }),
    };
    Some(Suspicion {
        kind: if is_surge { AnomalyKind::RateSurge } else { AnomalyKind::RateDrop },
        severity: Severity::Note,
        subject,
        value: count,
        baseline: Some(units::tenth(mean)),
        unit: Unit::Events,
        since_ms: None,
        until_ms: None,
        n: others.len() as u64,
        p: Some(p),
        is_large: is_large && agree,
        message: format!("{count} events of {name} in 5 minutes, where {mean:.1} are usual"),
        shared: None,
    })
}
