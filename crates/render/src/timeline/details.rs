//! The few words that tell most about an event: what went wrong, how long it took, and the
//! telling keys of its `data`.

use std::collections::HashSet;

use serde_json::Value;

use emp_job::{Data, error_values};
use emp_units as units;

use super::events::Event;
use crate::grid;
use crate::text::visible;

const PROGRESS_KEYS: [&str; 4] = ["progress", "progressPercent", "percent", "percentage"];

/// Keys that say most, in the order in which they are shown; others follow as they come.
const TELLING_KEYS: [&str; 16] = [
    "attempt",
    "retryCount",
    "maxRetries",
    "maxAttempts",
    "statusCode",
    "httpStatus",
    "status",
    "progress",
    "progressPercent",
    "connectorType",
    "jobType",
    "queue",
    "queuePosition",
    "position",
    "priority",
    "reason",
];

const KEYS_MAX: usize = 6;
const VALUE_WIDTH_MAX: usize = 40;
/// Half an id is nobody's.
const ID_WIDTH_MAX: usize = 100;

/// What the line of an event says beside its time, service and type.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Details {
    /// Why it failed, for an event that is an error and says so.
    pub error: Option<String>,
    /// `key=value` and the like.
    pub rest: String,
}

/// Tells of one event after another, and knows which ids the reader has already seen.
#[derive(Default)]
pub(crate) struct Teller {
    seen: HashSet<(String, String)>,
    worker_id: Option<String>,
    machine_id: Option<String>,
}

impl Teller {
    pub fn tell(&mut self, event: &Event) -> Details {
        let error = event.is_error.then(|| error_of(&event.data)).flatten();
        let mut parts = Vec::new();
        let mut told: Vec<&str> = Vec::new();
        if let Some((key, text)) = &error {
            told.push(key);
            // One that repeats the text under another name adds nothing.
            told.extend(event.data.iter().filter(|(_, value)| plain(value) == *text).map(|(key, _)| key));
        }
        if let Some(duration) = event.duration_ms {
            parts.push(format!("took {}", units::millis(duration)));
            let same = |value: &Value| value.as_f64() == Some(duration);
            told.extend(event.data.iter().filter(|(key, value)| is_millis(key) && same(value)).map(|(key, _)| key));
        }
        parts.extend(self.place(event));
        parts.extend(self.pairs(&event.data, &told));
        Details { error: error.map(|(_, text)| text), rest: parts.join(" ") }
    }

    /// The worker and the machine of an event, where they are others than before.
    pub fn place(&mut self, event: &Event) -> impl Iterator<Item = String> + use<> {
        let worker = changed("worker", &event.worker_id, &mut self.worker_id);
        worker.into_iter().chain(changed("machine", &event.machine_id, &mut self.machine_id))
    }

    fn pairs(&mut self, data: &Data, told: &[&str]) -> Vec<String> {
        let telling = TELLING_KEYS.iter().filter_map(|&key| Some((key, data.get(key)?)));
        let others = data.iter().filter(|(key, _)| !TELLING_KEYS.contains(key));
        let mut pairs = Vec::new();
        for (key, value) in telling.chain(others) {
            if told.contains(&key) || is_known(key) || (is_id(key) && !self.is_new(key, value)) {
                continue;
            }
            pairs.extend(pair(key, value));
            if pairs.len() == KEYS_MAX {
                break;
            }
        }
        pairs
    }

    /// Whether an id is shown for the first time.
    fn is_new(&mut self, key: &str, value: &Value) -> bool {
        self.seen.insert((key.to_owned(), plain(value)))
    }
}

/// What changed from the first to the last event of a run: `10 % → 95 %`.
pub(super) fn progress(first: &Event, last: &Event) -> Option<String> {
    let both = |key: &'static str| Some((key, first.data.get(key)?, last.data.get(key)?));
    let (key, from, to) = PROGRESS_KEYS.iter().find_map(|key| both(key))?;
    let (from, to) = (value_of(key, from)?, value_of(key, to)?);
    Some(if from == to { from } else { format!("{from} → {to}") })
}

/// The key and text of the reason of a failure.
fn error_of(data: &Data) -> Option<(String, String)> {
    let mut texts = error_values(data).map(|(key, value)| (key.to_owned(), plain(value)));
    texts.find(|(_, text)| !text.is_empty())
}

fn changed(name: &str, now: &Option<String>, before: &mut Option<String>) -> Option<String> {
    if now.is_none() || now == before {
        return None;
    }
    before.clone_from(now);
    now.as_ref().map(|id| format!("{name}={}", grid::fit(id, Some(ID_WIDTH_MAX))))
}

fn pair(key: &str, value: &Value) -> Option<String> {
    let name = if is_millis(key) && value.is_number() { &key[..key.len() - 2] } else { key };
    Some(format!("{}={}", visible(name), value_of(key, value)?))
}

/// A value in few words; `None` where it says nothing.
fn value_of(key: &str, value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::Number(number) => number_of(key, number.as_f64()?),
        Value::Object(object) if object.is_empty() => return None,
        Value::Array(array) if array.is_empty() => return None,
        Value::String(text) if text.is_empty() => return None,
        Value::String(text) if text.contains(' ') => format!("\"{}\"", plain(value)),
        _ => plain(value),
    };
    Some(grid::fit(&text, Some(VALUE_WIDTH_MAX)))
}

fn number_of(key: &str, number: f64) -> String {
    if is_millis(key) {
        units::millis(number)
    } else if key.ends_with("Bytes") && number >= 0.0 {
        units::bytes(number as u64)
    } else if PROGRESS_KEYS.contains(&key) && (number >= 1.0 || number == 0.0) {
        format!("{} %", units::decimal(number))
    } else {
        units::decimal(number)
    }
}

/// The value as one line of visible text, without the quotes of a string.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => visible(&grid::clip(text)).into_owned(),
        other => visible(&grid::clip(&other.to_string())).into_owned(),
    }
}

fn is_millis(key: &str) -> bool {
    key.len() > 2 && key.ends_with("Ms")
}

fn is_id(key: &str) -> bool {
    key.ends_with("Id") || key.ends_with("_id")
}

/// Keys that other columns of the timeline, or its title, already show.
fn is_known(key: &str) -> bool {
    matches!(key, "jobId" | "job_id" | "workerId" | "worker_id" | "machineId" | "machine_id" | "timestamp")
}
