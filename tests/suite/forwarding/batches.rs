//! What a request is made of, and when it is sent.

use std::sync::{Arc, Condvar, Mutex};

use super::scene::{KEY, Scene};
use super::stub::Answer;
use crate::support::{PATIENCE, eventually};

#[test]
fn a_request_says_what_it_holds_and_who_sends_it() {
    let scene = Scene::with_events(3);
    scene.forward_all(&["--dataset", "staging"]);
    let [request] = scene.stub.requests().try_into().unwrap();
    assert_eq!(request.path, "/v1/logs");
    assert_eq!(request.header("content-type"), "application/x-protobuf");
    assert_eq!(request.header("content-encoding"), "gzip");
    assert_eq!(request.header("authorization"), format!("Bearer {KEY}"));
    assert_eq!(request.header("dash0-dataset"), "staging");
    assert_eq!(request.header("user-agent"), concat!("emp-events/", env!("CARGO_PKG_VERSION")));
}

#[test]
fn batches_are_bounded_by_events_and_share_connections() {
    let scene = Scene::with_events(1_000);
    scene.forward_all(&["--batch-events", "30", "--requests", "2"]);
    scene.assert_arrived_once(0..1_000);
    let sizes: Vec<usize> = scene.stub.requests().iter().map(|request| request.records().len()).collect();
    assert!(sizes.iter().all(|size| (1..=30).contains(size)), "{sizes:?}");
    assert_eq!(sizes.len(), 34, "a backlog fills its batches");
    // More than two where one is still on its way back when the next request looks for it.
    assert!(scene.stub.connections() < 17, "{} connections", scene.stub.connections());
}

#[test]
fn batches_are_bounded_by_bytes() {
    let scene = Scene::with_events(500);
    scene.forward_all(&["--batch-events", "500", "--batch-bytes", "8KiB"]);
    scene.assert_arrived_once(0..500);
    let sizes: Vec<usize> = scene.stub.requests().iter().map(|request| request.body.len()).collect();
    assert!(sizes.len() > 1 && sizes.iter().all(|size| *size <= 8 * 1_024), "{sizes:?}");
}

#[test]
fn a_backlog_is_sent_by_several_requests_at_once() {
    #[derive(Default)]
    struct Open {
        now: usize,
        most: usize,
    }
    let scene = Scene::with_events(400);
    let requests = Arc::new((Mutex::new(Open::default()), Condvar::new()));
    let seen = Arc::clone(&requests);
    scene.stub.answer(move |_| {
        let mut open = seen.0.lock().unwrap();
        open.now += 1;
        open.most = open.most.max(open.now);
        seen.1.notify_all();
        // The first ones wait for each other.
        (open, _) = seen.1.wait_timeout_while(open, PATIENCE, |open| open.most < 3).unwrap();
        open.now -= 1;
        Answer::Accept
    });
    scene.forward_all(&["--batch-events", "10", "--requests", "3"]);
    scene.assert_arrived_once(0..400);
    assert_eq!(requests.0.lock().unwrap().most, 3);
}

#[test]
fn a_lone_event_does_not_wait_for_others_for_ever() {
    let scene = Scene::new();
    let forwarder = scene.start(&["--batch-wait", "200ms"]);
    for number in 0..3 {
        scene.add(number..number + 1, 100);
        eventually("it arrives", || scene.arrived().len() == number + 1);
    }
    assert_eq!(forwarder.stop(), 0);
    scene.assert_arrived_in_order(0..3);
}

#[test]
fn what_has_arrived_is_not_sent_by_the_next_start() {
    let scene = Scene::with_events(50);
    scene.forward_all(&[]);
    scene.forward_all(&[]);
    scene.add(50..60, 100);
    scene.forward_all(&[]);
    scene.assert_arrived_in_order(0..60);
    let mut uids: Vec<String> = scene.stub.records().iter().map(|record| record.uid().to_owned()).collect();
    assert_eq!(uids, scene.redis.ids(), "an event is known by its ID");
    uids.dedup();
    assert_eq!(uids.len(), 60);
}

#[test]
fn the_largest_batch_is_acknowledged() {
    let scene = Scene::with_events(20_001);
    scene.forward_all(&["--batch-events", "10000", "--batch-bytes", "1GiB"]);
    scene.assert_arrived_once(0..20_001);
    let sizes: Vec<usize> = scene.stub.requests().iter().map(|request| request.records().len()).collect();
    assert!(sizes.contains(&10_000), "{sizes:?}");
    assert_eq!((scene.count("sent"), scene.pending()), (20_001, 0));
}
