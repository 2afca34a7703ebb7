use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::{error, info, warn};

use super::event_log::EventLog;
use super::intake::Intake;
use super::sealing::Sealing;
use super::{CollectError, GROUP, Settings, Totals};
use crate::event::EntryId;
use crate::store::{Recovered, StoreError, StoreWriter};
use crate::stream::{Connection, GroupReader, Poll, Position, StreamState};

/// Entries read, made durable and acknowledged in one step: far below the length that
/// producers keep in the stream, so that a crash loses nothing that Redis still has.
const POLL_ENTRIES: usize = 1_000;
/// How long to wait for entries before looking after the store.
const IDLE_WAIT: Duration = Duration::from_secs(1);
/// How often a collector that stands by looks whether the store is free.
const STAND_BY_WAIT: Duration = Duration::from_millis(500);
/// The waits between attempts after a failure.
const BACKOFF_FIRST: Duration = Duration::from_millis(200);
const BACKOFF_LAST: Duration = Duration::from_secs(5);
/// How often a failure that lasts is said again, and how often the totals are.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// Collects until `shutdown` turns true, or, with [`Settings::once`], until all that was in
/// the stream is stored and sealed. Failures of Redis and of the disk are waited out.
///
/// # Errors
/// What trying again cannot mend; with [`Settings::once`], any failure.
pub async fn collect(settings: &Settings, shutdown: watch::Receiver<bool>) -> Result<Totals, CollectError> {
    let Settings { address, stream, consumer, layout, .. } = settings;
    let end = if settings.once { "ends when the stream is drained" } else { "stop it with Ctrl-C or SIGTERM" };
    info!(
        "reading {stream} at {address} as consumer {consumer} of group {GROUP}, writing to {}; {end}",
        layout.root().display()
    );
    let log = settings.event_log.as_deref().map(EventLog::open);
    let sealing = Sealing::new(settings.seal_every);
    let mut daemon = Daemon { settings, shutdown, sealing, log, totals: Totals::default(), trouble: Trouble::new() };
    let result = daemon.run().await;
    let Totals { stored, quarantined, lost } = daemon.totals;
    info!("stored {stored} events, quarantined {quarantined} entries, lost {lost}");
    result.map(|()| daemon.totals)
}

struct Daemon<'a> {
    settings: &'a Settings,
    shutdown: watch::Receiver<bool>,
    sealing: Sealing,
    log: Option<EventLog>,
    totals: Totals,
    trouble: Trouble,
}

