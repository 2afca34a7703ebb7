//! What the OpenTelemetry project's own Python package makes of what we send.

use std::process::Command;

use serde_json::{Value, json};

use super::scene::Scene;
use crate::support::run;

/// The requests that the stub has taken, as Python decodes them: one object for each record and span.
fn decoded_in_python(scene: &Scene) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/forwarding/decode.py"));
    for (number, request) in scene.stub.accepted().iter().enumerate() {
        let signal = request.path.rsplit('/').next().unwrap();
        let file = folder.path().join(format!("{number}.{signal}"));
        std::fs::write(&file, &request.body).unwrap();
        command.arg(file);
    }
    let ended = run(&mut command);
    assert_eq!(ended.status, 0, "opentelemetry-proto (make test installs it): {}", ended.stderr);
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Adds an event with those fields behind the first three; the ID that it has.
fn add(scene: &Scene, event_type: &str, timestamp: u64, more: &[(&str, &str)]) -> String {
    let mut command = redis::cmd("XADD");
    command.arg("emp:events").arg("*").arg("timestamp").arg(timestamp).arg("service").arg("worker");
    command.arg("eventType").arg(event_type);
    more.iter().for_each(|(name, value)| _ = command.arg(*name).arg(*value));
    command.query(&mut scene.redis.connection()).unwrap()
}

fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap()
}

#[test]
fn python_reads_every_field_of_a_log_record() {
    let (scene, now) = (Scene::new(), now_ms());
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let data = r#"{"text":"größer als 7 €","progress":40,"share":0.25,"cached":true}"#;
    let more = [("level", "warn"), ("traceId", trace), ("jobId", "job_1"), ("workerId", "w1"), ("data", data)];
    let id = add(&scene, "connector.progress_updated", now, &more);
    scene.forward_all(&[]);
    let [record] = <[Value; 1]>::try_from(decoded_in_python(&scene)).unwrap();
    let arrival: u64 = id.split_once('-').unwrap().0.parse().unwrap();
    for (name, value) in [
        ("kind", json!("log")),
        ("service", json!("worker")),
        ("event_name", json!("connector.progress_updated")),
        ("severity_number", json!(13)),
        ("time_unix_nano", json!(now * 1_000_000)),
        ("observed_time_unix_nano", json!(arrival * 1_000_000)),
        ("trace_id", json!(trace)),
    ] {
        assert_eq!(record[name], value, "{name} of {record}");
    }
    for (name, value) in [
        ("log.record.uid", json!(id)),
        ("job.id", json!("job_1")),
        ("worker.id", json!("w1")),
        ("data.text", json!("größer als 7 €")),
        ("data.progress", json!(40)),
        ("data.share", json!(0.25)),
        ("data.cached", json!(true)),
    ] {
        assert_eq!(record["attributes"][name], value, "{name} of {record}");
    }
}

#[test]
fn python_and_rust_read_the_same_of_a_load() {
    let scene = Scene::new();
    for job in 0..30_u64 {
        let (name, began) = (format!("job_{job}"), now_ms() - 1_000);
        add(&scene, "job.created", began, &[("jobId", &name)]);
        add(&scene, "connector.processing_started", began + 100, &[("jobId", &name), ("workerId", "w1")]);
        add(&scene, "connector.processing_completed", began + 300 + job, &[("jobId", &name), ("workerId", "w1")]);
        add(&scene, "job.completed", began + 400 + job, &[("jobId", &name)]);
    }
    scene.forward_all(&["--signals", "both"]);
    let (logs, spans): (Vec<Value>, Vec<Value>) =
        decoded_in_python(&scene).into_iter().partition(|one| one["kind"] == "log");
    assert_eq!((logs.len(), spans.len()), (120, 60));
    for (theirs, ours) in logs.iter().zip(scene.stub.records()) {
        assert_eq!(theirs["event_name"], ours.log.event_name);
        assert_eq!(theirs["time_unix_nano"], ours.log.time_unix_nano);
        assert_eq!(theirs["attributes"]["log.record.uid"], ours.uid());
        assert_eq!(theirs["attributes"]["job.id"], ours.job());
        assert_eq!(theirs["attributes"].as_object().unwrap().len(), ours.attributes.len());
        assert_eq!(theirs["service"], ours.service);
    }
    for (theirs, ours) in spans.iter().zip(scene.stub.spans()) {
        assert_eq!(theirs["name"], ours.span.name);
        assert_eq!(theirs["span_id"].as_str().unwrap().len(), 16);
        assert_ne!(theirs["trace_id"], "0".repeat(32));
        assert_eq!(theirs["start_time_unix_nano"], ours.span.start_time_unix_nano);
        assert_eq!(theirs["end_time_unix_nano"], ours.span.end_time_unix_nano);
        assert_eq!(theirs["attributes"]["job.id"], ours.attributes["job.id"].as_str());
        assert_eq!(theirs["service"], ours.service);
    }
}

#[test]
fn an_event_that_holds_more_than_a_record_may_is_cut_and_still_read() {
    let scene = Scene::new();
    let keys: serde_json::Map<String, Value> = (0..40).map(|key| (format!("key{key:02}"), json!(key))).collect();
    let mut data = Value::Object(keys);
    data["key00"] = json!("x".repeat(10_000));
    let id = add(&scene, "job.created", now_ms(), &[("jobId", "job_1"), ("data", &data.to_string())]);
    scene.forward_all(&[]);
    let [record] = <[Value; 1]>::try_from(decoded_in_python(&scene)).unwrap();
    let attributes = record["attributes"].as_object().unwrap();
    assert!(attributes.len() <= 16, "16 attributes are what Dash0 takes: {attributes:?}");
    assert_eq!((&attributes["log.record.uid"], &attributes["job.id"]), (&json!(id), &json!("job_1")));
    let longest = attributes.values().filter_map(Value::as_str).map(|text| text.chars().count()).max();
    assert!(longest <= Some(2_048), "2,048 characters are what Dash0 takes: {longest:?}");
    let all = record["attributes"].to_string();
    assert!((1..40).all(|key| all.contains(&format!("key{key:02}"))), "every key is somewhere: {all}");
}
