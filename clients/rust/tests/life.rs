//! Starting, ending, and what is left out on purpose.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::time::Duration;

use common::{PATIENCE, Server, assert_adds_up, builder, client, data, emit, value, wait_until};
use emp_events_client::{Level, Reason};
use serde_json::json;

#[test]
fn it_works_within_a_runtime() {
    let server = Server::start(&[]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    runtime.block_on(async {
        let client = client(&server.url());
        emit(&client, 10);
        assert!(client.flush_async(PATIENCE).await);
        emit(&client, 10);
        assert!(client.close_async(PATIENCE).await);
        emit(&client, 1);
        assert_eq!(client.stats().dropped_by(Reason::Closed), 1);
    });
    assert_eq!(server.length(), 20);
}

#[test]
fn the_last_handle_sends_what_waits() {
    let server = Server::start(&[]);
    let client = client(&server.url());
    emit(&client, 10);
    drop(client);
    wait_until("all were sent", || server.length() == 10);
}

#[test]
fn a_client_that_is_switched_off_does_nothing() {
    let client = builder("redis://127.0.0.1:1").enabled(false).build().unwrap();
    emit(&client, 10);
    assert!(client.flush(PATIENCE));
    assert_eq!(client.stats(), emp_events_client::Stats::default());
}

#[test]
fn an_event_without_a_type_is_one_all_the_same() {
    let server = Server::start(&[]);
    let client = client(&server.url());
    client.event("").emit();
    assert!(client.flush(PATIENCE));
    assert_eq!(value(&server.entries()[0], "eventType"), Some("unnamed"));
}

#[test]
fn levels_below_the_threshold_are_left_out() {
    let server = Server::start(&[]);
    let client = builder(&server.url()).level(Level::Warn).build().unwrap();
    client.event("job.created").emit();
    client.event("job.failed").emit();
    client.event("job.stalled").level(Level::Warn).emit();
    client.flush(PATIENCE);
    let stats = client.stats();
    assert_eq!((stats.sent, stats.sampled), (2, 1));
    assert_adds_up(stats);
}

#[test]
fn a_share_is_kept_as_a_whole_trace() {
    let server = Server::start(&[]);
    let client = builder(&server.url()).rate_limit(0, 0).sample("job.*", 0.25).build().unwrap();
    for n in 0..2_000 {
        for event_type in ["job.progress_updated", "job.claimed"] {
            client.job_event(format!("job-{n}"), event_type).emit();
        }
    }
    client.event("job.failed").emit();
    client.flush(PATIENCE);
    let stats = client.stats();
    assert!((800..1_200).contains(&stats.sent), "{stats:?}");
    assert_eq!(stats.sent % 2, 1, "both of a job, or neither, and the one failure");
    let entries = server.entries();
    assert_eq!(data(&entries[0]), json!({"sampleRate": 0.25}));
    assert_eq!(data(entries.last().unwrap()), json!({}));
    assert_adds_up(stats);
}

#[test]
fn a_flood_of_one_type_leaves_the_others_alone() {
    let server = Server::start(&[]);
    let client = builder(&server.url()).rate_limit(1, 50).build().unwrap();
    emit(&client, 500);
    client.event("job.claimed").emit();
    client.event("job.failed").emit();
    client.flush(PATIENCE);
    let stats = client.stats();
    // Exactly how many is the limiter's own test: here the bucket fills while events are emitted.
    assert!((1..=450).contains(&stats.dropped_by(Reason::RateLimited)), "{stats:?}");
    assert_adds_up(stats);
    wait_until("both arrive, and the loss is told", || {
        let types: Vec<String> = server.entries().iter().map(|it| value(it, "eventType").unwrap().to_owned()).collect();
        ["job.claimed", "job.failed", "telemetry.dropped"].iter().all(|it| types.iter().any(|found| found == it))
    });
}

#[test]
fn many_threads_at_once() {
    let server = Server::start(&[]);
    let client = builder(&server.url()).rate_limit(0, 0).queue(100_000, 64 << 20).build().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| emit(&client, 1_000));
        }
    });
    assert!(client.flush(PATIENCE));
    assert_eq!(client.stats().sent, 8_000);
}

#[tokio::test]
async fn work_is_tracked() {
    let server = Server::start(&[]);
    let client = client(&server.url()).with_job("j1");
    let good = client.track("job.processing", json!({"step": 1}), async { Ok::<_, String>(7) }).await;
    assert_eq!(good, Ok(7));
    let bad = client.track_sync("connector", json!(null), || Err::<(), _>("no route"));
    assert_eq!(bad, Err("no route"));
    let endless = client.track("job.waiting", json!(null), std::future::pending::<Result<(), String>>());
    assert!(tokio::time::timeout(Duration::from_millis(20), endless).await.is_err());
    client.flush_async(PATIENCE).await;
    let entries = server.entries();
    let types: Vec<&str> = entries.iter().map(|it| value(it, "eventType").unwrap()).collect();
    let expected = [
        "job.processing_started",
        "job.processing_completed",
        "connector.started",
        "connector.failed",
        "job.waiting_started",
        "job.waiting_failed",
    ];
    assert_eq!(types, expected);
    assert_eq!(data(&entries[1])["step"], 1);
    assert!(data(&entries[1])["durationMs"].as_f64().is_some());
    assert_eq!((&data(&entries[3])["error"], value(&entries[3], "level")), (&json!("no route"), Some("error")));
    assert!(data(&entries[5])["durationMs"].as_f64().is_some());
    assert!(entries.iter().all(|it| value(it, "jobId") == Some("j1")));
}
