use std::time::Duration;

use redis::cmd;

use super::entries::{Entries, Taken};
use super::pace::Pace;
use super::{Connection, RedisAddress, StreamError, StreamState};
use emp_event::EntryId;

/// Entries read at once.
const COUNT: usize = 1_000;

/// Reads the stream beside its consumer groups, and changes nothing in it.
pub struct StreamTail {
    connection: Connection,
    /// What follows this ID is read next.
    after: EntryId,
    /// What lies below this ID is read next by [`Self::earlier`]; from the end where nothing was read so yet.
    below: Option<EntryId>,
    pace: Pace,
}

impl StreamTail {
    /// Connects; what follows that ID is read.
    ///
    /// # Errors
    /// [`StreamError::Unreachable`] or [`StreamError::Refused`].
    pub async fn open(address: &RedisAddress, stream: &str, after: EntryId) -> Result<Self, StreamError> {
        Ok(Self::over(Connection::open(address, stream, "").await?, after))
    }

    /// The same over a connection that is there already.
    pub fn over(connection: Connection, after: EntryId) -> Self {
        Self { connection, after, below: None, pace: Pace::new() }
    }

    /// The ID of the last entry that was read.
    pub fn after(&self) -> EntryId {
        self.after
    }

    /// What follows that ID is read next.
    pub fn go_to(&mut self, after: EntryId) {
        self.after = after;
    }

    /// The highest ID that the stream has ever given out; that of nothing where there is no stream.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn last(&mut self) -> Result<EntryId, StreamError> {
        Ok(self.last_given().await?.unwrap_or(EntryId::ZERO))
    }

    /// The entries before those that this gave last, the newest first: from the stream's end on, and none once its
    /// front has been reached.
    ///
    /// # Errors
    /// Any [`StreamError`]; the connection is of no use then.
    pub async fn earlier(&mut self) -> Result<Entries, StreamError> {
        loop {
            let count = self.pace.count(COUNT);
            let below = self.below.map_or_else(|| "+".to_owned(), |id| format!("({id}"));
            let mut read = cmd("XREVRANGE");
            read.arg(&self.connection.stream).arg(below).arg("-").arg("COUNT").arg(count);
            let answer = self.connection.answer(&read, Pace::kept_bytes(count)).await?;
            let Taken { entries, cut, .. } = Entries::take_list(answer, 0)?;
            self.pace.learn(&entries, cut.as_ref());
            self.below = entries.last_id().or(self.below);
            // Where the first one alone was too large it is asked for once more, by itself.
            if !entries.is_empty() || cut.is_none() {
                return Ok(entries);
            }
        }
    }

    /// The next entries, as soon as there are any, or none after so long.
    ///
    /// # Errors
    /// Any [`StreamError`]; the connection is of no use then.
    pub async fn next(&mut self, wait: Duration) -> Result<Entries, StreamError> {
        let count = self.pace.count(COUNT);
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(count).arg("BLOCK").arg(wait.as_millis().max(1) as u64);
        read.arg("STREAMS").arg(&self.connection.stream).arg(self.after.to_string());
        let answer = self.connection.answer(&read, Pace::kept_bytes(count)).await?;
        let Taken { entries, cut, .. } = Entries::take(answer, 0)?;
        self.pace.learn(&entries, cut.as_ref());
        if let Some(last) = entries.last_id() {
            self.after = last;
        } else if cut.is_none() && self.has_begun_anew().await? {
            self.after = EntryId::ZERO;
        }
        Ok(entries)
    }

    /// Was the stream reset, so that its IDs are below those that were read? An entry that was deleted changes
    /// nothing of the highest ID ever given out.
    async fn has_begun_anew(&mut self) -> Result<bool, StreamError> {
        Ok(self.last_given().await?.is_some_and(|last| last < self.after))
    }

    /// The highest ID that the stream has ever given out; `None` where there is no stream.
    async fn last_given(&mut self) -> Result<Option<EntryId>, StreamError> {
        Ok(self.state().await?.and_then(|state| state.last))
    }

    /// How many entries it has and had, its first and its last; `None` where there is no stream.
    ///
    /// # Errors
    /// Any [`StreamError`]; the connection is of no use then.
    pub async fn state(&mut self) -> Result<Option<StreamState>, StreamError> {
        let info = cmd("XINFO").arg("STREAM").arg(&self.connection.stream).to_owned();
        match self.connection.outline(&info).await {
            Ok(state) => Ok(Some(self.connection.stream_state(state)?)),
            Err(StreamError::NoGroup { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl std::fmt::Debug for StreamTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamTail").field("after", &self.after).finish_non_exhaustive()
    }
}
