//! What is left after the worst that can happen to the collector and to Redis.

use std::time::Duration;

use crate::support::{Redis, Store, beside, eventually};

#[test]
fn killed_again_and_again_under_load_it_loses_and_doubles_nothing() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let add = || redis.add(40, 1_000_000);
    beside(Duration::from_millis(25), add, || {
        for round in 0..10_u64 {
            let before = redis.acknowledged();
            let collector = store.collect(&[]);
            // Different moments: while it finds its place, and of the read, commit, acknowledge cycle.
            match round % 3 {
                0 => collector.says("reading emp:events"),
                _ => eventually("it is at work", || redis.acknowledged() > before),
            }
            std::thread::sleep(Duration::from_millis(37 * round));
            collector.crash();
        }
    });
    assert_eq!(store.run(&["collect", "--once"]).status, 0);
    store.assert_accounts_for(redis.added());
    assert_eq!(store.number("select coalesce(sum(lost), 0) from losses"), 0);
    assert_eq!(redis.pending(), 0);
}

#[test]
fn it_starts_without_redis_and_reads_once_redis_is_there() {
    let mut redis = Redis::start();
    let store = Store::of(&redis);
    redis.stop();
    let collector = store.collect(&[]);
    collector.says("cannot reach Redis at 127.0.0.1:");
    redis.start_again();
    redis.add(7, 100);
    eventually("they are stored", || store.events() == 7);
    collector.says("reading again after");
    assert_eq!(collector.stop(), 0);
    store.assert_accounts_for(7);
}

#[test]
fn a_redis_that_comes_back_empty_begins_a_new_epoch() {
    let mut redis = Redis::start();
    let store = Store::of(&redis);
    let collector = store.collect(&["--consumer", "c1"]);
    redis.add(30, 100);
    eventually("they are stored", || store.events() == 30);
    redis.stop();
    collector.says("trying again");
    redis.start_again();
    redis.add(20, 100);
    eventually("the new ones are stored too", || store.events() == 50);
    collector.says(&format!("the stream was reset; what follows is stored as {}.e1", store.consumer("c1")));
    assert_eq!(collector.stop(), 0);
    store.assert_accounts_for(50);
}

#[test]
fn after_flushall_it_makes_its_group_again() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let collector = store.collect(&[]);
    for round in 1..=3 {
        redis.add(10, 100);
        eventually("they are stored", || store.events() == round * 10);
        redis.command::<()>("FLUSHALL");
    }
    assert_eq!(collector.stop(), 0);
    store.assert_accounts_for(30);
}

#[test]
fn a_group_that_was_destroyed_redelivers_and_nothing_is_doubled() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(50, 100);
    store.output(&["collect", "--once"]);
    redis.command::<()>("XGROUP DESTROY emp:events emp-collector");
    redis.add(5, 100);
    store.output(&["collect", "--once"]);
    store.assert_accounts_for(55);
}

#[test]
fn entries_that_were_stored_and_not_acknowledged_are_only_acknowledged() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(5, 100);
    store.output(&["collect", "--once", "--consumer", "c1"]);
    // As after a crash between commit and acknowledgement: delivered again to the same consumer.
    redis.command::<()>("XGROUP SETID emp:events emp-collector 0");
    let consumer = store.consumer("c1");
    redis.command::<redis::Value>(&format!("XREADGROUP GROUP emp-collector {consumer} COUNT 3 STREAMS emp:events >"));
    assert_eq!(redis.pending(), 3);
    store.output(&["collect", "--once", "--consumer", "c1"]);
    assert_eq!(redis.pending(), 0);
    store.assert_accounts_for(5);
}

#[test]
fn a_request_on_its_way_when_its_collector_died_is_not_carried_out_later() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(5, 100);
    store.output(&["collect", "--once", "--consumer", "c1"]);
    // A connection of the dead collector, as Redis still has it.
    let mut stale = redis.connection();
    let consumer = store.consumer("c1");
    let name = format!("emp-events:emp:events:{consumer}");
    redis::cmd("CLIENT").arg("SETNAME").arg(name).query::<()>(&mut stale).unwrap();
    store.output(&["collect", "--once", "--consumer", "c1"]);
    redis.add(5, 100);
    let mut read = redis::cmd("XREADGROUP");
    read.arg("GROUP").arg("emp-collector").arg(consumer).arg("STREAMS").arg("emp:events").arg(">");
    assert!(read.query::<redis::Value>(&mut stale).is_err(), "Redis has dropped it");
    store.output(&["collect", "--once", "--consumer", "c1"]);
    store.assert_accounts_for(10);
}

#[test]
fn accounts_that_somebody_deletes_are_begun_anew_and_the_stream_is_still_the_same() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    // A read that finds nothing new begins them anew, and does not tell them of its consumer.
    let delete_accounts = || {
        redis.command::<()>("DEL emp:events:accounts:emp-collector");
        let base = "HEXISTS emp:events:accounts:emp-collector base";
        eventually("they are there again", || redis.command::<bool>(base));
    };
    let collector = store.collect(&[]);
    redis.add(50, 5_000);
    eventually("all are stored", || store.events() == 50 && redis.pending() == 0);
    delete_accounts();
    redis.add(20, 5_000);
    eventually("all are stored", || store.events() == 70 && redis.pending() == 0);
    // At the next start, too.
    delete_accounts();
    assert!(!collector.log().contains("the stream was reset"), "{}", collector.log());
    assert_eq!(collector.stop(), 0);
    redis.add(30, 5_000);
    store.output(&["collect", "--once"]);
    assert_eq!(store.number("select count(distinct writer) from files"), 1, "no epoch has begun");
    store.assert_accounts_for(100);
    store.output(&["verify", "--law"]);
}
