use std::time::Duration;

/// Questions that are answered at once; others wait for their turn.
pub const QUESTIONS_AT_ONCE: usize = 4;

/// How much is done at once, and for one who asks.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// See [`QUESTIONS_AT_ONCE`].
    pub questions: usize,
    /// How long a question waits for its turn.
    pub patience: Duration,
    /// How long a question takes.
    pub time: Duration,
    /// Is that the time until the first part of an answer is there, and then again from each to the next?
    pub is_time_of_each_part: bool,
    /// Rows of an answer.
    pub rows: usize,
    /// Bytes of an answer.
    pub bytes: usize,
    /// Bytes of the body of a request.
    pub body: usize,
    /// Connections at once.
    pub connections: usize,
    /// Streams of live events at once.
    pub streams: usize,
}

impl Limits {
    /// What suits a page for a team, beside a collector.
    pub fn usual(time: Duration) -> Self {
        Self {
            questions: QUESTIONS_AT_ONCE,
            patience: Duration::from_secs(10),
            time,
            is_time_of_each_part: false,
            rows: 1_000_000,
            bytes: 64 << 20,
            body: 64 << 10,
            connections: 64,
            streams: 32,
        }
    }
}
