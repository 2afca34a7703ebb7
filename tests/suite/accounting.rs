//! What the stream trimmed before it was read is counted exactly.

use proptest::prelude::*;

use crate::support::{Redis, Store};

#[test]
fn what_was_trimmed_unread_is_counted_and_placed() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(10, 100);
    store.output(&["collect", "--once"]);
    redis.add(300, 100);
    let ended = store.run(&["collect", "--once"]);
    assert!(ended.stderr.contains("stored 100 events, quarantined 0 entries, lost 200"), "{}", ended.stderr);
    store.assert_accounts_for(310);
    let neighbours = store.number(
        "select count(*) from losses where lost = 200 and from_id in (select id from events) and to_id in (select id from events)",
    );
    assert_eq!(neighbours, 1);
}

#[test]
fn what_was_trimmed_while_it_was_pending_is_counted() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(10, 100);
    store.output(&["collect", "--once", "--consumer", "c1"]);
    redis.add(60, 100);
    // As after a crash between read and commit; then the stream moves on.
    redis.command::<redis::Value>("XREADGROUP GROUP emp-collector c1 COUNT 50 STREAMS emp:events >");
    redis.add(80, 100);
    store.output(&["collect", "--once", "--consumer", "c1"]);
    store.assert_accounts_for(150);
    assert_eq!(redis.pending(), 0, "entries that are gone are acknowledged, too");
}

#[test]
fn what_a_new_stream_trimmed_before_its_first_read_is_counted() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(50, 100);
    store.output(&["collect", "--once"]);
    redis.command::<()>("FLUSHALL");
    redis.add(300, 100);
    store.output(&["collect", "--once"]);
    store.assert_accounts_for(50 + 300);
}

#[test]
fn what_was_trimmed_before_the_collectors_first_start_is_not_its_loss() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(300, 100);
    // A first start that read nothing leaves the count to the next one.
    let mut elsewhere = store.command(&["collect", "--once"]);
    elsewhere.args(["--redis", "redis://127.0.0.1:1"]);
    assert_eq!(crate::support::run(&mut elsewhere).status, 1);
    store.output(&["collect", "--once"]);
    store.assert_accounts_for(100);
}

#[derive(Debug, Clone)]
enum Step {
    Add { events: usize, length: usize },
    AddAbout { events: usize, length: usize },
    Deliver { entries: usize },
    Collect,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_usize..400, 1_usize..300).prop_map(|(events, length)| Step::Add { events, length }),
        2 => (1_usize..900, 1_usize..300).prop_map(|(events, length)| Step::AddAbout { events, length }),
        1 => (1_usize..200).prop_map(|entries| Step::Deliver { entries }),
        2 => Just(Step::Collect),
    ]
}

fn take(step: &Step, redis: &Redis, store: &Store) {
    match step {
        Step::Add { events, length } => redis.add(*events, *length),
        Step::AddAbout { events, length } => {
            let mut pipeline = redis::pipe();
            for _ in 0..*events {
                pipeline.cmd("XADD").arg("emp:events").arg("MAXLEN").arg("~").arg(*length).arg("*");
                pipeline.arg("service").arg("s").arg("eventType").arg("e").ignore();
            }
            pipeline.query::<()>(&mut redis.connection()).unwrap();
        }
        Step::Deliver { entries } => {
            let read = format!("XREADGROUP GROUP emp-collector c1 COUNT {entries} STREAMS emp:events >");
            redis.command::<redis::Value>(&read);
        }
        Step::Collect => drop(store.output(&["collect", "--once", "--consumer", "c1"])),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, ..ProptestConfig::default() })]

    /// The conservation law: added = stored + quarantined + lost, once all is read.
    #[test]
    fn whatever_is_trimmed_when_the_sum_is_exact(steps in prop::collection::vec(step(), 1..12)) {
        let redis = Redis::start();
        let store = Store::of(&redis);
        take(&Step::Collect, &redis, &store);
        for step in &steps {
            take(step, &redis, &store);
        }
        take(&Step::Add { events: 1, length: 10_000 }, &redis, &store);
        take(&Step::Collect, &redis, &store);
        store.assert_accounts_for(redis.added());
        prop_assert_eq!(redis.pending(), 0);
    }
}
