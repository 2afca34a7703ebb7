//! Where a collector stands in the stream, and whether that is still the stream that it read before.

use tracing::warn;

use super::CollectError;
use super::reading::Reading;
use emp_event::EntryId;
use emp_store::{RecordedLosses, Snapshot, StoreError, Tally};
use emp_stream::{Poll, Start, StreamError};

impl Reading<'_> {
    /// Makes the group where it is missing, and notices a stream that began anew or went back.
    ///
    /// # Errors
    /// Redis' failures, and the store's.
    pub async fn find_place(&mut self) -> Result<(), CollectError> {
        if self.reader.group_is_missing().await? {
            let start = self.start_of_group().await?;
            let recorded = self.desk.intake().recorded.lost;
            self.reader.create_group(start, recorded).await?;
        }
        let (state, accounts) = self.reader.accounts().await?;
        let (floor, mut names) = {
            let intake = self.desk.intake();
            (intake.store.floor(), intake.store.others()?)
        };
        names.push(self.own.clone());
        let fell_back = state.last.filter(|last| *last < floor);
        let is_unknown = floor > EntryId::ZERO && !self.reader.has_accounts_of(&names).await?;
        let is_ours = is_unknown && self.reader.holds(floor).await?;
        if is_unknown && !is_ours && accounts.position().is_some() {
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
        self.owed.agreement = Some(recorded);
        self.owed.held = if is_ours { Some(self.held()?) } else { None };
        self.settle_accounts().await
    }

    /// How many entries of the stream this collector has dealt with, as far as its own files tell.
    fn held(&self) -> Result<u64, StoreError> {
        let tally = Tally::of(&Snapshot::read(&self.settings.layout)?)?;
        Ok(tally.writers.get(&self.own).map_or(0, |held| held.stored + held.quarantined + held.lost))
    }

    /// A group goes with its stream, or is destroyed by hand. In a new stream nothing is as old
    /// as what we have.
    async fn start_of_group(&mut self) -> Result<Start, CollectError> {
        let (floor, position) = {
            let intake = self.desk.intake();
            (intake.store.floor(), intake.store.position())
        };
        if floor > EntryId::ZERO && (self.ends_below(floor).await? || !self.reader.holds_up_to(floor).await?) {
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

    /// Is the highest ID that the stream ever gave out below what we have? One that was set by hand may be higher
    /// than all that a new stream gives out.
    async fn ends_below(&mut self, floor: EntryId) -> Result<bool, CollectError> {
        match self.reader.state().await {
            Ok(state) => Ok(state.last.is_some_and(|last| last < floor)),
            Err(StreamError::NoGroup { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Notices a stream that is another one, or was put back under us, while we read it.
    ///
    /// # Errors
    /// Redis' failures, and the store's.
    pub async fn begin_epoch_where_reset(&mut self, poll: &Poll) -> Result<(), CollectError> {
        let floor = self.desk.intake().store.floor();
        let position = poll.accounts.position();
        // Until the accounts were told of us, they don't know us in any life of the stream.
        let is_unknown = !poll.accounts.is_known && self.owed.agreement.is_none();
        if poll.state.last.is_some_and(|last| last < floor) {
            self.begin_epoch(EntryId::ZERO, position.unwrap_or_default())?;
        } else if let Some(position) = position.filter(|_| is_unknown) {
            if self.reader.holds(floor).await? {
                // Somebody has deleted the accounts, and a read has begun them anew.
                self.owed.agreement = Some(self.desk.intake().recorded.lost);
                self.owed.held = Some(self.held()?);
            } else {
                // Another store has met the new stream before us, and made the group.
                self.begin_epoch(floor, position)?;
                self.owed.agreement = Some(0);
            }
            self.settle_accounts().await?;
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
}
