//! Events as OTLP: what is sent of an event, and in which shape. `docs/dash0.md` has the table.
//!
//! Pure: events in, bytes out. An event is a log record that [`encode_logs`] writes; a
//! [`SpanJoiner`] joins beginnings and ends of work into spans for [`encode_spans`].
//! Invariant: equal events give equal bytes, so that what is sent twice can be recognised.

mod attributes;
mod data;
mod ids;
mod record;
mod resource;
mod spans;

use emp_event::Event;

pub use resource::{encode_logs, encode_spans};
pub use spans::{ServiceSpan, SpanJoiner};

/// An event that borrows from nothing.
pub type OwnedEvent = Event<'static>;

/// What is sent of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signals {
    /// A log record an event.
    Logs,
    /// A span a piece of work, and one a job.
    Spans,
    /// Log records and spans.
    Both,
}

impl Signals {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Logs, Self::Spans, Self::Both];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Spans => "spans",
            Self::Both => "both",
        }
    }

    /// The choice of that name in any case; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signals| text.eq_ignore_ascii_case(signals.as_str()))
    }
}

/// Milliseconds since the epoch as OTLP's nanoseconds. What lies before 1970 or after 2554, which
/// OTLP cannot say, becomes the nearest moment that it can.
fn nanoseconds(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests;
