//! Traces that are carried along, and what `tracing` tells.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
#![cfg(feature = "tracing")]

mod common;

use common::{PATIENCE, Server, client, data, value};
use emp_events_client::{
    TelemetryLayer, Trace, current_trace, trace_from_headers, traceparent, with_trace, with_trace_sync,
};
use serde_json::json;
use tracing_subscriber::layer::SubscriberExt as _;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[test]
fn a_traceparent_is_read_and_written() {
    let trace = Trace::read(&format!("00-{TRACE}-00f067aa0ba902b7-01")).unwrap();
    assert_eq!(trace.as_str(), TRACE);
    let header = trace.traceparent().unwrap();
    assert!(header.starts_with(&format!("00-{TRACE}-")) && header.ends_with("-01") && header.len() == 55, "{header}");
    assert_eq!(Trace::read("  order-7 ").unwrap().as_str(), "order-7");
    assert_eq!(Trace::read(" "), None);
    assert_eq!(Trace::read("order-7").unwrap().traceparent(), None);
    let uuid = Trace::read("4BF92F35-77B3-4DA6-A3CE-929D0E0E4736").unwrap();
    assert!(uuid.traceparent().unwrap().contains(TRACE));
    let random = Trace::random();
    assert!(random.as_str().len() == 32 && random.traceparent().is_some());
}

#[test]
fn headers_name_a_trace() {
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let found = trace_from_headers([("accept", "*/*"), ("Traceparent", parent.as_str())]);
    assert_eq!(found.unwrap().as_str(), TRACE);
    let zeros = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
    assert_eq!(trace_from_headers([("traceparent", zeros.as_str()), ("accept", "*/*")]), None);
}

#[tokio::test]
async fn events_belong_to_the_trace_around_them() {
    let server = Server::start(&[]);
    let client = client(&server.url());
    with_trace(Trace::read(TRACE).unwrap(), async {
        tokio::task::yield_now().await;
        client.event("api.called").emit();
        client.event("api.called").trace_id("own").emit();
        assert!(traceparent().unwrap().contains(TRACE));
    })
    .await;
    with_trace_sync(Trace::read("sync").unwrap(), || client.event("api.called").emit());
    client.job_event("j1", "job.created").emit();
    assert_eq!(current_trace(), None);
    client.flush_async(PATIENCE).await;
    let traces: Vec<Option<String>> =
        server.entries().iter().map(|it| value(it, "traceId").map(str::to_owned)).collect();
    assert_eq!(traces, [Some(TRACE), Some("own"), Some("sync"), None].map(|it| it.map(str::to_owned)));
}

#[test]
fn spans_and_events_become_telemetry() {
    let server = Server::start(&[]);
    let client = client(&server.url());
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(client.clone()));
    tracing::subscriber::with_default(subscriber, || {
        let span = tracing::info_span!("work", telemetry = "job.processing", job_id = "j1", steps = 20, result = 0);
        span.in_scope(|| {
            tracing::info!(telemetry = "job.claimed", worker_id = %"w1", claimTimeMs = 12);
            tracing::debug!("too little");
            tracing::warn!(left = 3, "disk is nearly full");
        });
        span.record("result", 5);
        drop(span);
        tracing::info_span!("bad", telemetry = "connector", error = tracing::field::Empty).record("error", "no route");
        tracing::info_span!("worse", telemetry = "job.sending").in_scope(|| tracing::error!(error = "refused"));
        tracing::info_span!("plain").in_scope(|| {});
    });
    client.flush(PATIENCE);
    let entries = server.entries();
    let types: Vec<&str> = entries.iter().map(|it| value(it, "eventType").unwrap()).collect();
    let expected = [
        "job.processing_started",
        "job.claimed",
        "log.warn",
        "job.processing_completed",
        "connector.started",
        "connector.failed",
        "job.sending_started",
        "log.error",
        "job.sending_failed",
    ];
    assert_eq!(types, expected);
    assert_eq!(data(&entries[0]), json!({"steps": 20, "result": 0}));
    assert_eq!((value(&entries[1], "jobId"), value(&entries[1], "workerId")), (Some("j1"), Some("w1")));
    assert_eq!(data(&entries[1]), json!({"claimTimeMs": 12}));
    let warning = data(&entries[2]);
    assert_eq!((&warning["message"], &warning["left"]), (&json!("disk is nearly full"), &json!(3)));
    assert_eq!((value(&entries[2], "level"), &warning["target"]), (Some("warn"), &json!("tracing_and_traces")));
    assert_eq!((&data(&entries[3])["result"], value(&entries[3], "jobId")), (&json!(5), Some("j1")));
    assert_eq!(data(&entries[5])["error"], "no route");
    assert_eq!((&data(&entries[8])["error"], value(&entries[8], "level")), (&json!("refused"), Some("error")));
}
