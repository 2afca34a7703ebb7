//! What a real OTLP collector has received, field by field, beside what was emitted.

use std::collections::HashMap;

use super::rotel::{Printed, Rotel};
use super::scene::forward;
use crate::support::{Redis, Store, run};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A Redis, a store and rotel.
struct Scene {
    redis: Redis,
    store: Store,
    rotel: Rotel,
}

/// An event as it stands in the stream.
struct Emitted {
    id: String,
    /// The producer's clock, ns since the epoch.
    timestamp_ns: u64,
    /// Redis' clock.
    arrival_ns: u64,
}

impl Scene {
    fn new() -> Self {
        let redis = Redis::start();
        let store = Store::of(&redis);
        Self { redis, store, rotel: Rotel::start() }
    }

    fn emit(&self, words: &[&str]) -> Emitted {
        let id = self.store.output(&[&["emit"], words].concat()).trim().to_owned();
        let found: redis::streams::StreamRangeReply = self.redis.command(&format!("XRANGE emp:events {id} {id}"));
        let fields: HashMap<String, redis::Value> = found.ids.into_iter().next().unwrap().map;
        let timestamp: u64 = redis::from_redis_value(fields["timestamp"].clone()).unwrap();
        let arrival: u64 = id.split_once('-').unwrap().0.parse().unwrap();
        Emitted { id, timestamp_ns: timestamp * 1_000_000, arrival_ns: arrival * 1_000_000 }
    }

    #[track_caller]
    fn forward(&self, signals: &str) {
        let words = ["--once", "--endpoint", &self.rotel.url(), "--signals", signals, "--requests", "1"];
        let ended = run(&mut forward(&self.store, &words));
        assert_eq!(ended.status, 0, "{}", ended.stderr);
    }
}

