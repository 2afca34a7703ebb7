use std::time::Duration;

/// The stream that all producers share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TelemetryConfig {
    /// Its name.
    pub stream_name: &'static str,
    /// It is kept at about so many events.
    pub max_length: u32,
    /// How long an event is meant to stay in it.
    pub retention: Duration,
    /// It is trimmed by its length, not by time.
    pub trim_strategy: &'static str,
}

/// What every producer uses where nothing else is said.
pub const TELEMETRY_CONFIG: TelemetryConfig = TelemetryConfig {
    stream_name: "emp:events",
    max_length: 10_000,
    retention: Duration::from_secs(24 * 60 * 60),
    trim_strategy: "MAXLEN",
};

/// Events under way or waiting, at most.
pub(crate) const QUEUE_EVENTS: usize = 10_000;
/// What they may hold together.
pub(crate) const QUEUE_BYTES: usize = 8 << 20;
/// Events sent at once, at most.
pub(crate) const BATCH_EVENTS: usize = 500;
/// What is sent at once may hold so much, and one event more.
pub(crate) const BATCH_BYTES: usize = 1 << 20;
/// How long events are collected before they are sent.
pub(crate) const BATCH_DELAY: Duration = Duration::from_millis(10);
/// How long a closing client may take for what it holds.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long `close` waits beyond its time for a thread that writes the spool, or does not come to run: for each batch that it
/// writes, so that a disk that is slow loses nothing, and one that is stuck holds nobody up.
pub(crate) const CLOSE_GRACE: Duration = Duration::from_secs(5);

const _: () = assert!(BATCH_EVENTS < QUEUE_EVENTS && BATCH_BYTES < QUEUE_BYTES);
