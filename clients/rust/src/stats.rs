/// Why an event was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The queue had no room while Redis was being written to.
    QueueFull,
    /// Redis answered with an error that no later attempt would change.
    Refused,
    /// More events of its type than the token bucket allows.
    RateLimited,
    /// It could not be cut down to the allowed size.
    TooLarge,
    /// The queue had no room while Redis could not be written to.
    CircuitOpen,
    /// The client was closed.
    Closed,
    /// It was sent, but no answer came: whether it was written is unknown.
    Unanswered,
    /// The spool's folder holds as much as it may.
    SpoolFull,
    /// The spool could not be written.
    SpoolFailed,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::QueueFull,
        Self::Refused,
        Self::RateLimited,
        Self::TooLarge,
        Self::CircuitOpen,
        Self::Closed,
        Self::Unanswered,
        Self::SpoolFull,
        Self::SpoolFailed,
    ];

    /// Its name in a `telemetry.dropped` event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Refused => "refused",
            Self::RateLimited => "rate_limited",
            Self::TooLarge => "too_large",
            Self::CircuitOpen => "circuit_open",
            Self::Closed => "closed",
            Self::Unanswered => "unanswered",
            Self::SpoolFull => "spool_full",
            Self::SpoolFailed => "spool_failed",
        }
    }
}

/// What became of a client's events so far. It always holds that
/// `emitted = sent + sampled + dropped + spooled + queued`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Calls.
    pub emitted: u64,
    /// Written to the stream: Redis said so.
    pub sent: u64,
    /// Left out by sampling, or below the threshold of the level.
    pub sampled: u64,
    /// Lost.
    pub dropped: u64,
    /// Written to a spool file instead.
    pub spooled: u64,
    /// Waiting, or under way.
    pub queued: u64,
    pub(crate) by_reason: [u64; Reason::ALL.len()],
}

impl Stats {
    /// How many were dropped for that reason.
    pub fn dropped_by(&self, reason: Reason) -> u64 {
        self.by_reason[reason as usize]
    }

    /// What went elsewhere than to Redis.
    pub(crate) fn lost(&self) -> u64 {
        self.dropped + self.spooled
    }

    pub(crate) fn drop_some(&mut self, reason: Reason, count: u64) {
        self.dropped += count;
        self.by_reason[reason as usize] += count;
    }
}
