//! One connection's life: what was delivered before, then what is new.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::{info, warn};

use super::intake::Intake;
use super::upkeep::Upkeep;
use super::{CollectError, Settings, Totals};
use emp_event::EntryId;
use emp_store::{RecordedLosses, StoreError};
use emp_stream::{GroupReader, Poll, Settled, Start, StreamError};

/// Entries read, made durable and acknowledged in one step. Two such steps overlap: together
/// they stay far below the length that producers keep in the stream, so that a crash loses
/// nothing that Redis still has.
const POLL_ENTRIES: usize = 1_000;
/// How long to wait for entries before looking after the store.
const IDLE_WAIT: Duration = Duration::from_secs(1);
/// A collector asks for entries every [`IDLE_WAIT`]; one that has been silent that long is gone,
/// or so slow that somebody should look at it first.
pub(super) const DEAD_AFTER: Duration = Duration::from_secs(10);

/// The store's side, shared with the thread on which commits run.
#[derive(Clone)]
pub(super) struct Desk(Arc<Mutex<Intake>>);

impl Desk {
    pub fn new(intake: Intake) -> Self {
        Self(Arc::new(Mutex::new(intake)))
    }

    /// The intake, between commits.
    pub fn intake(&self) -> MutexGuard<'_, Intake> {
        // A commit that panicked ends the collector, which joins its thread.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The intake, once no step runs any more. A read that was given up may have left one.
    pub fn into_intake(self) -> Intake {
        let mut shared = self.0;
        loop {
            match Arc::try_unwrap(shared) {
                Ok(intake) => return intake.into_inner().unwrap_or_else(PoisonError::into_inner),
                Err(still_shared) => shared = still_shared,
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Runs one step on a thread of its own, since syncing to disk blocks.
    fn spawn<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Intake) -> Result<T, StoreError> + Send + 'static,
    ) -> JoinHandle<Result<T, StoreError>> {
        let desk = self.clone();
        spawn_blocking(move || step(&mut desk.intake()))
    }
}

/// What came of a step on its own thread; its panic goes on here.
fn joined<T>(outcome: Result<Result<T, StoreError>, tokio::task::JoinError>) -> Result<T, CollectError> {
    match outcome {
        Ok(result) => Ok(result?),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Whose pending entries are to be taken over, though they belong to another store.
#[derive(Debug, Default)]
pub(super) struct Adoption {
    /// The consumer; none once it is done.
    pub of: Option<String>,
    is_dead: bool,
}

impl Adoption {
    pub fn of(consumer: Option<String>) -> Self {
        Self { of: consumer, is_dead: false }
    }
}

/// Reads over one connection, into one store.
pub(super) struct Reading<'a> {
    pub settings: &'a Settings,
    pub reader: GroupReader,
    pub desk: &'a Desk,
    pub upkeep: &'a mut Upkeep,
    pub shutdown: watch::Receiver<bool>,
}

impl Reading<'_> {
    /// Finds out where this collector stands in the stream, and settles what is left of the
    /// past: its own pending entries, and those of collectors that worked on this store before.
    ///
    /// # Errors
    /// Redis' failures, and the store's.
    pub async fn begin(&mut self, adoption: &mut Adoption) -> Result<(), CollectError> {
        self.find_place().await?;
        let predecessors = self.desk.intake().store.predecessors()?;
        for name in predecessors {
            self.take_over(&name).await?;
        }
        self.reader.report_trouble(None).await?;
        self.adopt(adoption).await?;
        self.fence().await?;
        self.take_pending().await.map(drop)
    }

    /// Ends what an earlier connection of the same consumer may have left on its way.
    async fn fence(&mut self) -> Result<(), CollectError> {
        match self.reader.fence().await {
            Err(error @ StreamError::Refused { .. }) => {
                warn!(
                    "{error}; without CLIENT LIST and CLIENT KILL, a request on its way in a crash may cost its entries"
                );
                Ok(())
            }
            fenced => Ok(fenced?),
        }
    }

    async fn adopt(&mut self, adoption: &mut Adoption) -> Result<(), CollectError> {
        let Some(name) = &adoption.of else { return Ok(()) };
        // To read in its name makes it look alive, so this is asked once.
        if !adoption.is_dead {
            self.check_is_dead(name).await?;
            adoption.is_dead = true;
        }
        let taken = self.take_over(name).await?;
        info!("took over {taken} entries that consumer {name} was given and had not acknowledged");
        adoption.of = None;
        Ok(())
    }

    /// Only a consumer that has been silent for long may be taken for dead.
    async fn check_is_dead(&mut self, name: &str) -> Result<(), CollectError> {
        let consumers = self.reader.consumers().await?;
        match consumers.iter().find(|consumer| consumer.name == name) {
            None => Err(CollectError::NoConsumer {
                name: name.to_owned(),
                known: consumers.into_iter().map(|consumer| consumer.name).collect(),
            }),
            Some(consumer) if consumer.idle < DEAD_AFTER => {
                Err(CollectError::ConsumerAlive { name: name.to_owned(), idle: consumer.idle })
            }
            Some(_) => Ok(()),
        }
    }

    /// Reads what is new until we are told to stop, or until all is drained and that was all
    /// we were to do. `worked` is called after each answer of Redis.
    ///
    /// # Errors
    /// Redis' failures, and the store's.
    pub async fn read_on(&mut self, mut worked: impl FnMut(Totals)) -> Result<(), CollectError> {
        let mut settled = Settled::default();
        while !*self.shutdown.borrow() {
            let mut poll = self.reader.poll_new(POLL_ENTRIES, &settled).await?;
            settled = Settled::default();
            worked(self.desk.intake().totals);
            if poll.entries.is_empty() {
                self.desk.intake().take_loss(&poll)?;
                if self.settings.once {
                    return Ok(());
                }
                self.tick()?;
                self.wait(poll.state.last.unwrap_or(EntryId::ZERO)).await?;
                continue;
            }
            // While one step is committed, the next is read.
            while !poll.entries.is_empty() {
                self.begin_epoch_where_reset(&poll).await?;
                let step = self.desk.spawn(move |intake| intake.take_new(&poll));
                if *self.shutdown.borrow() {
                    let settled = joined(step.await)?;
                    return Ok(self.reader.acknowledge(&settled).await?);
                }
                let (committed, next) = tokio::join!(step, self.reader.poll_new(POLL_ENTRIES, &settled));
                settled = joined(committed)?;
                poll = next?;
                worked(self.desk.intake().totals);
                self.tick()?;
            }
        }
        Ok(self.reader.acknowledge(&settled).await?)
    }

    fn tick(&mut self) -> Result<(), StoreError> {
        self.upkeep.tick(&mut self.desk.intake().store)
    }

    async fn wait(&mut self, last: EntryId) -> Result<(), CollectError> {
        tokio::select! {
            waited = self.reader.wait(last, IDLE_WAIT) => Ok(waited?),
            _ = self.shutdown.wait_for(|stop| *stop) => Ok(()),
        }
    }

    /// Makes the group where it is missing, and notices a stream that began anew or went back.
    async fn find_place(&mut self) -> Result<(), CollectError> {
        if self.reader.group_is_missing().await? {
            let start = self.start_of_group().await?;
            let recorded = self.desk.intake().recorded.lost;
            self.reader.create_group(start, recorded).await?;
        }
        let (state, accounts) = self.reader.accounts().await?;
        let (floor, mut names) = {
            let intake = self.desk.intake();
            (intake.store.floor(), intake.store.predecessors()?)
        };
        names.push(self.settings.consumer.clone());
        let fell_back = state.last.filter(|last| *last < floor);
        let is_known = accounts.position().is_none() || self.reader.has_accounts_of(&names).await?;
        if floor > EntryId::ZERO && !is_known {
            // Another store has met the new stream before us, and made the group.
            let after = if fell_back.is_some() { EntryId::ZERO } else { floor };
            self.begin_epoch(after, accounts.position().unwrap_or_default())?;
        } else if let Some(last) = fell_back {
            // The group is there, so this is the same stream, gone back: what it still holds we
            // have, and what follows may repeat IDs that were given out after it.
            self.begin_epoch(last, state.added)?;
            self.reader.begin_anew(state.added).await?;
            return Ok(());
        }
        let recorded = {
            let mut intake = self.desk.intake();
            if intake.store.position().is_none() {
                intake.store.begin_at(accounts.position().unwrap_or(state.added))?;
            }
            intake.recorded.lost
        };
        Ok(self.reader.agree_on(recorded).await?)
    }

    /// A group goes with its stream, or is destroyed by hand. In a new stream nothing is as old
    /// as what we have.
    async fn start_of_group(&mut self) -> Result<Start, CollectError> {
        let (floor, position) = {
            let intake = self.desk.intake();
            (intake.store.floor(), intake.store.position())
        };
        if floor > EntryId::ZERO && !self.reader.holds_up_to(floor).await? {
            // All that the stream was ever given in its new life was given after our last look.
            self.begin_epoch(EntryId::ZERO, 0)?;
            return Ok(Start::NewStream);
        }
        Ok(match position {
            None => Start::Now,
            // Begun after a reset, and ended before the group was made.
            Some(0) => Start::NewStream,
            Some(position) => Start::At(position),
        })
    }

    /// Notices a stream that is another one, or was put back under us, while we read it.
    async fn begin_epoch_where_reset(&mut self, poll: &Poll) -> Result<(), CollectError> {
        let floor = self.desk.intake().store.floor();
        let position = poll.accounts.position();
        if poll.state.last.is_some_and(|last| last < floor) {
            self.begin_epoch(EntryId::ZERO, position.unwrap_or_default())?;
        } else if let Some(position) = position.filter(|_| !poll.accounts.is_known) {
            // Another store has met the new stream before us, and made the group.
            self.begin_epoch(floor, position)?;
            self.reader.agree_on(0).await?;
        }
        Ok(())
    }

    fn begin_epoch(&self, after: EntryId, position: u64) -> Result<(), StoreError> {
        let mut intake = self.desk.intake();
        intake.store.begin_epoch(after, position)?;
        intake.recorded = RecordedLosses::NONE;
        warn!("the stream was reset; what follows is stored as {}", intake.store.writer());
        Ok(())
    }

    /// Stores what another consumer was given and has not acknowledged, under its own name.
    async fn take_over(&mut self, name: &str) -> Result<u64, CollectError> {
        self.become_writer(name)?;
        self.fence().await?;
        let taken = self.take_pending().await?;
        let recorded = self.desk.intake().recorded.lost;
        let own = self.settings.consumer.clone();
        self.become_writer(&own)?;
        self.reader.take_over_losses(name, recorded).await?;
        Ok(taken)
    }

    fn become_writer(&mut self, name: &str) -> Result<(), StoreError> {
        self.reader.become_consumer(name);
        let mut intake = self.desk.intake();
        intake.store.become_writer(name)?;
        intake.recorded = RecordedLosses::of(&self.settings.layout, intake.store.writer())?;
        Ok(())
    }

    /// Takes what the consumer was given before and has not acknowledged: how many entries.
    async fn take_pending(&mut self) -> Result<u64, CollectError> {
        let mut taken = 0;
        let mut after = EntryId::ZERO;
        let mut settled = Settled::default();
        loop {
            let poll = self.reader.poll_pending(POLL_ENTRIES, after, &settled).await?;
            let last = poll.entries.last_id().max(poll.trimmed.last().copied());
            let Some(last) = last else { return Ok(taken) };
            taken += (poll.entries.len() + poll.trimmed.len()) as u64;
            after = last;
            let gone = self.desk.intake().gone(&poll);
            self.reader.acknowledge(&gone).await?;
            settled = joined(self.desk.spawn(move |intake| intake.take_pending(&poll, &gone)).await)?;
        }
    }
}
