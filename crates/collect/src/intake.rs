//! From what was read to what is durable: decode, account, commit.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tracing::warn;

use super::event_log::EventLog;
use super::{Meter, Totals};
use emp_event::{EntryId, decode_fields, fields_as_json};
use emp_store::{Batch, Item, Layout, Loss, Quarantined, RecordedLosses, StoreError, StoreWriter};
use emp_stream::{Entries, Entry, Poll, Settled};

/// Takes entries into a store, and counts them.
pub(super) struct Intake {
    pub store: StoreWriter,
    pub totals: Totals,
    pub log: Option<EventLog>,
    /// What this collector has stored as lost in this life of the stream.
    pub recorded: RecordedLosses,
    /// The number of this start, once it has said that it reads for the store.
    pub session: Option<u64>,
    pub meter: Arc<Meter>,
}

impl Intake {
    /// Goes on under the store's own name, where a connection broke while entries were taken over. The name.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn become_own_writer(&mut self, layout: &Layout) -> Result<String, StoreError> {
        let own = self.store.own_name().to_owned();
        if self.store.writer().name() != own {
            self.store.become_writer(&own, None)?;
            self.recorded = RecordedLosses::of(layout, self.store.writer())?;
        }
        Ok(own)
    }

    /// The highest ID that the files know of this life of the stream, stored or behind a loss: a stream without it is
    /// an older state of it, or another one.
    pub fn seen(&self) -> EntryId {
        self.store.floor().max(self.recorded.last)
    }

    /// Begins at that position of the stream, where the store has none yet.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn begin_where_new(&mut self, position: u64) -> Result<(), StoreError> {
        if self.store.position().is_none() { self.store.begin_at(position) } else { Ok(()) }
    }

    /// Makes what no consumer was given before durable, and what was found to be lost before it. `gone` was
    /// trimmed between its delivery and its coming here.
    ///
    /// # Errors
    /// [`StoreError`]: nothing of it may be acknowledged then.
    pub fn take_new(&mut self, poll: &Poll, gone: &Settled) -> Result<Settled, StoreError> {
        // At or below this ID all is stored: a group that was destroyed delivers it once more.
        let floor = self.store.floor();
        self.meter.was_given(poll.entries.len());
        if poll.entries.last_id().is_some_and(|last| last > floor) {
            let after = poll.accounts.position().or(self.store.position()).unwrap_or_default();
            let position = after.saturating_sub(poll.entries.above(floor).len() as u64 + poll.rest);
            let own_lost = poll.accounts.own_lost + gone.gone.len() as u64;
            self.commit(&poll.entries, floor, position, own_lost)?;
        }
        Ok(self.settled(poll))
    }

    /// Makes durable what was found to be lost though no entry of ours follows: another store
    /// reads them. Where the last entry is ours, the loss waits for the next one, since it must
    /// lie between two entries.
    ///
    /// # Errors
    /// [`StoreError`]: the loss stays claimed, and is stored another time.
    pub fn take_loss(&mut self, poll: &Poll) -> Result<(), StoreError> {
        let lost = poll.accounts.own_lost.saturating_sub(self.recorded.lost);
        let from = self.store.floor();
        let Some(to) = poll.state.last.filter(|last| lost > 0 && *last > self.seen()) else { return Ok(()) };
        let loss = Loss { from, to, lost, noticed_at: Timestamp::now().as_millisecond() };
        self.store.record_loss(loss, poll.accounts.position().unwrap_or_default())?;
        self.count_loss(&loss);
        Ok(())
    }

    /// Which pending entries were trimmed before they were stored? To be acknowledged before
    /// [`Self::take_pending`] stores what lies above them.
    pub fn gone(&self, poll: &Poll) -> Settled {
        let watermark = self.store.watermark();
        let gone = poll.trimmed.iter().copied().filter(|id| *id > watermark).collect();
        Settled { stored: Vec::new(), gone }
    }

    /// Makes durable what this consumer was given before and did not acknowledge.
    ///
    /// # Errors
    /// [`StoreError`]: nothing of it may be acknowledged then.
    pub fn take_pending(&mut self, poll: &Poll, gone: &Settled) -> Result<Settled, StoreError> {
        let watermark = self.store.watermark();
        self.meter.was_given(poll.entries.len());
        if poll.entries.last_id().is_some_and(|last| last > watermark) {
            let own_lost = poll.accounts.own_lost + gone.gone.len() as u64;
            let lost = own_lost.saturating_sub(self.recorded.lost);
            let position = self.store.position().unwrap_or_default() + lost;
            self.commit(&poll.entries, watermark, position, own_lost)?;
        }
        Ok(self.settled(poll))
    }

    /// What may be acknowledged: all that is stored, be it trimmed or not.
    fn settled(&self, poll: &Poll) -> Settled {
        let watermark = self.store.watermark();
        let trimmed = poll.trimmed.iter().copied().filter(|id| *id <= watermark);
        let mut stored: Vec<EntryId> = poll.entries.ids().chain(trimmed).collect();
        // The last of them is noted in the accounts.
        stored.sort_unstable();
        Settled { stored, gone: Vec::new() }
    }

    /// Commits the entries above what is stored, behind a loss where more was found to be lost
    /// than is recorded.
    fn commit(&mut self, entries: &Entries, stored: EntryId, position: u64, own_lost: u64) -> Result<(), StoreError> {
        let now = Timestamp::now().as_millisecond();
        let items: Vec<Item<'_>> = entries.above(stored).map(|entry| item(&entry, now)).collect();
        let Some(to) = items.first().map(Item::id) else { return Ok(()) };
        let lost = own_lost.saturating_sub(self.recorded.lost);
        let loss = (lost > 0).then_some(Loss { from: stored, to, lost, noticed_at: now });
        let begun = Instant::now();
        self.store.commit(&Batch { items: &items, position, loss })?;
        if let Some(loss) = &loss {
            self.count_loss(loss);
        }
        self.count(&items, begun);
        if let Some(log) = &mut self.log {
            log.write(items.iter().filter_map(|item| match item {
                Item::Event(event) => Some(event),
                Item::Quarantined(_) => None,
            }));
        }
        Ok(())
    }

    fn count_loss(&mut self, loss: &Loss) {
        let Loss { from, to, lost, .. } = loss;
        warn!("{lost} entries were trimmed from the stream between {from} and {to} before they were read");
        self.recorded.add(loss);
        self.totals.lost += lost;
        self.meter.has_lost(*lost);
    }

    fn count(&mut self, items: &[Item<'_>], begun: Instant) {
        let mut quarantined = items.iter().filter_map(|item| match item {
            Item::Event(_) => None,
            Item::Quarantined(entry) => Some(entry),
        });
        let mut count = 0;
        if let Some(first) = quarantined.next() {
            count = 1 + quarantined.count() as u64;
            // One line a read, however many they are: a broken producer must not flood the log.
            warn!("quarantined {count} entries that are no events; the first, {}: {}", first.id, first.reason);
        }
        self.meter.has_stored(items.len() as u64 - count, count, begun.elapsed());
        self.totals.stored += items.len() as u64 - count;
        self.totals.quarantined += count;
    }
}

fn item<'a>(entry: &Entry<'a>, now: i64) -> Item<'a> {
    match decode_fields(entry.id, entry.fields()) {
        Ok(event) => Item::Event(event),
        Err(rejection) => {
            let fields: Vec<_> = entry.fields().collect();
            let (reason, entry_json) = (rejection.to_string(), fields_as_json(&fields));
            Item::Quarantined(Quarantined { id: entry.id, reason, entry: entry_json, noticed_at: now })
        }
    }
}
