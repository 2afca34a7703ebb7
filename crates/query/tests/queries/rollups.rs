//! Questions about many events: what hours contribute beside reading all events.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use emp_event::Level;
use emp_query::{Engine, Learning, OnLearning, Settings};

use crate::happenings::{CHANGES, change, go_through, kept};
use crate::support::*;

const HOURS: i64 = 40;
const TYPES: [&str; 3] = ["job.created", "job.completed", "job.failed"];
const SERVICES: [&str; 2] = ["api", "worker"];
const LEVELS: [Level; 2] = [Level::Info, Level::Error];

/// What may be grouped by, and asked under which conditions: with it, the hours are asked.
const GROUPS: [&str; 8] = [
    "'all'",
    "event_type",
    "service || '/' || level",
    "date || ' ' || hour",
    "date_trunc('hour', timestamp)",
    "date_bin(interval '6 hours', timestamp)",
    "cast(floor(cast(timestamp as bigint) / 7200000.0) as bigint)",
    "case when event_type like 'job.c%' then date_part('hour', timestamp) end",
];
const CONDITIONS: [&str; 6] = [
    "true",
    "event_type <> 'job.created'",
    "level = 'error' or service = 'api'",
    "date >= '2025-09-28'",
    "hour in ('03', '14', '15')",
    "date_trunc('day', timestamp) > '2025-09-27T00:00:00Z'",
];

/// Events of some forty hours, late and early, with durations from none to hours.
fn events() -> impl Strategy<Value = Vec<TestEvent>> {
    let ahead = prop_oneof![6 => -2_000..2_000_i64, 1 => -5 * HOUR..0, 1 => 0..HOUR];
    let duration = prop_oneof![
        2 => Just(None),
        1 => Just(Some(0.0)),
        4 => (0..80_i64).prop_map(|ms| Some(ms as f64)),
        // Sums of such are exact in whatever order they are made.
        2 => (1..5_000_000_000_i64).prop_map(|parts| Some(parts as f64 / 1_024.0)),
    ];
    let one = (0..HOURS * HOUR, ahead, (0..3_usize, 0..2_usize, 0..2_usize), duration);
    prop::collection::vec(one, 1..160).prop_map(|mut events| {
        events.sort_by_key(|(at, ..)| *at);
        let event = |(number, (at, ahead, (of_type, service, level), duration)): (usize, (i64, _, _, Option<f64>))| {
            let data = duration.map_or("{}".to_owned(), |ms| format!("{{\"durationMs\":{ms}}}"));
            let told = event(at, SERVICES[service], TYPES[of_type], "").seq(number as u64).ahead(ahead);
            told.level(LEVELS[level]).data(&data)
        };
        events.into_iter().enumerate().map(event).collect()
    })
}

/// A question, and the same in words that only events can answer.
fn question() -> impl Strategy<Value = [String; 2]> {
    let bound = (0..HOURS * HOUR).prop_map(|at| at - at % 60_000);
    let range = (prop::option::of(bound.clone()), prop::option::of(bound));
    (prop::sample::select(&GROUPS[..]), prop::sample::select(&CONDITIONS[..]), range).prop_map(
        |(group, condition, (since, until))| {
            let moment = |at: i64| format!("to_timestamp_millis({})", BASE + at);
            let since = since.map_or(String::new(), |at| format!(" and timestamp >= {}", moment(at)));
            let until = until.map_or(String::new(), |at| format!(" and {} > timestamp", moment(at)));
            let sql = |quantile: &str| {
                format!(
                    "select {group} as g, count(*), count(duration_ms) filter (where level = 'error'), \
                     sum(duration_ms), avg(duration_ms), min(duration_ms), max(duration_ms), \
                     min(timestamp), max(timestamp) filter (where service = 'api'), count(distinct level), min(service), \
                     coalesce({quantile}(duration_ms, 0.9), 0) as p90 \
                     from (select *, duration_ms as d from events where {condition}) as e where true{since}{until} \
                     group by 1 order by 1"
                )
            };
            [sql("approx_quantile"), sql("quantile_cont")]
        },
    )
}

/// Is it answered from what hours contribute?
fn is_asked(store: &TestStore, sql: &str) -> bool {
    store.ask(&format!("explain {sql}")).contains("TableScan: hours")
}

/// The answers agree, the last column within the error that `approx_quantile` states.
fn assert_agree(store: &TestStore, [rolled, read]: &[String; 2]) {
    let is_of_all_time = !rolled.contains("to_timestamp_millis");
    assert!(!is_of_all_time || is_asked(store, rolled), "{rolled}");
    let (rolled_answer, read_answer) = (store.ask(rolled), store.ask(read));
    let rows = |answer: &str| -> Vec<(String, f64)> {
        let rows = answer.lines().filter_map(|line| line.rsplit_once(" | "));
        rows.map(|(exact, p90)| (exact.to_owned(), p90.parse().unwrap())).collect()
    };
    let (found, expected) = (rows(&rolled_answer), rows(&read_answer));
    assert_eq!(found.len(), expected.len(), "{rolled}\n{rolled_answer}\n{read_answer}");
    for ((found, p90), (expected, exact)) in found.into_iter().zip(expected) {
        assert_eq!(found, expected, "{rolled}");
        assert!((p90 - exact).abs() <= exact * 0.001, "{rolled}: {p90} for {exact}");
    }
}

/// How the files begin in which that is kept.
const NAME_START: &str = "rollups-";

