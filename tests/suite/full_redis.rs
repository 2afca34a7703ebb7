//! A Redis that has reached its limit and takes nothing new is read all the same: that is what makes room.

use crate::support::{Redis, Store};

/// Sets a limit below what is in use; producers are refused then.
fn fill(redis: &Redis) {
    let memory: String = redis.command("INFO memory");
    let used = memory.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    let used: u64 = used.trim().parse().unwrap();
    redis.command::<()>(&format!("CONFIG SET maxmemory {}", used / 2));
    assert_full(redis);
}

#[track_caller]
fn assert_full(redis: &Redis) {
    let mut add = redis::cmd("XADD");
    add.arg("emp:events").arg("*").arg("service").arg("s").arg("eventType").arg("e");
    let refused = add.query::<String>(&mut redis.connection()).unwrap_err();
    assert_eq!(refused.code(), Some("OOM"), "{refused}");
}

#[track_caller]
fn assert_law(store: &Store) {
    assert!(store.output(&["verify", "--law"]).contains("the law holds"));
}

#[test]
fn a_collector_that_was_never_there_drains_it() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(100, 1_000);
    fill(&redis);
    store.output(&["collect", "--once"]);
    assert_full(&redis);
    assert_eq!((store.events(), redis.pending()), (100, 0));
    assert_law(&store);
}

#[test]
fn what_it_trimmed_is_counted_while_it_is_full() {
    let redis = Redis::start();
    // One that has read before, and one that is new to the group.
    let (store, other) = (Store::of(&redis), Store::of(&redis));
    redis.add(10, 100);
    store.output(&["collect", "--once"]);
    redis.add(300, 100);
    fill(&redis);
    let ended = other.run(&["collect", "--once"]);
    assert!(ended.stderr.contains("stored 100 events, quarantined 0 entries, lost 200"), "{}", ended.stderr);
    assert_full(&redis);
    assert_law(&store);
    assert_law(&other);
    store.output(&["collect", "--once"]);
    assert_eq!(store.events() + other.events() + 200, redis.added());
}

#[test]
fn the_next_collector_takes_over_while_it_is_full() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(10, 100);
    store.output(&["collect", "--once", "--consumer", "c1"]);
    redis.add(20, 100);
    // As after a crash between read and commit.
    let consumer = store.consumer("c1");
    redis.command::<redis::Value>(&format!("XREADGROUP GROUP emp-collector {consumer} COUNT 20 STREAMS emp:events >"));
    fill(&redis);
    store.output(&["collect", "--once", "--consumer", "c2"]);
    assert_full(&redis);
    assert_eq!(redis.pending(), 0);
    store.assert_accounts_for(30);
    assert_law(&store);
}
