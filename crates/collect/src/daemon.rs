use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{info, warn};

use super::archiving;
use super::desk::Desk;
use super::event_log::EventLog;
use super::intake::Intake;
use super::reading::Reading;
use super::takeover::Adoption;
use super::trouble::Trouble;
use super::upkeep::Upkeep;
use super::{CollectError, GROUP, Settings, Totals, collector_of, memory};
use emp_store::{KeptAside, RecordedLosses, StoreError, StoreWriter};
use emp_stream::{Connection, GroupReader};

/// How often a collector that stands by looks whether the store is free.
const STAND_BY_WAIT: Duration = Duration::from_millis(500);

/// Collects until `shutdown` turns true, or, with [`Settings::once`], until all that was in
/// the stream is stored and sealed. Failures of Redis and of the disk are waited out.
///
/// # Errors
/// What trying again cannot mend; with [`Settings::once`], any failure.
pub fn collect(
    settings: &Settings,
    shutdown: watch::Receiver<bool>,
) -> Pin<Box<dyn Future<Output = Result<Totals, CollectError>> + '_>> {
    // Behind a pointer, so that it is compiled here and not anew by whoever awaits it.
    Box::pin(run(settings, shutdown))
}

async fn run(settings: &Settings, shutdown: watch::Receiver<bool>) -> Result<Totals, CollectError> {
    let Settings { address, stream, consumer, layout, .. } = settings;
    let end = if settings.once { "ends when the stream is drained" } else { "stop it with Ctrl-C or SIGTERM" };
    info!(
        "reading {stream} at {address} as consumer {consumer} of group {GROUP}, writing to {}; {end}",
        layout.root().display()
    );
    let mut daemon = Daemon {
        settings,
        shutdown,
        upkeep: Upkeep::new(settings),
        log: settings.event_log.as_deref().map(EventLog::open),
        totals: Totals::default(),
        adoption: Adoption::of(settings.adopt.clone()),
        trouble: Trouble::new(),
        pace: usize::MAX,
    };
    let archiver = if settings.once { None } else { archiving::begin(settings, daemon.shutdown.clone()) };
    let memory = (!settings.once).then(|| tokio::spawn(memory::watch(settings.clone())));
    let mut result = daemon.run().await;
    // Whatever it is doing may be cut short: it goes on from there the next time.
    drop(archiver);
    if settings.once && result.is_ok() {
        result = archiving::finish(settings);
    }
    if let Some(memory) = memory {
        memory.abort();
    }
    let Totals { stored, quarantined, lost } = daemon.totals;
    info!("stored {stored} events, quarantined {quarantined} entries, lost {lost}");
    result.map(|()| daemon.totals)
}

struct Daemon<'a> {
    settings: &'a Settings,
    shutdown: watch::Receiver<bool>,
    upkeep: Upkeep,
    log: Option<EventLog>,
    totals: Totals,
    adoption: Adoption,
    trouble: Trouble,
    /// Entries to ask for at first over the next connection, at most.
    pace: usize,
}

impl Daemon<'_> {
    async fn run(&mut self) -> Result<(), CollectError> {
        while let Some(intake) = self.open_store().await? {
            self.settings.meter.is_at_work(true);
            let desk = Desk::new(intake);
            let worked = self.work(&desk).await;
            let mut intake = desk.into_intake();
            self.settings.meter.is_at_work(false);
            (self.totals, self.log) = (intake.totals, intake.log.take());
            match worked {
                Ok(()) => return Ok(self.upkeep.finish(&mut intake.store)?),
                Err(error @ CollectError::Store(_)) => {
                    // Opening the store again finds out what is durable, as after a crash.
                    drop(intake);
                    self.wait_out(error, None).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes the store's lock; waits for it where another collector holds it. `None` where
    /// we were told to stop meanwhile.
    async fn open_store(&mut self) -> Result<Option<Intake>, CollectError> {
        let mut stands_by = false;
        while !self.is_stopped() {
            match self.try_open() {
                Ok(intake) => return Ok(Some(intake)),
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

    fn try_open(&mut self) -> Result<Intake, StoreError> {
        let Settings { layout, consumer, stream, .. } = self.settings;
        let mut store = StoreWriter::open_for_collector(layout, consumer)?;
        for KeptAside { path, bytes, is_tail } in store.take_kept_aside() {
            let path = path.display();
            match is_tail {
                true => warn!(
                    "the journal ended in {bytes} bytes of a commit that was cut short, never acknowledged; kept as {path}"
                ),
                false => warn!("{bytes} bytes within the journal were damaged on the disk; kept as {path}"),
            }
        }
        let recorded = RecordedLosses::of(layout, store.writer())?;
        let meter = Arc::clone(&self.settings.meter);
        info!("with this store's id, the consumer of {stream} is {}", store.own_name());
        Ok(Intake { store, totals: self.totals, log: self.log.take(), recorded, session: None, meter })
    }

    /// Reads until there is a reason to stop. Redis' failures are waited out here, while the
    /// store stays open and its hours go on being sealed.
    ///
    /// # Errors
    /// The store's failures, and what trying again cannot mend.
    async fn work(&mut self, desk: &Desk) -> Result<(), CollectError> {
        while !self.is_stopped() {
            match self.read(desk).await {
                Ok(()) => return Ok(()),
                Err(error @ CollectError::Store(_)) => return Err(error),
                Err(error) => self.wait_out(error, Some(desk)).await?,
            }
        }
        Ok(())
    }

    /// One connection's life.
    async fn read(&mut self, desk: &Desk) -> Result<(), CollectError> {
        let Settings { address, stream, .. } = self.settings;
        let own = desk.intake().become_own_writer(&self.settings.layout)?;
        let connection = Connection::open(address, stream, GROUP).await?;
        let mut reading = Reading {
            settings: self.settings,
            reader: GroupReader::new(connection, &own),
            desk,
            upkeep: &mut self.upkeep,
            shutdown: self.shutdown.clone(),
            own,
        };
        reading.reader.begin_with(self.pace);
        let trouble = &mut self.trouble;
        let result = reading.live(&mut self.adoption, trouble).await;
        // A line that broke in the middle of an answer may have room for a smaller one.
        self.pace = reading.reader.pace() / 4;
        result
    }

    /// Waits before another attempt, and says why. The store's hours go on being sealed.
    ///
    /// # Errors
    /// The failure itself, where trying again will not help.
    async fn wait_out(&mut self, error: CollectError, desk: Option<&Desk>) -> Result<(), CollectError> {
        if self.settings.once || self.trouble.is_final(&error) {
            return Err(error);
        }
        let wait = self.trouble.next_wait(&error);
        self.settings.meter.has_failed(&error);
        if let CollectError::Store(error) = &error {
            self.tell(&error.to_string()).await;
        }
        self.pause(wait).await;
        match desk {
            Some(desk) => Ok(self.upkeep.tick(&mut desk.intake().store)?),
            None => Ok(()),
        }
    }

    /// Leaves word of what is wrong with the store where `health` looks. Not in the store.
    async fn tell(&self, trouble: &str) {
        let Settings { address, stream, layout, .. } = self.settings;
        // Where Redis is away as well, `health` sees that by itself.
        if let Ok(connection) = Connection::open(address, stream, GROUP).await {
            let _ = GroupReader::new(connection, &collector_of(layout)).report_trouble(Some(trouble)).await;
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
