//! What is written is what every producer writes: the vectors, and the rules around them.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use common::{Server, client, data, value};
use emp_events_client::{EventClient, Ids};
use serde_json::{Value, json};

fn vectors() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/wire/vectors.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn client_for(url: &str, input: &Value) -> EventClient {
    let options = &input["options"];
    let mut builder = EventClient::builder(input["service"].as_str().unwrap()).url(url);
    if let Some(keys) = options["redactKeys"].as_array() {
        builder = builder.redact(keys.iter().filter_map(text));
    }
    if let Some(bytes) = options["maxEventBytes"].as_u64() {
        builder = builder.max_event_bytes(bytes as usize);
    }
    for (event_type, rate) in options["sample"].as_object().into_iter().flatten() {
        builder = builder.sample(event_type, rate.as_f64().unwrap());
    }
    builder.build().unwrap()
}

#[test]
fn the_vectors_are_written_as_they_say() {
    let server = Server::start(&[]);
    let vectors = vectors();
    assert!(vectors.len() >= 20);
    for vector in &vectors {
        let input = &vector["input"];
        let client = client_for(&server.url(), input);
        let ids = &input["ids"];
        let ids = Ids {
            trace_id: text(&ids["traceId"]),
            job_id: text(&ids["jobId"]),
            worker_id: text(&ids["workerId"]),
            machine_id: text(&ids["machineId"]),
            user_id: text(&ids["userId"]),
        };
        let mut draft = client.event(text(&input["type"]).unwrap()).ids(ids).data(input["data"].clone());
        if let Some(level) = input["level"].as_str() {
            draft = draft.level(level.parse().unwrap());
        }
        draft.timestamp_ms(input["timestamp"].as_u64().unwrap()).emit();
        assert!(client.close(common::PATIENCE), "{}: {:?}", vector["name"], client.stats());
    }
    for (vector, written) in vectors.iter().zip(server.entries()) {
        assert_eq!(json!(written), vector["fields"], "{}", vector["name"]);
    }
    assert_eq!(server.length(), vectors.len() as u64);
}

#[test]
fn the_stream_is_kept_at_its_length() {
    let server = Server::start(&[]);
    let client = common::builder(&server.url()).stream_length(200).rate_limit(0, 0).build().unwrap();
    common::emit(&client, 5_000);
    assert!(client.flush(common::PATIENCE));
    assert!((200..400).contains(&server.length()), "{}", server.length());
}

#[test]
fn large_data_is_cut_and_never_dropped() {
    let server = Server::start(&[]);
    let client = client(&server.url());
    client.event("job.created").field("prompt", "x".repeat(9 << 20)).emit();
    client.event("job.created").data(json!(vec!["y".repeat(2_000); 200])).emit();
    assert!(client.flush(common::PATIENCE), "{:?}", client.stats());
    let entries = server.entries();
    let prompt = data(&entries[0])["prompt"].as_str().unwrap().to_owned();
    assert!(prompt.ends_with(&format!("…[cut {} chars]", (9 << 20) - 2_048)), "{}", &prompt[2_000..]);
    assert_eq!(data(&entries[1]), json!({"value": "[cut 200314 bytes]", "_truncated": true}));
}

#[test]
fn what_cannot_be_cut_is_counted() {
    let server = Server::start(&[]);
    let client = client(&server.url());
    let members: serde_json::Map<String, Value> = (0..5_000).map(|n| (format!("key{n}"), json!(n))).collect();
    client.event("job.created").data(Value::Object(members)).emit();
    client.event("t".repeat(5_000)).emit();
    client.flush(common::PATIENCE);
    let stats = client.stats();
    assert_eq!(stats.dropped_by(emp_events_client::Reason::TooLarge), 2, "{stats:?}");
    common::assert_adds_up(stats);
}

#[test]
fn ids_of_the_event_count_before_those_of_the_client() {
    let server = Server::start(&[]);
    let client = client(&server.url());
    let child = client.child(Ids::new().worker_id("w1").job_id("j1"));
    child.with_job("j2").event("job.claimed").emit();
    child.job_event("j3", "job.claimed").machine_id("m1").emit();
    client.machine_event("m2", "machine.ready").emit();
    client.worker_event("w2", "worker.ready").emit();
    client.close(common::PATIENCE);
    let entries = server.entries();
    let ids = |n: usize| ["jobId", "workerId", "machineId"].map(|name| value(&entries[n], name));
    assert_eq!(ids(0), [Some("j2"), Some("w1"), None]);
    assert_eq!(ids(1), [Some("j3"), Some("w1"), Some("m1")]);
    assert_eq!(ids(2), [None, None, Some("m2")]);
    assert_eq!(ids(3), [None, Some("w2"), None]);
}
