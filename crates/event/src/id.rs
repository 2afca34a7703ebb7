use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::TIMESTAMP_MS_MAX;

/// A Redis stream entry ID, `ms-seq`. Ordered as Redis orders them: by arrival.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntryId {
    /// Redis' clock when the entry was added, ms since the epoch.
    pub ms: u64,
    /// Counts the entries of one millisecond.
    pub seq: u64,
}

impl EntryId {
    /// Below every ID that Redis hands out.
    pub const ZERO: Self = Self { ms: 0, seq: 0 };
    /// Above all IDs of a stream.
    pub const MAX: Self = Self { ms: u64::MAX, seq: u64::MAX };

    /// An ID from its two parts.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// Reads `ms-seq`; `None` for any other bytes.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let hyphen = text.iter().position(|byte| *byte == b'-')?;
        Some(Self::new(digits(&text[..hyphen])?, digits(&text[hyphen + 1..])?))
    }

    /// The ID just below; there is none below [`Self::ZERO`].
    #[must_use]
    pub const fn before(self) -> Self {
        match (self.ms, self.seq) {
            (0, 0) => Self::ZERO,
            (ms, 0) => Self::new(ms - 1, u64::MAX),
            (ms, seq) => Self::new(ms, seq - 1),
        }
    }

    /// The ID just above.
    #[must_use]
    pub const fn after(self) -> Self {
        match self.seq.checked_add(1) {
            Some(seq) => Self::new(self.ms, seq),
            None => Self::new(self.ms.saturating_add(1), 0),
        }
    }

    /// The arrival as ms since the epoch; `None` where a producer chose an ID that lies
    /// past the year 9999, which no calendar of the readers can show.
    pub fn ingested_at(self) -> Option<i64> {
        i64::try_from(self.ms).ok().filter(|ms| *ms <= TIMESTAMP_MS_MAX)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// The text is no `ms-seq`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a Redis entry ID (expected `milliseconds-sequence`, as in `1758981600000-0`)")]
pub struct ParseEntryIdError(String);

impl FromStr for EntryId {
    type Err = ParseEntryIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes()).ok_or_else(|| ParseEntryIdError(text.to_owned()))
    }
}

/// A number of digits alone, that a `u64` can hold.
fn digits(text: &[u8]) -> Option<u64> {
    let add = |number: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    if text.is_empty() { None } else { text.iter().try_fold(0, add) }
}
