use redis::{Cmd, cmd};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::data::DataRules;
use crate::event::{Data, Event};
use crate::{Ids, Level};

/// An event as it is sent.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) timestamp: u64,
    pub(crate) event_type: String,
    pub(crate) level: Level,
    pub(crate) ids: Ids,
    pub(crate) data: String,
    /// What it counts in the queue.
    pub(crate) bytes: usize,
}

impl Wire {
    /// Writes the event out; the bytes it counted where its data cannot be cut to an allowed size.
    pub(crate) fn new(event: Event, rules: &DataRules) -> Result<Self, usize> {
        let data = match event.data {
            Data::Members(members) if members.is_empty() => Some("{}".to_owned()),
            Data::Members(members) => rules.text(members),
            Data::Text(text) => Some(text),
        };
        let context = Ids { trace_id: event.trace.map(|trace| trace.as_str().to_owned()), ..Ids::default() };
        Ok(Self {
            timestamp: event.timestamp,
            event_type: event.event_type.into_owned(),
            level: event.level,
            ids: event.ids.or(&event.bound).or(&context),
            data: data.ok_or(event.bytes)?,
            bytes: event.bytes,
        })
    }

    /// The fields of the stream entry, in the order of the wire.
    pub(crate) fn fields<'a>(&'a self, service: &'a str) -> Vec<(&'static str, std::borrow::Cow<'a, str>)> {
        let mut fields = Vec::with_capacity(10);
        fields.push(("timestamp", self.timestamp.to_string().into()));
        fields.push(("service", service.into()));
        fields.push(("eventType", self.event_type.as_str().into()));
        fields.extend(self.ids.named().map(|(name, id)| (name, id.into())));
        fields.push(("level", self.level.as_str().into()));
        fields.push(("data", self.data.as_str().into()));
        fields
    }

    /// The command that adds it to the stream.
    pub(crate) fn command(&self, service: &str, stream: &str, length: u32) -> Cmd {
        let mut add = cmd("XADD");
        add.arg(stream).arg("MAXLEN").arg("~").arg(length).arg("*");
        for (name, value) in self.fields(service) {
            add.arg(name).arg(value.as_ref());
        }
        add
    }

    /// A line of a spool file, without its end.
    pub(crate) fn spool_line(&self, service: &str, uid: String, spooled_at: u64) -> serde_json::Result<String> {
        let mut line = Map::new();
        line.insert("uid".to_owned(), uid.into());
        line.insert("spooledAt".to_owned(), spooled_at.into());
        line.insert("timestamp".to_owned(), self.timestamp.into());
        for (name, value) in self.fields(service).into_iter().skip(1).filter(|(name, _)| *name != "data") {
            line.insert(name.to_owned(), Value::from(value.into_owned()));
        }
        let mut text = serde_json::to_string(&line)?;
        // The data is JSON already, and stays as it is.
        let data: &RawValue = serde_json::from_str(&self.data)?;
        text.pop();
        text.push_str(",\"data\":");
        text.push_str(data.get());
        text.push('}');
        Ok(text)
    }
}
