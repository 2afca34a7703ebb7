//! Whatever producers write is read alike: by the columns, in SQL, by the commands, as it comes, and by a backend.

use std::process::Stdio;

use serde_json::Value;

use crate::forwarding::scene::Scene;
use crate::support::{Lines, Store};
use crate::wire::{Reading, readings};

/// The readings in a stream and in a store, as the entries that the stream made of them.
fn stored() -> (Scene, Vec<(String, Reading)>) {
    let scene = Scene::new();
    let mut entries = Vec::new();
    for reading in readings() {
        let mut add = redis::cmd("XADD");
        add.arg("emp:events").arg("*");
        reading.fields.iter().for_each(|(name, value)| _ = add.arg(name).arg(value));
        let id: String = add.query(&mut scene.redis.connection()).unwrap();
        entries.push((id, reading));
    }
    scene.store.output(&["collect", "--once"]);
    assert_eq!(scene.store.events(), entries.len() as u64);
    (scene, entries)
}

fn rows(store: &Store, words: &[&str]) -> Vec<Value> {
    let ended = store.run(&[words, &["--format", "ndjson"]].concat());
    assert_eq!(ended.status, 0, "{words:?}: {}", ended.stderr);
    ended.stdout.lines().map(|line| emp_event::read_json(line).unwrap()).collect()
}

/// A value as `data->>'key'` tells it.
fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn sql_and_search_read_every_value_as_it_was_meant() {
    let (scene, entries) = stored();
    let found = rows(&scene.store, &["search"]);
    for (id, reading) in &entries {
        let event = found.iter().find(|event| event["id"] == id.as_str()).unwrap();
        for (key, said) in &reading.said {
            let name = &reading.name;
            let asked = format!("select data->>'{key}' as text, data->'{key}' as value from events where id = '{id}'");
            assert_eq!(rows(&scene.store, &["sql", &asked])[0]["text"], said.as_str(), "{name}: {key}");
            assert_eq!(&as_text(&event["data"][key]), said, "{name}: {key} of search");
            let by_key = rows(&scene.store, &["search", "-f", &format!("{key}={said}")]);
            assert!(by_key.iter().any(|event| event["id"] == id.as_str()), "{name}: -f {key}={said}");
        }
        for text in &reading.mentions {
            let by_text = rows(&scene.store, &["search", "--text", text]);
            assert!(by_text.iter().any(|event| event["id"] == id.as_str()), "{}: --text {text}", reading.name);
        }
    }
}

#[test]
fn a_tail_and_a_backend_read_the_same() {
    let (scene, entries) = stored();
    scene.forward_all(&["--requests", "1"]);
    let sent = scene.stub.records();
    let of_tail = tailed(&scene.store, entries.len());
    for (id, reading) in &entries {
        let event = of_tail.iter().find(|event| event["id"] == id.as_str()).unwrap();
        let record = sent.iter().find(|record| record.attributes["log.record.uid"] == *id).unwrap();
        for (key, said) in &reading.said {
            assert_eq!(&as_text(&event["data"][key]), said, "{}: {key} of tail", reading.name);
            // What is an id is none of `data`'s attributes there.
            if let Some(value) = record.attributes.get(&format!("data.{key}")) {
                let is_nested = value.starts_with('{');
                assert!(is_nested || value == said, "{}: {key} is {value} there", reading.name);
            }
        }
    }
}

/// So many events of Redis, as `tail` shows them.
fn tailed(store: &Store, count: usize) -> Vec<Value> {
    let last = count.to_string();
    let mut tail = store.command(&["tail", "--from", "redis", "--format", "ndjson", "--last", &last]);
    let mut tail = tail.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = Lines::of(tail.stdout.take().unwrap());
    let shown = (0..count).map(|_| emp_event::read_json(&lines.next().unwrap()).unwrap()).collect();
    tail.kill().unwrap();
    tail.wait().unwrap();
    shown
}
