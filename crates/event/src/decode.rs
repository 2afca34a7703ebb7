use std::borrow::Cow;

use serde_json::value::RawValue;

use super::data::{self, Members};
use super::mend::{DEPTH_MAX, Faults, mend};
use super::{EntryId, Event, Level, read_time};

/// Why an entry is no event. Its text is what the quarantine keeps as the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No `service`, or an empty one.
    #[error("the field `service` is missing")]
    NoService,
    /// No `eventType`, or an empty one.
    #[error("the field `eventType` is missing")]
    NoEventType,
    /// A field's name or value is not text.
    #[error("the field `{0}` is not UTF-8")]
    NotUtf8(String),
    /// `data` or `event` holds no JSON, or JSON that is no object.
    #[error("the field `{field}` is not a JSON object: {detail}")]
    NotAnObject {
        /// `data` or `event`.
        field: &'static str,
        /// What the parser met, and where.
        detail: String,
    },
    /// The producer chose an entry ID past the year 9999.
    #[error("the entry ID lies past the year 9999")]
    IdOutOfRange,
}

/// Reads one stream entry: its ID, and its fields in their order.
///
/// Both wire forms are taken: one field a property, or the whole event as a JSON object
/// in a field named `event`.
///
/// # Errors
/// A [`Rejection`] where the entry is no event. Any bytes give an event or a rejection.
pub fn decode<'a, N, V>(id: EntryId, fields: &'a [(N, V)]) -> Result<Event<'a>, Rejection>
where
    N: AsRef<[u8]>,
    V: AsRef<[u8]>,
{
    decode_fields(id, fields.iter().map(|(name, value)| (name.as_ref(), value.as_ref())))
}

/// [`decode`] for fields that come one after another.
///
/// # Errors
/// As [`decode`].
pub fn decode_fields<'a>(
    id: EntryId,
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<Event<'a>, Rejection> {
    let ingested_at = id.ingested_at().ok_or(Rejection::IdOutOfRange)?;
    let mut parts = Parts::default();
    for (name, value) in fields {
        let name = utf8(name, name)?;
        parts.take(Cow::Borrowed(name), Cow::Borrowed(utf8(name.as_bytes(), value)?), Kind::Text);
    }
    parts.open_event_field()?;
    parts.into_event(id, ingested_at)
}

fn utf8<'a>(name: &[u8], bytes: &'a [u8]) -> Result<&'a str, Rejection> {
    std::str::from_utf8(bytes).map_err(|_| Rejection::NotUtf8(String::from_utf8_lossy(name).into_owned()))
}

/// How a value is written: as bare text, or as JSON already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Json,
}

/// The entry, sorted by field but not yet understood.
#[derive(Default)]
struct Parts<'a> {
    timestamp: Option<Cow<'a, str>>,
    service: Option<Cow<'a, str>>,
    event_type: Option<Cow<'a, str>>,
    level: Option<Cow<'a, str>>,
    trace_id: Option<Cow<'a, str>>,
    job_id: Option<Cow<'a, str>>,
    worker_id: Option<Cow<'a, str>>,
    machine_id: Option<Cow<'a, str>>,
    user_id: Option<Cow<'a, str>>,
    data: Option<Cow<'a, str>>,
    unknown: Vec<(Cow<'a, str>, Cow<'a, str>, Kind)>,
    /// What of it no reader would have taken.
    mended: Faults,
}

impl<'a> Parts<'a> {
    /// Files a field under its name. A second one of the same name is kept as an unknown field.
    fn take(&mut self, name: Cow<'a, str>, value: Cow<'a, str>, kind: Kind) {
        let slot = match name.as_ref() {
            "timestamp" => &mut self.timestamp,
            "service" => &mut self.service,
            "eventType" => &mut self.event_type,
            "level" => &mut self.level,
            "traceId" => &mut self.trace_id,
            "jobId" => &mut self.job_id,
            "workerId" => &mut self.worker_id,
            "machineId" => &mut self.machine_id,
            "userId" => &mut self.user_id,
            "data" => &mut self.data,
            _ => return self.unknown.push((name, value, kind)),
        };
        match slot {
            Some(_) => self.unknown.push((name, value, kind)),
            None => *slot = Some(value),
        }
    }

    /// Where neither `service` nor `eventType` was sent as a field, the event is the JSON
    /// in the field `event`. Beside them, `event` is a field like any unknown one.
    fn open_event_field(&mut self) -> Result<(), Rejection> {
        if self.service.is_some() || self.event_type.is_some() {
            return Ok(());
        }
        let Some(index) = self.unknown.iter().position(|(name, ..)| name == "event") else {
            return Ok(());
        };
        let Cow::Borrowed(json) = self.unknown.remove(index).1 else {
            return Ok(());
        };
        // `data` lies one level deeper in it.
        match mend(json, DEPTH_MAX + 1) {
            None => self.take_members(json, |text| text),
            Some((json, faults)) => {
                self.mended = faults;
                self.take_members(&json, |text| Cow::Owned(text.into_owned()))
            }
        }
    }

    /// Files the members of an object, of whose text no more is kept than `keep` does.
    fn take_members<'b>(&mut self, json: &'b str, keep: fn(Cow<'b, str>) -> Cow<'a, str>) -> Result<(), Rejection> {
        let Members(members) = Members::parse(json).map_err(|error| not_an_object("event", &error))?;
        for (name, raw) in members {
            self.take_json(keep(name), raw, keep);
        }
        Ok(())
    }

