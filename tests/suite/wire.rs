//! One truth about the wire: the vectors that the clients write to are what the store holds.

use std::collections::BTreeMap;

use emp_event::{EntryId, Event, decode};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Vector {
    name: String,
    fields: Vec<(String, String)>,
    row: BTreeMap<String, Value>,
}

fn vectors() -> Vec<Vector> {
    let path = format!("{}/tests/wire/vectors.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// The columns that a vector's `row` has.
fn row(event: &Event<'_>) -> BTreeMap<String, Value> {
    let columns = [
        ("timestamp", json!(event.timestamp)),
        ("service", json!(event.service)),
        ("event_type", json!(event.event_type)),
        ("level", json!(event.level.as_str())),
        ("trace_id", json!(event.trace_id)),
        ("job_id", json!(event.job_id)),
        ("worker_id", json!(event.worker_id)),
        ("machine_id", json!(event.machine_id)),
        ("user_id", json!(event.user_id)),
        ("duration_ms", json!(event.duration_ms)),
        ("data", json!(event.data)),
    ];
    columns.map(|(name, value)| (name.to_owned(), value)).into()
}

/// `5` and `5.0` are the same duration: JavaScript writes the first.
fn comparable(mut row: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let duration = row["duration_ms"].as_f64();
    row.insert("duration_ms".to_owned(), json!(duration));
    row
}

#[test]
fn every_vector_is_stored_as_its_row() {
    let vectors = vectors();
    assert!(vectors.len() >= 20, "{} vectors", vectors.len());
    let id = EntryId::new(1_758_981_600_000, 0);
    for Vector { name, fields, row: expected } in vectors {
        let event = decode(id, &fields).unwrap_or_else(|rejection| panic!("{name}: {rejection}"));
        assert_eq!(row(&event), comparable(expected), "{name}");
    }
}

#[test]
fn a_spooled_line_of_a_vector_is_stored_as_its_row_too() {
    let id = EntryId::new(1_758_981_600_000, 0);
    for Vector { name, fields, row: expected } in vectors() {
        let mut line = serde_json::Map::new();
        line.insert("uid".to_owned(), json!("0123456789abcdef:1"));
        line.insert("spooledAt".to_owned(), json!(1_758_981_600_000_i64));
        for (field, value) in &fields {
            let value = match field.as_str() {
                "timestamp" => json!(value.parse::<i64>().unwrap()),
                "data" => serde_json::from_str(value).unwrap(),
                _ => json!(value),
            };
            line.insert(field.clone(), value);
        }
        let text = Value::Object(line).to_string();
        let line = emp_event::JsonLine::parse(&text).unwrap();
        let event = line.decode(id).unwrap_or_else(|rejection| panic!("{name}: {rejection}"));
        assert_eq!(row(&event), comparable(expected), "{name}");
    }
}

/// An entry as some producer writes it, and what it is read as.
#[derive(Deserialize)]
pub struct Reading {
    pub name: String,
    pub fields: Vec<(String, String)>,
    /// Those of its columns that it is about; a time that is null is that of the arrival.
    #[serde(default)]
    pub row: BTreeMap<String, Value>,
    /// Keys of `data`, as the text that `data->>'key'` is.
    #[serde(default)]
    pub said: BTreeMap<String, String>,
    /// What `--text` finds it by.
    #[serde(default)]
    pub mentions: Vec<String>,
}

pub fn readings() -> Vec<Reading> {
    let path = format!("{}/tests/wire/readings.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_reading_is_read_as_it_says() {
    let id = EntryId::new(1_758_981_600_000, 0);
    for Reading { name, fields, row: expected, .. } in readings() {
        let event = decode(id, &fields).unwrap_or_else(|rejection| panic!("{name}: {rejection}"));
        let read = row(&event);
        for (column, expected) in expected {
            let expected = if column == "timestamp" && expected.is_null() { json!(id.ms) } else { expected };
            assert_eq!(read[&column], expected, "{name}: {column}");
        }
    }
}
