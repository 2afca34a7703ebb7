//! Files that cannot hold what is asked for are not even opened.

use insta::assert_snapshot;

use emp_query::{canned_queries, find};

use crate::support::*;

/// Four hours, an event each; the clock of the last one's producer is a day behind.
fn four_hours() -> TestStore {
    let store = TestStore::new();
    store.sealed(&[
        event(0, "worker", "job.created", "j1"),
        event(HOUR, "worker", "job.created", "j2"),
        event(2 * HOUR, "worker", "job.created", "j3"),
        event(3 * HOUR, "worker", "job.created", "j4").ahead(-24 * HOUR),
    ]);
    store
}

/// The rows, and how many files the plan reads for them.
fn rows_and_files(store: &TestStore, condition: &str) -> (String, usize) {
    let rows = store.ask(&format!("select count(distinct id) from events where {condition}"));
    (rows, files_scanned(store, condition))
}

#[test]
fn names_and_folders_tell_what_to_skip() {
    let store = four_hours();
    let expect = |rows: &str, files: usize| (rows.to_owned(), files);
    assert_eq!(rows_and_files(&store, "hour = '15'"), expect("1", 1));
    assert_eq!(rows_and_files(&store, "date = '2025-09-26'"), expect("0", 0));
    assert_eq!(rows_and_files(&store, "date = '2025-09-27' and hour in ('14', '16')"), expect("2", 2));
    assert_eq!(rows_and_files(&store, "ingested_at >= '2025-09-27T16:00:00Z'"), expect("2", 2));
    assert_eq!(
        rows_and_files(&store, "ingested_at between '2025-09-27T14:30:00Z' and '2025-09-27T15:00:00Z'"),
        expect("1", 1)
    );
    assert_eq!(rows_and_files(&store, "id = '1758985200000-0'"), expect("1", 1));
    assert_eq!(rows_and_files(&store, "id > '1758985200000-0'"), expect("2", 3));
    assert_eq!(rows_and_files(&store, "service = 'worker'"), expect("4", 4));
    assert_eq!(rows_and_files(&store, "hour = '15' or service = 'nobody'"), expect("1", 4));
}

#[test]
fn the_producers_clock_is_judged_by_statistics_and_never_by_folders() {
    let store = four_hours();
    let late = "timestamp < '2025-09-27T00:00:00Z'";
    assert_eq!(rows_and_files(&store, late).0, "1");
    assert_eq!(files_scanned(&store, late), 1);
    assert_eq!(files_scanned(&store, "timestamp >= '2025-09-27T15:00:00Z'"), 2);
}

/// How many files the plan reads.
fn files_scanned(store: &TestStore, condition: &str) -> usize {
    let plan = store.ask(&format!("explain format indent select service from events where {condition}"));
    plan.matches(".parquet").count()
}

#[test]
fn a_canned_query_reads_only_the_files_of_its_time() {
    let store = four_hours();
    let queries = canned_queries(None).unwrap();
    for name in ["gaps", "handoffs", "perf"] {
        let mut query = find(&queries, name).unwrap().clone();
        query.sql = format!("explain {}", query.sql.split_once("\n\n").unwrap().1);
        let scanned = |given: &[(&str, &str)]| {
            let given: Vec<_> = given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let plan = block_on(async { rows(store.engine().canned(&query, &given).await.unwrap()).await.unwrap() });
            let walked = plan.split_once("TransitionsExec: files=").map(|(_, rest)| rest.split_once(',').unwrap().0);
            walked.map_or_else(|| plan.matches(".parquet").count(), |files| files.parse().unwrap())
        };
        // For two events of the time all files between them are needed, and one of the last hour says that it is old.
        let more = usize::from(name != "perf");
        assert_eq!(scanned(&[]), 4, "{name}");
        assert_eq!(scanned(&[("since", "2025-09-27T15:00Z")]), 2 + more, "{name}");
        assert_eq!(scanned(&[("since", "2025-09-27T15:00Z"), ("until", "2025-09-27T15:30Z")]), 1 + 2 * more, "{name}");
        assert_eq!(scanned(&[("since", "2025-09-28T15:00Z")]), 0, "{name}");
    }
}

#[test]
fn rows_are_counted_without_reading_them() {
    let store = four_hours();
    let plan = store.ask("explain select count(*) from events");
    assert!(!plan.contains(".parquet"), "{plan}");
    let plan = store.ask("explain select max(timestamp) from events");
    assert!(!plan.contains(".parquet"), "{plan}");
}

#[test]
fn filters_run_while_decoding_where_they_pick_few_rows() {
    let store = four_hours();
    let decodes_all = |condition: &str| {
        let plan = store.ask(&format!("explain analyze select * from events where {condition}"));
        assert!(plan.contains("pushdown_rows_matched="), "{plan}");
        plan.contains("pushdown_rows_matched=0")
    };
    assert!(!decodes_all("job_id = 'j1'"));
    assert!(!decodes_all("mentions(data, '1') or mentions(event_type, 'created')"));
    assert!(decodes_all("service = 'worker'"));
}

#[test]
fn bloom_filters_skip_row_groups_of_other_jobs() {
    let store = TestStore::new();
    let jobs = ["a", "c", "e", "g"];
    let events: Vec<_> = (0..).zip(jobs).map(|(at, job)| event(at, "worker", "job.created", job)).collect();
    store.sealed(&events);
    let plan = store.ask("explain analyze select * from events where job_id = 'd'");
    assert!(plan.contains("row_groups_pruned_bloom_filter=1 total → 0 matched"), "{plan}");
}

#[test]
fn a_limit_reaches_the_scan() {
    let store = four_hours();
    assert!(store.ask("explain select * from events limit 1").contains("limit=1"));
    assert_snapshot!(store.ask("select count(*) from (select * from events limit 3)"), @"3");
}
