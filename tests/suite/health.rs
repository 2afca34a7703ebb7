//! `health` says where events are stuck, and what to do.

use crate::support::{Redis, Store, eventually};

fn checks(store: &Store) -> (i32, serde_json::Value) {
    let ended = store.run(&["health", "--format", "json"]);
    (ended.status, serde_json::from_str(&ended.stdout).unwrap())
}

fn status_of(checks: &serde_json::Value, name: &str) -> String {
    let check = checks.as_array().unwrap().iter().find(|check| check["check"] == name);
    check.map_or_else(String::new, |check| check["status"].as_str().unwrap().to_owned())
}

#[test]
fn all_is_well_while_a_collector_keeps_up() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let collector = store.collect(&[]);
    redis.add(20, 100);
    eventually("health is good", || checks(&store).0 == 0);
    assert_eq!(collector.stop(), 0);
    let (status, found) = checks(&store);
    assert_eq!((status, status_of(&found, "collector")), (1, "degraded".to_owned()));
}

#[test]
fn a_backlog_is_counted() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    store.output(&["collect", "--once"]);
    redis.add(3_000, 5_000);
    let (status, found) = checks(&store);
    assert_eq!((status, status_of(&found, "behind")), (1, "degraded".to_owned()));
    assert!(found.to_string().contains("3000 entries are unread"), "{found}");
}

#[test]
fn without_redis_and_store_each_is_named_with_its_remedy() {
    let mut redis = Redis::start();
    let store = Store::of(&redis);
    redis.stop();
    let ended = store.run(&["health", "--color", "never"]);
    assert_eq!(ended.status, 1);
    assert!(ended.stdout.contains("[✗] store      there is no store at"), "{}", ended.stdout);
    assert!(ended.stdout.contains("[✗] redis      cannot reach Redis"), "{}", ended.stdout);
    assert!(ended.stdout.contains("; start it, or set --redis\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("→ start `emp-events collect`, or set --store"), "{}", ended.stdout);
}

/// What the events tell, as of a moment of the past.
#[test]
fn a_store_that_is_looked_back_at_is_judged_as_of_then() {
    let sample = crate::support::file("data/sample");
    let look = |now: &str| {
        let mut command = crate::support::emp_events();
        command.arg("--store").arg(&sample).args(["--redis", "redis://127.0.0.1:1", "health", "--format", "json"]);
        let ended = crate::support::run(command.args(["--now", now]));
        let found: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        found.as_array().unwrap().iter().find(|check| check["check"] == "contents").unwrap()["detail"].to_string()
    };
    assert!(look("2025-09-28T06:00Z").contains("the newest event came 6 h ago"), "{}", look("2025-09-28T06:00Z"));
    assert!(look("2025-09-28T00:00Z").contains("the newest event came 4 s ago"), "{}", look("2025-09-28T00:00Z"));
}
