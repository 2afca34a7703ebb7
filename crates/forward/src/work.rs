//! What a forwarder remembers, and one connection's work on it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::deliver::Delivery;
use super::outbox::{Outbox, Settlement};
use super::progress::{Place, Progress};
use super::seams::{Archive, Receiver, Standing};
use super::settings::Settings;
use super::shutdown::Shutdown;
use super::status::{Status, Trouble};
use emp_event::EntryId;

/// How long each wait is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// For entries, before looking after the rest; while another forwarder has the lease.
    pub idle: Duration,
    /// For entries, while requests are under way.
    pub busy: Duration,
    /// Until the lease is renewed, and what went wrong is noted.
    pub tick: Duration,
    /// How long requests are begun after we were told to stop.
    pub flush: Duration,
    /// How long they may take then.
    pub answer: Duration,
    /// How long a collector may need to store what the stream has trimmed.
    pub store: Duration,
    /// The first wait after a failure of Redis, and the longest.
    pub redis: (Duration, Duration),
}

impl Pace {
    /// That of production.
    pub const REAL: Self = Self {
        idle: Duration::from_millis(500),
        busy: Duration::from_millis(20),
        tick: Duration::from_secs(1),
        flush: Duration::from_secs(3),
        answer: Duration::from_secs(2),
        store: Duration::from_secs(10),
        redis: (Duration::from_millis(200), Duration::from_secs(5)),
    };
}

/// What holds as long as a forwarder lives.
pub(super) struct Forwarder<A> {
    pub settings: Settings,
    pub pace: Pace,
    pub shutdown: Shutdown,
    pub status: Status,
    pub archive: A,
    /// Who we are to other forwarders.
    pub holder: String,
}

/// What is remembered over connections, as long as no other forwarder works in between.
pub(super) struct Work<R, A> {
    pub outbox: Outbox<R, A>,
    /// What Redis has noted.
    pub progress: Progress,
    pub noted: Option<(Progress, Trouble)>,
    /// What is settled, and Redis has not been told yet.
    pub unsettled: Settlement,
    /// Everything up to this ID is settled or in the outbox, but for what is still pending from before.
    pub taken: EntryId,
    /// Nothing at or below this ID is left in the store from whichever life of the stream.
    pub highest: EntryId,
    /// How many entries that the group was never given are settled or in the outbox.
    pub lost_taken: u64,
    pub seen: Option<Seen>,
    /// Was nothing new read since the connection was made?
    pub is_after_break: bool,
    /// The place that the store has.
    pub kept: Option<Place>,
    /// How many entries are read at once.
    pub read_count: usize,
    pub ticked: Instant,
}

/// How the stream stood when it was last read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub added: u64,
    pub lost: u64,
    /// The number of the entry that the group was given last, and its ID.
    pub position: Option<u64>,
    pub taken: EntryId,
}

impl Seen {
    /// Is this another stream than the one that was seen? It was given fewer entries, or begins behind the last one
    /// that we were given and has not trimmed as many.
    pub fn was_another(&self, standing: &Standing) -> bool {
        let begins_behind = standing.first.is_some_and(|first| first > self.taken);
        standing.added < self.added || (begins_behind && self.position.is_some_and(|number| standing.removed < number))
    }
}

/// Entries read at first: they may be large.
const READ_FIRST: usize = 32;

impl<R: Receiver, A: Archive> Work<R, A> {
    /// To go on from there: what Redis has noted, and the store in case that Redis has forgotten it.
    pub fn new(settings: &Settings, delivery: Arc<Delivery<R, A>>, noted: Progress, kept: Option<Place>) -> Self {
        let progress = noted.or_further(kept.as_ref());
        Self {
            outbox: Outbox::new(settings, delivery),
            taken: progress.through,
            highest: kept.as_ref().map_or(progress.through, |place| place.highest),
            lost_taken: progress.lost_settled,
            noted: None,
            unsettled: Settlement::default(),
            seen: kept.as_ref().map(|place| Seen { lost: progress.lost_settled, ..place.seen }),
            kept,
            is_after_break: true,
            progress,
            read_count: READ_FIRST,
            ticked: Instant::now(),
        }
    }
}

/// One connection's work.
pub(super) struct Session<'a, G, R, A> {
    pub group: G,
    pub work: &'a mut Work<R, A>,
    pub forwarder: &'a Forwarder<A>,
}
