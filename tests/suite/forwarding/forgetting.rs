//! A Redis that forgets, or comes back with what it knew earlier: the store has both the events and our place.

use super::scene::Scene;
use super::stub::Answer;
use crate::support::eventually;

/// A scene of which 20 events were forwarded, and 30 more are in stream and store.
fn scene_with_a_rest() -> Scene {
    let scene = Scene::with_events(20);
    scene.store.output(&["collect", "--once"]);
    scene.forward_all(&[]);
    scene.add(20..50, 100);
    scene.store.output(&["collect", "--once"]);
    scene
}

#[test]
fn what_was_left_when_redis_was_emptied_comes_from_the_store() {
    let scene = scene_with_a_rest();
    scene.redis.command::<()>("FLUSHALL");
    scene.forward_all(&[]);
    scene.assert_arrived_in_order(0..50);
    // What was counted before is not forgotten, and nothing comes again.
    assert_eq!((scene.count("sent"), scene.count("missing")), (50, 0));
    scene.add(50..60, 100);
    scene.forward_all(&[]);
    scene.assert_arrived_in_order(0..60);
}

#[test]
fn what_was_left_comes_before_the_stream_that_has_begun_anew() {
    for events in [10, 500] {
        let scene = scene_with_a_rest();
        scene.redis.command::<()>("FLUSHALL");
        // As long as the one before was, or longer.
        scene.add(50..50 + events, 1_000);
        scene.forward_all(&[]);
        scene.assert_arrived_once(0..50 + events);
        assert_eq!((scene.count("sent"), scene.count("missing")), (50 + events as u64, 0));
    }
}

#[test]
fn what_the_new_stream_has_trimmed_comes_with_it_or_is_counted() {
    let scene = scene_with_a_rest();
    scene.redis.command::<()>("FLUSHALL");
    scene.add(50..70, 100);
    scene.store.output(&["collect", "--once"]);
    scene.redis.command::<i64>("XTRIM emp:events MAXLEN 5");
    scene.forward_all(&[]);
    scene.assert_arrived_once(0..70);
    assert_eq!((scene.count("sent"), scene.count("missing")), (70, 0));
    // Later losses are told from these.
    scene.add(70..100, 10);
    scene.forward_all(&[]);
    assert_eq!((scene.count("sent"), scene.count("missing")), (80, 20));
}

#[test]
fn what_was_stored_before_there_was_a_forwarder_is_not_its_business() {
    let scene = Scene::new();
    scene.add_hours_ago(1, 0..20, 100);
    scene.store.output(&["collect", "--once"]);
    scene.redis.command::<()>("FLUSHALL");
    scene.redis.command::<String>("XADD emp:events 1-0 other field");
    scene.redis.command::<i64>("XTRIM emp:events MAXLEN 0");
    for round in 0..3 {
        scene.forward_all(&[]);
        scene.add(20 + round * 10..30 + round * 10, 100);
    }
    scene.forward_all(&[]);
    scene.assert_arrived_once(20..50);
    assert_eq!((scene.count("sent"), scene.count("too_old")), (30, 0));
}

/// More than a forwarder takes into memory waits for a receiver when the stream is emptied.
#[test]
fn a_forwarder_that_is_behind_when_redis_is_emptied_sends_the_rest_from_the_store() {
    const ALL: usize = 3_000;
    let scene = Scene::with_events(ALL);
    scene.store.output(&["collect", "--once"]);
    scene.stub.answer(|_| Answer::Refuse(503));
    let forwarder = scene.start(&["--requests", "1"]);
    eventually("it tries", || scene.stub.request_count() > 2);
    scene.redis.command::<()>("FLUSHALL");
    scene.add(ALL..ALL + 10, ALL);
    scene.stub.answer(|_| Answer::Accept);
    eventually("all arrive", || scene.count("sent") == ALL as u64 + 10);
    assert_eq!(forwarder.stop(), 0);
    scene.assert_arrived_once(0..ALL + 10);
}

#[test]
fn what_a_redis_of_earlier_has_lost_comes_from_the_store() {
    for is_away in [true, false] {
        let mut scene = Scene::new();
        scene.add(0..20, 100);
        scene.store.output(&["collect", "--once"]);
        scene.forward_all(&[]);
        scene.redis.command::<()>("SAVE");
        let forwarder = (!is_away).then(|| {
            scene.stub.answer(|_| Answer::Refuse(503));
            scene.start(&["--requests", "1"])
        });
        scene.add(20..3_000, 5_000);
        scene.store.output(&["collect", "--once"]);
        if !is_away {
            let known = scene.stub.request_count();
            eventually("it tries", || scene.stub.request_count() > known + 2);
        }
        scene.redis.stop();
        scene.redis.start_again();
        scene.add(3_000..3_010, 5_000);
        scene.stub.answer(|_| Answer::Accept);
        match forwarder {
            Some(forwarder) => {
                eventually("all arrive", || scene.count("sent") >= 3_010);
                assert_eq!(forwarder.stop(), 0);
            }
            None => drop(scene.forward_all(&[])),
        }
        scene.assert_all_arrived(0..3_010);
    }
}
