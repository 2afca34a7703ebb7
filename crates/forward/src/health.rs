//! How forwarding goes, seen from the outside.

use jiff::Timestamp;

use super::progress::{Progress, load_trouble};
use super::status::Counts;
use super::{ForwardError, GROUP};
use emp_event::EntryId;
use emp_stream::{Connection, GroupReader, RedisAddress, StreamError};

/// What can be said about a forwarder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarding {
    /// Entries that were given to it and are not settled.
    pub pending: u64,
    /// Entries that it has not been given yet.
    pub unread: u64,
    /// Entries that were trimmed before it was given them, and that it has yet to take from the store or to count.
    pub trimmed: u64,
    /// How long the oldest of the first two has been in the stream, in ms.
    pub oldest_ms: Option<i64>,
    /// What became of the others.
    pub counts: Counts,
    /// What went wrong last, and when, in ms since the epoch.
    pub last_error: Option<(String, i64)>,
    /// What keeps everything from being sent.
    pub blocked: Option<String>,
}

/// Asks Redis; `None` where nobody has ever forwarded this stream.
///
/// # Errors
/// [`ForwardError::Stream`] where Redis does not answer.
pub async fn check_forwarder(address: &RedisAddress, stream: &str) -> Result<Option<Forwarding>, ForwardError> {
    let mut reader = GroupReader::new(Connection::open(address, stream, GROUP).await?, "health");
    let unread = match reader.unread().await {
        Err(StreamError::NoGroup { .. }) => return Ok(None),
        unread => unread?,
    };
    let (_, accounts) = reader.accounts().await?;
    let first_pending = reader.first_pending().await?;
    let oldest = first_pending.or(unread.oldest).and_then(EntryId::ingested_at);
    let trouble = load_trouble(&mut reader).await?;
    let progress = Progress::load(&mut reader).await?;
    Ok(Some(Forwarding {
        pending: accounts.pending,
        unread: unread.count,
        oldest_ms: oldest.map(|at| (Timestamp::now().as_millisecond() - at).max(0)),
        trimmed: accounts.lost.saturating_sub(progress.lost_settled),
        counts: progress.counts,
        last_error: trouble.last_error.zip(trouble.last_error_at),
        blocked: trouble.blocked,
    }))
}
