//! From what was read to what is durable: decode, account, commit.

use jiff::Timestamp;
use tracing::warn;

use super::event_log::EventLog;
use super::{CollectError, Totals};
use crate::event::{EntryId, decode, fields_as_json};
use crate::store::{Batch, Item, Loss, Quarantined, StoreWriter};
use crate::stream::{Entry, Poll, Position};

/// Takes entries into a store, and counts them.
pub(super) struct Intake<'a> {
    pub store: &'a mut StoreWriter,
    pub position: Position,
    pub totals: &'a mut Totals,
    pub log: Option<&'a mut EventLog>,
}

impl Intake<'_> {
    /// Makes what was read durable. On return every ID of it may be acknowledged; the IDs
    /// are returned.
    ///
    /// # Errors
    /// [`CollectError::Store`]: nothing of it may be acknowledged then.
    pub fn take(&mut self, poll: &Poll) -> Result<Vec<EntryId>, CollectError> {
        let watermark = self.store.watermark();
        // Redelivered entries at or below the watermark are stored already.
        let first_new = poll.entries.partition_point(|entry| entry.id <= watermark);
        let new = &poll.entries[first_new..];
        if let Some(first) = new.first() {
            self.commit(new, first.id, poll)?;
        }
        let delivered = poll.entries.iter().map(|entry| entry.id);
        Ok(delivered.chain(poll.trimmed.iter().copied()).collect())
    }

    fn commit(&mut self, new: &[Entry], first: EntryId, poll: &Poll) -> Result<(), CollectError> {
        let now = Timestamp::now().as_millisecond();
        let mut position = self.position;
        let lost = position.skip_removed(&poll.state);
        let loss = (lost > 0).then(|| Loss { from: self.store.watermark(), to: first, lost, noticed_at: now });
        if let Some(loss) = loss {
            warn!(
                "{lost} entries were trimmed from the stream between {} and {} before they were read",
                loss.from, loss.to
            );
        }
        let items: Vec<Item<'_>> = new.iter().map(|entry| item(entry, now)).collect();
        self.store.commit(&Batch { items: &items, position: position.accounted(), loss })?;
        position.advance(items.len() as u64);
        self.position = position;
        self.count(&items, lost);
        if let Some(log) = &mut self.log {
            log.write(items.iter().filter_map(|item| match item {
                Item::Event(event) => Some(event),
                Item::Quarantined(_) => None,
            }));
        }
        Ok(())
    }

    fn count(&mut self, items: &[Item<'_>], lost: u64) {
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
        self.totals.stored += items.len() as u64 - count;
        self.totals.quarantined += count;
        self.totals.lost += lost;
    }
}

fn item(entry: &Entry, now: i64) -> Item<'_> {
    match decode(entry.id, &entry.fields) {
        Ok(event) => Item::Event(event),
        Err(rejection) => {
            let (reason, entry_json) = (rejection.to_string(), fields_as_json(&entry.fields));
            Item::Quarantined(Quarantined { id: entry.id, reason, entry: entry_json, noticed_at: now })
        }
    }
}
