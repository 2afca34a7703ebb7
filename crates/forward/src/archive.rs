//! The store as the forwarder sees it.

use super::otlp::OwnedEvent;
use super::seams::{Archive, Events};
use emp_event::EntryId;
use emp_store::{DeadLetter, DeadLetters, EventRange, Layout, StoreError, StoreWriter};

/// The IDs of imported events have this bit of their sequence set (docs/format.md); Redis never counts that far.
const IMPORTED: u64 = 1 << 63;

/// A store on the disk.
#[derive(Debug, Clone)]
pub(super) struct StoreArchive {
    layout: Layout,
    letters: DeadLetters,
}

impl StoreArchive {
    pub fn of(layout: &Layout) -> Self {
        Self { layout: layout.clone(), letters: DeadLetters::of(layout) }
    }
}

impl Archive for StoreArchive {
    type Events = FromStream;

    fn events(&self, after: EntryId, before: EntryId) -> Result<FromStream, StoreError> {
        Ok(FromStream(EventRange::open(&self.layout, after, before)?))
    }

    fn is_behind(&self, id: EntryId) -> Result<bool, StoreError> {
        let below = match id.seq.checked_sub(1) {
            Some(seq) => EntryId::new(id.ms, seq),
            None => EntryId::new(id.ms.saturating_sub(1), u64::MAX),
        };
        let is_stored =
            || self.events(below, EntryId::new(u64::MAX, u64::MAX))?.next_event().map(|found| found.is_some());
        Ok(StoreWriter::is_locked(&self.layout)? && !is_stored()?)
    }

    fn keep(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        self.letters.add(letter)
    }
}

/// The events of a range that came by the stream: what was imported was never in it.
pub(super) struct FromStream(EventRange);

impl Events for FromStream {
    fn next_event(&mut self) -> Result<Option<OwnedEvent>, StoreError> {
        loop {
            match self.0.next_event()? {
                Some(event) if event.id.seq & IMPORTED != 0 => {}
                other => return Ok(other),
            }
        }
    }

    fn quarantined(&self) -> u64 {
        self.0.quarantined()
    }
}
