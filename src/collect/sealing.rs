//! Sealing beside collecting: one segment at a time, on a thread of its own.

use jiff::Timestamp;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Duration, Instant};
use tracing::{error, info};

use crate::store::{Sealed, StoreError, StoreWriter};

/// How long after its end an hour is closed: clocks differ, and an entry that arrives in a
/// closed hour makes a second file of it.
const HOUR_END_SLACK_MS: i64 = 10_000;
/// How long to wait after sealing failed.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Keeps a store's hours sealed while commits go on.
pub(super) struct Sealing {
    running: Option<JoinHandle<Result<Sealed, StoreError>>>,
    not_before: Instant,
    every: Option<Duration>,
    last_closed: Instant,
}

impl Sealing {
    /// Seals when an hour is over, and every so often where asked.
    pub fn new(every: Option<Duration>) -> Self {
        Self { running: None, not_before: Instant::now(), every, last_closed: Instant::now() }
    }

    /// Closes what is due, collects what is done, starts what waits. Quick: to be called
    /// about once a second.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be written. A seal that fails is logged and
    /// tried again: its events are safe in the journal.
    pub async fn tick(&mut self, store: &mut StoreWriter) -> Result<(), StoreError> {
        store.close_ended_hour(Timestamp::now().as_millisecond() - HOUR_END_SLACK_MS)?;
        if self.every.is_some_and(|every| self.last_closed.elapsed() >= every) {
            store.close_segment()?;
            self.last_closed = Instant::now();
        }
        if self.running.as_ref().is_some_and(JoinHandle::is_finished) {
            self.settle(store).await;
        }
        if self.running.is_none() && Instant::now() >= self.not_before {
            self.running = store.next_to_seal().map(|task| spawn_blocking(move || task.run()));
        }
        store.remove_superseded()
    }

    /// Seals all there is, the open segment too, and returns when that is done.
    ///
    /// # Errors
    /// The first [`StoreError`]; what is not sealed stays in the journal.
    pub async fn finish(&mut self, store: &mut StoreWriter) -> Result<(), StoreError> {
        self.settle(store).await;
        store.close_segment()?;
        while let Some(task) = store.next_to_seal() {
            store.sealed(&task.run()?);
        }
        Ok(())
    }

    /// Waits for the seal that is under way, if any.
    async fn settle(&mut self, store: &mut StoreWriter) {
        match self.running.take() {
            None => {}
            Some(running) => match running.await {
                Ok(Ok(sealed)) => {
                    if let Some(path) = &sealed.parquet {
                        info!("sealed {} events into {}", sealed.rows, path.display());
                    }
                    store.sealed(&sealed);
                }
                Ok(Err(error)) => self.failed(&error.to_string()),
                Err(panic) => self.failed(&panic.to_string()),
            },
        }
    }

    fn failed(&mut self, reason: &str) {
        error!("cannot seal: {reason}; trying again in {} s", RETRY_AFTER.as_secs());
        self.not_before = Instant::now() + RETRY_AFTER;
    }
}
