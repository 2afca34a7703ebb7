//! How much room is left in the stream: how soon the first entry would be trimmed before it was read.

use std::time::Instant;

use jiff::Timestamp;

use super::memory::Usage;
use super::{CollectError, GROUP, Settings, collector_of};
use emp_stream::{Connection, GroupReader, STREAM_LENGTH_MAX};

/// How the stream stands, and how it would go on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Room {
    /// Entries in the stream.
    pub entries: u64,
    /// How many producers keep in it, about.
    pub entries_max: u64,
    /// Those of them that nobody has read.
    pub unread: u64,
    /// What the stream takes in Redis; `None` where Redis does not say.
    pub bytes: Option<u64>,
    /// How fast entries come; `None` where there are none.
    pub added_per_second: Option<f64>,
    /// How long it would take at that pace until the first entry is trimmed unread, were nothing read from now on.
    pub first_loss_ms: Option<u64>,
    /// How long Redis took to answer.
    pub answered_ms: f64,
}

impl Room {
    /// Asks Redis.
    ///
    /// # Errors
    /// Redis' failures; [`emp_stream::StreamError::NoGroup`] where nothing was ever read.
    pub async fn look(settings: &Settings) -> Result<Self, CollectError> {
        let connection = Connection::open(&settings.address, &settings.stream, GROUP).await?;
        let mut reader = GroupReader::new(connection, &collector_of(&settings.layout));
        let begun = Instant::now();
        let state = reader.state().await?;
        let answered_ms = begun.elapsed().as_secs_f64() * 1_000.0;
        let unread = reader.backlog().await?.count;
        let added_per_second = reader.added_per_second(Timestamp::now().as_millisecond()).await?;
        // Who keeps more than is usual trims later.
        let entries_max = STREAM_LENGTH_MAX.max(state.length);
        let bytes = Usage::of(&mut reader).await?.stream_bytes;
        let first_loss_ms = added_per_second.and_then(|pace| first_loss_ms(entries_max.saturating_sub(unread), pace));
        Ok(Self { entries: state.length, entries_max, unread, bytes, added_per_second, first_loss_ms, answered_ms })
    }
}

/// When so many more have come; `None` where that would take years.
fn first_loss_ms(left: u64, per_second: f64) -> Option<u64> {
    const YEAR_MS: f64 = 365.0 * 86_400_000.0;
    let ms = left as f64 / per_second * 1_000.0;
    // Below the bound it is a whole number of ms that fits.
    (ms < YEAR_MS).then_some(ms as u64)
}

#[cfg(test)]
mod tests {
    use super::first_loss_ms;

    #[test]
    fn what_is_left_lasts_as_long_as_it_takes_to_fill_it() {
        assert_eq!(first_loss_ms(10_000, 2_000.0), Some(5_000));
        assert_eq!(first_loss_ms(0, 1.0), Some(0));
        assert_eq!(first_loss_ms(10_000, 1e-9), None);
    }
}
