//! What a store lacks of its stream, for those who are about to read it.

use std::time::Duration;

use super::health::{UNREAD_AGE_MS_MAX, age_of, unread_age_ms};
use super::{GROUP, Settings, collector_of};
use emp_store::{Identity, StoreWriter};
use emp_stream::{Connection, GroupReader, Unread};

/// Whoever asks the store does not wait longer for a Redis that may not be there.
const PATIENCE: Duration = Duration::from_millis(300);

/// How a store stands to its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Is a collector at work on it?
    pub has_collector: bool,
    /// What the collector has not read yet; `None` where Redis does not tell.
    pub unread: Option<Unread>,
}

impl Lag {
    /// Of a store that collectors write to; `None` of a copy, an import, a sample.
    pub async fn of(settings: &Settings) -> Option<Self> {
        // What is wrong with the store itself is said by whoever reads it.
        if !Identity::is_original(&settings.layout).unwrap_or(false) {
            return None;
        }
        let has_collector = StoreWriter::is_locked(&settings.layout).unwrap_or(false);
        let unread = tokio::time::timeout(PATIENCE, unread(settings)).await.ok().flatten();
        Some(Self { has_collector, unread })
    }

    /// What the store lacks, in a sentence; `None` where it keeps up with its stream.
    pub fn in_words(&self) -> Option<String> {
        let waiting = self.unread.filter(|unread| unread.count > 0);
        let waiting = waiting.map(|unread| (unread.count, unread_age_ms(&unread).unwrap_or_default()));
        match (self.has_collector, waiting) {
            (true, Some((count, age_ms))) if age_ms > UNREAD_AGE_MS_MAX => Some(format!(
                "the collector is behind: {count} entries of the stream are not in this store, the oldest for {}",
                age_of(age_ms / 1_000)
            )),
            (true, _) => None,
            (false, Some((count, age_ms))) => Some(format!(
                "no collector is at work on this store: {count} entries of the stream are not in it, the oldest for \
                 {} (`emp-events collect`)",
                age_of(age_ms / 1_000)
            )),
            (false, None) if self.unread.is_some() => {
                Some("no collector is at work on this store; it has all that the stream held until now".to_owned())
            }
            (false, None) => {
                Some("no collector is at work on this store, and Redis does not say what it lacks".to_owned())
            }
        }
    }
}

async fn unread(settings: &Settings) -> Option<Unread> {
    let connection = Connection::open(&settings.address, &settings.stream, GROUP).await.ok()?;
    GroupReader::new(connection, &collector_of(&settings.layout)).backlog().await.ok()
}
