//! `EventClientBuilder::record`: what the tests of services look at.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::time::Duration;

use emp_events_client::{EventClient, Level, Trace, with_trace_sync};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn what_is_recorded_is_what_would_have_been_stored() {
    let (client, recorded) = EventClient::builder("worker").enabled(false).redact(["colour"]).record();
    let trace = Trace::random();
    with_trace_sync(trace.clone(), || {
        client.with_job("job-7").event("job.failed").data(json!({"colour": "red", "attempt": 2})).emit();
    });
    let [event] = recorded.all().try_into().unwrap();
    assert_eq!(
        (event.service.as_str(), event.event_type.as_str(), event.level),
        ("worker", "job.failed", Level::Error)
    );
    assert_eq!(event.ids.job_id.as_deref(), Some("job-7"));
    assert_eq!(event.ids.trace_id.as_deref(), Some(trace.as_str()));
    assert_eq!(event.data, json!({"colour": "[redacted]", "attempt": 2}));
    assert!(event.timestamp > 1_700_000_000_000);
    assert_eq!(client.stats().sent, 1);
}

#[test]
fn it_is_asked_by_type_and_by_job_and_forgets_on_demand() {
    let (client, recorded) = EventClient::builder("worker").level(Level::Info).record();
    client.job_event("a", "job.claimed").emit();
    client.job_event("b", "job.claimed").emit();
    client.event("noise.made").level(Level::Debug).emit();
    client.job_event("a", "job.completed").emit();
    assert_eq!(recorded.types(), ["job.claimed", "job.claimed", "job.completed"]);
    assert_eq!(recorded.of_type("job.claimed").len(), 2);
    assert_eq!(recorded.of_job("a").len(), 2);
    recorded.clear();
    assert_eq!(recorded.clone().all(), []);
    assert_eq!((client.stats().emitted, client.stats().sampled), (4, 1));
}

#[test]
fn another_thread_s_event_is_waited_for() {
    let (client, recorded) = EventClient::builder("worker").record();
    let working = client.clone();
    let thread = std::thread::spawn(move || working.job_event("a", "job.completed").emit());
    assert_eq!(recorded.wait_for("job.completed", PATIENCE).unwrap().ids.job_id.as_deref(), Some("a"));
    assert!(recorded.wait_for("job.failed", Duration::ZERO).is_none());
    thread.join().unwrap();
    assert!(client.flush(Duration::ZERO) && client.close(Duration::ZERO));
}
