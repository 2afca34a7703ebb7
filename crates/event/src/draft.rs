use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{Event, Level};

/// An event as a producer writes it: no ID yet, and ids inside `data` not yet promoted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Draft {
    /// The producer's clock, ms since the epoch.
    pub timestamp: i64,
    /// Who sends it.
    pub service: String,
    /// `{entity}.{action}`.
    pub event_type: String,
    /// How grave it is.
    pub level: Level,
    /// Ties together what one request caused.
    pub trace_id: Option<String>,
    /// The job it belongs to.
    pub job_id: Option<String>,
    /// The worker.
    pub worker_id: Option<String>,
    /// The machine.
    pub machine_id: Option<String>,
    /// The user.
    pub user_id: Option<String>,
    /// A JSON object as text; empty means `{}`.
    pub data: String,
}

impl Draft {
    /// The fields of the stream entry, in the order of the contract; absent ids are left out.
    /// Values are UTF-8, as bytes: what Redis and [`super::decode`] take.
    pub fn fields(&self) -> Vec<(&'static str, Cow<'_, [u8]>)> {
        fn text(text: &str) -> Cow<'_, [u8]> {
            Cow::Borrowed(text.as_bytes())
        }
        let mut fields = vec![
            ("timestamp", Cow::Owned(self.timestamp.to_string().into_bytes())),
            ("service", text(&self.service)),
            ("eventType", text(&self.event_type)),
        ];
        fields.extend(self.ids().map(|(name, id)| (name, text(id))));
        fields.push(("level", text(self.level.as_str())));
        fields.push(("data", text(self.data_or_empty())));
        fields
    }

    /// The whole event as one JSON text: the value of the field `event`.
    ///
    /// # Errors
    /// `data` is no JSON.
    pub fn json(&self) -> serde_json::Result<String> {
        let data: &RawValue = serde_json::from_str(self.data_or_empty())?;
        let mut object = serde_json::Map::new();
        object.insert("timestamp".into(), self.timestamp.into());
        object.insert("service".into(), self.service.as_str().into());
        object.insert("eventType".into(), self.event_type.as_str().into());
        object.extend(self.ids().map(|(name, id)| (name.to_owned(), id.into())));
        object.insert("level".into(), self.level.as_str().into());
        let mut text = serde_json::Value::Object(object).to_string();
        text.pop();
        text.push_str(",\"data\":");
        text.push_str(data.get());
        text.push('}');
        Ok(text)
    }

    fn ids(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("traceId", &self.trace_id),
            ("jobId", &self.job_id),
            ("workerId", &self.worker_id),
            ("machineId", &self.machine_id),
            ("userId", &self.user_id),
        ]
        .into_iter()
        .filter_map(|(name, id)| Some((name, id.as_deref()?)))
    }

    fn data_or_empty(&self) -> &str {
        if self.data.is_empty() { "{}" } else { &self.data }
    }
}

/// What a producer would have to write for the event to be read as it is.
impl From<&Event<'_>> for Draft {
    fn from(event: &Event<'_>) -> Self {
        let owned = |text: &Option<Cow<'_, str>>| text.as_ref().map(|text| text.clone().into_owned());
        Self {
            timestamp: event.timestamp,
            service: event.service.clone().into_owned(),
            event_type: event.event_type.clone().into_owned(),
            level: event.level,
            trace_id: owned(&event.trace_id),
            job_id: owned(&event.job_id),
            worker_id: owned(&event.worker_id),
            machine_id: owned(&event.machine_id),
            user_id: owned(&event.user_id),
            data: event.data.clone().into_owned(),
        }
    }
}