    fn take_json<'b>(&mut self, name: Cow<'a, str>, raw: &'b RawValue, keep: fn(Cow<'b, str>) -> Cow<'a, str>) {
        if raw.get() == "null" {
            return;
        }
        let known = matches!(
            name.as_ref(),
            "timestamp" | "service" | "eventType" | "level" | "traceId" | "jobId" | "workerId" | "machineId" | "userId"
        );
        let is_text = raw.get().starts_with('"');
        match data::scalar_text(raw) {
            Some(text) if known || (name == "data" && is_text) => self.take(name, keep(text), Kind::Text),
            None if known && raw.get() == "\"\"" => {}
            // A known field that is no scalar says nothing we understand: it is kept, in `data`.
            None if known => self.unknown.push((name, keep(Cow::Borrowed(raw.get())), Kind::Json)),
            _ => self.take(name, keep(Cow::Borrowed(raw.get())), Kind::Json),
        }
    }

    fn into_event(mut self, id: EntryId, ingested_at: i64) -> Result<Event<'a>, Rejection> {
        let service = non_empty(self.service.take()).ok_or(Rejection::NoService)?;
        let event_type = non_empty(self.event_type.take()).ok_or(Rejection::NoEventType)?;
        let timestamp = self.timestamp().unwrap_or(ingested_at);
        let level = self.level(&event_type);
        let data = self.data()?;
        let facts = data::facts(&data).map_err(|error| not_an_object("data", &error))?;
        let trace_id = non_empty(self.trace_id).or_else(|| owned(facts.trace_id.as_ref()));
        let job_id = non_empty(self.job_id).or_else(|| owned(facts.job_id.as_ref()));
        let worker_id = non_empty(self.worker_id).or_else(|| owned(facts.worker_id.as_ref()));
        let machine_id = non_empty(self.machine_id).or_else(|| owned(facts.machine_id.as_ref()));
        let user_id = non_empty(self.user_id).or_else(|| owned(facts.user_id.as_ref()));
        let duration_ms = facts.duration_ms();
        Ok(Event {
            id,
            timestamp,
            service,
            event_type,
            level,
            trace_id,
            job_id,
            worker_id,
            machine_id,
            user_id,
            duration_ms,
            data,
        })
    }

    /// The producer's clock; an unreadable one is marked in `data` instead.
    fn timestamp(&mut self) -> Option<i64> {
        let text = self.timestamp.take().unwrap_or_default();
        let parsed = read_time(&text);
        if parsed.is_none() {
            self.mark("_badTimestamp", text);
        }
        parsed
    }

    fn level(&mut self, event_type: &str) -> Level {
        let Some(text) = non_empty(self.level.take()) else {
            return Level::of_type(event_type);
        };
        Level::parse(text.trim()).unwrap_or_else(|| {
            self.mark("_badLevel", text);
            Level::of_type(event_type)
        })
    }

    fn mark(&mut self, key: &'static str, text: Cow<'a, str>) {
        self.unknown.push((Cow::Borrowed(key), text, Kind::Text));
    }

    /// `data` as the producer wrote it, mended where no reader would take it, with the unknown fields and the marks at its
    /// end.
    fn data(&mut self) -> Result<Cow<'a, str>, Rejection> {
        let mut data = non_empty(self.data.take()).unwrap_or(Cow::Borrowed("{}"));
        if let Some((mended, faults)) = mend(&data, DEPTH_MAX) {
            self.mended = self.mended | faults;
            data = Cow::Owned(mended);
        }
        if self.mended.any() {
            self.mark("_mended", self.mended.to_string().into());
        }
        if self.unknown.is_empty() {
            return Ok(data);
        }
        let Members(members) = Members::parse(&data).map_err(|error| not_an_object("data", &error))?;
        let mut keys: Vec<String> = members.into_iter().map(|(key, _)| key.into_owned()).collect();
        let mut text = data.trim_end().to_owned();
        text.pop();
        for (name, value, kind) in self.unknown.drain(..) {
            let key = free_key(&keys, &name);
            if !keys.is_empty() {
                text.push(',');
            }
            text.push_str(&json_string(&key));
            text.push(':');
            match kind {
                Kind::Json => text.push_str(&value),
                Kind::Text => text.push_str(&json_string(&value)),
            }
            keys.push(key);
        }
        text.push('}');
        Ok(Cow::Owned(text))
    }
}

/// The name itself, or with as many `_` before it as make it differ from the object's own keys.
fn free_key(keys: &[String], name: &str) -> String {
    let mut key = name.to_owned();
    while keys.contains(&key) {
        key.insert(0, '_');
    }
    key
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn non_empty(text: Option<Cow<'_, str>>) -> Option<Cow<'_, str>> {
    text.filter(|text| !text.is_empty())
}

/// An id found inside `data`, as text of its own: `data` moves into the event beside it.
fn owned<'a>(text: Option<&Cow<'_, str>>) -> Option<Cow<'a, str>> {
    text.map(|text| Cow::Owned(text.clone().into_owned()))
}

fn not_an_object(field: &'static str, error: &serde_json::Error) -> Rejection {
    Rejection::NotAnObject { field, detail: error.to_string() }
}
