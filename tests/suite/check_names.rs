//! `check-names` tells which events break the standard.

use serde_json::Value;

use crate::support::{Redis, Store};

fn emit(store: &Store, event_type: &str, more: &[&str]) {
    let words: Vec<&str> = ["emit", event_type, "--service", "worker"].iter().chain(more).copied().collect();
    store.output(&words);
}

#[test]
fn names_and_missing_ids_are_found_with_counts_and_suggestions() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    emit(&store, "job.created", &["--job-id", "j1"]);
    emit(&store, "connector.processing_failed", &["--data", r#"{"jobId":"j1"}"#]);
    emit(&store, "health_check.performed", &[]);
    store.output(&["collect", "--once"]);
    let ended = store.run(&["check-names"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (0, ""), "{}", ended.stderr);
    assert_eq!(ended.stderr, "3 event types: all keep to the standard\n");

    emit(&store, "jobCreated", &["--job-id", "j2"]);
    for _ in 0..2 {
        emit(&store, "worker.ready", &[]);
    }
    emit(&store, "worker.ready", &["--worker-id", "w1"]);
    emit(&store, "job.failed_processing", &[]);
    store.output(&["collect", "--once"]);
    let ended = store.run(&["check-names", "--format", "json"]);
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    let found: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
    let short = |row: &Value| {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        (text("event_type"), text("problem"), row["events"].as_u64().unwrap(), text("suggestion"))
    };
    let expected = [
        ("worker.ready", "no worker_id", 2, "send workerId"),
        ("job.failed_processing", "`failed` belongs at the end of the action", 1, "job.processing_failed"),
        ("job.failed_processing", "no job_id", 1, "send jobId"),
        ("jobCreated", "no dot between entity and action", 1, "job.created"),
    ];
    let expected = expected.map(|(a, b, n, c)| (a.to_owned(), b.to_owned(), n, c.to_owned()));
    assert_eq!(found.iter().map(short).collect::<Vec<_>>(), expected);
    let example = found[0]["example_id"].as_str().unwrap();
    assert_eq!(store.number(&format!("select count(*) from events where id = '{example}' and worker_id is null")), 1);
    assert_eq!(found[0]["service"], "worker");

    let ended = store.run(&["check-names", "--until", "2020-01-01"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, "0 event types: all keep to the standard\n"));
}

#[test]
fn the_sample_store_keeps_to_the_standard() {
    let mut command = crate::support::emp_events();
    let sample = format!("{}/data/sample", env!("CARGO_MANIFEST_DIR"));
    let ended = crate::support::run(command.args(["--store", &sample, "check-names"]));
    assert_eq!((ended.status, ended.stdout.as_str()), (0, ""), "{}", ended.stderr);
}
