//! The store as the forwarder sees it.

use tracing::warn;

use super::progress::Place;
use super::seams::{Archive, Entries};
use emp_event::EntryId;
use emp_store::{DeadLetter, DeadLetters, EventRange, Layout, StoreError, StoreWriter, Stored, read_note, write_note};

/// The IDs of imported events have this bit of their sequence set (docs/format.md); Redis never counts that far.
const IMPORTED: u64 = 1 << 63;
/// The note in which the store has our place.
const NOTE: &str = "forwarder";

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
    type Entries = FromStream;

    fn entries(&self, after: EntryId, before: EntryId) -> Result<FromStream, StoreError> {
        Ok(FromStream(EventRange::open(&self.layout, after, before)?))
    }

    fn is_behind(&self, id: EntryId) -> Result<bool, StoreError> {
        let is_stored = || self.entries(id.before(), EntryId::MAX)?.next_entry().map(|found| found.is_some());
        Ok(StoreWriter::is_locked(&self.layout)? && !is_stored()?)
    }

    fn keep(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        self.letters.add(letter)
    }

    fn keep_place(&self, place: &Place) -> Result<(), StoreError> {
        write_note(&self.layout, NOTE, &place.to_text())
    }

    fn place(&self) -> Option<Place> {
        Place::from_text(&read_note(&self.layout, NOTE)?)
    }
}

/// The entries of a range that came by the stream: what was imported was never in it.
pub(super) struct FromStream(EventRange);

impl Entries for FromStream {
    fn next_entry(&mut self) -> Result<Option<Stored>, StoreError> {
        loop {
            let entry = self.0.next_entry()?;
            for damage in self.0.take_skipped() {
                warn!("{damage}; what it held is not forwarded");
            }
            match entry {
                Some(entry) if entry.id().seq & IMPORTED != 0 => {}
                other => return Ok(other),
            }
        }
    }
}
