use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::keys::{Keys, as_text, find, take, text};
use super::{otlp, redis};
use emp_event::{EntryId, Level, mended, read_time};

/// What each part of an event is called in somebody's log: a format's file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mapping {
    /// How a line holds its records.
    #[serde(default)]
    records: Records,
    #[serde(default)]
    time: Keys,
    /// Of times that name none: `UTC`, `Europe/Berlin`.
    #[serde(default = "utc")]
    time_zone: String,
    #[serde(default)]
    level: Keys,
    #[serde(default)]
    service: Keys,
    #[serde(default)]
    event_type: Keys,
    #[serde(default)]
    message: Keys,
    /// Why something failed, as text.
    #[serde(default)]
    error: Keys,
    #[serde(default = "trace_ids")]
    trace_id: Keys,
    #[serde(default = "job_ids")]
    job_id: Keys,
    #[serde(default = "worker_ids")]
    worker_id: Keys,
    #[serde(default = "machine_ids")]
    machine_id: Keys,
    #[serde(default = "user_ids")]
    user_id: Keys,
    /// How long something took, in ms.
    #[serde(default)]
    duration_ms: Keys,
    /// Members that are left out.
    #[serde(default)]
    leave_out: Keys,
    /// What levels are called that no other logger has.
    #[serde(default)]
    levels: BTreeMap<String, String>,
    /// What types are called here.
    #[serde(default)]
    event_types: BTreeMap<String, String>,
    #[serde(default)]
    default: Defaults,
}

/// How a line holds its records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Records {
    /// It is one.
    #[default]
    Line,
    /// As OTLP nests them: below resources and scopes.
    Otlp,
    /// An entry of a stream: `["<id>", ["name", "value", …]]`; an object is one, too.
    RedisEntry,
}

/// What stands for what a line does not say.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Defaults {
    service: String,
    /// `{level}` in it is the event's level.
    event_type: String,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { service: "app".to_owned(), event_type: "log.{level}".to_owned() }
    }
}

fn utc() -> String {
    "UTC".to_owned()
}

fn names<const N: usize>(names: [&str; N]) -> Keys {
    names.map(str::to_owned).into()
}

fn trace_ids() -> Keys {
    names(["traceId", "trace_id", "trace.id", "traceparent"])
}

fn job_ids() -> Keys {
    names(["jobId", "job_id", "job.id"])
}

fn worker_ids() -> Keys {
    names(["workerId", "worker_id", "worker.id"])
}

fn machine_ids() -> Keys {
    names(["machineId", "machine_id", "machine.id", "hostname"])
}

fn user_ids() -> Keys {
    names(["userId", "user_id", "user.id"])
}

impl Mapping {
    /// Reads a format's file.
    pub fn parse(toml: &str) -> Result<Self, String> {
        let mapping: Self = toml::from_str(toml).map_err(|error| error.to_string())?;
        TimeZone::get(&mapping.time_zone).map_err(|error| format!("time_zone: {error}"))?;
        if let Some(level) = mapping.levels.values().find(|level| Level::parse(level).is_none()) {
            return Err(format!("levels: `{level}` is none of debug, info, warn and error"));
        }
        Ok(mapping)
    }

    /// The events of a line, each as JSON in the wire's names.
    pub fn records(&self, line: &str) -> Result<Vec<String>, String> {
        let objects = self.objects(line)?;
        if objects.is_empty() {
            return Err("the line holds no record of this format".to_owned());
        }
        objects.into_iter().map(|object| self.event(object)).collect()
    }

    /// Has the line a time, a level or a type, and a message or a type, where this format has them?
    pub fn fits(&self, line: &str) -> bool {
        let Ok(objects) = self.objects(line) else { return false };
        let is_said = |object: &Map<String, Value>, keys: &Keys| keys.iter().any(|key| find(object, key).is_some());
        let says = |object: &Map<String, Value>| {
            is_said(object, &self.time)
                && (is_said(object, &self.level) || is_said(object, &self.event_type))
                && (is_said(object, &self.message) || is_said(object, &self.event_type))
        };
        objects.first().is_some_and(says)
    }

