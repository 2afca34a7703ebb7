use serde::{Deserialize, Serialize};

use emp_event::{EntryId, Event, Level};

/// The first frame of a segment.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header<'a> {
    /// The writer, with its epoch.
    pub writer: &'a str,
    /// Everything at or below this ID was committed before.
    #[serde(with = "entry_id")]
    pub after: EntryId,
    /// See [`Commit::position`]; as of `after`. `None` where nothing was committed before.
    pub position: Option<u64>,
}

/// What became durable in one step.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Commit<'a> {
    /// How many of the entries ever added to the stream are accounted for, these included:
    /// stored, quarantined, or trimmed unread.
    pub position: u64,
    /// The events, in ID order.
    #[serde(borrow)]
    pub rows: Vec<Row<'a>>,
    /// The entries that are no events, in ID order.
    pub quarantined: Vec<Quarantined>,
    /// What was found to have been trimmed before it was read.
    pub losses: Vec<Loss>,
}

/// The first numbers in the encoding of a [`Commit`], in which a list is its length and its items.
#[derive(Debug, Deserialize)]
pub(crate) struct CommitStart {
    _position: u64,
    rows: u64,
    /// The ID of the first row, where there are rows.
    first: (u64, u64),
}

impl CommitStart {
    /// That of an encoded commit; `None` where it is too short to have rows.
    pub fn of(payload: &[u8]) -> Option<Self> {
        postcard::from_bytes(payload).ok()
    }

    /// The ID of the first event in the commit.
    pub fn first_event(&self) -> Option<EntryId> {
        (self.rows > 0).then_some(EntryId::new(self.first.0, self.first.1))
    }
}

impl Commit<'_> {
    /// The highest ID in the commit.
    pub fn last(&self) -> Option<EntryId> {
        let quarantined = self.quarantined.last().map(|entry| entry.id);
        self.rows.last().map(|row| row.id).max(quarantined)
    }
}

/// An event as the store keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Row<'a> {
    /// The entry ID.
    #[serde(with = "entry_id")]
    pub id: EntryId,
    /// The producer's clock, ms since the epoch.
    pub timestamp: i64,
    /// Who sent it.
    pub service: &'a str,
    /// `{entity}.{action}`.
    pub event_type: &'a str,
    /// How grave it is.
    #[serde(with = "level")]
    pub level: Level,
    /// Ties together what one request caused.
    pub trace_id: Option<&'a str>,
    /// The job.
    pub job_id: Option<&'a str>,
    /// The worker.
    pub worker_id: Option<&'a str>,
    /// The machine.
    pub machine_id: Option<&'a str>,
    /// The user.
    pub user_id: Option<&'a str>,
    /// How long the thing took, where the event says so.
    pub duration_ms: Option<f64>,
    /// A JSON object as text.
    pub data: &'a str,
}

impl Row<'_> {
    /// Redis' clock when the entry was added, ms since the epoch.
    pub fn ingested_at(&self) -> i64 {
        // Decoding rejects IDs past the year 9999, so this is the ID's own ms.
        self.id.ingested_at().unwrap_or(emp_event::TIMESTAMP_MS_MAX)
    }
}

impl<'a> From<&'a Event<'_>> for Row<'a> {
    fn from(event: &'a Event<'_>) -> Self {
        Self {
            id: event.id,
            timestamp: event.timestamp,
            service: &event.service,
            event_type: &event.event_type,
            level: event.level,
            trace_id: event.trace_id.as_deref(),
            job_id: event.job_id.as_deref(),
            worker_id: event.worker_id.as_deref(),
            machine_id: event.machine_id.as_deref(),
            user_id: event.user_id.as_deref(),
            duration_ms: event.duration_ms,
            data: &event.data,
        }
    }
}

/// An entry that is no event, kept whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The entry ID.
    #[serde(with = "entry_id")]
    pub id: EntryId,
    /// Why it is no event.
    pub reason: String,
    /// Its fields as JSON; bytes that are no UTF-8 in base64.
    pub entry: String,
    /// The collector's clock, ms since the epoch.
    pub noticed_at: i64,
}

/// Entries that the stream trimmed before they were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The last entry kept before the gap; `0-0` where there is none.
    #[serde(with = "entry_id")]
    pub from: EntryId,
    /// The first entry kept after it.
    #[serde(with = "entry_id")]
    pub to: EntryId,
    /// How many, exactly.
    pub lost: u64,
    /// The collector's clock, ms since the epoch.
    pub noticed_at: i64,
}

/// An entry ID as its two numbers.
mod entry_id {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use emp_event::EntryId;

    pub fn serialize<S: Serializer>(id: &EntryId, serializer: S) -> Result<S::Ok, S::Error> {
        (id.ms, id.seq).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EntryId, D::Error> {
        <(u64, u64)>::deserialize(deserializer).map(|(ms, seq)| EntryId::new(ms, seq))
    }
}

/// A level as its place in [`Level::ALL`].
mod level {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use emp_event::Level;

    pub fn serialize<S: Serializer>(level: &Level, serializer: S) -> Result<S::Ok, S::Error> {
        (*level as u8).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Level, D::Error> {
        let number = u8::deserialize(deserializer)?;
        Level::ALL.get(usize::from(number)).copied().ok_or_else(|| D::Error::custom("no such level"))
    }
}
