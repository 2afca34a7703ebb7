//! A backend that is away for longer than Redis keeps an event: the store has what was trimmed.

use super::scene::{Scene, jobs};
use super::stub::Answer;
use crate::support::eventually;

/// More than a forwarder takes into memory.
const LENGTH: usize = 3_000;

#[test]
fn what_redis_trimmed_three_times_over_meanwhile_comes_from_the_store_in_order() {
    let scene = Scene::new();
    let collector = scene.store.collect(&[]);
    scene.stub.answer(|_| Answer::Refuse(503));
    let forwarder = scene.start(&["--requests", "1", "--batch-events", "200"]);
    for round in 0..4 {
        scene.add(round * LENGTH..(round + 1) * LENGTH, LENGTH);
        eventually("it is stored", || scene.store.events() == ((round + 1) * LENGTH) as u64);
    }
    assert_eq!(scene.count("sent"), 0);
    scene.stub.answer(|_| Answer::Accept);
    eventually("all arrive", || scene.count("sent") >= 4 * LENGTH as u64);
    forwarder.says("the stream trimmed");
    // What comes after that comes from the stream again.
    let all = 4 * LENGTH + 50;
    scene.add(4 * LENGTH..all, LENGTH);
    eventually("the new ones too", || scene.count("sent") >= all as u64);
    assert_eq!(forwarder.stop(), 0);
    assert_eq!(collector.stop(), 0);
    scene.assert_arrived_in_order(0..all);
    assert_eq!((scene.count("sent"), scene.count("missing"), scene.count("too_old")), (all as u64, 0, 0));
    assert_eq!(scene.pending(), 0);
}

#[test]
fn a_forwarder_that_was_away_itself_catches_up_from_the_store() {
    let scene = Scene::with_events(100);
    scene.store.output(&["collect", "--once"]);
    scene.forward_all(&[]);
    for round in 1..5 {
        scene.add(round * 100..(round + 1) * 100, 100);
        scene.store.output(&["collect", "--once"]);
    }
    scene.forward_all(&["--requests", "1"]);
    scene.assert_arrived_in_order(0..500);
    assert_eq!((scene.count("sent"), scene.count("missing")), (500, 0));
    scene.forward_all(&[]);
    assert_eq!(scene.arrived().len(), 500);
}

#[test]
fn what_neither_redis_nor_the_store_has_is_counted() {
    let scene = Scene::with_events(10);
    scene.forward_all(&[]);
    scene.add(10..110, 30);
    scene.forward_all(&[]);
    assert_eq!(scene.arrived(), [jobs(0..10), jobs(80..110)].concat());
    assert_eq!((scene.count("sent"), scene.count("missing")), (40, 70));
}

#[test]
fn what_is_older_than_the_backend_takes_is_counted_and_not_sent() {
    for (max_age, expected, too_old) in [("6h", [jobs(0..0), jobs(21..31)].concat(), 20), ("12h", jobs(1..31), 0)] {
        let scene = Scene::new();
        scene.add_hours_ago(8, 0..1, 100);
        scene.forward_all(&["--max-age", "12h", "--requests", "1"]);
        scene.add_hours_ago(7, 1..21, 100);
        scene.store.output(&["collect", "--once"]);
        scene.add(21..31, 10);
        scene.store.output(&["collect", "--once"]);
        scene.forward_all(&["--max-age", max_age, "--requests", "1"]);
        assert_eq!(scene.arrived(), [jobs(0..1), expected].concat(), "{max_age}");
        assert_eq!((scene.count("too_old"), scene.count("missing")), (too_old, 0), "{max_age}");
    }
}
