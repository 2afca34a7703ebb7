use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::core::Core;
use crate::event::{Data, Event, now_ms};
use crate::{Ids, Level, Timer, trace};

/// An event that is being put together; [`EventDraft::emit`] sends it off.
#[must_use = "an event goes nowhere until `emit` is called"]
pub struct EventDraft<'a> {
    /// `None` where telemetry is switched off: then nothing is kept either.
    core: Option<&'a Arc<Core>>,
    bound: &'a Arc<Ids>,
    event_type: Cow<'static, str>,
    level: Option<Level>,
    ids: Ids,
    timestamp: Option<u64>,
    data: Map<String, Value>,
}

impl<'a> EventDraft<'a> {
    pub(crate) fn new(core: Option<&'a Arc<Core>>, bound: &'a Arc<Ids>, event_type: Cow<'static, str>) -> Self {
        Self { core, bound, event_type, level: None, ids: Ids::default(), timestamp: None, data: Map::new() }
    }

    /// Sets the data. An object is taken as it is; anything else becomes the member `value`.
    pub fn data(mut self, data: Value) -> Self {
        match data {
            Value::Object(members) => self.data = members,
            Value::Null => self.data = Map::new(),
            other => {
                self.data.insert("value".to_owned(), other);
            }
        }
        self
    }

    /// Sets the data from anything that can be written as JSON. What cannot leaves a note instead.
    pub fn data_from(self, data: &impl Serialize) -> Self {
        match serde_json::to_value(data) {
            Ok(data) => self.data(data),
            Err(error) => self.field("data", format!("[unreadable: {error}]")),
        }
    }

    /// Adds one member to the data.
    pub fn field(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.data.insert(key.into(), value.into());
        self
    }

    /// Adds how long something took.
    pub fn duration_ms(self, milliseconds: f64) -> Self {
        self.field("durationMs", milliseconds)
    }

    /// Adds how long the timer has been running.
    pub fn timed(self, timer: &Timer) -> Self {
        self.duration_ms(timer.elapsed_ms())
    }

    /// Sets the level; without it, the type's name says it.
    pub fn level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// Sets all ids at once.
    pub fn ids(mut self, ids: Ids) -> Self {
        self.ids = ids;
        self
    }

    /// Sets the trace.
    pub fn trace_id(mut self, id: impl Into<String>) -> Self {
        self.ids.trace_id = Some(id.into());
        self
    }

    /// Sets the job.
    pub fn job_id(mut self, id: impl Into<String>) -> Self {
        self.ids.job_id = Some(id.into());
        self
    }

    /// Sets the worker.
    pub fn worker_id(mut self, id: impl Into<String>) -> Self {
        self.ids.worker_id = Some(id.into());
        self
    }

    /// Sets the machine.
    pub fn machine_id(mut self, id: impl Into<String>) -> Self {
        self.ids.machine_id = Some(id.into());
        self
    }

    /// Sets the user.
    pub fn user_id(mut self, id: impl Into<String>) -> Self {
        self.ids.user_id = Some(id.into());
        self
    }

    /// Sets the time, in milliseconds since the epoch, of something that happened before.
    pub fn timestamp_ms(mut self, milliseconds: u64) -> Self {
        self.timestamp = Some(milliseconds);
        self
    }

    /// Hands the event over. It neither fails nor waits: what cannot be sent is counted.
    pub fn emit(self) {
        let Some(core) = self.core else { return };
        let now_ms = now_ms();
        let event = Event {
            timestamp: self.timestamp.unwrap_or(now_ms),
            level: self.level.unwrap_or_else(|| Level::of_type(&self.event_type)),
            event_type: self.event_type,
            ids: self.ids,
            bound: Arc::clone(self.bound),
            trace: trace::current_trace(),
            data: Data::Members(self.data),
            bytes: 0,
        };
        core.emit(event, now_ms);
    }
}