    fn objects(&self, line: &str) -> Result<Vec<Map<String, Value>>, String> {
        let not_json = |error: &serde_json::Error| format!("the line is not JSON: {error}");
        let (value, faults): (Value, _) = match serde_json::from_str(line) {
            Ok(value) => (value, None),
            Err(error) => {
                let (line, faults) = mended(line).ok_or_else(|| not_json(&error))?;
                (serde_json::from_str(&line).map_err(|error| not_json(&error))?, Some(faults))
            }
        };
        let mut objects = match (self.records, value) {
            (Records::Otlp, value) => otlp::records(value),
            (Records::RedisEntry, Value::Array(entry)) => redis::entry(entry).into_iter().collect(),
            (_, Value::Object(object)) => vec![object],
            _ => return Err("the line is not a JSON object".to_owned()),
        };
        if let Some(faults) = faults {
            objects.iter_mut().for_each(|object| drop(object.insert("_mended".to_owned(), faults.to_string().into())));
        }
        Ok(objects)
    }

    /// Takes what it knows out of a record; the rest becomes the event's data.
    fn event(&self, mut record: Map<String, Value>) -> Result<String, String> {
        let error = text(&record, &self.error);
        let duration = text(&record, &self.duration_ms).and_then(|text| text.parse::<f64>().ok());
        let time = take(&mut record, &self.time);
        let level = take(&mut record, &self.level).and_then(|value| as_text(&value));
        let named_type = take(&mut record, &self.event_type).and_then(|value| as_text(&value));
        let message = take(&mut record, &self.message);
        if time.is_none() && level.is_none() && named_type.is_none() && message.is_none() {
            return Err("the line has neither a time nor a level, a type or a message of this format".to_owned());
        }
        let level = level.map(|level| self.levels.get(&level).cloned().unwrap_or(level));
        let mut event = Map::new();
        let mut put = |name: &str, value: Option<Value>| value.map(|value| event.insert(name.to_owned(), value));
        put("timestamp", time.map(|time| self.time(time)));
        let service = take(&mut record, &self.service).and_then(|value| as_text(&value));
        put("service", Some(service.unwrap_or_else(|| self.default.service.clone()).into()));
        put("eventType", Some(self.event_type(named_type, level.as_deref()).into()));
        put("level", level.map(Value::from));
        let ids = [
            ("traceId", &self.trace_id),
            ("jobId", &self.job_id),
            ("workerId", &self.worker_id),
            ("machineId", &self.machine_id),
            ("userId", &self.user_id),
        ];
        for (name, keys) in ids {
            put(name, take(&mut record, keys));
        }
        put("data", Some(self.data(record, message, error, duration).into()));
        Ok(Value::Object(event).to_string())
    }

    /// A time in a form that the event's reader knows; as it is where it has none.
    fn time(&self, time: Value) -> Value {
        let Some(text) = as_text(&time) else { return time };
        if read_time(&text).is_some() {
            return time;
        }
        let without_zone = || {
            let zone = TimeZone::get(&self.time_zone).ok()?;
            // Python's loggers part milliseconds by a comma.
            let civil: DateTime = text.replace(',', ".").parse().ok()?;
            Some(civil.to_zoned_datetime(zone).ok()?.timestamp().as_millisecond())
        };
        let of_entry = || text.parse::<EntryId>().ok().and_then(|id| id.ingested_at());
        without_zone().or_else(of_entry).map_or(time, Value::from)
    }

    fn event_type(&self, named: Option<String>, level: Option<&str>) -> String {
        match named {
            Some(named) => self.event_types.get(&named).cloned().unwrap_or(named),
            None => {
                let level = level.and_then(Level::parse).unwrap_or_default();
                self.default.event_type.replace("{level}", level.as_str())
            }
        }
    }

    fn data(
        &self,
        record: Map<String, Value>,
        message: Option<Value>,
        error: Option<String>,
        duration_ms: Option<f64>,
    ) -> Map<String, Value> {
        let mut data = Map::new();
        data.extend(message.map(|message| ("message".to_owned(), message)));
        data.extend(error.map(|error| ("error".to_owned(), error.into())));
        data.extend(duration_ms.map(|ms| ("durationMs".to_owned(), ms.into())));
        for (name, value) in record {
            if !self.leave_out.contains(&name) && !data.contains_key(&name) {
                data.insert(name, value);
            }
        }
        data
    }
}
