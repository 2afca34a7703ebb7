//! Stores of more files than each question looks at: days are closed, and looked at where a question needs them.

use std::fs;
use std::time::{Duration, Instant};

use emp_catalog::{Catalog, IndexingPace, LOOKED_AT_MIN, bring_up_to_date};
use emp_store::Layout;

use crate::support::*;

/// Of the first three days.
const HOURS: i64 = 40;
/// The hour in which all other files are.
const LATER: i64 = 30 * 24;

fn events(prefix: &str) -> Vec<TestEvent> {
    let of_hour = |hour: i64| {
        let at = hour * HOUR;
        [
            event(at, "worker", "job.created", &format!("{prefix}{hour}")),
            event(at + 1, "worker", "job.progress_updated", &format!("{prefix}{}", hour - 1)),
            event(at + 2, "worker", "job.completed", "").user(&format!("u{}", hour % 3)),
        ]
    };
    (0..HOURS).flat_map(of_hour).collect()
}

/// Three old days, and an hour with more files than are looked at, each of one event.
fn large_store() -> TestStore {
    let store = TestStore::new();
    store.sealed(&events("j"));
    store.sealed(&[event(LATER * HOUR, "api", "request.served", "filler")]);
    let one = store.parquet_files().pop().unwrap();
    let ms = BASE + LATER * HOUR;
    for number in 0..LOOKED_AT_MIN {
        fs::hard_link(&one, one.with_file_name(format!("c9_{ms}-{number}_{ms}-{number}.parquet"))).unwrap();
    }
    store
}

/// Waits until the old days are closed: of a folder that changed just before, its times say nothing.
fn close_old_days(layout: &Layout) {
    bring_up_to_date(layout, IndexingPace::hurried()).unwrap();
    let begun = Instant::now();
    loop {
        let mut catalog = Catalog::load(layout);
        let files = catalog.list_recent(&mut Vec::new()).unwrap();
        catalog.learn(&files).unwrap();
        catalog.save().unwrap();
        if catalog.closed().days.len() == 3 {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(240), "{} days are closed", catalog.closed().days.len());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Those that the other files have no part in.
const QUESTIONS: [&str; 9] = [
    "select id, service from events where job_id = 'j7' order by id",
    "select count(*) from events where job_id = 'nobody'",
    "select job_id, count(*) from events where job_id in ('j3', 'j20', 'j38', 'nobody') group by 1 order by 1",
    "select id from events where job_id = 'j12' or user_id = 'u2' order by id",
    "select id from events where job_id = 'j12' and hour = '02' order by id",
    "select count(*), min(ingested_at), max(timestamp) from events where timestamp < '2025-09-28T05:00:00Z'",
    "select id from events where ingested_at < '2025-09-27T16:00:00Z' order by timestamp desc limit 3",
    "select count(*) from events where date = '2025-09-28'",
    "select e.id from events e join (values ('j5'), ('j31')) wanted(job) on e.job_id = wanted.job order by 1",
];

fn answers(store: &TestStore) -> Vec<String> {
    QUESTIONS.iter().map(|sql| store.ask(sql)).collect()
}

#[test]
fn questions_to_closed_days_are_answered_as_to_all() {
    let small = TestStore::new();
    small.sealed(&events("j"));
    let truth = answers(&small);
    let store = large_store();
    assert_eq!(answers(&store), truth);
    close_old_days(&store.layout);
    // What the journal still has of old days is in their files, too.
    assert_eq!(answers(&store), truth);
    fs::remove_dir_all(store.layout.journal()).unwrap();
    assert_eq!(answers(&store), truth);
    let plan = store.ask("explain analyze select * from events where job_id = 'j7'");
    assert!(plan.contains("files_of_the_store=10.04 K") && plan.contains("files_skipped_by_index=10.04 K"), "{plan}");
    // After questions to some days, an engine answers those to all.
    let engine = store.engine();
    assert_eq!(ask(&engine, QUESTIONS[0]), truth[0]);
    assert_eq!(ask(&engine, QUESTIONS[7]), truth[7]);
    let files = HOURS as usize + 1 + LOOKED_AT_MIN;
    let events = files + 2 * HOURS as usize;
    assert_eq!(ask(&engine, "select count(*) from events"), events.to_string());
    assert_eq!(ask(&engine, "select count(*) from files where kind = 'parquet'"), files.to_string());
    assert_eq!(ask(&engine, QUESTIONS[2]), truth[2]);
    assert_eq!(engine.newest_ms().unwrap(), Some(BASE + LATER * HOUR));
}

#[test]
fn what_changes_in_closed_days_is_noticed_before_rows_of_theirs_are_answered() {
    let store = large_store();
    fs::remove_dir_all(store.layout.journal()).unwrap();
    close_old_days(&store.layout);
    // Of an import, say: this program's own.
    store.sealed_by("late", &[event(7 * HOUR + 5, "worker", "job.retried", "j7")]);
    fs::remove_dir_all(store.layout.journal()).unwrap();
    assert_eq!(store.ask("select count(*) from events where job_id = 'j7'"), "3");
    close_old_days(&store.layout);
    // Of another program, which writes into files that are there: no folder tells.
    let others = TestStore::new();
    others.sealed(&events("k"));
    for theirs in others.parquet_files() {
        let ours = store.layout.root().join(theirs.strip_prefix(others.layout.root()).unwrap());
        assert!(ours.is_file());
        fs::copy(&theirs, ours).unwrap();
    }
    let rows = "select job_id, count(*) from events where job_id in ('j3', 'k3') group by 1 order by 1";
    assert_eq!(store.ask(rows), "k3 | 2", "the day of `j3` is looked at");
    store.ask("select count(*) from events");
    assert_eq!(store.ask("select count(*) from events where job_id = 'k30'"), "2", "all were looked at");
    assert_eq!(store.ask("select count(*) from events where job_id = 'j30'"), "0");
}
