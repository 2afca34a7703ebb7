//! The canned queries against answers worked out by hand.

use insta::assert_snapshot;
use jiff::tz::TimeZone;

use emp_event::Level;
use emp_query::{canned_queries, find};

use crate::support::*;

/// Runs a canned query with the clock at 2025-09-27T15:00Z.
fn run(store: &TestStore, name: &str, given: &[(&str, &str)]) -> String {
    let queries = canned_queries(None).unwrap();
    let given: Vec<_> = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let engine = store.engine().with_clock("2025-09-27T15:00:00Z".parse().unwrap(), TimeZone::UTC);
    block_on(async {
        match engine.canned(find(&queries, name).unwrap(), &given).await {
            Ok(answer) => rows(answer).await.unwrap(),
            Err(error) => error.to_string(),
        }
    })
}

/// Two jobs, half sealed and half in the journal.
fn two_jobs() -> TestStore {
    let store = TestStore::new();
    store.sealed(&[
        event(0, "api-server", "job.created", "j1"),
        event(200, "api-server", "job.created", "j2"),
        event(1_000, "worker", "job.claimed", "j1").data(r#"{"claimTimeMs": 40}"#),
        event(1_000, "worker", "job.started", "j1").seq(1),
    ]);
    store.journal(&[
        event(1_200, "worker", "job.claimed", "j2").ahead(-1_300).data(r#"{"claimTimeMs": 60}"#),
        event(9_000, "worker", "job.failed", "j1").level(Level::Error).data(r#"{"processingTimeMs": 8000.04}"#),
        event(9_500, "webhook-service", "webhook.sent", "j1"),
        event(30_000, "machine", "machine.started", ""),
    ]);
    store
}

#[test]
fn timeline_shows_differences_and_gaps() {
    let store = two_jobs();
    assert_snapshot!(run(&store, "timeline", &[("job_id", "j1")]), @r#"
    2025-09-27T14:00:00Z | null | false | api-server | job.created | info | null | null | null | {} | 1758981600000-0
    2025-09-27T14:00:01Z | 1000 | false | worker | job.claimed | info | 40.0 | null | null | {"claimTimeMs": 40} | 1758981601000-0
    2025-09-27T14:00:01Z | 0 | false | worker | job.started | info | null | null | null | {} | 1758981601000-1
    2025-09-27T14:00:09Z | 8000 | true | worker | job.failed | error | 8000.04 | null | null | {"processingTimeMs": 8000.04} | 1758981609000-0
    2025-09-27T14:00:09.500Z | 500 | false | webhook-service | webhook.sent | info | null | null | null | {} | 1758981609500-0
    "#);
    // A producer whose clock is behind comes first, as it claims to have been.
    assert_snapshot!(run(&store, "timeline", &[("job_id", "j2"), ("min_gap", "100ms")]), @r#"
    2025-09-27T13:59:59.900Z | null | false | worker | job.claimed | info | 60.0 | null | null | {"claimTimeMs": 60} | 1758981601200-0
    2025-09-27T14:00:00.200Z | 300 | true | api-server | job.created | info | null | null | null | {} | 1758981600200-0
    "#);
    assert_eq!(run(&store, "timeline", &[("job_id", "j9")]), "");
    assert_eq!(run(&store, "timeline", &[("job_id", "' or '1'='1")]), "");
}

#[test]
fn events_of_one_millisecond_are_in_order_of_arrival() {
    let store = TestStore::new();
    let events: Vec<_> = [2, 9, 10, 11].map(|seq| event(0, "w", &format!("e.{seq}"), "j").seq(seq)).into();
    store.journal(&events);
    let ids: Vec<_> = run(&store, "timeline", &[("job_id", "j")])
        .lines()
        .map(|line| line.rsplit(" | ").next().unwrap().to_owned())
        .collect();
    assert_eq!(ids, ["1758981600000-2", "1758981600000-9", "1758981600000-10", "1758981600000-11"]);
}

#[test]
fn gaps_finds_the_longest_silences() {
    let store = two_jobs();
    assert_snapshot!(run(&store, "gaps", &[]), @"8000 | j1 | job.started | worker | job.failed | worker | 2025-09-27T14:00:01Z");
    assert_snapshot!(run(&store, "gaps", &[("min_gap", "300ms"), ("limit", "3")]), @r"
    8000 | j1 | job.started | worker | job.failed | worker | 2025-09-27T14:00:01Z
    1000 | j1 | job.created | api-server | job.claimed | worker | 2025-09-27T14:00:00Z
    500 | j1 | job.failed | worker | webhook.sent | webhook-service | 2025-09-27T14:00:09Z
    ");
    assert_snapshot!(run(&store, "gaps", &[("min_gap", "0"), ("job_id", "j2")]), @"300 | j2 | job.claimed | worker | job.created | api-server | 2025-09-27T13:59:59.900Z");
    assert_eq!(run(&store, "gaps", &[("until", "2025-09-27T14:00:09Z")]), "");
    assert_eq!(run(&store, "gaps", &[("since", "59m55s")]), "");
}

#[test]
fn gaps_of_one_class_are_put_together() {
    let store = two_jobs();
    assert_snapshot!(run(&store, "gap-classes", &[]), @"job.started | worker | job.failed | worker | 1 | 8000 | 8000.0 | 8000.0 | 8000 | j1");
    let single = run(&store, "gaps", &[("min_gap", "1ms")]).lines().count();
    let classes = run(&store, "gap-classes", &[("min_gap", "1ms")]);
    let gaps: usize = classes.lines().map(|line| line.split(" | ").nth(4).unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!(gaps, single);
}

#[test]
fn handoffs_measures_between_services_and_sets_skewed_clocks_aside() {
    let store = two_jobs();
    store.journal(&[event(40_000, "api-server", "job.created", "j3"), event(43_000, "worker", "job.claimed", "j3")]);
    // api-server to worker: 1000 (j1), 3000 (j3), and -300 (j2), which is skewed.
    assert_snapshot!(run(&store, "handoffs", &[]), @r"
    api-server | worker | 3 | 2000.0 | 2000.0 | 2900.0 | 2980.0 | 3000 | 1 | j3
    worker | webhook-service | 1 | 500.0 | 500.0 | 500.0 | 500.0 | 500 | 0 | j1
    ");
    assert_snapshot!(run(&store, "handoffs", &[("job_id", "j2")]), @"api-server | worker | 1 | null | null | null | null | null | 1 | null");
    assert_eq!(run(&store, "handoffs", &[("limit", "1")]).lines().count(), 1);
    assert_eq!(run(&store, "handoffs", &[("since", "now")]), "");
}

#[test]
fn perf_counts_durations_and_errors() {
    let store = two_jobs();
    assert_snapshot!(run(&store, "perf", &[]), @r"
    job.claimed | 2 | 50.0 | 50.0 | 59.0 | 59.8 | 60.0 | 0 | 0.0
    job.created | 2 | null | null | null | null | null | 0 | 0.0
    job.failed | 1 | 8000.0 | 8000.0 | 8000.0 | 8000.0 | 8000.0 | 1 | 1.0
    job.started | 1 | null | null | null | null | null | 0 | 0.0
    machine.started | 1 | null | null | null | null | null | 0 | 0.0
    webhook.sent | 1 | null | null | null | null | null | 0 | 0.0
    ");
    assert_eq!(run(&store, "perf", &[("since", "2025-09-27T14:00:30Z")]).lines().count(), 1);
}

#[test]
fn parameters_that_do_not_fit_are_named() {
    let store = two_jobs();
    assert_snapshot!(run(&store, "timeline", &[]), @"`timeline` needs `job_id`: the job");
    assert_snapshot!(run(&store, "timeline", &[("jobid", "j1")]), @"`timeline` has no parameter `jobid`; did you mean `job_id`?");
    assert_snapshot!(run(&store, "timeline", &[("colour", "j1")]), @"`timeline` has no parameter `colour`; it takes job_id, min_gap, clocks");
    assert_snapshot!(run(&store, "gaps", &[("min_gap", "5")]), @"min_gap: `5` is not a duration: try `500ms`, `5s`, `1m30s`, `2h` or `3d`");
    assert_snapshot!(run(&store, "gaps", &[("limit", "many")]), @"limit: `many` is not a whole number");
    assert_snapshot!(run(&store, "gaps", &[("since", "soon")]), @"since: `soon` is not a time: try `1h` or `-3d` (ago), `yesterday`, `friday 14:00`, `2025-09-27T14:00Z`, epoch milliseconds, or an entry ID");
    assert_snapshot!(run(&store, "gaps", &[("limit", "-1")]), @"LIMIT must be >= 0, '-1' was provided");
}
