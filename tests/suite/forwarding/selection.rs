//! What goes out where not everything is wanted, and what is sent again by hand.

use std::collections::BTreeMap;

use super::scene::{Scene, jobs};
use crate::support::{Ended, run};

/// Adds an event with those fields.
fn add(scene: &Scene, fields: &[(&str, &str)]) {
    let mut command = redis::cmd("XADD");
    command.arg("emp:events").arg("*").arg("service").arg("worker");
    fields.iter().for_each(|(name, value)| _ = command.arg(*name).arg(*value));
    command.query::<String>(&mut scene.redis.connection()).unwrap();
}

fn forward_from_store(scene: &Scene, words: &[&str]) -> Ended {
    run(&mut scene.forward(&[&["--from-store"], words].concat()))
}

#[test]
fn below_the_least_level_events_are_left_out_and_counted() {
    let scene = Scene::new();
    for level in ["debug", "info", "warn", "error"] {
        add(&scene, &[("eventType", "job.claimed"), ("level", level), ("jobId", level)]);
    }
    scene.forward_all(&["--min-level", "warn", "--requests", "1"]);
    assert_eq!(scene.arrived(), ["warn", "error"]);
    assert_eq!((scene.count("sent"), scene.count("skipped"), scene.pending()), (2, 2, 0));
}

#[test]
fn a_sample_holds_whole_traces_and_every_error() {
    const TRACES: u32 = 60;
    let scene = Scene::new();
    for trace in 0..TRACES {
        let trace = format!("{:032x}", trace + 1);
        let of_trace =
            |event_type, level| add(&scene, &[("eventType", event_type), ("level", level), ("traceId", &trace)]);
        of_trace("job.claimed", "info");
        (0..3).for_each(|_| of_trace("job.progress_updated", "info"));
        of_trace("job.progress_updated", "error");
    }
    scene.forward_all(&["--sample", "job.progress_updated=0.3"]);

    let mut progress: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    let (mut claims, mut errors) = (0, 0);
    for record in scene.stub.records() {
        match (record.log.event_name.as_str(), record.log.severity_number) {
            ("job.claimed", _) => claims += 1,
            (_, 17) => errors += 1,
            _ => *progress.entry(record.log.trace_id).or_default() += 1,
        }
    }
    assert_eq!((claims, errors), (TRACES, TRACES), "of other types all, and of this one all errors");
    assert!(progress.values().all(|events| *events == 3), "a trace is kept whole or not: {progress:?}");
    assert!((5..40).contains(&progress.len()), "about 18 of {TRACES} traces: {}", progress.len());
    let sent = u64::from(TRACES) * 2 + progress.len() as u64 * 3;
    assert_eq!((scene.count("sent"), scene.count("skipped")), (sent, u64::from(TRACES) * 5 - sent));
    assert_eq!(scene.pending(), 0);
}

#[test]
fn nothing_and_everything_are_samples_too() {
    for (rate, expected) in [("0", 0), ("1", 20)] {
        let scene = Scene::with_events(20);
        scene.forward_all(&["--sample", &format!("job.claimed={rate}")]);
        assert_eq!(scene.arrived().len(), expected);
        assert_eq!(scene.count("skipped"), 20 - expected as u64);
    }
}

#[test]
fn a_part_of_the_store_is_shown_and_sent_by_hand() {
    let scene = Scene::with_events(50);
    scene.store.output(&["collect", "--once"]);
    let which = ["--where", "job_id in ('job_3', 'job_14', 'job_15')"];

    let shown = forward_from_store(&scene, &[&which[..], &["--dry-run"]].concat());
    assert_eq!(shown.status, 0, "{}", shown.stderr);
    let lines: Vec<serde_json::Value> = shown.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids = scene.redis.ids();
    let shown: Vec<&str> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert_eq!(shown, [&ids[3], &ids[14], &ids[15]]);
    assert!(lines.iter().all(|line| line["service"] == "worker" && line["event_type"] == "job.claimed"), "{lines:?}");
    assert!(lines.iter().all(|line| !line["timestamp"].is_null()), "{lines:?}");
    assert_eq!(scene.stub.request_count(), 0, "a dry run sends nothing");

    let sent = forward_from_store(&scene, &which);
    assert_eq!(sent.status, 0, "{}", sent.stderr);
    assert_eq!(sent.stderr.trim_end().lines().last(), Some("sent 3 events"), "{}", sent.stderr);
    assert_eq!(scene.arrived(), ["job_3", "job_14", "job_15"]);
}

#[test]
fn a_range_of_time_is_sent_by_hand() {
    let scene = Scene::new();
    scene.add_hours_ago(4, 0..10, 1_000);
    scene.add_hours_ago(2, 10..20, 1_000);
    scene.add(20..30, 1_000);
    scene.store.output(&["collect", "--once"]);
    let hours_ago = |hours| (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours)).to_string();
    for (words, expected) in [
        (vec!["--last".to_owned(), "1h".to_owned()], 20..30),
        (vec!["--since".to_owned(), hours_ago(3)], 10..30),
        (vec!["--since".to_owned(), hours_ago(5), "--until".to_owned(), hours_ago(3)], 0..10),
    ] {
        let before = scene.arrived().len();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ended = forward_from_store(&scene, &[&words[..], &["--requests", "1"]].concat());
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        assert_eq!(scene.arrived()[before..], jobs(expected), "{words:?}");
    }
}

#[test]
fn a_condition_that_is_no_sql_sends_nothing() {
    let scene = Scene::with_events(5);
    scene.store.output(&["collect", "--once"]);
    let ended = forward_from_store(&scene, &["--where", "job_idd = 'job_3'"]);
    assert_ne!(ended.status, 0);
    assert!(ended.stderr.contains("job_idd") && !ended.stderr.contains("panicked"), "{}", ended.stderr);
    assert_eq!(scene.stub.request_count(), 0);
}
