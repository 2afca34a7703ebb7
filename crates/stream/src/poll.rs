use super::accounts::Accounts;
use super::entries::{Cut, Entries};
use super::reply::StreamState;
use emp_event::EntryId;

/// What one read found; all of it is of the same moment.
#[derive(Debug)]
pub struct Poll {
    /// The entries, in ID order.
    pub entries: Entries,
    /// Pending entries that were trimmed before they could be read again.
    pub trimmed: Vec<EntryId>,
    /// How many entries behind these were delivered as well, and come with the next reads.
    pub rest: u64,
    /// The stream after the read.
    pub state: StreamState,
    /// The group's accounts after the read, with what it showed to be lost claimed.
    pub accounts: Accounts,
    /// Those behind that were delivered with these.
    pub(super) cut: Option<Cut>,
}

/// Entries that are dealt with, to be acknowledged.
#[derive(Debug, Default)]
pub struct Settled {
    /// Those that are stored.
    pub stored: Vec<EntryId>,
    /// Those that were trimmed while they were pending, and are not stored: losses. To be
    /// acknowledged before anything above them is stored, for afterwards they cannot be told
    /// from those that were stored.
    pub gone: Vec<EntryId>,
}

/// Where the accounts of a new group begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// What was trimmed before now is not our business.
    Now,
    /// Up to this position all is accounted for: the group was destroyed, and its stream lives on.
    At(u64),
    /// The stream began anew, and all that it was ever given counts.
    NewStream,
}

impl Poll {
    /// The number of the entry that the group was given last, counted from the first ever added;
    /// `None` where this read alone does not tell.
    pub(super) fn position(&self) -> Option<u64> {
        let cut = self.cut.as_ref();
        let last = cut.map(|cut| cut.last).or(self.entries.last_id());
        let Some(last) = last else { return Some(self.state.added) };
        if self.state.last == Some(last) {
            return Some(self.state.added);
        }
        let first = self.entries.first_id().or(cut.map(|cut| cut.first));
        let delivered = self.entries.len() as u64 + cut.map_or(0, Cut::count);
        (self.state.first == first).then(|| self.state.removed() + delivered)
    }

    /// The highest ID that was read here, of entries that are there or were trimmed.
    pub fn last_id(&self) -> Option<EntryId> {
        self.entries.last_id().max(self.trimmed.last().copied())
    }
}

impl Settled {
    /// Is there nothing to acknowledge?
    pub fn is_empty(&self) -> bool {
        self.stored.is_empty() && self.gone.is_empty()
    }
}
