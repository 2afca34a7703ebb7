//! Where a collector stands in the stream, and whether that is still the stream that it read before.

use std::collections::BTreeMap;

use tracing::warn;

use super::CollectError;
use super::liveness::living;
use super::reading::Reading;
use emp_event::EntryId;
use emp_store::{
    KnownNames, RecordedLosses, SealedName, Snapshot, StoreError, StoredCounts, Tally, Writer, known_names,
};
use emp_stream::{Accounts, Earlier, Holding, Poll, Returned, Start, StreamError, StreamState};

/// Why a new epoch begins, in words.
const RESET: &str = "the stream was reset";
const WENT_BACK: &str = "the stream went back, as after a fail-over to a replica that was behind";

impl Reading<'_> {
    /// Makes the group where it is missing, and notices a stream that began anew or went back.
    ///
    /// # Errors
    /// Redis' failures, and the store's.
    pub async fn find_place(&mut self) -> Result<(), CollectError> {
        let is_new = self.reader.group_is_missing().await?;
        if is_new {
            let start = self.start_of_group().await?;
            let earlier = self.earlier().await?;
            self.reader.create_group(start, &earlier).await?;
        }
        let (state, accounts) = self.reader.accounts().await?;
        let mut names = self.desk.intake().store.others()?;
        names.push(self.own.clone());
        let has_accounts = self.reader.has_accounts_of(&names).await?;
        if !has_accounts && self.has_come_back(&state, &accounts, &names).await? {
            return Ok(());
        }
        // Else they began after our last look, or are to begin.
        let is_known = has_accounts;
        let epoch = self.reader.epoch_of(&names).await?;
        let watermark = self.desk.intake().store.watermark();
        let has_gone_back = !is_new
            && (self.is_older(&state, &accounts, epoch)
                || self.reader.has_forgotten(&self.own, watermark).await?
                || self.has_forgotten_former().await?);
        if (self.seen() > EntryId::ZERO && !is_known) || has_gone_back {
            return self.begin_life(&state, &accounts, is_known).await;
        }
        let begins_at = accounts.position().unwrap_or(state.added);
        self.desk.intake().begin_where_new(begins_at)?;
        self.agree(None).await
    }

    /// Has somebody deleted the accounts of a stream that is still the same, whose group was given what was seen last?
    /// Then they begin anew in the middle of its life, and are told of this consumer and of what it holds, and of those
    /// whose pending entries it is to take over. `names` are the consumers that work on this store.
    async fn has_come_back(
        &mut self,
        state: &StreamState,
        accounts: &Accounts,
        names: &[String],
    ) -> Result<bool, CollectError> {
        if !self.reader.notice_deleted_accounts().await? || !self.is_still_the_same(state, names).await? {
            return Ok(false);
        }
        let returned = self.returned().await?;
        self.reader.come_back(&returned).await?;
        self.desk.intake().begin_where_new(accounts.position().unwrap_or(state.added))?;
        self.agree(None).await?;
        Ok(true)
    }

    /// Is this the stream in which we have seen what we saw last? A group goes with its stream, and that of another one
    /// does not know us before we have read there; and what we saw was there, or is among what is gone.
    async fn is_still_the_same(&mut self, state: &StreamState, names: &[String]) -> Result<bool, CollectError> {
        let (seen, position) = {
            let intake = self.desk.intake();
            (intake.seen(), intake.store.position())
        };
        if !self.reader.has_delivered(seen).await? {
            return Ok(false);
        }
        if seen == EntryId::ZERO {
            return Ok(true);
        }
        let knows_us = self.reader.consumers().await?.iter().any(|consumer| names.contains(&consumer.name));
        let may_be_gone = state.removed() > 0 && position.is_none_or(|position| state.added >= position);
        Ok(knows_us && (may_be_gone || self.reader.holds(seen).await?))
    }

    /// Are stream and accounts older than what we had seen of them? So it is after a fail-over to a replica that was
    /// behind, and where an older state was restored. The stream's IDs may be higher again already, and with other
    /// stores' reading its accounts, too: then they have forgotten what we were given.
    fn is_older(&self, state: &StreamState, accounts: &Accounts, epoch: Option<u64>) -> bool {
        let intake = self.desk.intake();
        let store = &intake.store;
        let is_behind = accounts.position().zip(store.position()).is_some_and(|(now, before)| now < before);
        let is_of_earlier_epoch = epoch.is_some_and(|epoch| epoch < u64::from(store.writer().epoch()));
        // What is lost is claimed in the accounts before it is stored.
        let has_forgotten_losses = accounts.is_known && accounts.own_lost < intake.recorded.lost;
        is_behind || is_of_earlier_epoch || has_forgotten_losses || state.last.is_some_and(|last| last < intake.seen())
    }

    /// Have the accounts forgotten what one of the store's former consumers was given, or has found to be lost? A store
    /// that was moved since has nothing of its own yet by which it would notice.
    async fn has_forgotten_former(&mut self) -> Result<bool, CollectError> {
        let (identity, present) = {
            let store = &self.desk.intake().store;
            (store.identity().clone(), store.writer().clone())
        };
        let KnownNames { events, quarantined } = known_names(&self.settings.layout)?;
        let mut stored: BTreeMap<Writer, EntryId> = BTreeMap::new();
        for SealedName { writer, ids } in events.into_iter().chain(quarantined) {
            let is_other = writer.epoch() == present.epoch() && writer.name() != present.name();
            if is_other && identity.is_own_or_moved(writer.name()) {
                let highest = stored.entry(writer).or_insert(ids.last);
                *highest = ids.last.max(*highest);
            }
        }
        for (writer, stored) in stored {
            if !self.reader.has_accounts_of(&[writer.name().to_owned()]).await? {
                continue;
            }
            let (_, lost) = self.reader.shares_of(writer.name()).await?;
            let recorded = RecordedLosses::of(&self.settings.layout, &writer)?.lost;
            if lost < recorded || self.reader.has_forgotten(writer.name(), stored).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Begins an epoch: with accounts that began without us, or, where we are known, since the stream went back.
    async fn begin_life(
        &mut self,
        state: &StreamState,
        accounts: &Accounts,
        is_known: bool,
    ) -> Result<(), CollectError> {
        if is_known {
            self.reader.begin_anew(accounts, state.last.unwrap_or(EntryId::ZERO)).await?;
        }
        let floor = self.floor();
        let (how, after) = match self.reader.went_back_to().await? {
            // What it still holds up to there we have, and what follows may repeat IDs that were given out after it.
            Some(last) => (WENT_BACK, floor.min(last)),
            // Another store has met the new stream before us, and made the group.
            None if state.last.is_some_and(|last| last < self.seen()) => (RESET, EntryId::ZERO),
            None => (RESET, floor),
        };
        self.begin_epoch(after, accounts.position().unwrap_or(state.added), how)?;
        self.agree(Some(after)).await
    }

    /// Tells the accounts what the store holds; `known_up_to` where they began after it.
    async fn agree(&mut self, known_up_to: Option<EntryId>) -> Result<(), CollectError> {
        let holding = {
            let intake = self.desk.intake();
            let (epoch, stored_up_to) = (intake.store.writer().epoch(), intake.store.watermark());
            Holding { lost: intake.recorded.lost, epoch, stored_up_to, known_up_to }
        };
        Ok(self.reader.agree_on(&holding).await?)
    }

    fn floor(&self) -> EntryId {
        self.desk.intake().store.floor()
    }

    fn seen(&self) -> EntryId {
        self.desk.intake().seen()
    }

    /// What this store has of the stream for which the group is to be made: its consumers of before it was moved, or
    /// its collector given another name, went with the former group, and what they stored is delivered to this one.
    async fn earlier(&mut self) -> Result<Earlier, CollectError> {
        let mut writers = self.held()?;
        let own = writers.remove(&self.own).unwrap_or(StoredCounts::NONE);
        let identity = self.desk.intake().store.identity().clone();
        writers.retain(|name, _| identity.is_own_or_moved(name));
        let theirs = writers.values().copied().fold(StoredCounts::NONE, StoredCounts::and);
        let all = own.and(theirs);
        // What the stream still has of it is delivered once more, and acknowledged once more.
        let anew = self.reader.count_up_to(self.floor()).await?;
        let held = (all.stored + all.quarantined).saturating_sub(anew) + theirs.lost;
        Ok(Earlier { held, lost: own.lost, consumers: writers.into_keys().collect() })
    }

    /// What this store's consumers have, whatever it called them; and what those have that it had before it was moved,
    /// where they left pending entries when they died.
    async fn returned(&mut self) -> Result<Vec<Returned>, CollectError> {
        let writers = self.held()?;
        let (predecessors, identity) = {
            let store = &self.desk.intake().store;
            (store.predecessors()?, store.identity().clone())
        };
        let moved: Vec<String> = predecessors.into_iter().filter(|name| !identity.is_own(name)).collect();
        let alive = living(&mut self.reader, |name| moved.iter().any(|known| known == name)).await?;
        let others = writers.keys().filter(|name| identity.is_own(name) && **name != self.own).cloned();
        let dead = moved.into_iter().filter(|name| !alive.contains(name));
        let mut returned = Vec::new();
        for consumer in std::iter::once(self.own.clone()).chain(others).chain(dead) {
            let pending = self.reader.pending_ids(&consumer).await?;
            if pending.is_empty() && !identity.is_own(&consumer) {
                continue;
            }
            let held = writers.get(&consumer).copied().unwrap_or(StoredCounts::NONE);
            // Stored by a process that died before it could acknowledge them: the accounts know them as pending.
            let pending = pending.iter().filter(|id| **id <= held.watermark).count() as u64;
            let stored = (held.stored + held.quarantined).saturating_sub(pending);
            returned.push(Returned { consumer, held: stored, lost: held.lost });
        }
        Ok(returned)
    }

    /// What each writer has stored in this life of the stream, as far as the files tell.
    fn held(&self) -> Result<BTreeMap<String, StoredCounts>, StoreError> {
        let tally = Tally::of(&Snapshot::read(&self.settings.layout)?)?;
        for damage in &tally.skipped {
            warn!("{damage}; what it holds is not counted");
        }
        Ok(tally.writers)
    }

    /// A group goes with its stream, or is destroyed by hand. In a new stream nothing is as old
    /// as what we have.
    async fn start_of_group(&mut self) -> Result<Start, CollectError> {
        let (seen, position) = {
            let intake = self.desk.intake();
            (intake.seen(), intake.store.position())
        };
        if seen > EntryId::ZERO && (self.ends_below(seen).await? || !self.reader.holds_up_to(seen).await?) {
            // All that the stream was ever given in its new life was given after our last look.
            self.begin_epoch(EntryId::ZERO, 0, RESET)?;
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
    async fn ends_below(&mut self, seen: EntryId) -> Result<bool, CollectError> {
        match self.reader.state().await {
            Ok(state) => Ok(state.last.is_some_and(|last| last < seen)),
            Err(StreamError::NoGroup { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Notices a stream that is another one, or was put back under us, while we read it.
    ///
    /// # Errors
    /// Redis' failures, and the store's.
    pub async fn begin_epoch_where_reset(&mut self, poll: &Poll) -> Result<(), CollectError> {
        let Poll { state, accounts, .. } = poll;
        let is_unknown = accounts.position().is_some() && !accounts.is_known;
        let own = [self.own.clone()];
        let is_other = is_unknown && !self.has_come_back(state, accounts, &own).await?;
        if is_other || state.last.is_some_and(|last| last < self.seen()) {
            self.begin_life(state, accounts, accounts.is_known).await?;
        }
        Ok(())
    }

    fn begin_epoch(&self, after: EntryId, position: u64, how: &str) -> Result<(), StoreError> {
        let mut intake = self.desk.intake();
        intake.store.begin_epoch(after, position)?;
        intake.recorded = RecordedLosses::NONE;
        warn!("{how}; what follows is stored as {}", intake.store.writer());
        Ok(())
    }
}
