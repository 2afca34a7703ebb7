//! Questions about the steps of jobs: what is kept of files beside reading all events.

use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use emp_event::Level;
use emp_query::{Engine, HAPPENED_MS, canned_queries, find, happened_within};

use crate::happenings::{Change, change, go_through, kept};
use crate::support::*;

const SERVICES: [&str; 3] = ["api", "worker", "hook"];

/// Events of some jobs over some hours: late, early by their clocks, in one millisecond, and of no job.
fn events() -> impl Strategy<Value = Vec<TestEvent>> {
    let ahead = prop_oneof![4 => Just(0_i64), 1 => -20_000..0_i64, 1 => -3 * HOUR..0, 1 => 0..20_000_i64];
    let step = prop_oneof![2 => 0..3_i64, 3 => 0..60_000_i64, 2 => 0..HOUR];
    let one = (step, ahead, 0..12_u8, prop::sample::select(&SERVICES[..]), 0..4_u8);
    prop::collection::vec(one, 1..80).prop_map(|events| {
        let mut at = 0;
        let events = events.into_iter().enumerate().map(|(number, (step, ahead, job, service, of_type))| {
            at += step;
            // Some jobs live for some events, one for all of them.
            let job = match job {
                0 => String::new(),
                1 => "long".to_owned(),
                job => format!("job_{}_{job}", number / 20),
            };
            let told = event(at, service, &format!("e.{of_type}"), &job).seq(number as u64).ahead(ahead);
            match of_type {
                0 => told.level(Level::Error).data(&format!("{{\"error\":\"{service} broke {}\"}}", number % 3)),
                1 if number % 2 == 0 => told.level(Level::Error),
                _ => told,
            }
        });
        events.collect()
    })
}

/// With a job that is heard of several times an hour for a day and more, among these events and behind them.
fn with_long_job(events: Vec<TestEvent>) -> impl Strategy<Value = Vec<TestEvent>> {
    let ahead = prop_oneof![4 => Just(0_i64), 1 => -3 * HOUR..0, 1 => 0..20_000_i64];
    let one = (HOUR / 4..HOUR, ahead, prop::sample::select(&SERVICES[..]), 0..4_u8);
    prop::collection::vec(one, 40..60).prop_map(move |long| {
        let mut at = 0;
        let long = long.into_iter().enumerate().map(|(number, (step, ahead, service, of_type))| {
            at += step;
            event(at, service, &format!("e.{of_type}"), "endless").seq(1_000 + number as u64).ahead(ahead)
        });
        let mut all: Vec<TestEvent> = events.iter().cloned().chain(long).collect();
        all.sort_by_key(TestEvent::arrived);
        all
    })
}

/// Under IDs that no other event has.
fn late_events() -> impl Strategy<Value = Vec<TestEvent>> {
    perhaps_with_long_job().prop_map(|events| {
        let later = |event: TestEvent| {
            let seq = event.arrived().seq;
            event.seq(seq + 5_000)
        };
        events.into_iter().map(later).collect()
    })
}

fn perhaps_with_long_job() -> impl Strategy<Value = Vec<TestEvent>> {
    prop_oneof![events(), events().prop_flat_map(with_long_job)]
}

/// A range, in ms after [`BASE`].
type Bounds = (Option<i64>, Option<i64>);

fn bounds() -> impl Strategy<Value = Bounds> {
    let bound = || prop::option::weighted(0.6, -HOUR..20 * HOUR);
    (bound(), bound())
}

fn parameters((since, until): Bounds, limit: usize) -> Vec<(String, String)> {
    let bound = |name: &str, at: Option<i64>| Some((name.to_owned(), (BASE + at?).to_string()));
    let limit = Some(("limit".to_owned(), limit.to_string()));
    [bound("since", since), bound("until", until), limit].into_iter().flatten().collect()
}

fn engine(store: &TestStore) -> Engine {
    store.engine().with_clock(Timestamp::from_millisecond(BASE + 100 * HOUR).unwrap(), TimeZone::UTC)
}

