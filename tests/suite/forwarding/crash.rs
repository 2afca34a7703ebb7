//! What is left after a kill -9, and after a SIGTERM.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use super::scene::{Scene, jobs};
use super::stub::Answer;
use crate::support::{beside, eventually};

const REQUESTS: usize = 4;
const BATCH: usize = 50;
const KILLS: usize = 4;

#[test]
fn killed_again_and_again_under_load_it_loses_nothing_and_doubles_what_was_in_flight() {
    let scene = Scene::new();
    scene.stub.answer(|_| {
        std::thread::sleep(Duration::from_millis(5));
        Answer::Accept
    });
    let words = ["--requests", &REQUESTS.to_string(), "--batch-events", &BATCH.to_string(), "--batch-wait", "20ms"];
    let added = AtomicUsize::new(0);
    let add = || {
        let first = added.fetch_add(50, SeqCst);
        scene.add(first..first + 50, 1_000_000);
    };
    beside(Duration::from_millis(10), add, || {
        for round in 0..KILLS {
            let before = scene.stub.request_count();
            let forwarder = scene.start(&words);
            // Different moments of the read, send, acknowledge cycle.
            eventually("it is at work", || scene.stub.request_count() > before + 3 * round);
            std::thread::sleep(Duration::from_millis(37 * round as u64));
            forwarder.crash();
        }
    });
    let added = added.load(SeqCst);
    scene.forward_all(&words);
    let mut times: BTreeMap<String, usize> = jobs(0..added).into_iter().map(|job| (job, 0)).collect();
    scene.arrived().into_iter().for_each(|job| *times.get_mut(&job).unwrap() += 1);
    assert!(times.values().all(|times| *times > 0), "nothing is lost");
    let doubles = scene.arrived().len() - added;
    assert!(doubles <= KILLS * REQUESTS * BATCH, "{doubles} doubles of {added}");
    assert_eq!(scene.pending(), 0);
}

#[test]
fn told_to_stop_it_ends_what_it_began_and_leaves_the_rest_to_the_next_start() {
    let scene = Scene::with_events(10_000);
    scene.stub.answer(|_| {
        std::thread::sleep(Duration::from_millis(100));
        Answer::Accept
    });
    let forwarder = scene.start(&["--requests", "2", "--batch-events", "10"]);
    eventually("it is at work", || scene.stub.request_count() > 3);
    forwarder.signal("TERM");
    forwarder.says("events in all");
    let log = forwarder.log();
    assert_eq!(forwarder.ended(), 0);
    let (sent, arrived) = (scene.count("sent"), scene.arrived().len() as u64);
    assert!((1..10_000).contains(&sent), "{sent} were sent");
    // What a busy machine has not answered in good time is not waited for, which is said.
    let is_known = !log.contains("stopped before all was answered");
    assert!(arrived == sent || !is_known, "{arrived} were taken, {sent} of them are known to be: {log}");

    scene.stub.answer(|_| Answer::Accept);
    scene.forward_all(&[]);
    scene.assert_all_arrived(0..10_000);
    let doubles = scene.arrived().len() - 10_000;
    assert!(doubles <= if is_known { 0 } else { 2 * 10 }, "{doubles} were sent again");
    assert_eq!(scene.pending(), 0);
}

#[test]
fn told_to_stop_it_does_not_wait_for_a_backend_that_never_answers() {
    let scene = Scene::with_events(200);
    scene.stub.answer(|_| Answer::NeverEnding);
    let forwarder = scene.start(&["--timeout", "1h"]);
    eventually("it is at work", || scene.stub.request_count() > 0);
    assert_eq!(forwarder.stop(), 0);
    assert_eq!(scene.count("sent"), 0);

    scene.stub.outlives_its_clients();
    scene.stub.answer(|_| Answer::Accept);
    scene.forward_all(&[]);
    scene.assert_arrived_once(0..200);
}

#[test]
fn one_that_stood_still_while_another_took_over_changes_nothing_any_more() {
    let scene = Scene::new();
    scene.forward_all(&[]);
    scene.add(0..400, 1_000);
    let words = ["--requests", "1", "--batch-events", "10", "--batch-wait", "20ms"];
    scene.stub.answer_next(vec![Answer::Accept; 10]);
    scene.stub.answer(|_| Answer::Refuse(503));
    let first = scene.start(&words);
    eventually("it is at work", || scene.count("sent") == 100);
    first.signal("STOP");
    scene.stub.answer(|_| Answer::Accept);
    let second = scene.start(&words);
    eventually("another takes over", || scene.count("sent") == 400);
    first.signal("CONT");
    first.says("standing by");
    scene.add(400..500, 1_000);
    eventually("it goes on", || scene.count("sent") == 500);
    assert_eq!(second.stop(), 0);
    scene.add(500..600, 1_000);
    eventually("the first has its turn again", || scene.count("sent") == 600);
    assert_eq!(first.stop(), 0);
    let mut arrived = scene.arrived();
    arrived.sort();
    arrived.dedup();
    assert_eq!(arrived.len(), 600);
    assert_eq!((scene.count("sent"), scene.count("missing"), scene.pending()), (600, 0, 0));
}
