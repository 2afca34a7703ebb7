use std::borrow::Cow;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use emp_event::{EntryId, Event, Level, tells_of_failure};

use super::data::{Data, Texts};
use super::offsets::Offsets;
use super::tries::due_ms;
use super::vocabulary::{Named, vocabulary};

/// One event of a job. A copy of it is the same event, and takes no more room: whoever holds the events of a week has them
/// by time, by job and by worker.
#[derive(Debug, Clone, PartialEq)]
pub struct JobEvent(Arc<EventFields>);

/// What it says.
#[derive(Debug, Clone, PartialEq)]
pub struct EventFields {
    /// The entry ID: the order of arrival.
    pub id: EntryId,
    /// The producer's clock, ms since the epoch.
    pub timestamp_ms: i64,
    /// Redis' clock, ms since the epoch.
    pub arrived_ms: i64,
    /// By how much the producer's clock is known to be behind, in ms.
    pub behind_ms: i64,
    /// Who sent it.
    pub service: Arc<str>,
    /// `{entity}.{action}`.
    pub event_type: Arc<str>,
    /// `debug`, `info`, `warn` or `error`.
    pub level: Arc<str>,
    /// The job; events of a trace may have none.
    pub job_id: Option<Arc<str>>,
    /// The trace.
    pub trace_id: Option<Arc<str>>,
    /// The worker.
    pub worker_id: Option<Arc<str>>,
    /// The machine.
    pub machine_id: Option<Arc<str>>,
    /// The user.
    pub user_id: Option<Arc<str>>,
    /// How long it took, where the event says so.
    pub duration_ms: Option<f64>,
    /// All else that the producer said.
    pub data: Data,
}

impl From<EventFields> for JobEvent {
    fn from(fields: EventFields) -> Self {
        Self(Arc::new(fields))
    }
}

impl Deref for JobEvent {
    type Target = EventFields;

    fn deref(&self) -> &EventFields {
        &self.0
    }
}

impl DerefMut for JobEvent {
    /// What is changed is no longer the same event as its copies.
    fn deref_mut(&mut self) -> &mut EventFields {
        Arc::make_mut(&mut self.0)
    }
}

impl From<&Event<'_>> for JobEvent {
    fn from(event: &Event<'_>) -> Self {
        let owned = |text: &Option<Cow<'_, str>>| text.as_deref().map(Arc::from);
        Self::from(EventFields {
            id: event.id,
            timestamp_ms: event.timestamp,
            arrived_ms: event.id.ingested_at().unwrap_or(event.timestamp),
            behind_ms: 0,
            service: (*event.service).into(),
            event_type: (*event.event_type).into(),
            level: event.level.as_str().into(),
            job_id: owned(&event.job_id),
            trace_id: owned(&event.trace_id),
            worker_id: owned(&event.worker_id),
            machine_id: owned(&event.machine_id),
            user_id: owned(&event.user_id),
            duration_ms: event.duration_ms,
            // What was decoded is a JSON object.
            data: Data::read(&event.data, &mut Texts::default()),
        })
    }
}

impl JobEvent {
    /// When it happened, ms since the epoch.
    pub fn happened_ms(&self) -> i64 {
        happened_ms(self.timestamp_ms + self.behind_ms, self.arrived_ms)
    }

    /// By how much its producer's clock is proven to be ahead, in ms; 0 where nothing is proven.
    pub fn ahead_ms(&self) -> i64 {
        (self.timestamp_ms - self.arrived_ms).max(0)
    }

    /// Who sent it, as precisely as it says: the worker, which has one clock, else the machine, else the service.
    pub fn producer(&self) -> &str {
        self.worker_id.as_deref().or(self.machine_id.as_deref()).unwrap_or(&self.service)
    }

    /// Is it an error? The level says so, and nothing else: whatever counts errors counts these.
    pub fn is_error(&self) -> bool {
        *self.level == *Level::Error.as_str()
    }

    /// Does it tell of something that did not work? Its type may say so even where whoever sent it finds that
    /// no error. Verdicts are reached by these, and none are counted.
    pub fn is_failure(&self) -> bool {
        self.is_error() || tells_of_failure(&self.event_type)
    }

    /// Takes note of how far its producer's clock is behind.
    pub fn correct(&mut self, offsets: &Offsets) {
        let behind_ms = offsets.behind_ms(self.producer(), self.timestamp_ms, self.arrived_ms);
        if behind_ms != self.behind_ms {
            self.behind_ms = behind_ms;
        }
    }

    /// Before when nothing is to be expected of the job, ms since the epoch by Redis' clock, where it says so.
    pub fn due_ms(&self) -> Option<i64> {
        due_ms(&self.data, self.timestamp_ms).map(|due_ms| due_ms + self.behind_ms - self.ahead_ms())
    }

    /// The queue that it is about.
    pub fn queue(&self) -> Option<&str> {
        self.named(Named::Queue).map(|(_, name)| name)
    }

    /// What the work was handed to.
    pub fn connector(&self) -> Option<&str> {
        self.named(Named::Connector).map(|(_, name)| name)
    }

    /// Such a thing, with the key by which `data` names it.
    pub fn named(&self, named: Named) -> Option<(&str, &str)> {
        named_in(&self.data, named)
    }

    /// A key of `data`, as text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.data.get(key)?.as_str()
    }

    /// A key of `data`, as a number.
    pub fn number(&self, key: &str) -> Option<f64> {
        self.data.get(key)?.as_f64()
    }
}

/// When an event happened, ms since the epoch: no event arrives before it happens, so where the
/// producer's clock says later than Redis', Redis is right.
pub fn happened_ms(timestamp_ms: i64, arrived_ms: i64) -> i64 {
    timestamp_ms.min(arrived_ms)
}

/// What the data of an event names so, with the key by which it does.
pub fn named_in(data: &Data, named: Named) -> Option<(&str, &str)> {
    vocabulary().keys(named).iter().find_map(|key| Some((key.as_str(), data.get(key)?.as_str()?)))
}
