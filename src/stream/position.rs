use super::StreamState;

/// How far into the stream one reader has got, counted in entries ever added.
///
/// `MAXLEN ~` removes entries from the stream's front, and Redis does not say which. But
/// entries are removed in the order in which they were added, so with E entries ever added
/// and L still there, the first R = E − L are gone. A reader at position p that has not
/// seen all of those has lost R − p of them. That holds where one reader alone reads the
/// group, and where E, L and the entries read are of the same moment: of one MULTI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position(u64);

impl Position {
    /// Goes on from a position that was stored with a commit.
    pub fn resume(accounted: u64) -> Self {
        Self(accounted)
    }

    /// The position of a group whose first `unread` entries from the stream's end are all
    /// it has yet to read.
    pub fn of_unread(state: &StreamState, unread: u64) -> Self {
        Self(state.added.saturating_sub(unread))
    }

    /// How many entries ever added are accounted for.
    pub fn accounted(self) -> u64 {
        self.0
    }

    /// Takes note of what was removed from the stream before it was read: how many entries
    /// that were.
    pub fn skip_removed(&mut self, state: &StreamState) -> u64 {
        let lost = state.removed().saturating_sub(self.0);
        self.0 += lost;
        lost
    }

    /// Takes note of entries that are durable now.
    pub fn advance(&mut self, entries: u64) {
        self.0 += entries;
    }

    /// Is this the position of another life of the stream? Then it has fewer entries than
    /// we have seen already.
    pub fn is_beyond(self, state: &StreamState) -> bool {
        self.0 > state.added
    }
}
