//! What a client tells of itself.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::time::Duration;

use common::{PATIENCE, Server, assert_adds_up, builder, data, emit, value, wait_until};
use emp_events_client::Level;
use serde_json::Value;

const EVERY: Duration = Duration::from_millis(200);

/// The data of each `telemetry.stats` in the stream.
fn told(server: &Server) -> Vec<Value> {
    let entries = server.entries();
    let own = entries.iter().filter(|entry| value(entry, "eventType") == Some("telemetry.stats"));
    own.map(|entry| data(entry)).collect()
}

/// How many events all of them tell of.
fn emitted(server: &Server) -> u64 {
    told(server).iter().map(|data| data["emitted"].as_u64().unwrap()).sum()
}

#[test]
fn it_tells_once_in_a_while_what_became_of_events_and_is_silent_where_it_was() {
    let server = Server::start(&[]);
    let client = builder(&server.url()).stats_every(Some(EVERY)).build().unwrap();
    emit(&client, 100);
    wait_until("it has told of all", || emitted(&server) == 100);
    let first = told(&server).remove(0);
    let fields = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/wire/stats.json")).unwrap();
    let fields: Value = serde_json::from_str(&fields).unwrap();
    let names = |of: &str| -> Vec<String> { serde_json::from_value(fields[of].clone()).unwrap() };
    for name in names("always") {
        assert!(first.get(&name).is_some(), "{name}: {first}");
    }
    for name in first.as_object().unwrap().keys() {
        assert!(names("always").contains(name) || names("where_known").contains(name), "{name}");
    }
    assert_eq!(first["dropped"], 0);
    assert!(first["callP50Us"].as_f64().unwrap() <= first["callP99Us"].as_f64().unwrap());
    assert!(first["rssBytes"].as_u64().unwrap() > 1 << 20);
    // With nothing emitted there is nothing to tell, however long that lasts: another client's events pass the time.
    let before = told(&server).len();
    let other = builder(&server.url()).stats_every(Some(EVERY)).build().unwrap();
    emit(&other, 1);
    wait_until("the other has told", || told(&server).len() == before + 1);
    emit(&client, 7);
    wait_until("it tells again", || emitted(&server) == 108);
    assert!(client.flush(PATIENCE));
    assert_adds_up(client.stats());
    let entries = server.entries();
    let own: Vec<_> = entries.iter().filter(|entry| value(entry, "eventType") == Some("telemetry.stats")).collect();
    assert!(
        own.iter().all(|entry| value(entry, "level") == Some("info") && entry.iter().all(|(name, _)| name != "jobId"))
    );
}

#[test]
fn it_tells_nothing_where_that_is_switched_off_or_below_the_level() {
    let server = Server::start(&[]);
    let off = builder(&server.url()).stats_every(None).build().unwrap();
    let above = builder(&server.url()).stats_every(Some(Duration::ZERO)).level(Level::Warn).build().unwrap();
    for _ in 0..20 {
        emit(&off, 1);
        above.event("a.b").level(Level::Error).emit();
        assert!(off.flush(PATIENCE) && above.flush(PATIENCE));
    }
    assert_eq!(server.length(), 40);
}
