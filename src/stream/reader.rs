use std::time::Duration;

use redis::{Cmd, Value, cmd, pipe};

use super::reply::{self, Entry, StreamState};
use super::{Connection, StreamError};
use crate::event::EntryId;

/// Entries counted at once where all that is unread must be counted.
const COUNT_PAGE: usize = 1_000;

/// Reads the stream as one consumer of a consumer group.
pub struct GroupReader {
    connection: Connection,
    consumer: String,
}

/// What one read found; all of it is of the same moment.
#[derive(Debug)]
pub struct Poll {
    /// The entries, in ID order.
    pub entries: Vec<Entry>,
    /// Pending entries that were trimmed before they could be read again.
    pub trimmed: Vec<EntryId>,
    /// The stream after the read.
    pub state: StreamState,
}

/// What is still to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unread {
    /// How many entries.
    pub count: u64,
    /// The first of them.
    pub oldest: Option<EntryId>,
}

impl GroupReader {
    /// Reads over that connection under the consumer's name.
    pub fn new(connection: Connection, consumer: &str) -> Self {
        Self { connection, consumer: consumer.to_owned() }
    }

    /// Makes the group, at the stream's beginning, and the stream, where they are missing.
    /// Says whether the group was missing.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn ensure_group(&mut self) -> Result<bool, StreamError> {
        let Connection { stream, group, .. } = &self.connection;
        let create = cmd("XGROUP").arg("CREATE").arg(stream).arg(group).arg("0").arg("MKSTREAM").to_owned();
        match self.connection.command::<Value>(&create).await {
            Ok(_) => Ok(true),
            Err(StreamError::Unavailable { detail, .. }) if detail.contains("BUSYGROUP") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads up to `count` entries that no consumer has been given yet.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn poll_new(&mut self, count: usize) -> Result<Poll, StreamError> {
        self.poll(count, ">").await
    }

    /// Reads up to `count` entries above `after` that this consumer was given before and
    /// has not acknowledged.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn poll_pending(&mut self, count: usize, after: EntryId) -> Result<Poll, StreamError> {
        self.poll(count, &after.to_string()).await
    }

    async fn poll(&mut self, count: usize, from: &str) -> Result<Poll, StreamError> {
        let Connection { stream, group, .. } = &self.connection;
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP").arg(group).arg(&self.consumer).arg("COUNT").arg(count);
        read.arg("STREAMS").arg(stream).arg(from);
        // One MULTI: the count of what was trimmed is exact only for the moment of the read.
        let transaction = pipe().atomic().add_command(read).add_command(self.xinfo_stream()).to_owned();
        let (entries, state): (Value, Value) = self.connection.query(&transaction).await?;
        let (entries, trimmed) = reply::read_entries(entries)?;
        Ok(Poll { entries, trimmed, state: reply::stream_state(state)? })
    }

    /// Acknowledges entries.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn acknowledge(&mut self, ids: &[EntryId]) -> Result<(), StreamError> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut command = cmd("XACK");
        command.arg(&self.connection.stream).arg(&self.connection.group);
        for id in ids {
            command.arg(id.to_string());
        }
        self.connection.command::<Value>(&command).await.map(drop)
    }

    /// Waits until the stream has an entry above `after`, at most that long.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn wait(&mut self, after: EntryId, at_most: Duration) -> Result<(), StreamError> {
        let mut command = cmd("XREAD");
        command.arg("COUNT").arg(1).arg("BLOCK").arg(at_most.as_millis().max(1).to_string());
        command.arg("STREAMS").arg(&self.connection.stream).arg(after.to_string());
        self.connection.command::<Value>(&command).await.map(drop)
    }

    /// How the stream stands.
    ///
    /// # Errors
    /// [`StreamError::NoGroup`] where there is no such stream; else any [`StreamError`].
    pub async fn state(&mut self) -> Result<StreamState, StreamError> {
        let command = self.xinfo_stream();
        reply::stream_state(self.connection.command(&command).await?)
    }

    /// Does the stream still hold an entry at or below that ID?
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn holds_up_to(&mut self, id: EntryId) -> Result<bool, StreamError> {
        let mut range = cmd("XRANGE");
        range.arg(&self.connection.stream).arg("-").arg(id.to_string()).arg("COUNT").arg(1);
        let (entries, _) = reply::split_entries(self.connection.command(&range).await?, "XRANGE")?;
        Ok(!entries.is_empty())
    }

    /// What the group has not been given yet, counted one by one: Redis' own `lag` forgets
    /// what was trimmed.
    ///
    /// # Errors
    /// [`StreamError::NoGroup`] where there is no such group; else any [`StreamError`].
    pub async fn unread(&mut self) -> Result<Unread, StreamError> {
        let Connection { stream, group, .. } = &self.connection;
        let groups = cmd("XINFO").arg("GROUPS").arg(stream).to_owned();
        let missing = StreamError::NoGroup { stream: stream.clone(), group: group.clone() };
        let groups: Value = self.connection.command(&groups).await?;
        let mut after = reply::last_delivered(groups, &self.connection.group)?.ok_or(missing)?;
        let mut unread = Unread::default();
        loop {
            let mut range = cmd("XRANGE");
            range.arg(&self.connection.stream).arg(format!("({after}")).arg("+").arg("COUNT").arg(COUNT_PAGE);
            let (page, _) = reply::split_entries(self.connection.command(&range).await?, "XRANGE")?;
            unread.count += page.len() as u64;
            unread.oldest = unread.oldest.or(page.first().map(|entry| entry.id));
            match page.last() {
                Some(last) if page.len() == COUNT_PAGE => after = last.id,
                _ => return Ok(unread),
            }
        }
    }

    fn xinfo_stream(&self) -> Cmd {
        cmd("XINFO").arg("STREAM").arg(&self.connection.stream).to_owned()
    }
}
