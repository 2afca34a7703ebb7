//! The table `transitions`: the walk through the files beside sorting all events by their jobs.

use proptest::prelude::*;

use crate::support::*;

/// What the table says of each event, made by sorting.
fn sorted(clock: &str) -> String {
    format!(
        "select job_id, event_type, service, timestamp, ingested_at, \
         lag(event_type) over happened as from_event, lag(service) over happened as from_service, \
         lag(timestamp) over happened as from_time, ms - lag(ms) over happened as gap_ms, \
         case when lag(service) over arrived <> service then lag(service) over arrived end as handed_by, \
         case when lag(service) over arrived <> service then ms - lag(ms) over arrived end as handoff_ms \
         from (select *, cast({clock} as bigint) as ms from events where job_id is not null) \
         window happened as (partition by job_id order by ms, ingested_at, length(id), id), \
         arrived as (partition by job_id order by ingested_at, length(id), id) order by event_type"
    )
}

fn walked(table: &str) -> String {
    format!(
        "select job_id, event_type, service, timestamp, ingested_at, from_event, from_service, from_time, gap_ms, \
         handed_by, handoff_ms from {table} order by event_type"
    )
}

/// Events of few jobs over some hours: late, early by their clocks, in one millisecond, and of no job.
fn events() -> impl Strategy<Value = Vec<TestEvent>> {
    let ahead = prop_oneof![3 => Just(0_i64), 1 => -20_000..0_i64, 1 => -3 * HOUR..0, 1 => 0..20_000_i64];
    // Steps of no time at all put several events into one millisecond.
    let step = prop_oneof![2 => 0..3_i64, 3 => 0..60_000_i64, 1 => 0..HOUR];
    let one = (step, ahead, 0..7_u8, prop::sample::select(&["api", "worker", "hook"][..]));
    prop::collection::vec(one, 1..60).prop_map(|events| {
        let mut at = 0;
        let events = events.into_iter().enumerate().map(|(number, (step, ahead, job, service))| {
            at += step;
            let job = if job == 0 { String::new() } else { format!("job_{job}") };
            event(at, service, &format!("e.{number:03}"), &job).seq(number as u64).ahead(ahead)
        });
        events.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_walk_finds_what_sorting_finds(
        events in events(),
        // Which of two writers has an event, and in which of their files it is.
        writers in prop::collection::vec(0..2_usize, 60),
        cuts in (0.0..1.0_f64, 0.0..1.0_f64),
    ) {
        let store = TestStore::new();
        let at = |share: f64| (share * events.len() as f64) as usize;
        let (first, second) = (at(cuts.0.min(cuts.1)), at(cuts.0.max(cuts.1)));
        for (files, is_sealed) in [(0..first, true), (first..second, true), (second..events.len(), false)] {
            let of_writer = |writer: usize| -> Vec<TestEvent> {
                files.clone().filter(|at| writers[*at] == writer).map(|at| events[at].clone()).collect()
            };
            if is_sealed {
                store.sealed(&of_writer(0));
                store.sealed_by("c1", &of_writer(1));
            } else {
                store.sealed_by("c1", &of_writer(1));
                store.journal(&of_writer(0));
            }
        }
        prop_assert_eq!(store.ask(&walked("transitions")), store.ask(&sorted("least(timestamp, ingested_at)")));
        prop_assert_eq!(store.ask(&walked("raw_transitions")), store.ask(&sorted("timestamp")));
        let of_job = |table: &str| store.ask(&format!("select count(*) from {table} where job_id = 'job_1'"));
        prop_assert_eq!(of_job("transitions"), of_job("events"));
    }
}

/// What a row group holds at most, and some more, so that jobs go on from piece to piece of one file.
#[test]
fn jobs_of_a_large_file_are_put_together_piece_by_piece() {
    let store = TestStore::new();
    let events: Vec<TestEvent> = (0..150_000_i64)
        .map(|number| {
            let job = if number % 3 == 0 { "long".to_owned() } else { format!("j{}", number / 40) };
            event(number, ["api", "worker"][(number % 2) as usize], "job.step", &job)
        })
        .collect();
    store.sealed(&events);
    let sums = "count(*), count(distinct job_id), sum(gap_ms), max(gap_ms), count(handed_by)";
    let expected = format!(
        "select {} from (select job_id, ms - lag(ms) over job as gap_ms, \
         case when lag(service) over job <> service then 1 end as handed_by from \
         (select *, cast(timestamp as bigint) as ms from events) \
         window job as (partition by job_id order by ingested_at, length(id), id))",
        sums
    );
    assert_eq!(store.ask(&format!("select {sums} from transitions")), store.ask(&expected));
}

#[test]
fn the_index_of_ids_may_be_away_or_damaged() {
    let store = TestStore::new();
    let events: Vec<TestEvent> = (0..200_i64)
        .map(|at| event(at * 120_000, ["a", "b"][(at % 2) as usize], &format!("e.{at:03}"), &format!("j{}", at % 9)))
        .collect();
    store.sealed(&events[..150]);
    store.journal(&events[150..]);
    let expected = store.ask(&sorted("least(timestamp, ingested_at)"));
    assert_eq!(store.ask(&walked("transitions")), expected);
    // An index of all files is made by whoever asks about ids of more of them; then one of its runs is damaged.
    emp_catalog::bring_up_to_date(&store.layout, emp_catalog::IndexingPace::CALM).unwrap();
    assert_eq!(store.ask(&walked("transitions")), expected);
    for entry in std::fs::read_dir(store.layout.index()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.extension().is_none_or(|extension| extension != "v4") {
            let mut bytes = std::fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0xff;
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(store.ask(&walked("transitions")), expected, "{}", path.display());
        }
    }
    std::fs::remove_dir_all(store.layout.index()).unwrap();
    assert_eq!(store.ask(&walked("transitions")), expected);
}

#[test]
fn filters_choose_rows_and_change_none() {
    let store = TestStore::new();
    store.sealed(&[
        event(0, "api", "job.created", "j1"),
        event(3_000, "worker", "job.claimed", "j1"),
        event(4_000, "worker", "job.claimed", "j2"),
        event(HOUR + 9_000, "worker", "job.completed", "j1"),
        event(HOUR + 9_100, "hook", "webhook.sent", "j1").ahead(-50),
    ]);
    let asked = |condition: &str| {
        store.ask(&format!("select event_type, from_event, gap_ms, handed_by, attempt from transitions where {condition} order by ingested_at"))
    };
    insta::assert_snapshot!(asked("true"), @r"
    job.created | null | null | null | 1
    job.claimed | job.created | 3000 | api | 1
    job.claimed | null | null | null | 1
    job.completed | job.claimed | 3606000 | null | 1
    webhook.sent | job.completed | 50 | worker | 1
    ");
    // The event before is the one before, whatever is asked for.
    insta::assert_snapshot!(asked("event_type = 'job.completed'"), @"job.completed | job.claimed | 3606000 | null | 1");
    insta::assert_snapshot!(asked("gap_ms > 3000"), @"job.completed | job.claimed | 3606000 | null | 1");
    insta::assert_snapshot!(asked("handed_by is not null and job_id in ('j1', 'j9')"), @r"
    job.claimed | job.created | 3000 | api | 1
    webhook.sent | job.completed | 50 | worker | 1
    ");
    insta::assert_snapshot!(asked("from_at >= timestamp '2025-09-27T15:00:00Z'"), @"webhook.sent | job.completed | 50 | worker | 1");
    insta::assert_snapshot!(asked("happened_at < timestamp '2025-09-27T15:00:00Z' and gap_ms >= 0"), @"job.claimed | job.created | 3000 | api | 1");
    assert_eq!(asked("job_id = 'j9'"), "");
}
