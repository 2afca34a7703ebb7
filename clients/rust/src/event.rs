use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use crate::data::{DataRules, estimate};
use crate::{Ids, Level, Trace};

/// What an event holds besides its data, about.
const FRAME_BYTES: usize = 256;
/// Data larger than this is cut within the call, so that the queue holds little that is never sent.
const LARGE_BYTES: usize = 64 << 10;
/// How long the type and the ids of an event may be together.
const NAMES_BYTES_MAX: usize = 4_096;

/// An event as it waits: nothing of it is written out yet, since the call should cost little.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) timestamp: u64,
    pub(crate) event_type: Cow<'static, str>,
    pub(crate) level: Level,
    pub(crate) ids: Ids,
    /// What the client adds where the event has no id of its own.
    pub(crate) bound: Arc<Ids>,
    /// The trace of the surrounding code, which counts least.
    pub(crate) trace: Option<Trace>,
    pub(crate) data: Data,
    /// What it counts in the queue.
    pub(crate) bytes: usize,
}

#[derive(Debug)]
pub(crate) enum Data {
    Members(Map<String, Value>),
    /// Written out already, by the rules.
    Text(String),
}

impl Event {
    /// What a sample is taken by.
    pub(crate) fn sample_key(&self) -> Option<&str> {
        let own = |id: &'_ Option<String>| id.as_ref().is_some_and(|id| !id.is_empty());
        let first = |a, b| if own(a) { a.as_deref() } else { b };
        first(&self.ids.trace_id, self.bound.trace_id.as_deref())
            .or_else(|| self.trace.as_ref().map(Trace::as_str))
            .or_else(|| first(&self.ids.job_id, self.bound.job_id.as_deref()))
    }

    /// Weighs the event; large data is cut now. `false`: it cannot be cut to an allowed size.
    pub(crate) fn weigh(&mut self, rules: &DataRules) -> bool {
        let names = self.event_type.len() + self.ids.bytes();
        let data = match &mut self.data {
            Data::Members(members) => {
                let bytes = estimate(members, LARGE_BYTES);
                if bytes <= LARGE_BYTES {
                    bytes
                } else {
                    let Some(text) = rules.text(std::mem::take(members)) else { return false };
                    let bytes = text.len();
                    self.data = Data::Text(text);
                    bytes
                }
            }
            Data::Text(text) => text.len(),
        };
        self.bytes = FRAME_BYTES + names + data;
        names <= NAMES_BYTES_MAX
    }
}

/// Nanoseconds since the epoch, as far as they go into a number.
pub(crate) fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
