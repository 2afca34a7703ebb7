//! Types of events that are new, gone, more or fewer.

use emp_findings::{ChangeKind, Direction};
use emp_statistics::{RatioTest, Slot, ratio_test};

use super::candidate::{Candidate, finite, per_hour, rounded, times};
use super::ranges::Ranges;
use super::series::{AllSeries, Series};

/// So many times as many, or as few, are worth telling.
pub(super) const TIMES_MIN: f64 = 1.5;
/// And so many more, or fewer, than were to be expected.
const EVENTS_MIN: f64 = 5.0;
/// In the course of a day the number of jobs changes by no more than this an hour, e to that power, where its height
/// is nine times its depth and it swings evenly between the two: 0.8 · 2π/24 / √(1 − 0.8²).
const COURSE_OF_HOUR: f64 = 0.35;
/// Nor by more than this in all.
const COURSE_MAX: f64 = 9.0;

/// Every type of event, tested.
pub(super) fn rates(all: &AllSeries, ranges: &Ranges) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = all.series.iter().filter_map(|one| rate(all, one, ranges)).collect();
    found.extend(number_of_jobs(all, ranges));
    found
}

fn rate(all: &AllSeries, one: &Series, ranges: &Ranges) -> Option<Candidate> {
    let by_jobs = all.by_jobs(one, ranges);
    let mut test = tested(&by_jobs)?;
    if !one.is_of_jobs() {
        // A beat comes as often whatever there is to do, a request does not: a change is one by either measure.
        test = nearer(test, tested(&ranges.by_time(&one.events))?);
    }
    let (before, after) = one.totals(ranges);
    let direction = match (before, after) {
        (0, _) => Direction::New,
        (_, 0) => Direction::Gone,
        _ if test.factor >= 1.0 => Direction::More,
        _ => Direction::Less,
    };
    let mut found = Candidate::new(ChangeKind::EventType, direction, &one.event_type, test.p);
    found.event_type = Some(one.event_type.clone());
    found.change.service = Some(one.service.clone());
    count(&mut found, ranges, (before, after), test.factor);
    found.change.words = in_words(&found, &format!("{} of {}", one.event_type, one.service), all, ranges);
    Some(found)
}

/// Notes counts and rates, and whether the difference is large enough.
pub(super) fn count(found: &mut Candidate, ranges: &Ranges, (before, after): (u64, u64), factor: f64) {
    let change = &mut found.change;
    (change.before_count, change.after_count) = (before, after);
    change.before_per_hour = Some(rounded(before as f64 / ranges.before.hours()));
    change.after_per_hour = Some(rounded(after as f64 / ranges.after.hours()));
    change.factor = finite(factor);
    // What was to be expected after, by what there was before.
    let surplus = if factor > 0.0 { after as f64 * (1.0 - 1.0 / factor) } else { -(before as f64) };
    found.is_large = factor.max(1.0 / factor) >= TIMES_MIN && surplus.abs() >= EVENTS_MIN;
}

fn in_words(found: &Candidate, name: &str, all: &AllSeries, ranges: &Ranges) -> String {
    let change = &found.change;
    let rate = |rate: Option<f64>| per_hour(rate.unwrap_or_default());
    let (before, after) = (rate(change.before_per_hour), rate(change.after_per_hour));
    match (change.change, change.factor) {
        (Direction::New, _) => format!("{name}: {after} an hour, none before"),
        (Direction::Gone, _) => format!("{name}: none any more, {before} an hour before"),
        (_, Some(factor)) => {
            let plain = change.after_per_hour.zip(change.before_per_hour).map(|(after, before)| after / before);
            let jobs = all.jobs_ratio * ranges.before.hours() / ranges.after.hours();
            // Where the number of jobs explains a part of it, that is said.
            let differs = plain.is_some_and(|plain| (plain / factor).ln().abs() > 0.1);
            let aside = if differs { format!(" per job, of which there are {}", times(jobs)) } else { String::new() };
            format!("{name}: {} an hour → {} ({}{aside})", before, after, times(factor))
        }
        (_, None) => format!("{name}: {after} an hour, none before"),
    }
}

/// The number of jobs itself. A day has its course: what a day may do by itself is not told.
fn number_of_jobs(all: &AllSeries, ranges: &Ranges) -> Option<Candidate> {
    let (events, name) = match all.begins {
        Some(at) => (all.series[at].events.clone(), format!("jobs ({})", all.series[at].event_type)),
        None if all.is_by_most => (sum(&all.series, ranges.slots()), "events of all types".to_owned()),
        // Each type has been compared by time alone.
        None => return None,
    };
    let test = tested(&ranges.by_time(&events))?;
    let direction = if test.factor >= 1.0 { Direction::More } else { Direction::Less };
    let mut found = Candidate::new(ChangeKind::Jobs, direction, &name, beyond_course(&events, test.factor, ranges));
    let (before, after) = events.split_at(ranges.before.slots);
    count(&mut found, ranges, (before.iter().sum(), after.iter().sum()), test.factor);
    let rate = |rate: Option<f64>| per_hour(rate.unwrap_or_default());
    found.change.words = format!(
        "{name}: {} an hour → {} ({})",
        rate(found.change.before_per_hour),
        rate(found.change.after_per_hour),
        times(test.factor)
    );
    Some(found)
}

/// The probability of so many or so few where the day's course goes as far that way as it may.
fn beyond_course(events: &[u64], factor: f64, ranges: &Ranges) -> f64 {
    let most = if factor >= 1.0 { course(ranges) } else { 1.0 / course(ranges) };
    let [before, mut after] = ranges.by_time(events);
    after.iter_mut().for_each(|slot| slot.exposure *= most);
    let beyond = ratio_test(&before, &after).filter(|test| (test.factor >= 1.0) == (factor >= 1.0));
    beyond.map_or(1.0, |test| test.p)
}

/// By how much the number of jobs may differ in ranges as far apart, by the course of a day alone.
fn course(ranges: &Ranges) -> f64 {
    let middle = |since_ms: i64, until_ms: i64| (since_ms + until_ms) as f64 / 2.0;
    let apart_ms =
        middle(ranges.after.since_ms, ranges.after.until_ms) - middle(ranges.before.since_ms, ranges.before.until_ms);
    let of_day = (apart_ms / 3.6e6).rem_euclid(24.0);
    (COURSE_OF_HOUR * of_day.min(24.0 - of_day)).exp().min(COURSE_MAX)
}

fn sum(series: &[Series], slots: usize) -> Vec<u64> {
    let mut sum = vec![0; slots];
    for one in series {
        sum.iter_mut().zip(&one.events).for_each(|(sum, events)| *sum += events);
    }
    sum
}

fn tested([before, after]: &[Vec<Slot>; 2]) -> Option<RatioTest> {
    ratio_test(before, after)
}

/// Of two tests of one thing the one that shows less; nothing where they contradict each other.
fn nearer(a: RatioTest, b: RatioTest) -> RatioTest {
    let contradict = (a.factor > 1.0) != (b.factor > 1.0);
    let less = if a.factor.ln().abs() <= b.factor.ln().abs() { a } else { b };
    RatioTest { p: if contradict { 1.0 } else { a.p.max(b.p) }, ..less }
}
