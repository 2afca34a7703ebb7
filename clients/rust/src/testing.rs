//! For the tests of services that emit: a client whose events are kept, and looked at.
//!
//! ```
//! use emp_events_client::EventClient;
//!
//! let (client, recorded) = EventClient::builder("api-server").record();
//! client.job_event("job-7", "job.created").field("jobType", "image").emit();
//!
//! assert_eq!(recorded.types(), ["job.created"]);
//! assert_eq!(recorded.of_job("job-7")[0].data["jobType"], "image");
//! ```

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::wire::Wire;
use crate::{Ids, Level};

/// An event as the collector would have stored it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RecordedEvent {
    /// Who emitted it.
    pub service: String,
    /// What happened: `{entity}.{action}`.
    pub event_type: String,
    /// How grave it is.
    pub level: Level,
    /// When, in milliseconds since the epoch.
    pub timestamp: u64,
    /// What it belongs to, with what its client and the surrounding code add.
    pub ids: Ids,
    /// What else it says, after secrets were left out and what is too large was cut.
    pub data: Value,
}

/// What a client of [`EventClientBuilder::record`](crate::EventClientBuilder::record) emitted, in that order.
/// A clone has the same events.
#[derive(Debug, Clone, Default)]
pub struct RecordedEvents(Arc<Recording>);

#[derive(Debug, Default)]
struct Recording {
    events: Mutex<Vec<RecordedEvent>>,
    more: Condvar,
}

impl RecordedEvents {
    /// All of them.
    pub fn all(&self) -> Vec<RecordedEvent> {
        self.lock().clone()
    }

    /// Their types, for a test that only looks at what happened in which order.
    pub fn types(&self) -> Vec<String> {
        self.lock().iter().map(|event| event.event_type.clone()).collect()
    }

    /// Those of a type.
    pub fn of_type(&self, event_type: &str) -> Vec<RecordedEvent> {
        self.those(|event| event.event_type == event_type)
    }

    /// Those about a job.
    pub fn of_job(&self, job_id: &str) -> Vec<RecordedEvent> {
        self.those(|event| event.ids.job_id.as_deref() == Some(job_id))
    }

    /// The first event of a type, as soon as another thread has emitted it; `None`: not within that time.
    pub fn wait_for(&self, event_type: &str, timeout: Duration) -> Option<RecordedEvent> {
        let until = Instant::now() + timeout;
        let mut events = self.lock();
        loop {
            if let Some(event) = events.iter().find(|event| event.event_type == event_type) {
                return Some(event.clone());
            }
            let left = until.checked_duration_since(Instant::now())?;
            events = self.0.more.wait_timeout(events, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Forgets them.
    pub fn clear(&self) {
        self.lock().clear();
    }

    pub(crate) fn take(&self, service: &str, event: Wire) {
        let recorded = RecordedEvent {
            service: service.to_owned(),
            event_type: event.event_type,
            level: event.level,
            timestamp: event.timestamp,
            ids: event.ids,
            // It was written out as JSON a moment ago.
            data: serde_json::from_str(&event.data).unwrap_or_default(),
        };
        self.lock().push(recorded);
        self.0.more.notify_all();
    }

    fn those(&self, fits: impl Fn(&RecordedEvent) -> bool) -> Vec<RecordedEvent> {
        self.lock().iter().filter(|event| fits(event)).cloned().collect()
    }

    /// An assertion that fails in one thread must not fail another's.
    fn lock(&self) -> MutexGuard<'_, Vec<RecordedEvent>> {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