fn rollups(store: &TestStore) -> Vec<PathBuf> {
    kept(store, NAME_START)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hours_say_what_their_events_say(
        events in events(),
        late in events(),
        cuts in (0.0..1.0_f64, 0.0..1.0_f64),
        questions in prop::collection::vec(question(), 2),
        changes in prop::collection::vec(change(&CHANGES), 2),
    ) {
        go_through((&events, &late), cuts, (&changes, NAME_START), |store| {
            questions.iter().for_each(|question| assert_agree(store, question));
        });
    }
}

fn some_events() -> Vec<TestEvent> {
    let one = |at: i64| {
        let data = format!("{{\"durationMs\":{}}}", at % 977);
        event(at * 600_000, SERVICES[at as usize % 2], TYPES[at as usize % 3], "").data(&data)
    };
    (0..240).map(one).collect()
}

#[test]
fn they_are_asked_where_they_can_tell_and_only_there() {
    let store = TestStore::new();
    store.sealed(&some_events());
    let is_asked = |sql: &str| is_asked(&store, sql);
    let moment = |hours: i64| format!("to_timestamp_millis({})", BASE + hours * HOUR + 5);
    for sql in [
        "select event_type, count(*) from events group by 1",
        "select distinct service from events",
        "select level, avg(duration_ms) from events e where service = 'api' group by 1",
        &format!("select event_type, max(duration_ms) from events where timestamp >= {} group by 1", moment(3)),
        "with e as (select event_type as t, duration_ms as d from events) select t, approx_quantile(d, 0.5) from e group by 1",
    ] {
        assert!(is_asked(sql), "{sql}");
    }
    for sql in [
        "select event_type, quantile_cont(duration_ms, 0.5) from events group by 1",
        "select event_type, count(*) from events where duration_ms > 5 group by 1",
        "select event_type, count(*) from events where job_id = 'j' group by 1",
        "select event_type, count(job_id) from events group by 1",
        "select event_type, count(distinct duration_ms) from events group by 1",
        "select date_trunc('minute', timestamp), count(*) from events group by 1",
        "select date_bin(interval '90 minutes', timestamp), count(*) from events group by 1",
        "select event_type, timestamp, count(*) from events group by 1, 2",
        "select event_type, random() < 0.5, count(*) from events group by 1, 2",
        "select event_type, count(*) from (select * from events limit 5) group by 1",
        "select event_type, count(*) from transitions group by 1",
        &format!(
            "select event_type, count(*) from events where timestamp >= {} and timestamp < {} group by 1",
            moment(3),
            moment(9)
        ),
    ] {
        assert!(!is_asked(sql), "{sql}");
    }
}

#[test]
fn what_is_kept_is_not_kept_twice() {
    let store = TestStore::new();
    store.sealed(&some_events());
    let sql = "select event_type, count(*), sum(duration_ms) from events group by 1 order by 1";
    let expected = store.ask(sql);
    assert!(!rollups(&store).is_empty());
    let kept = rollups(&store).len();
    // A second look keeps nothing twice.
    let sizes = |store: &TestStore| -> u64 { rollups(store).iter().map(|path| path.metadata().unwrap().len()).sum() };
    let before = sizes(&store);
    assert_eq!(store.ask(sql), expected);
    assert_eq!((rollups(&store).len(), sizes(&store)), (kept, before));
}

#[test]
fn whoever_waits_while_they_are_derived_is_told_how_far_it_is() {
    let store = TestStore::new();
    store.sealed(&some_events());
    let told = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&told);
    let on_learning: OnLearning = Arc::new(move |what, done, all| hears.lock().unwrap().push((what, done, all)));
    let ask_once = || {
        let settings = Settings { on_learning: Some(Arc::clone(&on_learning)), ..Settings::default() };
        ask(&Engine::open_with(&store.layout, settings).unwrap(), "select event_type, count(*) from events group by 1");
        let mut told = std::mem::take(&mut *told.lock().unwrap());
        told.sort_unstable_by_key(|(_, done, _)| *done);
        told
    };
    // The newest of the forty hours is read as it is.
    let expected: Vec<_> = (1..=39).map(|done| (Learning::Hours, done, 39)).collect();
    assert_eq!(ask_once(), expected);
    assert_eq!(ask_once(), [], "it is known now");
}

#[test]
fn a_collector_derives_hours_that_are_over_and_forgets_days_that_have_gone() {
    let store = TestStore::new();
    store.sealed(&some_events());
    let bring_up_to_date = || {
        let files = emp_catalog::bring_up_to_date(&store.layout, emp_catalog::IndexingPace::CALM).unwrap();
        emp_rollup::bring_up_to_date(&store.layout, &files, emp_store::Hour::of_ms(BASE + 39 * HOUR)).unwrap();
        rollups(&store).iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let days = ["rollups-2025-09-27.v3", "rollups-2025-09-28.v3", "rollups-2025-09-29.v3"];
    assert_eq!(bring_up_to_date(), days);
    std::fs::remove_dir_all(store.layout.root().join("date=2025-09-27")).unwrap();
    assert_eq!(bring_up_to_date(), days[1..]);
}

/// An import of years, each event of another hour, is no shorter for being put together.
#[test]
fn a_file_of_many_hours_is_read_as_it_is() {
    let store = TestStore::new();
    let spread = (0..1_500_i64).map(|at| event(at, "api", "job.created", "").seq(at as u64).ahead(-at * HOUR));
    store.sealed(&spread.collect::<Vec<_>>());
    store.sealed(&[event(3 * HOUR, "api", "job.created", "")]);
    assert_eq!(store.ask("select event_type, count(*) from events group by 1"), "job.created | 1501");
    assert!(rollups(&store).iter().all(|path| path.metadata().unwrap().len() < 200));
}