impl Daemon<'_> {
    async fn run(&mut self) -> Result<(), CollectError> {
        while let Some(mut store) = self.open_store().await? {
            match self.work(&mut store).await {
                Ok(()) => return Ok(self.sealing.finish(&mut store).await?),
                Err(error @ CollectError::Store(_)) => {
                    // Opening the store again finds out what is durable, as after a crash.
                    drop(store);
                    self.wait_out(error, None).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes the store's lock; waits for it where another collector holds it. `None` where
    /// we were told to stop meanwhile.
    async fn open_store(&mut self) -> Result<Option<StoreWriter>, CollectError> {
        let mut stands_by = false;
        while !self.is_stopped() {
            match StoreWriter::open(&self.settings.layout, &self.settings.consumer) {
                Ok(mut store) => {
                    report_recovery(&mut store);
                    return Ok(Some(store));
                }
                Err(error @ StoreError::Locked { .. }) if !self.settings.once => {
                    if !stands_by {
                        warn!("{error}; standing by");
                    }
                    stands_by = true;
                    self.pause(STAND_BY_WAIT).await;
                }
                Err(error) => self.wait_out(error.into(), None).await?,
            }
        }
        Ok(None)
    }

    /// Reads until there is a reason to stop. Redis' failures are waited out here, while the
    /// store stays open and its hours go on being sealed.
    ///
    /// # Errors
    /// The store's failures, and what trying again cannot mend.
    async fn work(&mut self, store: &mut StoreWriter) -> Result<(), CollectError> {
        while !self.is_stopped() {
            match self.read(store).await {
                Ok(()) => return Ok(()),
                Err(error @ CollectError::Store(_)) => return Err(error),
                Err(error) => self.wait_out(error, Some(store)).await?,
            }
        }
        Ok(())
    }

    /// One connection's life: first what was delivered before and not acknowledged, then
    /// what is new. Returns where we were told to stop, or where all is drained and that was
    /// all we were to do.
    async fn read(&mut self, store: &mut StoreWriter) -> Result<(), CollectError> {
        let Settings { address, stream, consumer, .. } = self.settings;
        let mut reader = GroupReader::new(Connection::open(address, stream, GROUP).await?, consumer);
        let group_was_missing = reader.ensure_group().await?;
        let mut position = start_position(store, &mut reader, group_was_missing).await?;
        let mut after = EntryId::ZERO;
        while let Some(last) = self.take_pending(store, &mut reader, &mut position, after).await? {
            after = last;
        }
        while !self.is_stopped() {
            let poll = reader.poll_new(POLL_ENTRIES).await?;
            self.trouble.is_over();
            if was_reset(store, position, &poll.state) {
                position = begin_epoch(store)?;
            }
            let is_idle = poll.entries.is_empty();
            self.take(store, &mut reader, &mut position, &poll).await?;
            if is_idle && self.settings.once {
                return Ok(());
            }
            self.sealing.tick(store).await?;
            self.trouble.report_totals(self.totals);
            if is_idle {
                let last = poll.state.last.unwrap_or(EntryId::ZERO);
                tokio::select! {
                    waited = reader.wait(last, IDLE_WAIT) => waited?,
                    _ = self.shutdown.wait_for(|stop| *stop) => {}
                }
            }
        }
        Ok(())
    }

    /// Takes one page of what this consumer was given before; returns its last ID.
    async fn take_pending(
        &mut self,
        store: &mut StoreWriter,
        reader: &mut GroupReader,
        position: &mut Position,
        after: EntryId,
    ) -> Result<Option<EntryId>, CollectError> {
        let poll = reader.poll_pending(POLL_ENTRIES, after).await?;
        let last = poll.entries.last().map(|entry| entry.id).max(poll.trimmed.last().copied());
        self.take(store, reader, position, &poll).await?;
        Ok(last)
    }

    /// Makes what was read durable, then acknowledges it: never the other way round.
    async fn take(
        &mut self,
        store: &mut StoreWriter,
        reader: &mut GroupReader,
        position: &mut Position,
        poll: &Poll,
    ) -> Result<(), CollectError> {
        let mut intake = Intake { store, position: *position, totals: &mut self.totals, log: self.log.as_mut() };
        let ids = intake.take(poll)?;
        *position = intake.position;
        Ok(reader.acknowledge(&ids).await?)
    }

    /// Waits before another attempt, and says why. The store's hours go on being sealed.
    ///
    /// # Errors
    /// The failure itself, where trying again will not help.
    async fn wait_out(&mut self, error: CollectError, store: Option<&mut StoreWriter>) -> Result<(), CollectError> {
        if self.settings.once || (error.is_final() && !self.trouble.has_ever_worked) {
            return Err(error);
        }
        let wait = self.trouble.next_wait(&error);
        self.pause(wait).await;
        match store {
            Some(store) => Ok(self.sealing.tick(store).await?),
            None => Ok(()),
        }
    }

    async fn pause(&mut self, at_most: Duration) {
        // The sender lives as long as the process; were it gone, there would be nobody to stop us.
        let _ = timeout(at_most, self.shutdown.wait_for(|stop| *stop)).await;
    }

    fn is_stopped(&self) -> bool {
        *self.shutdown.borrow()
    }
}

fn report_recovery(store: &mut StoreWriter) {
    for Recovered::TornTail { kept_as, bytes } in store.take_recovered() {
        let path = kept_as.display();
        warn!("the journal ended in {bytes} bytes of a commit that was cut short, never acknowledged; kept as {path}");
    }
}

/// Where this reader stands in the stream, as its store tells, or else the group.
async fn start_position(
    store: &mut StoreWriter,
    reader: &mut GroupReader,
    group_was_missing: bool,
) -> Result<Position, CollectError> {
    let state = reader.state().await?;
    let Some(position) = store.position().map(Position::resume) else {
        let position = Position::of_unread(&state, reader.unread().await?.count);
        store.begin_at(position.accounted())?;
        return Ok(position);
    };
    // A group goes with its stream, or is destroyed by hand. In a new stream nothing is as
    // old as what we have.
    let watermark = store.watermark();
    let is_new_stream = group_was_missing && watermark > EntryId::ZERO && !reader.holds_up_to(watermark).await?;
    if is_new_stream || was_reset(store, position, &state) { Ok(begin_epoch(store)?) } else { Ok(position) }
}

/// Has the stream begun anew since we read it last? Then it has fewer entries, or lower IDs.
fn was_reset(store: &StoreWriter, position: Position, state: &StreamState) -> bool {
    position.is_beyond(state) || state.last < Some(store.watermark())
}

/// All that the stream was ever given in its new life was given after our last look at it.
fn begin_epoch(store: &mut StoreWriter) -> Result<Position, StoreError> {
    store.begin_epoch()?;
    store.begin_at(0)?;
    warn!("the stream was reset; what follows is stored as {}", store.writer());
    Ok(Position::resume(0))
}

/// What goes wrong, how long to wait for it, and what was said about it.
struct Trouble {
    has_ever_worked: bool,
    since: Option<Instant>,
    said_at: Option<Instant>,
    waits: ExponentialBackoff,
    totals: Totals,
    totals_at: Instant,
}

impl Trouble {
    fn new() -> Self {
        let (waits, totals_at) = (backoff(), Instant::now());
        Self { has_ever_worked: false, since: None, said_at: None, waits, totals: Totals::default(), totals_at }
    }

    /// Says what failed, at first and once in a while; how long to wait now.
    fn next_wait(&mut self, error: &CollectError) -> Duration {
        let wait = self.waits.next().unwrap_or(BACKOFF_LAST);
        let since = *self.since.get_or_insert_with(Instant::now);
        if self.said_at.is_none_or(|said_at| said_at.elapsed() >= REPORT_EVERY) {
            self.said_at = Some(Instant::now());
            error!("{error}; trying again since {} s", since.elapsed().as_secs());
        }
        wait
    }

    /// Reading works: says so where it had not.
    fn is_over(&mut self) {
        self.has_ever_worked = true;
        if let Some(since) = self.since.take() {
            info!("reading again after {:.1} s", since.elapsed().as_secs_f64());
            self.waits = backoff();
            self.said_at = None;
        }
    }

    /// Says once in a while what was done meanwhile, where something was.
    fn report_totals(&mut self, totals: Totals) {
        if self.totals_at.elapsed() >= REPORT_EVERY && totals != self.totals {
            let Totals { stored, quarantined, lost } = totals;
            info!("since the start: stored {stored} events, quarantined {quarantined} entries, lost {lost}");
            (self.totals, self.totals_at) = (totals, Instant::now());
        }
    }
}

/// Longer waits at each failure, with jitter, so that many collectors don't come back at once.
fn backoff() -> ExponentialBackoff {
    let builder = ExponentialBuilder::new().with_min_delay(BACKOFF_FIRST).with_max_delay(BACKOFF_LAST);
    builder.without_max_times().with_jitter().build()
}
