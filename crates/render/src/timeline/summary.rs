//! What a reader should take away from a timeline.

use anstyle::Style;

use emp_units as units;

use super::events::{Event, Times};
use crate::paint::{BOLD, DIM, ERROR, WARN};

/// So many gaps are listed, the longest of all.
const GAPS_LISTED_MAX: usize = 10;

/// The lines below a timeline, each with its style.
pub(super) fn lines(events: &[Event], times: Times) -> Vec<(Style, String)> {
    let mut lines = vec![(BOLD, counts(events))];
    lines.extend(gaps(events));
    lines.extend(errors(events).map(|line| (ERROR, line)));
    lines.extend(unfinished(events).map(|line| (WARN, line)));
    lines.extend(skews(events, times).map(|line| (WARN, line)));
    lines
}

fn counts(events: &[Event]) -> String {
    let gaps: Vec<i64> = events.iter().flat_map(|event| &event.gaps).map(|gap| gap.ms).collect();
    let errors = events.iter().filter(|event| event.is_error).count();
    let retries = events.iter().filter(|event| event.is_retry()).count();
    let mut parts = vec![match gaps.len() {
        0 => "No gaps".to_owned(),
        count => {
            format!("{} ({})", units::counted(count, "gap", "gaps"), units::millis(gaps.iter().sum::<i64>() as f64))
        }
    }];
    parts.push(if errors == 0 { "no errors".to_owned() } else { units::counted(errors, "error", "errors") });
    if retries > 0 {
        parts.push(units::counted(retries, "retry", "retries"));
    }
    parts.join(" · ")
}

/// The longest gaps, in the order in which they happened.
fn gaps(events: &[Event]) -> Vec<(Style, String)> {
    let gaps = events.iter().enumerate().flat_map(|(index, event)| event.gaps.iter().map(move |gap| (index, gap.ms)));
    let mut gaps: Vec<(usize, i64)> = gaps.collect();
    let unlisted = gaps.len().saturating_sub(GAPS_LISTED_MAX);
    gaps.sort_by_key(|(_, ms)| std::cmp::Reverse(*ms));
    gaps.truncate(GAPS_LISTED_MAX);
    gaps.sort_by_key(|(index, _)| *index);
    let mut lines: Vec<(Style, String)> = gaps.into_iter().map(|(index, ms)| (WARN, gap(events, index, ms))).collect();
    if unlisted > 0 {
        lines.push((DIM, format!("  and {}", units::counted(unlisted, "shorter gap", "shorter gaps"))));
    }
    lines
}

fn gap(events: &[Event], index: usize, ms: i64) -> String {
    let name = |event: &Event| format!("{} ({})", event.event_type, event.service);
    let before = index.checked_sub(1).map_or_else(|| "the beginning".to_owned(), |before| name(&events[before]));
    format!("  ⚠ {} between {before} → {}", units::millis(ms as f64), name(&events[index]))
}

/// Which types of errors, and how often each.
fn errors(events: &[Event]) -> Option<String> {
    let mut types: Vec<(&str, usize)> = Vec::new();
    for event in events.iter().filter(|event| event.is_error) {
        match types.iter_mut().find(|(event_type, _)| *event_type == event.event_type) {
            Some((_, count)) => *count += 1,
            None => types.push((&event.event_type, 1)),
        }
    }
    let named = types.iter().map(|(event_type, count)| match count {
        1 => (*event_type).to_owned(),
        _ => format!("{event_type} ×{count}"),
    });
    (!types.is_empty()).then(|| format!("  ✗ {}", named.collect::<Vec<_>>().join(", ")))
}

/// A job that has not ended: what was heard of it last.
fn unfinished(events: &[Event]) -> Option<String> {
    let last = events.last().filter(|_| !events.iter().any(|event| event.is_end))?;
    Some(format!("  ⚠ not ended: nothing after {} ({})", last.event_type, last.service))
}

/// Whose clocks are ahead or behind, by how much, and what was made of it.
fn skews(events: &[Event], times: Times) -> impl Iterator<Item = String> {
    let ahead = skew(events, |off_ms| off_ms > 0).map(|(count, worst, services)| {
        let shown = if times == Times::Corrected { ", and shown as of then" } else { "" };
        format!("  ⚠ clock skew: {count} stamped up to {worst} ahead of arrival ({services}){shown}")
    });
    let behind = skew(events, |off_ms| off_ms < 0).map(|(count, worst, services)| {
        let shown = if times == Times::Corrected { ", and shown so much later" } else { "" };
        format!("  ⚠ clock skew: {count} stamped up to {worst} too early ({services}){shown}")
    });
    ahead.into_iter().chain(behind)
}

/// How many events are off that way, by how much at most, and of which services.
fn skew(events: &[Event], is_off: impl Fn(i64) -> bool) -> Option<(String, String, String)> {
    let off: Vec<&Event> = events.iter().filter(|event| event.off_ms.is_some_and(&is_off)).collect();
    let worst = off.iter().filter_map(|event| event.off_ms).map(i64::unsigned_abs).max()?;
    let mut services: Vec<&str> = off.iter().map(|event| event.service.as_str()).collect();
    services.sort_unstable();
    services.dedup();
    Some((units::counted(off.len(), "event is", "events are"), units::millis(worst as f64), services.join(", ")))
}