/// The answer by what is kept, and the one from all events.
fn both(store: &TestStore, name: &str, given: &[(String, String)]) -> [Vec<Vec<String>>; 2] {
    let queries = canned_queries(None).unwrap();
    let query = find(&queries, name).unwrap();
    let engine = engine(store);
    block_on(async {
        let kept = engine.canned_from_files(query, given, 0).await.unwrap();
        let read = engine.canned(query, given).await.unwrap();
        let table = |text: String| -> Vec<Vec<String>> {
            text.lines().map(|line| line.split(" | ").map(str::to_owned).collect()).collect()
        };
        let read = table(rows(read).await.unwrap());
        // Where there are no events, nothing is asked.
        let kept = match kept {
            Some(kept) => table(rows(kept).await.unwrap()),
            None => {
                assert!(read.is_empty() || !store.parquet_files().iter().any(|_| true), "{name} {given:?} is not told");
                read.clone()
            }
        };
        [kept, read]
    })
}

/// Within 1 %, and the tenth to which both are rounded.
fn is_about(found: &str, exact: &str) -> bool {
    match (found.parse::<f64>(), exact.parse::<f64>()) {
        (Ok(found), Ok(exact)) => (found - exact).abs() <= exact.abs() * 0.01 + 0.1,
        _ => found == exact,
    }
}

/// The rows agree, whatever their order is, as equal ones come in any: the columns of quantiles about, all others exactly.
fn assert_agree([mut kept, mut read]: [Vec<Vec<String>>; 2], quantiles: &[usize], keys: usize, what: &str) {
    let key = |row: &Vec<String>| row[..keys].to_vec();
    kept.sort_by_key(key);
    read.sort_by_key(key);
    assert_eq!(kept.len(), read.len(), "{what}\n{kept:?}\n{read:?}");
    for (found, exact) in kept.iter().zip(&read) {
        for (column, (found_cell, exact_cell)) in found.iter().zip(exact).enumerate() {
            let agree =
                if quantiles.contains(&column) { is_about(found_cell, exact_cell) } else { found_cell == exact_cell };
            assert!(agree, "{what}, column {column}:\n{found:?}\n{exact:?}");
        }
    }
}

fn assert_all_agree(store: &TestStore, bounds: Bounds) {
    let all = parameters(bounds, 1_000);
    assert_agree(both(store, "handoffs", &all), &[4, 5, 6], 2, "handoffs");
    assert_agree(both(store, "gap-classes", &all), &[6, 7], 4, "gap-classes");
    assert_agree(both(store, "gaps", &all), &[], 7, "gaps");
    // Of few, those that come first are the same, but for the order of equal ones.
    let lengths = |rows: &[Vec<String>]| rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>();
    let [kept, read] = both(store, "gaps", &parameters(bounds, 3));
    assert_eq!(lengths(&kept), lengths(&read), "{kept:?}\n{read:?}");
    assert_lives_agree(store, bounds);
    assert_errors_agree(store, bounds);
}

fn assert_errors_agree(store: &TestStore, (since, until): Bounds) {
    let (since_ms, until_ms) = (BASE + since.unwrap_or(-1_000 * HOUR), BASE + until.unwrap_or(1_000 * HOUR));
    let engine = engine(store);
    block_on(async {
        let Some(figures) = engine.error_figures(since_ms, until_ms).await.unwrap() else { return };
        let sql = format!(
            "select service, event_type, coalesce(error_fingerprint(data), ''), count(*), count(distinct job_id), \
             cast(min(timestamp) as bigint), cast(max(timestamp) as bigint), \
             count(distinct date_trunc('hour', timestamp)) \
             from events where level = 'error' and timestamp >= to_timestamp_millis({since_ms}) \
             and timestamp < to_timestamp_millis({until_ms}) group by 1, 2, 3"
        );
        let read = rows(engine.sql(&sql).await.unwrap()).await.unwrap();
        let mut read: Vec<&str> = read.lines().collect();
        let told = figures.iter().map(|one| {
            let hours: u64 = one.hours.iter().map(|(_, events)| events).sum();
            assert_eq!(hours, one.events);
            format!(
                "{} | {} | {} | {} | {} | {} | {} | {}",
                one.service,
                one.event_type,
                one.fingerprint,
                one.events,
                one.jobs,
                one.first_ms,
                one.last_ms,
                one.hours.len()
            )
        });
        let mut told: Vec<String> = told.collect();
        told.sort();
        read.sort_unstable();
        assert_eq!(told, read, "{since:?} {until:?}");
    });
}

