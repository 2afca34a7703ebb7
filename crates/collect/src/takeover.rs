//! Whose entries a collector may store: its own, and those of collectors that are dead.

use tracing::{info, warn};

use super::CollectError;
use super::desk::joined;
use super::liveness::{living, silence};
use super::reading::{POLL_ENTRIES, Reading};
use emp_event::EntryId;
use emp_store::{RecordedLosses, StoreError};
use emp_stream::{Consumer, Settled, StreamError};

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

impl Reading<'_> {
    /// Makes sure that nobody else reads in this store's name. The number of this start, to be said once the group
    /// is there: it is made with accounts that are empty.
    ///
    /// The folder's lock keeps others from the folder, but not from an image of the whole disk: there both have
    /// the same id. So each start leaves its number in the folder and in Redis, and whoever finds another one's in
    /// Redis, while that is alive, is not alone.
    ///
    /// # Errors
    /// [`CollectError::AliveElsewhere`]; Redis' failures, and the store's.
    pub async fn claim_name(&mut self) -> Result<u64, CollectError> {
        let (identity, session) = {
            let intake = self.desk.intake();
            (intake.store.identity().clone(), intake.session)
        };
        let found = self.reader.session(identity.id()).await?;
        let is_foreign = found.is_some_and(|found| !identity.sessions().contains(&found));
        if is_foreign && let Some(name) = living(&mut self.reader, |name| identity.is_own(name)).await?.pop() {
            return Err(CollectError::AliveElsewhere { name, root: self.settings.layout.root().to_owned() });
        }
        let session = match session.filter(|_| !is_foreign) {
            Some(session) => session,
            None => {
                let mut intake = self.desk.intake();
                let session = intake.store.begin_session(found)?;
                intake.session = Some(session);
                session
            }
        };
        self.reader.read_as(identity.id(), session, found);
        Ok(session)
    }

    /// Says that this start reads for the store from now on.
    ///
    /// # Errors
    /// Redis' failures.
    pub async fn say_session(&mut self, session: u64) -> Result<(), CollectError> {
        let store = self.desk.intake().store.identity().id().to_owned();
        Ok(self.reader.say_session(&store, session).await?)
    }

    /// Takes over from the collectors that worked on this folder before. Those that may work elsewhere now, since
    /// the folder was moved or copied, are left alone while they live.
    ///
    /// # Errors
    /// Redis' failures, and the store's.
    pub async fn take_over_predecessors(&mut self) -> Result<(), CollectError> {
        let (mut names, identity) = {
            let store = &self.desk.intake().store;
            (store.predecessors()?, store.identity().clone())
        };
        // A stream that went back may give entries to those again of whom the journal has nothing any more.
        let has_gone_back = self.reader.went_back_to().await?.is_some();
        let is_of_before = |name: &str| identity.is_own(name) || has_gone_back && identity.is_own_or_moved(name);
        for Consumer { name, pending, .. } in self.reader.consumers().await? {
            if pending > 0 && name != self.own && is_of_before(&name) && !names.contains(&name) {
                names.push(name);
            }
        }
        let may_be_elsewhere = |name: &str| identity.is_former(name) && names.iter().any(|known| known == name);
        let alive = living(&mut self.reader, may_be_elsewhere).await?;
        for name in &names {
            if alive.contains(name) {
                let root = self.settings.layout.root().display();
                warn!("{name} is alive, so {root} is a copy of its store: what it was given is left to it");
            } else {
                let known = self.known_of_former(name).await?;
                self.take_over(name, known).await?;
            }
        }
        Ok(())
    }

    /// Up to which ID a former consumer of this store had stored the stream's entries before the accounts began: those
    /// that a stream gives to it once more are stored, in an earlier epoch.
    async fn known_of_former(&mut self, name: &str) -> Result<Option<EntryId>, CollectError> {
        if let Some(known) = self.reader.known_of(name).await? {
            return Ok(Some(known));
        }
        let begun = match self.reader.known_of(&self.own).await? {
            None => self.reader.went_back_to().await?,
            known => known,
        };
        let Some(begun) = begun else { return Ok(None) };
        let stored = self.desk.intake().store.stored_before(name)?;
        Ok(Some(stored.min(begun)))
    }

    /// Takes over from the consumer that a person has named.
    ///
    /// # Errors
    /// [`CollectError::NoConsumer`], [`CollectError::ConsumerAlive`]; Redis' failures, and the store's.
    pub async fn adopt(&mut self, adoption: &mut Adoption) -> Result<(), CollectError> {
        let Some(name) = &adoption.of else { return Ok(()) };
        // To read in its name makes it look alive, so this is asked once.
        if !adoption.is_dead {
            self.check_is_dead(name).await?;
            adoption.is_dead = true;
        }
        let taken = self.take_over(name, None).await?;
        info!("took over {taken} entries that consumer {name} was given and had not acknowledged");
        adoption.of = None;
        Ok(())
    }

    /// Only a consumer that has been silent for long may be taken for dead.
    async fn check_is_dead(&mut self, name: &str) -> Result<(), CollectError> {
        let consumers = self.reader.consumers().await?;
        let Some(consumer) = consumers.iter().find(|consumer| consumer.name == name) else {
            let known = consumers.into_iter().map(|consumer| consumer.name).collect();
            return Err(CollectError::NoConsumer { name: name.to_owned(), known });
        };
        match silence(&mut self.reader, consumer).await? {
            Some(idle) => Err(CollectError::ConsumerAlive { name: name.to_owned(), idle }),
            None => Ok(()),
        }
    }

    /// Stores what another consumer was given and has not acknowledged, under its own name; but for what it is `known`
    /// to have stored in an earlier epoch. How many entries.
    async fn take_over(&mut self, name: &str, known: Option<EntryId>) -> Result<u64, CollectError> {
        self.become_writer(name, known)?;
        if let Some(known) = known {
            self.reader.note_known(known).await?;
        }
        self.fence().await?;
        let taken = self.take_pending().await?;
        let recorded = self.desk.intake().recorded.lost;
        let own = self.own.clone();
        self.become_writer(&own, None)?;
        self.reader.take_over_losses(name, recorded).await?;
        self.reader.remove_drained(name).await?;
        Ok(taken)
    }

    fn become_writer(&mut self, name: &str, known: Option<EntryId>) -> Result<(), StoreError> {
        self.reader.become_consumer(name);
        let mut intake = self.desk.intake();
        intake.store.become_writer(name, known)?;
        intake.recorded = RecordedLosses::of(&self.settings.layout, intake.store.writer())?;
        Ok(())
    }

    /// Ends what an earlier connection of the same consumer may have left on its way.
    ///
    /// # Errors
    /// Redis' failures.
    pub async fn fence(&mut self) -> Result<(), CollectError> {
        match self.reader.fence().await {
            Err(error @ (StreamError::Refused { .. } | StreamError::NoCommand { .. })) => {
                warn!(
                    "{error}; without CLIENT LIST and CLIENT KILL, a request on its way in a crash may cost its entries"
                );
                Ok(())
            }
            fenced => Ok(fenced?),
        }
    }

    /// Takes what the consumer was given before and has not acknowledged: how many entries.
    ///
    /// # Errors
    /// Redis' failures, and the store's.
    pub async fn take_pending(&mut self) -> Result<u64, CollectError> {
        let mut taken = 0;
        let mut after = EntryId::ZERO;
        let mut settled = Settled::default();
        loop {
            let poll = self.reader.poll_pending(POLL_ENTRIES, after, &settled).await?;
            self.settings.meter.has_acknowledged(&settled);
            let Some(last) = poll.last_id() else { return Ok(taken) };
            taken += (poll.entries.len() + poll.trimmed.len()) as u64;
            after = last;
            let gone = self.desk.intake().gone(&poll);
            self.acknowledge(&gone).await?;
            settled = joined(self.desk.spawn(move |intake| intake.take_pending(&poll, &gone)).await)?;
        }
    }
}
