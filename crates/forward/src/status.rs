//! How forwarding goes: counted here, kept beside the stream, shown by `health`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tracing::{error, info, warn};

/// How often a failure that lasts is said again.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// What has become of events since the group was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Taken by the receiver.
    pub sent: u64,
    /// Requests that were sent again.
    pub retried: u64,
    /// Records that the receiver left out of what it took.
    pub refused: u64,
    /// Events that it refuses for good: dead letters.
    pub dead: u64,
    /// Left out by level or sampling.
    pub skipped: u64,
    /// Trimmed from the stream, and older than the receiver takes.
    pub too_old: u64,
    /// Trimmed from the stream, and not in the store.
    pub missing: u64,
    /// Entries that are no events.
    pub not_events: u64,
}

/// The names of the counts, in Redis and in `health`.
pub(super) const COUNTS: [&str; 8] =
    ["sent", "retried", "refused", "dead", "skipped", "too_old", "missing", "not_events"];

impl Counts {
    /// Of nothing.
    pub(super) const NONE: Self =
        Self { sent: 0, retried: 0, refused: 0, dead: 0, skipped: 0, too_old: 0, missing: 0, not_events: 0 };

    /// Each with its name.
    pub fn named(&self) -> [(&'static str, u64); 8] {
        let Self { sent, retried, refused, dead, skipped, too_old, missing, not_events } = *self;
        let counts = [sent, retried, refused, dead, skipped, too_old, missing, not_events];
        std::array::from_fn(|index| (COUNTS[index], counts[index]))
    }

    /// From numbers in the order of [`COUNTS`].
    pub(super) fn from_numbers(numbers: [u64; 8]) -> Self {
        let [sent, retried, refused, dead, skipped, too_old, missing, not_events] = numbers;
        Self { sent, retried, refused, dead, skipped, too_old, missing, not_events }
    }

    /// The two added up.
    pub(super) fn plus(&self, more: &Self) -> Self {
        let (own, more) = (self.named(), more.named());
        Self::from_numbers(std::array::from_fn(|index| own[index].1 + more[index].1))
    }
}

/// What went wrong last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trouble {
    /// In words.
    pub last_error: Option<String>,
    /// When, in ms since the epoch.
    pub last_error_at: Option<i64>,
    /// What keeps everything from being sent, where something does.
    pub blocked: Option<String>,
}

/// Shared by the requests under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Status(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    retried: u64,
    trouble: Trouble,
    said_at: Option<Instant>,
}

impl Status {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request failed and is sent again.
    pub fn failed(&self, why: &str) {
        self.inner().note(why);
        if self.inner().may_say() {
            warn!("not forwarded: {why}; trying again");
        }
        self.inner().retried += 1;
    }

    /// The receiver does not let us in.
    pub fn denied(&self, why: &str) {
        self.inner().note(why);
        self.inner().trouble.blocked = Some(why.to_owned());
        if self.inner().may_say() {
            error!("the receiver refuses us, nothing is forwarded or acknowledged: {why}; check endpoint and key");
        }
        self.inner().retried += 1;
    }

    /// Events were taken out of the way: told once a minute.
    pub fn refused(&self, what: &str) {
        self.inner().note(what);
        if self.inner().may_say() {
            warn!("{what}");
        }
    }

    /// Redis or the store failed: told once a minute.
    pub fn interrupted(&self, why: &str) {
        if self.inner().may_say() {
            error!("forwarding: {why}; trying again");
        }
    }

    /// A request was answered with success.
    pub fn works(&self) {
        let mut inner = self.inner();
        if inner.trouble.blocked.take().is_some() {
            info!("the receiver lets us in again");
            inner.said_at = None;
        }
    }

    pub fn trouble(&self) -> Trouble {
        self.inner().trouble.clone()
    }

    /// What was retried since the last call.
    pub fn take_retried(&self) -> u64 {
        std::mem::take(&mut self.inner().retried)
    }
}

impl Inner {
    fn note(&mut self, why: &str) {
        self.trouble.last_error = Some(why.to_owned());
        self.trouble.last_error_at = Some(Timestamp::now().as_millisecond());
    }

    fn may_say(&mut self) -> bool {
        let may = self.said_at.is_none_or(|said_at| said_at.elapsed() >= SAY_EVERY);
        if may {
            self.said_at = Some(Instant::now());
        }
        may
    }
}
