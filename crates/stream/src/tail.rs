use std::time::Duration;

use redis::{Cmd, cmd};

use super::entries::Entries;
use super::reply;
use super::{Connection, RedisAddress, StreamError};
use emp_event::EntryId;

/// Entries read at once.
const COUNT: usize = 1_000;

/// Reads the stream beside its consumer groups, and changes nothing in it.
pub struct StreamTail {
    connection: Connection,
    after: EntryId,
}

impl StreamTail {
    /// Connects; what follows that ID is read.
    ///
    /// # Errors
    /// [`StreamError::Unreachable`] or [`StreamError::Refused`].
    pub async fn open(address: &RedisAddress, stream: &str, after: EntryId) -> Result<Self, StreamError> {
        Ok(Self { connection: Connection::open(address, stream, "").await?, after })
    }

    /// The ID of the last entry that was read.
    pub fn after(&self) -> EntryId {
        self.after
    }

    /// The next entries, as soon as there are any, or none after so long.
    ///
    /// # Errors
    /// Any [`StreamError`]; the connection is of no use then.
    pub async fn next(&mut self, wait: Duration) -> Result<Entries, StreamError> {
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(COUNT).arg("BLOCK").arg(wait.as_millis().max(1) as u64);
        read.arg("STREAMS").arg(&self.connection.stream).arg(self.after.to_string());
        let (entries, _) = Entries::take(self.connection.answer(&read).await?, 0)?;
        if let Some(last) = entries.last_id() {
            self.after = last;
        } else if self.has_begun_anew().await? {
            self.after = EntryId::ZERO;
        }
        Ok(entries)
    }

    /// Was the stream reset, so that its IDs are below those that were read?
    async fn has_begun_anew(&mut self) -> Result<bool, StreamError> {
        let mut info: Cmd = cmd("XREVRANGE");
        info.arg(&self.connection.stream).arg("+").arg("-").arg("COUNT").arg(1);
        let newest = reply::entry_ids(self.connection.command(&info).await?)?;
        Ok(newest.first().is_some_and(|newest| *newest < self.after))
    }
}

impl std::fmt::Debug for StreamTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamTail").field("after", &self.after).finish_non_exhaustive()
    }
}
