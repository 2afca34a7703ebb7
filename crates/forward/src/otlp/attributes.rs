//! The attributes of a record or a span, within Dash0's quotas.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use serde_json::value::RawValue;

use super::OwnedEvent;
use super::data::{any_value, cut};
use emp_event::{Members, scalar_text};

/// A key of `data` that is longer is no attribute of its own.
const KEY_BYTES_MAX: usize = 256;
/// Says that a value is longer than what was sent of it.
const TRUNCATED: &str = "emp.truncated";

/// Attributes in the making: first what every event has, then what is in its `data`.
pub struct Attributes {
    list: Vec<KeyValue>,
    count_max: usize,
    is_cut: bool,
}

impl Attributes {
    /// None yet, and never more than so many.
    pub fn new(count_max: usize) -> Self {
        Self { list: Vec::with_capacity(count_max), count_max, is_cut: false }
    }

    /// Adds a text, cut where it is too long.
    pub fn text(&mut self, key: &str, text: &str) {
        let (text, is_cut) = cut(text);
        self.is_cut |= is_cut;
        self.value(key, Value::StringValue(text.into_owned()));
    }

    /// Adds a text where there is one.
    pub fn text_if(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    /// Adds a whole number.
    pub fn integer(&mut self, key: &str, number: i64) {
        self.value(key, Value::IntValue(number));
    }

    fn value(&mut self, key: &str, value: Value) {
        self.list.push(key_value(key.to_owned(), value));
    }

    /// Adds what an event says of whom and what it is about.
    pub fn ids(&mut self, event: &OwnedEvent) {
        self.text_if("job.id", event.job_id.as_deref());
        self.text_if("worker.id", event.worker_id.as_deref());
        self.text_if("machine.id", event.machine_id.as_deref());
        self.text_if("user.id", event.user_id.as_deref());
        if let Some(ms) = event.duration_ms {
            self.value("duration_ms", Value::DoubleValue(ms));
        }
    }

    /// Adds the members of the event's `data` that are not said yet, as many as fit, the others as
    /// one JSON text; last the mark where something was cut.
    pub fn finish(mut self, event: &OwnedEvent, members: Option<Members<'_>>) -> Vec<KeyValue> {
        match members {
            Some(Members(mut members)) => {
                members.retain(|(key, raw)| raw.get() != "null" && !is_said(event, key, raw));
                let fixed = self.list.len();
                self.members(&members, self.count_max - usize::from(self.is_cut));
                if self.is_cut && self.list.len() == self.count_max {
                    // The mark needs a place too.
                    self.list.truncate(fixed);
                    self.members(&members, self.count_max - 1);
                }
            }
            None => self.text("data", &event.data),
        }
        if self.is_cut {
            self.value(TRUNCATED, Value::BoolValue(true));
        }
        self.list
    }

    /// Adds members until there are so many attributes in all.
    fn members(&mut self, members: &[(Cow<'_, str>, &RawValue)], count_max: usize) {
        let places = count_max - self.list.len();
        let mut own: Vec<usize> = Vec::with_capacity(places);
        let mut rest: Vec<usize> = Vec::new();
        for (index, (key, _)) in members.iter().enumerate() {
            let key = key.as_ref();
            // `data.rest` is the name of the others.
            let may_be_own = own.len() < places && key.len() <= KEY_BYTES_MAX && key != "rest";
            if may_be_own { own.push(index) } else { rest.push(index) }
        }
        if !rest.is_empty() && own.len() == places {
            rest.extend(own.pop());
            rest.sort_unstable();
        }
        for (key, raw) in own.into_iter().map(|index| &members[index]) {
            if let Some((value, is_cut)) = any_value(raw.get()) {
                self.is_cut |= is_cut;
                self.list.push(key_value(["data.", key.as_ref()].concat(), value));
            }
        }
        if !rest.is_empty() {
            let rest = json_object(rest.into_iter().map(|index| (members[index].0.as_ref(), members[index].1.get())));
            self.text("data.rest", &rest);
        }
    }
}

/// An attribute.
pub fn key_value(key: String, value: Value) -> KeyValue {
    KeyValue { key, value: Some(AnyValue { value: Some(value) }), key_strindex: 0 }
}

fn json_object<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut json = String::from("{");
    for (key, raw) in members {
        if json.len() > 1 {
            json.push(',');
        }
        // A text is always JSON.
        json.push_str(&serde_json::to_string(key).unwrap_or_default());
        json.push(':');
        json.push_str(raw);
    }
    json.push('}');
    json
}

/// Is this member of `data` the very value of an attribute that stands for itself?
fn is_said(event: &OwnedEvent, key: &str, raw: &RawValue) -> bool {
    let id = match key {
        "traceId" => &event.trace_id,
        "jobId" => &event.job_id,
        "workerId" => &event.worker_id,
        "machineId" => &event.machine_id,
        "userId" => &event.user_id,
        "durationMs" => return event.duration_ms.is_some() && raw.get().parse().ok() == event.duration_ms,
        _ => return false,
    };
    id.is_some() && scalar_text(raw).as_deref() == id.as_deref()
}
