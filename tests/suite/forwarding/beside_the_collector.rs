//! The forwarder inside the collector: neither slows the other.

use std::path::PathBuf;

use super::scene::{KEY, PATIENT, Scene};
use super::stub::Answer;
use crate::support::{Daemon, eventually, run};

fn collect_and_forward(scene: &Scene, words: &[&str]) -> Daemon {
    let environment = [
        ("DASH0_OTEL_ENDPOINT", scene.stub.url()),
        ("DASH0_API_KEY", KEY.to_owned()),
        ("EMP_EVENTS_FORWARD_BACKOFF_MS", "20,200".to_owned()),
        (PATIENT.0, PATIENT.1.to_owned()),
    ];
    scene.store.collect_with(words, &environment.map(|(name, value)| (name, PathBuf::from(value))))
}

#[test]
fn one_process_stores_and_forwards() {
    let scene = Scene::with_events(100);
    let collector = collect_and_forward(&scene, &["--forward"]);
    scene.add(100..300, 1_000);
    eventually("all are stored", || scene.store.events() == 300);
    eventually("all arrive", || scene.count("sent") == 300);
    assert!(!collector.log().contains(KEY), "{}", collector.log());
    assert_eq!(collector.stop(), 0);
    scene.assert_arrived_once(0..300);
    assert_eq!((scene.pending(), scene.redis.pending()), (0, 0));
}

#[test]
fn it_is_turned_on_by_the_environment_too() {
    let scene = Scene::with_events(10);
    let endpoint = ("DASH0_OTEL_ENDPOINT", scene.stub.url());
    let environment = [("DASH0_ENABLED", "true".to_owned()), (PATIENT.0, PATIENT.1.to_owned()), endpoint];
    let environment = environment.map(|(name, value)| (name, PathBuf::from(value)));
    let collector = scene.store.collect_with(&[], &environment);
    eventually("all arrive", || scene.arrived().len() == 10);
    eventually("all are stored", || scene.store.events() == 10);
    assert_eq!(collector.stop(), 0);
}

#[test]
fn all_that_forward_takes_as_options_the_environment_can_say() {
    let scene = Scene::with_events(100);
    let environment = |batch: &str| {
        let variables = [("DASH0_ENABLED", "true"), ("DASH0_BATCH_EVENTS", batch), ("DASH0_BATCH_WAIT", "100ms")];
        let sample = [("DASH0_SAMPLE", "job.claimed=1,job.started=0"), ("DASH0_MIN_LEVEL", "info"), PATIENT];
        let endpoint = ("DASH0_OTEL_ENDPOINT", scene.stub.url());
        let named = variables.into_iter().chain(sample).map(|(name, value)| (name, value.to_owned()));
        named.chain([endpoint]).collect::<Vec<_>>()
    };
    let mut once = scene.store.command(&["collect", "--once"]);
    let ended = run(once.envs(environment("30")));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    scene.assert_arrived_once(0..100);
    assert!(scene.stub.requests().iter().all(|request| request.records().len() <= 30));

    let ended = run(once.envs(environment("none")));
    assert_eq!(ended.status, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("DASH0_") && ended.stderr.contains("--batch-events"), "{}", ended.stderr);
}

#[test]
fn a_backend_that_never_answers_keeps_no_event_from_the_store() {
    const LENGTH: usize = 2_000;
    const ROUNDS: usize = 6;
    let scene = Scene::new();
    scene.stub.answer(|_| Answer::NeverEnding);
    let collector = collect_and_forward(&scene, &["--forward"]);
    collector.says("reading emp:events");
    for round in 0..ROUNDS {
        scene.add(round * LENGTH..(round + 1) * LENGTH, LENGTH);
        eventually("it is stored", || scene.store.events() == ((round + 1) * LENGTH) as u64);
    }
    eventually("the backend is asked", || scene.stub.request_count() > 0);
    assert_eq!(scene.count("sent"), 0);
    eventually("the collector acknowledges all", || scene.redis.pending() == 0);
    assert!(collector.peak_kb() < 60_000, "memory stays bounded: {} kB", collector.peak_kb());

    scene.stub.answer(|_| Answer::Accept);
    let all = (ROUNDS * LENGTH) as u64;
    eventually("all arrive, most of it from the store", || scene.count("sent") == all);
    assert_eq!(collector.stop(), 0);
    scene.store.assert_accounts_for(all);
    scene.assert_arrived_once(0..ROUNDS * LENGTH);
}

#[test]
fn a_collector_with_a_blocked_forwarder_can_be_stopped() {
    let scene = Scene::with_events(200);
    scene.stub.answer(|_| Answer::Refuse(503));
    let collector = collect_and_forward(&scene, &["--forward"]);
    eventually("the backend is asked", || scene.stub.request_count() > 0);
    eventually("all are stored", || scene.store.events() == 200);
    assert_eq!(collector.stop(), 0);
    scene.store.assert_accounts_for(200);
    scene.stub.answer(|_| Answer::Accept);
    scene.forward_all(&[]);
    scene.assert_arrived_once(0..200);
}