fn assert_lives_agree(store: &TestStore, (since, until): Bounds) {
    let (since_ms, until_ms) = (since.map(|at| BASE + at), until.map(|at| BASE + at));
    let engine = engine(store);
    block_on(async {
        let Some(figures) = engine.job_figures(since_ms, until_ms).await.unwrap() else { return };
        let within = happened_within(since_ms.unwrap_or(0), until_ms.unwrap_or(BASE + 1_000 * HOUR));
        let lives = format!(
            "select max({HAPPENED_MS}) - min({HAPPENED_MS}) as ms, job_id from events where job_id is not null and {within} \
             group by job_id order by 1 desc, 2"
        );
        let sorted = rows(engine.sql_within(&lives, since_ms, until_ms).await.unwrap()).await.unwrap();
        let sorted: Vec<(i64, &str)> = sorted
            .lines()
            .filter_map(|line| line.split_once(" | "))
            .map(|(ms, job)| (ms.parse().unwrap(), job))
            .collect();
        assert_eq!(figures.jobs, sorted.len() as u64, "{since:?} {until:?}");
        let longest: Vec<&str> = sorted.iter().take(5).map(|(_, job)| *job).collect();
        assert_eq!(figures.longest, longest, "{since:?} {until:?} {sorted:?}");
        let mut ms: Vec<i64> = sorted.iter().map(|(ms, _)| *ms).collect();
        ms.sort_unstable();
        for share in [0.0, 0.5, 0.95, 1.0] {
            let Some(place) = ms.len().checked_sub(1).map(|last| last as f64 * share) else { continue };
            let (low, high) = (ms[place.floor() as usize] as f64, ms[place.ceil() as usize] as f64);
            let exact = low + (high - low) * place.fract();
            let found = figures.quantile(share).unwrap();
            assert!((found - exact).abs() <= exact * 0.01, "{share}: {found} for {exact}");
        }
    });
}

/// How the files begin in which that is kept.
const NAME_START: &str = "jobs-";

/// What happens to a store here.
const CHANGES: [Change; 6] = [
    Change::Compacted,
    Change::LateEvents,
    Change::FileGone,
    Change::KeptGone,
    Change::KeptDamaged,
    Change::KeptCutShort,
];

fn kept_of_jobs(store: &TestStore) -> Vec<PathBuf> {
    kept(store, NAME_START)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn files_say_what_the_steps_of_their_jobs_say(
        events in perhaps_with_long_job(),
        late in late_events(),
        cuts in (0.0..1.0_f64, 0.0..1.0_f64),
        ranges in prop::collection::vec(bounds(), 2),
        changes in prop::collection::vec(change(&CHANGES), 2),
    ) {
        go_through((&events, &late), cuts, (&changes, NAME_START), |store| {
            ranges.iter().for_each(|range| assert_all_agree(store, *range));
        });
    }
}

/// Twelve hours of jobs that follow each other, of which some go on in the next hour.
fn some_events() -> Vec<TestEvent> {
    let mut events: Vec<(i64, &str, &str, i64)> = Vec::new();
    for number in 0..240_i64 {
        let at = number * 180_000;
        events.push((at, "api", "job.created", number));
        events.push((at + 2_000, "worker", "job.claimed", number));
        events.push((at + 2_000 + (number % 37) * 9_000, "worker", "job.completed", number));
    }
    events.sort_by_key(|(at, ..)| *at);
    let event = |(seq, (at, service, event_type, number)): (u64, (i64, &str, &str, i64))| {
        event(at, service, event_type, &format!("job_{number}")).seq(seq)
    };
    (0..).zip(events).map(event).collect()
}

