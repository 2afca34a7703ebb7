//! OTLP as JSON: log records below scopes below resources.

use serde_json::{Map, Value};

/// Every log record of an export, as one flat object: what the record says, then its attributes,
/// then those of its resource.
pub(super) fn records(export: Value) -> Vec<Map<String, Value>> {
    let mut all = Vec::new();
    for resource in list(&export, "resourceLogs") {
        let of_resource = resource.get("resource").map(attributes).unwrap_or_default();
        for scope in list(resource, "scopeLogs") {
            for record in list(scope, "logRecords") {
                all.push(flat(record, &of_resource));
            }
        }
    }
    all
}

fn flat(record: &Value, of_resource: &[(String, Value)]) -> Map<String, Value> {
    let mut flat = Map::new();
    for name in
        ["timeUnixNano", "observedTimeUnixNano", "severityText", "severityNumber", "eventName", "traceId", "spanId"]
    {
        flat.extend(record.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    flat.extend(record.get("body").map(|body| ("body".to_owned(), plain(body))));
    for (name, value) in attributes(record).into_iter().chain(of_resource.iter().cloned()) {
        flat.entry(name).or_insert(value);
    }
    // No time is told as 0.
    flat.retain(|name, value| !(name.ends_with("TimeUnixNano") || name == "timeUnixNano") || !is_zero(value));
    flat
}

fn is_zero(value: &Value) -> bool {
    value.as_u64() == Some(0) || value.as_str() == Some("0")
}

fn attributes(of: &Value) -> Vec<(String, Value)> {
    let pair = |pair: &Value| Some((pair.get("key")?.as_str()?.to_owned(), plain(pair.get("value")?)));
    list(of, "attributes").iter().filter_map(pair).collect()
}

/// A value without the name of its type.
fn plain(value: &Value) -> Value {
    let Some((kind, value)) = value.as_object().and_then(|object| object.iter().next()) else { return Value::Null };
    match kind.as_str() {
        // 64 bits are written as text.
        "intValue" => {
            let number = value.as_str().and_then(|text| text.parse::<i64>().ok());
            number.map_or_else(|| value.clone(), Value::from)
        }
        "arrayValue" => list(value, "values").iter().map(plain).collect(),
        "kvlistValue" => {
            let pair = |pair: &Value| Some((pair.get("key")?.as_str()?.to_owned(), plain(pair.get("value")?)));
            Value::Object(list(value, "values").iter().filter_map(pair).collect())
        }
        _ => value.clone(),
    }
}

fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
