//! What a forwarder works between: Redis, a receiver and a store. Each is a trait, so that tests can
//! let a simulated one fail, or the forwarder die, at each step.

use std::future::Future;
use std::time::Duration;

use super::ForwardError;
use super::answer::Reply;
use super::otlp::OwnedEvent;
use super::post::Signal;
use super::progress::{Place, Progress};
use super::status::Trouble;
use emp_event::EntryId;
use emp_store::{DeadLetter, StoreError, Stored};
use emp_stream::{Lease, Start};

/// Where connections to the consumer group come from.
pub(super) trait Redis {
    type Group: Group;

    /// Opens a connection.
    fn connect(&self) -> impl Future<Output = Result<Self::Group, ForwardError>>;
}

/// The forwarder's consumer group, over one connection. Each method is one step: Redis has carried it out
/// whole or not at all, and where it fails nobody knows which.
pub(super) trait Group {
    /// Takes or renews the lease for that holder.
    async fn hold_lease(&mut self, holder: &str) -> Result<Lease, ForwardError>;
    /// Gives the lease up where that holder has it.
    async fn release_lease(&mut self, holder: &str) -> Result<(), ForwardError>;
    /// Is the group there?
    async fn exists(&mut self) -> Result<bool, ForwardError>;
    /// How the stream stands; as a new one where there is none.
    async fn standing(&mut self) -> Result<Standing, ForwardError>;
    /// Makes the group.
    async fn create(&mut self, start: Start) -> Result<(), ForwardError>;
    /// Lets no other connection of the same consumer read any more, where Redis' rules allow that.
    async fn end_other_connections(&mut self);
    /// What was noted last; what a new group begins with where nothing was.
    async fn load(&mut self) -> Result<Progress, ForwardError>;
    /// Up to `count` entries that were never given to the group.
    async fn read_new(&mut self, count: usize) -> Result<Read, ForwardError>;
    /// Up to `count` entries above `after` that the group was given and that are not acknowledged.
    async fn read_pending(&mut self, count: usize, after: EntryId) -> Result<Read, ForwardError>;
    /// Acknowledges these, and notes the progress, in one step. `false`, and nothing is done, where
    /// another holder has taken the lease since this one did.
    async fn settle(
        &mut self,
        holder: &str,
        settled: &[EntryId],
        progress: &Progress,
        trouble: &Trouble,
    ) -> Result<bool, ForwardError>;
    /// Waits for an entry above that ID, at most that long.
    async fn wait(&mut self, after: EntryId, at_most: Duration) -> Result<(), ForwardError>;
}

/// How the stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Standing {
    /// Its first entry.
    pub first: Option<EntryId>,
    /// The highest ID that it ever gave out.
    pub last: EntryId,
    /// How many entries it was ever given.
    pub added: u64,
    /// How many of them it has no more.
    pub removed: u64,
}

/// What one read found, all of the same moment.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The entries in the order of their IDs; `None` for what is no event.
    pub entries: Vec<(EntryId, Option<OwnedEvent>)>,
    /// Those that are pending and that the stream has no more, in the same order.
    pub trimmed: Vec<EntryId>,
    /// The stream after the read.
    pub standing: Standing,
    /// How many entries were given to the group and not acknowledged, after the read.
    pub pending: u64,
    /// How many were ever trimmed before the group was given them.
    pub lost: u64,
    /// The number of the entry that the group was given last; `None` where it has no accounts.
    pub position: Option<u64>,
    /// Bytes that the entries took, about.
    pub bytes: usize,
}

impl Read {
    /// The last ID in it.
    pub fn last_id(&self) -> Option<EntryId> {
        self.entries.last().map(|(id, _)| *id).max(self.trimmed.last().copied())
    }
}

/// Who takes what is forwarded.
pub(super) trait Receiver: Send + Sync + 'static {
    /// Posts one body.
    fn post(&self, signal: Signal, body: &[u8]) -> impl Future<Output = Reply> + Send;
}

/// The store beside the stream.
pub(super) trait Archive: Send + Sync + 'static {
    type Entries: Entries;

    /// The entries above one ID and below another that came by the stream, lowest first.
    fn entries(&self, after: EntryId, before: EntryId) -> Result<Self::Entries, StoreError>;
    /// Is a collector at work that has not stored that entry yet?
    fn is_behind(&self, id: EntryId) -> Result<bool, StoreError>;
    /// Keeps, durably, what the receiver has refused for good.
    fn keep(&self, letter: &DeadLetter) -> Result<(), StoreError>;
    /// Keeps where forwarding has got to: for a Redis that forgets it.
    fn keep_place(&self, place: &Place) -> Result<(), StoreError>;
    /// The place that was kept last, by whichever forwarder of this store.
    fn place(&self) -> Option<Place>;
}

/// Entries of an [`Archive`], as they are read.
pub(super) trait Entries {
    /// The next one; `None` at the end.
    fn next_entry(&mut self) -> Result<Option<Stored>, StoreError>;
}
