//! What a writer is given, and what it tells.

use crate::journal::{Loss, Quarantined};
use crate::layout::Hour;
use emp_event::{EntryId, Event};

/// One entry of the stream, understood or not.
#[derive(Debug)]
pub enum Item<'a> {
    /// It is an event.
    Event(Event<'a>),
    /// It is none, and is kept whole.
    Quarantined(Quarantined),
}

impl Item<'_> {
    /// The entry ID.
    pub fn id(&self) -> EntryId {
        match self {
            Self::Event(event) => event.id,
            Self::Quarantined(entry) => entry.id,
        }
    }

    /// The partition; an entry that is no event goes with its neighbours.
    pub(super) fn hour(&self) -> Option<Hour> {
        match self {
            Self::Event(event) => event.id.ingested_at().map(Hour::of_ms),
            Self::Quarantined(_) => None,
        }
    }
}

/// What was read from the stream in one step.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The entries, each above the last and above the watermark.
    pub items: &'a [Item<'a>],
    /// How many entries ever added to the stream are accounted for without these.
    pub position: u64,
    /// What was found to be missing before the first of them.
    pub loss: Option<Loss>,
}
