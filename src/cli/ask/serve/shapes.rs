//! What the answers look like as JSON, as the API's description has it: `docs/json.md` has the words.

use serde_json::{Map, Value, json};

/// Of the question of that name.
pub(super) fn shape_of(name: &str) -> Value {
    match name {
        "events" => list(event()),
        "histogram" => {
            list(object(&[("from_ms", "integer"), ("until_ms", "integer"), ("key", "string?"), ("count", "integer")]))
        }
        "facets" => list(object(&[("facet", "string"), ("value", "string"), ("count", "integer")])),
        "resolve" => list(object(&[("kind", "string"), ("id", "string")])),
        "health" => {
            list(object(&[("check", "string"), ("status", "string"), ("detail", "string"), ("remedy", "string?")]))
        }
        "meta" => object(&[
            ("version", "string"),
            ("store", "string"),
            ("now", "string"),
            ("now_ms", "integer"),
            ("clock_ms", "integer"),
            ("live", "boolean"),
            ("first_event_ms", "integer?"),
            ("last_event_ms", "integer?"),
            ("events", "integer"),
            ("services", "array"),
            ("event_types", "array"),
            ("commands", "array"),
        ]),
        "law" => object(&[
            ("added", "integer"),
            ("stored", "integer"),
            ("quarantined", "integer"),
            ("lost", "integer"),
            ("in_flight", "integer"),
            ("unread", "integer"),
            ("trimmed", "integer"),
            ("elsewhere", "integer"),
            ("moved", "integer"),
            ("unaccounted", "integer"),
            ("holds", "boolean"),
            ("stream", "object"),
        ]),
        "needs-a-look" => object(&[
            ("since", "string"),
            ("until", "string"),
            ("jobs", "integer"),
            ("groups", "array"),
            ("unhealthy", "array"),
            ("missing_steps", "array"),
            ("workers", "array"),
            ("notes", "array"),
        ]),
        "workers" => object(&[("window", "array"), ("workers", "array"), ("notes", "array")]),
        // A diagnosis of one job, a list of several; anomalies, or what the backtest says.
        "diagnose" | "timeline" | "anomalies" => json!({"type": ["object", "array"]}),
        "changes" | "correlate" | "why-slow" => json!({"type": "object"}),
        "names" => object(&[("tables", "object"), ("functions", "array")]),
        "report" | "export" => json!({}),
        _ => list(json!({"type": "object"})),
    }
}

fn event() -> Value {
    object(&[
        ("id", "string"),
        ("timestamp", "string"),
        ("ingested_at", "string"),
        ("service", "string"),
        ("event_type", "string"),
        ("level", "string"),
        ("trace_id", "string?"),
        ("job_id", "string?"),
        ("worker_id", "string?"),
        ("machine_id", "string?"),
        ("user_id", "string?"),
        ("duration_ms", "number?"),
        ("data", "object"),
    ])
}

fn list(of: Value) -> Value {
    json!({"type": "array", "items": of})
}

/// One that has all of these; what ends in `?` may be null.
fn object(keys: &[(&str, &str)]) -> Value {
    let kind = |kind: &str| match kind.strip_suffix('?') {
        Some(kind) => json!({"type": [kind, "null"]}),
        None => json!({"type": kind}),
    };
    let properties: Map<String, Value> = keys.iter().map(|(key, of)| ((*key).to_owned(), kind(of))).collect();
    let required: Vec<&str> = keys.iter().map(|(key, _)| *key).collect();
    json!({"type": "object", "required": required, "properties": properties})
}
