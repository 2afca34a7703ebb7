//! Looking after the store beside collecting: one thing at a time, on a thread of its own.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tracing::{error, info};

use super::Settings;
use crate::store::{SUPERSEDED_GRACE, Sealed, StoreError, StoreWriter};

/// How long after its end an hour is closed: clocks differ, and an entry that arrives in a
/// closed hour makes a second file of it.
const HOUR_END_SLACK_MS: i64 = 10_000;
/// How long to wait after something failed.
const RETRY_AFTER: Duration = Duration::from_secs(30);
/// How often to look whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Keeps a store sealed while commits go on.
pub(super) struct Upkeep {
    running: Option<JoinHandle<Result<Sealed, StoreError>>>,
    looked: Option<Instant>,
    not_before: Instant,
    seal_every: Option<Duration>,
    last_closed: Instant,
}

impl Upkeep {
    /// Seals when an hour is over, and every so often where asked.
    pub fn new(settings: &Settings) -> Self {
        let now = Instant::now();
        Self { running: None, looked: None, not_before: now, seal_every: settings.seal_every, last_closed: now }
    }

    /// Closes what is due, collects what is done, starts what waits. Quick: to be called often.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be written. A seal that fails is logged and
    /// tried again: its events are safe in the journal.
    pub fn tick(&mut self, store: &mut StoreWriter) -> Result<(), StoreError> {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        store.close_ended_hour(Timestamp::now().as_millisecond() - HOUR_END_SLACK_MS)?;
        if self.seal_every.is_some_and(|every| self.last_closed.elapsed() >= every) {
            store.close_segment()?;
            self.last_closed = Instant::now();
        }
        if self.running.as_ref().is_some_and(JoinHandle::is_finished) {
            self.settle(store);
        }
        if self.running.is_none() && Instant::now() >= self.not_before {
            self.running = store.next_to_seal().map(|task| std::thread::spawn(move || task.run()));
        }
        store.remove_superseded(SUPERSEDED_GRACE)
    }

    /// Seals all there is, the open segment too, and returns when that is done.
    ///
    /// # Errors
    /// The first [`StoreError`]; what is not sealed stays in the journal.
    pub fn finish(&mut self, store: &mut StoreWriter) -> Result<(), StoreError> {
        self.settle(store);
        store.close_segment()?;
        while let Some(task) = store.next_to_seal() {
            store.sealed(&task.run()?);
        }
        Ok(())
    }

    /// Waits for the seal that is under way, if any.
    fn settle(&mut self, store: &mut StoreWriter) {
        match self.running.take().map(JoinHandle::join) {
            None => {}
            Some(Ok(Ok(sealed))) => {
                if let Some(path) = &sealed.parquet {
                    info!("sealed {} events into {}", sealed.rows, path.display());
                }
                store.sealed(&sealed);
            }
            Some(Ok(Err(error))) => {
                error!("cannot seal: {error}; trying again in {} s", RETRY_AFTER.as_secs());
                self.not_before = Instant::now() + RETRY_AFTER;
            }
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }
}