#[test]
fn an_event_is_a_log_record_with_all_that_was_emitted() {
    let scene = Scene::new();
    let levels = [("debug", 5), ("info", 9), ("warn", 13), ("error", 17)];
    let ids = ["--job-id", "job_1", "--trace-id", TRACE, "--worker-id", "worker-7", "--machine-id", "gpu01"];
    let more = ["--user-id", "user_3", "--data", r#"{"connectorType":"comfyui","progress":40,"cached":true}"#];
    let emitted = levels.map(|(level, _)| {
        let words = ["connector.progress_updated", "--service", "worker", "--level", level];
        scene.emit(&[&words[..], &ids, &more].concat())
    });
    scene.forward("logs");
    let (logs, _) = scene.rotel.printed(4, 0);
    for ((log, emitted), (level, number)) in logs.iter().zip(&emitted).zip(levels) {
        assert_eq!(log.service, "Str(worker)");
        assert_eq!(log.field("EventName"), "connector.progress_updated");
        assert_eq!(log.number("Timestamp"), emitted.timestamp_ns);
        assert_eq!(log.number("ObservedTimestamp"), emitted.arrival_ns);
        assert!(log.field("SeverityNumber").ends_with(&format!("({number})")), "{log:?}");
        assert!(log.field("SeverityText").eq_ignore_ascii_case(level), "{log:?}");
        assert_eq!(log.field("Trace ID"), TRACE);
        for (name, value) in [
            ("log.record.uid", format!("Str({})", emitted.id)),
            ("job.id", "Str(job_1)".to_owned()),
            ("worker.id", "Str(worker-7)".to_owned()),
            ("machine.id", "Str(gpu01)".to_owned()),
            ("user.id", "Str(user_3)".to_owned()),
            ("data.connectorType", "Str(comfyui)".to_owned()),
            ("data.progress", "Int(40)".to_owned()),
            ("data.cached", "Bool(true)".to_owned()),
        ] {
            assert_eq!(log.attribute(name), value, "{name} of {log:?}");
        }
    }
}

#[test]
fn every_service_has_its_own_resource() {
    let scene = Scene::new();
    for service in ["api-server", "worker", "api-server", "webhook-service"] {
        scene.emit(&["job.created", "--service", service]);
    }
    scene.forward("logs");
    let (logs, _) = scene.rotel.printed(4, 0);
    let mut services: Vec<&str> = logs.iter().map(|log| log.service.as_str()).collect();
    services.sort_unstable();
    assert_eq!(services, ["Str(api-server)", "Str(api-server)", "Str(webhook-service)", "Str(worker)"]);
}

#[test]
fn a_trace_has_an_id_that_opentelemetry_takes_whatever_it_was_called() {
    let scene = Scene::new();
    for trace in [
        "4BF92F3577B34DA6A3CE929D0E0E4736",
        "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "order 7",
        "order 7",
        "order 8",
    ] {
        scene.emit(&["job.created", "--service", "api-server", "--trace-id", trace]);
    }
    scene.forward("logs");
    let (logs, _) = scene.rotel.printed(6, 0);
    let traces: Vec<&str> = logs.iter().map(|log| log.field("Trace ID")).collect();
    assert_eq!(traces[..3], [TRACE; 3]);
    assert!(traces[3].len() == 32 && traces[3].bytes().any(|byte| byte != b'0'), "{traces:?}");
    assert_eq!(traces[3], traces[4], "the same trace has the same ID");
    assert_ne!(traces[4], traces[5]);
    assert_eq!(logs[3].attribute("trace.original_id"), "Str(order 7)", "what it was called is kept");
}

#[test]
fn a_jobs_started_and_ended_steps_are_spans_under_one_root() {
    let scene = Scene::new();
    let emit = |event: &str, more: &[&str]| {
        let words = [event, "--service", "worker", "--job-id", "job_1", "--trace-id", TRACE, "--worker-id", "w1"];
        scene.emit(&[&words[..], more].concat())
    };
    let created = emit("job.created", &[]);
    let started = emit("connector.processing_started", &[]);
    let completed = emit("connector.processing_completed", &[]);
    emit("webhook.delivery_started", &[]);
    let failed = emit("webhook.delivery_failed", &["--level", "error", "--data", r#"{"error":"no route to host"}"#]);
    let ended = emit("job.completed", &[]);
    scene.forward("both");
    let (_, spans) = scene.rotel.printed(6, 3);

    assert!(spans.iter().all(|span| span.field("Trace ID") == TRACE), "{spans:?}");
    let (roots, steps): (Vec<_>, Vec<_>) = spans.iter().partition(|span| span.field("Parent ID").is_empty());
    let [root] = roots[..] else { panic!("one root: {spans:?}") };
    assert!(steps.iter().all(|step| step.field("Parent ID") == root.field("ID")), "{spans:?}");
    assert!(spans.iter().all(|span| span.attribute("job.id") == "Str(job_1)"), "{spans:?}");
    assert_eq!(times(root), (created.timestamp_ns, ended.timestamp_ns));

    let named =
        |name: &str| steps.iter().find(|step| step.field("Name") == name).unwrap_or_else(|| panic!("{spans:?}"));
    let processing = named("connector.processing");
    assert_eq!(times(processing), (started.timestamp_ns, completed.timestamp_ns));
    assert!(!processing.has("Status code"), "it ended well: {processing:?}");
    let delivery = named("webhook.delivery");
    assert_eq!(delivery.number("End time"), failed.timestamp_ns);
    assert_eq!(delivery.field("Status code"), "STATUS_CODE_ERROR");
    assert!(delivery.field("Status message").contains("no route to host"), "{delivery:?}");
}

#[test]
fn spans_may_be_all_that_is_wanted() {
    let scene = Scene::new();
    for event in ["job.created", "connector.processing_started", "connector.processing_completed", "job.completed"] {
        scene.emit(&[event, "--service", "worker", "--job-id", "job_1"]);
    }
    scene.forward("spans");
    let (_, spans) = scene.rotel.printed(0, 2);
    assert_eq!(spans[0].field("Trace ID"), spans[1].field("Trace ID"), "also where the events name no trace");
}

fn times(span: &Printed) -> (u64, u64) {
    (span.number("Start time"), span.number("End time"))
}
