use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::address::Address;
use crate::builder::EventClientBuilder;
use crate::config::{CLOSE_GRACE, CLOSE_TIMEOUT};
use crate::core::Core;
use crate::draft::EventDraft;
use crate::patience::received_in_time;
use crate::settings::Settings;
use crate::{Ids, Stats};

/// Emits the events of one service: fire and forget.
///
/// A clone is the same client. It works within and without a tokio runtime; its own thread starts
/// with the first event.
#[derive(Clone)]
pub struct EventClient {
    /// The last handle lets the thread end.
    handle: Arc<Handle>,
    bound: Arc<Ids>,
}

struct Handle(Arc<Core>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close(CLOSE_TIMEOUT, |_| {});
    }
}

impl EventClient {
    /// A client as the environment describes it.
    pub fn new(service: impl Into<String>) -> Self {
        Self::builder(service).build_or_disabled()
    }

    /// Sets up a client.
    pub fn builder(service: impl Into<String>) -> EventClientBuilder {
        EventClientBuilder::new(service.into())
    }

    pub(crate) fn open(settings: Settings, address: Address) -> Self {
        Self { handle: Arc::new(Handle(Arc::new(Core::new(settings, address)))), bound: Arc::default() }
    }

    fn core(&self) -> &Arc<Core> {
        &self.handle.0
    }

    /// Begins an event of the type `{entity}.{action}`. One without a type is `unnamed`: of more use than none.
    pub fn event(&self, event_type: impl Into<Cow<'static, str>>) -> EventDraft<'_> {
        let core = Some(self.core()).filter(|core| core.settings.is_enabled);
        let event_type = Some(event_type.into()).filter(|name| !name.is_empty()).unwrap_or(Cow::Borrowed("unnamed"));
        EventDraft::new(core, &self.bound, event_type)
    }

    /// Begins an event of a job.
    pub fn job_event(&self, job_id: impl Into<String>, event_type: impl Into<Cow<'static, str>>) -> EventDraft<'_> {
        self.event(event_type).job_id(job_id)
    }

    /// Begins an event of a worker.
    pub fn worker_event(
        &self,
        worker_id: impl Into<String>,
        event_type: impl Into<Cow<'static, str>>,
    ) -> EventDraft<'_> {
        self.event(event_type).worker_id(worker_id)
    }

    /// Begins an event of a machine.
    pub fn machine_event(
        &self,
        machine_id: impl Into<String>,
        event_type: impl Into<Cow<'static, str>>,
    ) -> EventDraft<'_> {
        self.event(event_type).machine_id(machine_id)
    }

    /// The same client, whose events have these ids where they have none of their own.
    pub fn child(&self, ids: Ids) -> Self {
        Self { handle: Arc::clone(&self.handle), bound: Arc::new(ids.or(&self.bound)) }
    }

    /// The same client, for events of one job.
    pub fn with_job(&self, job_id: impl Into<String>) -> Self {
        self.child(Ids::new().job_id(job_id))
    }

    /// What became of the events so far.
    pub fn stats(&self) -> Stats {
        self.core().stats()
    }

    /// Waits until every event is sent. `false`: it took too long, or some were dropped or spooled.
    /// It blocks: within async code use [`EventClient::flush_async`].
    pub fn flush(&self, timeout: Duration) -> bool {
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        self.core().when_empty(timeout, move |is_empty| {
            // Nobody listens any more: then nobody needs the answer.
            let _ = answer.send(is_empty);
        });
        // The background thread answers in time; this is for the case that it is kept from it.
        answered.recv_timeout(timeout + Duration::from_millis(100)).unwrap_or(false)
    }

    /// As [`EventClient::flush`], without blocking the thread.
    pub async fn flush_async(&self, timeout: Duration) -> bool {
        let (answer, answered) = tokio::sync::oneshot::channel();
        self.core().when_empty(timeout, move |is_empty| {
            let _ = answer.send(is_empty);
        });
        answered.await.unwrap_or(false)
    }

    /// Sends what waits, and ends the client: later events are dropped. `false` as for
    /// [`EventClient::flush`]. Call it before the process ends.
    ///
    /// When it returns, all is counted. So where the time is over it waits for the spool to be
    /// written, as long as the disk takes a batch every few seconds.
    pub fn close(&self, timeout: Duration) -> bool {
        close(self.core(), timeout)
    }

    /// As [`EventClient::close`], without blocking the thread.
    pub async fn close_async(&self, timeout: Duration) -> bool {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let core = Arc::clone(self.core());
        // Whoever awaits this may have no timer.
        let waiting = std::thread::Builder::new().name("emp-events-close".to_owned()).spawn(move || {
            let _ = answer.send(close(&core, timeout));
        });
        waiting.is_ok() && answered.await.unwrap_or(false)
    }
}

fn close(core: &Core, timeout: Duration) -> bool {
    let (answer, answered) = std::sync::mpsc::sync_channel(1);
    core.close(timeout, move |is_all_sent| {
        let _ = answer.send(is_all_sent);
    });
    if let Ok(is_all_sent) = answered.recv_timeout(timeout) {
        return is_all_sent;
    }
    loop {
        let queued = core.stats().queued;
        if let Some(is_all_sent) = received_in_time(CLOSE_GRACE, &answered) {
            return is_all_sent;
        }
        if core.stats().queued == queued {
            core.end();
            return false;
        }
    }
}
