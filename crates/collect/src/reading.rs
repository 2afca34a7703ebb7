//! One connection's life: what was delivered before, then what is new.

use std::time::Duration;

use tokio::sync::watch;

use super::desk::{Desk, joined};
use super::takeover::Adoption;
use super::trouble::Trouble;
use super::upkeep::Upkeep;
use super::{CollectError, Settings, Totals};
use emp_event::EntryId;
use emp_store::StoreError;
use emp_stream::{GroupReader, Poll, Settled};

/// Entries read, made durable and acknowledged in one step. Two such steps overlap: together
/// they stay far below the length that producers keep in the stream, so that a crash loses
/// nothing that Redis still has.
pub(super) const POLL_ENTRIES: usize = 1_000;
/// How long to wait for entries before looking after the store.
const IDLE_WAIT: Duration = Duration::from_secs(1);

/// Reads over one connection, into one store.
pub(super) struct Reading<'a> {
    pub settings: &'a Settings,
    pub reader: GroupReader,
    pub desk: &'a Desk,
    pub upkeep: &'a mut Upkeep,
    pub shutdown: watch::Receiver<bool>,
    /// This store's consumer.
    pub own: String,
}

impl Reading<'_> {
    /// Reads as long as the connection lasts, until we are told to stop, or all is drained and that was all we
    /// were to do.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub async fn live(&mut self, adoption: &mut Adoption, trouble: &mut Trouble) -> Result<(), CollectError> {
        self.begin(adoption).await?;
        self.read_on(|totals| {
            trouble.is_over();
            trouble.report_totals(totals);
        })
        .await
    }

    /// Finds out where this collector stands in the stream, and settles what is left of the
    /// past: its own pending entries, and those of collectors that worked on this store before.
    ///
    /// # Errors
    /// [`CollectError::AliveElsewhere`]; Redis' failures, and the store's.
    async fn begin(&mut self, adoption: &mut Adoption) -> Result<(), CollectError> {
        let session = self.claim_name().await?;
        self.find_place().await?;
        self.say_session(session).await?;
        self.take_over_predecessors().await?;
        self.reader.report_trouble(None).await?;
        self.adopt(adoption).await?;
        self.fence().await?;
        self.take_pending().await.map(drop)
    }

    /// Reads what is new until we are told to stop, or until all is drained and that was all
    /// we were to do. `worked` is called after each answer of Redis.
    ///
    /// # Errors
    /// Redis' failures, and the store's.
    async fn read_on(&mut self, mut worked: impl FnMut(Totals)) -> Result<(), CollectError> {
        let mut settled = Settled::default();
        while !*self.shutdown.borrow() {
            let mut poll = self.poll_new(&settled).await?;
            settled = Settled::default();
            worked(self.desk.intake().totals);
            if is_empty(&poll) {
                self.desk.intake().take_loss(&poll)?;
                if self.settings.once {
                    return Ok(());
                }
                self.tick()?;
                self.reader.show_life().await?;
                self.wait(poll.state.last.unwrap_or(EntryId::ZERO)).await?;
                continue;
            }
            // While one step is committed, the next is read.
            while !is_empty(&poll) {
                self.begin_epoch_where_reset(&poll).await?;
                let gone = self.desk.intake().gone(&poll);
                self.acknowledge(&gone).await?;
                let step = self.desk.spawn(move |intake| intake.take_new(&poll, &gone));
                if *self.shutdown.borrow() {
                    let settled = joined(step.await)?;
                    return self.acknowledge(&settled).await;
                }
                let (committed, next) = tokio::join!(step, self.poll_new(&settled));
                settled = joined(committed)?;
                poll = next?;
                worked(self.desk.intake().totals);
                self.tick()?;
            }
        }
        self.acknowledge(&settled).await
    }

    /// Acknowledges, and reads what is new.
    async fn poll_new(&mut self, settled: &Settled) -> Result<Poll, CollectError> {
        let poll = self.reader.poll_new(POLL_ENTRIES, settled).await?;
        self.settings.meter.has_acknowledged(settled);
        Ok(poll)
    }

    /// Acknowledges what was settled outside of a read.
    ///
    /// # Errors
    /// Redis' failures.
    pub async fn acknowledge(&mut self, settled: &Settled) -> Result<(), CollectError> {
        self.reader.acknowledge(settled).await?;
        self.settings.meter.has_acknowledged(settled);
        Ok(())
    }

    /// Seals the hours that are due, and looks after the store's files.
    fn tick(&mut self) -> Result<(), StoreError> {
        self.upkeep.tick(&mut self.desk.intake().store)
    }

    async fn wait(&mut self, last: EntryId) -> Result<(), CollectError> {
        tokio::select! {
            waited = self.reader.wait(last, IDLE_WAIT) => Ok(waited?),
            _ = self.shutdown.wait_for(|stop| *stop) => Ok(()),
        }
    }
}

/// Has a read found nothing to store or to acknowledge, and is there nothing of it to come?
fn is_empty(poll: &Poll) -> bool {
    poll.entries.is_empty() && poll.trimmed.is_empty() && poll.rest == 0
}
