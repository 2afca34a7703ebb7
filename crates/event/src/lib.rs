//! The event: what a producer meant by one entry of the stream.
//!
//! [`decode`] turns the fields of a stream entry into an [`Event`], or says in a
//! [`Rejection`] why the entry is none. [`JsonLine`] is the same for a line of
//! NDJSON. [`Draft`] is the way back: what a producer writes. This room knows the wire form and nothing else: no Redis, disk or SQL.

mod data;
mod decode;
mod draft;
mod escapes;
mod id;
mod level;
mod line;
mod mend;
mod raw;
mod time;
mod visible;

use std::borrow::Cow;

pub use data::{Members, scalar_text};
pub use decode::{Rejection, decode, decode_fields};
pub use draft::Draft;
pub use escapes::{has_escapes, readable};
pub use id::{EntryId, ParseEntryIdError};
pub use level::{Level, tells_of_failure};
pub use line::JsonLine;
pub use mend::{Faults, mended, plain_json, read_json};
pub use raw::fields_as_json;
pub use time::read_time;
pub use visible::{is_unseen, visible, visible_lines};

/// The last millisecond that every reader of the store can show: calendars end with the year 9999, and ours so much
/// before that no zone's offset goes beyond.
pub const TIMESTAMP_MS_MAX: i64 = 253_402_207_200_999;
/// The first such millisecond: the start of the year 1.
pub const TIMESTAMP_MS_MIN: i64 = -62_135_596_800_000;

/// One event as it is stored. Text borrows from the entry's fields where it can.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    /// Redis' entry ID: unique within a stream, the order of arrival.
    pub id: EntryId,
    /// The producer's clock, ms since the epoch. The ID's ms where the producer's was
    /// missing or unreadable; `data._badTimestamp` then holds what stood there.
    pub timestamp: i64,
    /// Who sent it: `api-server`, `worker`, … Never empty.
    pub service: Cow<'a, str>,
    /// `{entity}.{action}`: `job.created`. Never empty.
    pub event_type: Cow<'a, str>,
    /// How grave it is; where the producer did not say, `error` if the type tells of a failure, else `info`.
    pub level: Level,
    /// Any text: 32 hex, a UUID, a traceparent, a producer's own.
    pub trace_id: Option<Cow<'a, str>>,
    /// The job it belongs to.
    pub job_id: Option<Cow<'a, str>>,
    /// The worker that sent it, or that it is about.
    pub worker_id: Option<Cow<'a, str>>,
    /// The machine that sent it, or that it is about.
    pub machine_id: Option<Cow<'a, str>>,
    /// The user it was done for.
    pub user_id: Option<Cow<'a, str>>,
    /// `data.durationMs`, else the first numeric key of `data` that ends in `TimeMs`,
    /// `DurationMs` or `LatencyMs`.
    pub duration_ms: Option<f64>,
    /// A JSON object as text: the producer's own bytes, with unknown fields added at its end. A value that no reader
    /// takes is mended; `_mended` then says what was wrong.
    pub data: Cow<'a, str>,
}

impl Event<'_> {
    /// The same with text of its own.
    pub fn into_owned(self) -> Event<'static> {
        let owned = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        Event {
            id: self.id,
            timestamp: self.timestamp,
            service: Cow::Owned(self.service.into_owned()),
            event_type: Cow::Owned(self.event_type.into_owned()),
            level: self.level,
            trace_id: owned(self.trace_id),
            job_id: owned(self.job_id),
            worker_id: owned(self.worker_id),
            machine_id: owned(self.machine_id),
            user_id: owned(self.user_id),
            duration_ms: self.duration_ms,
            data: Cow::Owned(self.data.into_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