#[test]
fn what_a_file_contributes_is_kept_and_not_kept_twice() {
    let store = TestStore::new();
    store.sealed(&some_events());
    let sizes = || kept_of_jobs(&store).iter().map(|path| path.metadata().unwrap().len()).collect::<Vec<_>>();
    assert_all_agree(&store, (None, None));
    let before = sizes();
    assert_eq!(before.len(), 2, "a file for each day");
    assert_all_agree(&store, (None, None));
    assert_all_agree(&store, (Some(HOUR), Some(5 * HOUR)));
    assert_eq!(sizes(), before);
}

/// The newest hour goes on, and so do its jobs: what is kept of those before stays as it is.
#[test]
fn events_that_follow_change_no_answer_and_nothing_that_is_kept_of_earlier_hours() {
    let store = TestStore::new();
    store.sealed(&some_events());
    assert_all_agree(&store, (None, None));
    let before = kept_of_jobs(&store).first().unwrap().metadata().unwrap().len();
    let late = [
        event(12 * HOUR, "hook", "webhook.sent", "job_1"),
        event(12 * HOUR + 1, "hook", "webhook.sent", "job_120").ahead(-5 * HOUR),
    ];
    store.journal(&late);
    assert_all_agree(&store, (None, None));
    assert_all_agree(&store, (None, Some(11 * HOUR)));
    assert_eq!(kept_of_jobs(&store).first().unwrap().metadata().unwrap().len(), before);
}

/// It shares a file with every other job, and with the hour that goes on.
#[test]
fn a_job_that_never_ends_keeps_nothing_from_being_kept() {
    let store = TestStore::new();
    let hours = 20;
    let endless = |number: i64| event(number * HOUR / 4, "sync", "job.progress_updated", "endless").seq(1_000);
    let mut events = some_events();
    events.extend((0..4 * hours).map(endless));
    events.sort_by_key(TestEvent::arrived);
    store.sealed(&events);
    store.journal(&[endless(4 * hours + 1)]);
    assert_all_agree(&store, (None, None));
    let sizes = || kept_of_jobs(&store).iter().map(|path| path.metadata().unwrap().len()).collect::<Vec<_>>();
    let before = sizes();
    // More than with which others each of twenty hours shares jobs, some forty bytes each.
    assert!(before.iter().sum::<u64>() > 1_500, "{before:?}");
    store.journal(&[endless(4 * hours + 2), event(hours * HOUR + 1_900_000, "hook", "webhook.sent", "other")]);
    assert_all_agree(&store, (None, None));
    assert_all_agree(&store, (Some(3 * HOUR + 1_000_000), Some(9 * HOUR + 500)));
    assert_eq!(sizes(), before, "nothing of it had to be derived again");
}

#[test]
fn what_files_cannot_tell_is_left_to_events() {
    let store = TestStore::new();
    store.sealed(&some_events());
    let queries = canned_queries(None).unwrap();
    let engine = engine(&store);
    let is_told = |name: &str, given: &[(&str, &str)], events: u64| {
        let given: Vec<_> = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let answer = engine.canned_from_files(find(&queries, name).unwrap(), &given, events);
        block_on(answer).unwrap().is_some()
    };
    assert!(is_told("handoffs", &[], 0));
    assert!(is_told("gaps", &[("min_gap", "1m")], 0));
    assert!(!is_told("handoffs", &[], 1_000_000), "few events are read as soon");
    assert!(!is_told("handoffs", &[("job_id", "job_1")], 0));
    assert!(!is_told("handoffs", &[("clocks", "raw")], 0));
    assert!(!is_told("gaps", &[("min_gap", "1s")], 0));
    assert!(!is_told("gap-classes", &[("min_gap", "1m")], 0));
    assert!(!is_told("timeline", &[("job_id", "job_1")], 0));
}
