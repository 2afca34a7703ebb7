//! What can be asked about the stream and its group, without reading.

use std::time::Duration;

use redis::{Value, cmd, pipe};

use super::accounts::{self, Accounts};
use super::reply::{self, StreamState};
use super::{Connection, GroupReader, StreamError};
use emp_event::EntryId;

/// Entries counted at once where all that is unread must be counted.
const COUNT_PAGE: usize = 1_000;
/// So many of the newest entries tell how fast they come.
const PACE_ENTRIES: usize = 500;

/// What is still to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unread {
    /// How many entries.
    pub count: u64,
    /// The first of them.
    pub oldest: Option<EntryId>,
}

/// A consumer of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// How many entries it was given and has not acknowledged.
    pub pending: u64,
    /// How long ago it last asked for something.
    pub idle: Duration,
}

/// How much memory Redis uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Bytes in use.
    pub used: u64,
    /// The limit, where one is set.
    pub most: Option<u64>,
}

impl GroupReader {
    /// How much memory Redis uses, of how much.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn memory(&mut self) -> Result<Memory, StreamError> {
        let info = self.connection.command(cmd("INFO").arg("memory")).await?;
        reply::memory(&info)
    }

    /// How many bytes the stream takes, estimated from ten of its entries; `None` where there is none.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn stream_bytes(&mut self) -> Result<Option<u64>, StreamError> {
        let mut command = cmd("MEMORY");
        command.arg("USAGE").arg(&self.connection.stream).arg("SAMPLES").arg(10);
        Ok(match self.connection.command(&command).await? {
            Value::Int(bytes) => Some(bytes.max(0).unsigned_abs()),
            _ => None,
        })
    }

    /// How the stream stands.
    ///
    /// # Errors
    /// [`StreamError::NoGroup`] where there is no such stream; else any [`StreamError`].
    pub async fn state(&mut self) -> Result<StreamState, StreamError> {
        let command = self.stand();
        let state = self.connection.outline(&command).await?;
        self.connection.stream_state(state)
    }

    /// How the stream and the group's accounts stand, at one moment.
    ///
    /// # Errors
    /// [`StreamError::NoGroup`] where there is no such group; else any [`StreamError`].
    pub async fn accounts(&mut self) -> Result<(StreamState, Accounts), StreamError> {
        let Connection { stream, group, .. } = &self.connection;
        let pending = cmd("XPENDING").arg(stream).arg(group).to_owned();
        let mut transaction = pipe();
        // A server that is too old says so first.
        transaction.atomic().add_command(self.stand()).add_command(self.get_accounts()).add_command(pending);
        let (answer, [state, hash, pending]) = match self.connection.transaction(&transaction, 0).await {
            Ok((answer, parts)) => (answer, parts.first_chunk().copied().unwrap_or_default()),
            // A full Redis queues nothing.
            Err(StreamError::Full { .. }) => {
                let (answer, [_, hash, pending, state]) = self.read_by_script(0, "-").await?;
                (answer, [state, hash, pending])
            }
            Err(error) => return Err(error),
        };
        let state = self.connection.stream_state(answer.value(state))?;
        Ok((state, Accounts::read(answer.value(hash), answer.value(pending))?))
    }

    /// Has the group been given the entry of that ID, or a later one?
    ///
    /// # Errors
    /// [`StreamError::NoGroup`] where there is no such group; else any [`StreamError`].
    pub async fn has_delivered(&mut self, id: EntryId) -> Result<bool, StreamError> {
        Ok(self.last_delivered().await? >= id)
    }

    /// Does the stream still hold the entry of that ID?
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn holds(&mut self, id: EntryId) -> Result<bool, StreamError> {
        Ok(self.count(id.to_string(), id.to_string()).await?.count > 0)
    }

    /// Does the stream still hold an entry at or below that ID?
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn holds_up_to(&mut self, id: EntryId) -> Result<bool, StreamError> {
        let mut range = cmd("XRANGE");
        range.arg(&self.connection.stream).arg("-").arg(id.to_string()).arg("COUNT").arg(1);
        Ok(!reply::entry_ids(self.connection.outline(&range).await?)?.is_empty())
    }

    /// What the group has not been given yet, counted one by one: Redis' own `lag` forgets
    /// what was trimmed.
    ///
    /// # Errors
    /// [`StreamError::NoGroup`] where there is no such group; else any [`StreamError`].
    pub async fn unread(&mut self) -> Result<Unread, StreamError> {
        let after = self.last_delivered().await?;
        self.count(format!("({after}"), "+".to_owned()).await
    }

    /// How many entries the stream holds at or below that ID.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn count_up_to(&mut self, id: EntryId) -> Result<u64, StreamError> {
        Ok(self.count("-".to_owned(), id.to_string()).await?.count)
    }

    /// How fast entries have come lately, as the newest of them tell: entries a second until `now_ms`, ms since the
    /// epoch. `None` where the stream holds none.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn added_per_second(&mut self, now_ms: i64) -> Result<Option<f64>, StreamError> {
        let mut range = cmd("XREVRANGE");
        range.arg(&self.connection.stream).arg("+").arg("-").arg("COUNT").arg(PACE_ENTRIES);
        let newest = reply::entry_ids(self.connection.outline(&range).await?)?;
        let since_ms = newest.last().and_then(|oldest| oldest.ingested_at());
        // Those of one moment were added within it.
        Ok(since_ms.map(|since_ms| newest.len() as f64 / (now_ms.saturating_sub(since_ms).max(1) as f64 / 1_000.0)))
    }

    /// Counts entries one by one.
    async fn count(&mut self, mut from: String, to: String) -> Result<Unread, StreamError> {
        let mut counted = Unread::default();
        loop {
            let mut range = cmd("XRANGE");
            range.arg(&self.connection.stream).arg(&from).arg(&to).arg("COUNT").arg(COUNT_PAGE);
            let page = reply::entry_ids(self.connection.outline(&range).await?)?;
            counted.count += page.len() as u64;
            counted.oldest = counted.oldest.or(page.first().copied());
            match page.last() {
                Some(last) if page.len() == COUNT_PAGE => from = format!("({last}"),
                _ => return Ok(counted),
            }
        }
    }

    /// What the group has not been given yet, by the accounts: nothing but the first of it is read.
    /// Where there are no accounts it is counted.
    ///
    /// # Errors
    /// [`StreamError::NoGroup`] where there is no such group; else any [`StreamError`].
    pub async fn backlog(&mut self) -> Result<Unread, StreamError> {
        let (state, accounts) = self.accounts().await?;
        let Some(position) = accounts.position() else { return self.unread().await };
        let count = state.added.saturating_sub(position.max(state.removed()));
        if count == 0 {
            return Ok(Unread::default());
        }
        let after = self.last_delivered().await?;
        let mut range = cmd("XRANGE");
        range.arg(&self.connection.stream).arg(format!("({after}")).arg("+").arg("COUNT").arg(1);
        let oldest = reply::entry_ids(self.connection.outline(&range).await?)?.first().copied();
        Ok(Unread { count, oldest })
    }

    /// Which start reads for the store of that id, as it has said; `None` where none has.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn session(&mut self, store: &str) -> Result<Option<u64>, StreamError> {
        let command = cmd("HMGET").arg(self.accounts_key()).arg(accounts::own(accounts::SESSION, store)).to_owned();
        let [session] = reply::numbers(self.connection.command(&command).await?, "HMGET")?;
        Ok(session.map(i64::unsigned_abs))
    }

    /// The highest ID that the stream had when it was found to have gone back, and its accounts began; `None`
    /// where they began otherwise.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn went_back_to(&mut self) -> Result<Option<EntryId>, StreamError> {
        self.noted_id(accounts::WENT_BACK.to_owned()).await
    }

    /// Up to which ID a consumer had stored the stream's entries before the accounts began; `None` where they
    /// began with the stream, or with the consumer.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn known_of(&mut self, consumer: &str) -> Result<Option<EntryId>, StreamError> {
        self.noted_id(accounts::own(accounts::KNOWN, consumer)).await
    }

    /// Have the accounts forgotten that a consumer was given the entry of that ID, the last that it has stored?
    /// They know it as pending, or as acknowledged.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn has_forgotten(&mut self, consumer: &str, stored: EntryId) -> Result<bool, StreamError> {
        let noted = self.noted_id(accounts::own(accounts::STORED_UP_TO, consumer)).await?;
        if noted.is_none_or(|noted| noted >= stored) {
            return Ok(false);
        }
        let Connection { stream, group, .. } = &self.connection;
        let (id, mut command) = (stored.to_string(), cmd("XPENDING"));
        command.arg(stream).arg(group).arg(&id).arg(&id).arg(1).arg(consumer);
        Ok(reply::pending_ids(self.connection.command(&command).await?)?.is_empty())
    }

    /// Up to which ID a consumer has noted that it has stored the entries that it was given; `None` where it has not.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn stored_up_to(&mut self, consumer: &str) -> Result<Option<EntryId>, StreamError> {
        self.noted_id(accounts::own(accounts::STORED_UP_TO, consumer)).await
    }

    async fn noted_id(&mut self, field: String) -> Result<Option<EntryId>, StreamError> {
        match self.connection.command(cmd("HGET").arg(self.accounts_key()).arg(field)).await? {
            Value::Nil => Ok(None),
            id => reply::entry_id(&id, "HGET").map(Some),
        }
    }

    pub(super) async fn last_delivered(&mut self) -> Result<EntryId, StreamError> {
        let Connection { stream, group, .. } = &self.connection;
        let groups = cmd("XINFO").arg("GROUPS").arg(stream).to_owned();
        let missing = StreamError::NoGroup { stream: stream.clone(), group: group.clone() };
        let groups = self.connection.command(&groups).await?;
        reply::last_delivered(groups, &self.connection.group)?.ok_or(missing)
    }

    /// Every consumer of the group.
    ///
    /// # Errors
    /// [`StreamError::NoGroup`] where there is no such group; else any [`StreamError`].
    pub async fn consumers(&mut self) -> Result<Vec<Consumer>, StreamError> {
        let Connection { stream, group, .. } = &self.connection;
        let command = cmd("XINFO").arg("CONSUMERS").arg(stream).arg(group).to_owned();
        reply::consumers(self.connection.command(&command).await?)
    }

    /// The first entry that is pending, whoever has it; `None` where none is.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn first_pending(&mut self) -> Result<Option<EntryId>, StreamError> {
        let Connection { stream, group, .. } = &self.connection;
        let command = cmd("XPENDING").arg(stream).arg(group).arg("-").arg("+").arg(1).to_owned();
        Ok(reply::pending_ids(self.connection.command(&command).await?)?.first().copied())
    }

    /// The IDs of a consumer's pending entries, in order.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn pending_ids(&mut self, consumer: &str) -> Result<Vec<EntryId>, StreamError> {
        let mut ids: Vec<EntryId> = Vec::new();
        loop {
            let from = ids.last().map_or_else(|| "-".to_owned(), |last| format!("({last}"));
            let Connection { stream, group, .. } = &self.connection;
            let mut command = cmd("XPENDING");
            command.arg(stream).arg(group).arg(from).arg("+").arg(COUNT_PAGE).arg(consumer);
            let page = reply::pending_ids(self.connection.command(&command).await?)?;
            let is_last = page.len() < COUNT_PAGE;
            ids.extend(page);
            if is_last {
                return Ok(ids);
            }
        }
    }

    /// Do the accounts know one of these consumers? They do from its first start on, as long as
    /// the stream lives.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn has_accounts_of(&mut self, consumers: &[String]) -> Result<bool, StreamError> {
        let mut command = cmd("HMGET");
        command.arg(self.accounts_key());
        for consumer in consumers {
            command.arg(accounts::own(accounts::ACKNOWLEDGED, consumer));
        }
        let Value::Array(shares) = self.connection.command(&command).await? else { return Ok(false) };
        Ok(shares.iter().any(|share| *share != Value::Nil))
    }

    /// Of which consumer's share what that one has stored is part: of one of the same store, which made the group;
    /// `None` where it has a share of its own alone.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn holder_of(&mut self, consumer: &str) -> Result<Option<String>, StreamError> {
        let field = accounts::own(accounts::WITHIN, consumer);
        Ok(match self.connection.command(cmd("HGET").arg(self.accounts_key()).arg(field)).await? {
            Value::BulkString(name) => Some(String::from_utf8_lossy(&name).into_owned()),
            _ => None,
        })
    }

    /// To which epoch of these consumers' store the accounts belong; `None` where none of them has told.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn epoch_of(&mut self, consumers: &[String]) -> Result<Option<u64>, StreamError> {
        let mut newest = None;
        for consumer in consumers {
            let command =
                cmd("HMGET").arg(self.accounts_key()).arg(accounts::own(accounts::EPOCH, consumer)).to_owned();
            let [epoch] = reply::numbers(self.connection.command(&command).await?, "HMGET")?;
            newest = newest.max(epoch.map(i64::unsigned_abs));
        }
        Ok(newest)
    }

    /// How many entries another consumer has acknowledged, and claimed as lost.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn shares_of(&mut self, consumer: &str) -> Result<(u64, u64), StreamError> {
        let fields = [accounts::ACKNOWLEDGED, accounts::LOST].map(|field| accounts::own(field, consumer));
        let command = cmd("HMGET").arg(self.accounts_key()).arg(&fields).to_owned();
        let [acknowledged, lost] = reply::numbers(self.connection.command(&command).await?, "HMGET")?;
        let count = |number: Option<i64>| number.unwrap_or(0).max(0).unsigned_abs();
        Ok((count(acknowledged), count(lost)))
    }

    /// What keeps this consumer from storing entries, as it has told; `None` where nothing does.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn trouble(&mut self) -> Result<Option<String>, StreamError> {
        let field = accounts::own(accounts::TROUBLE, &self.consumer);
        let command = cmd("HGET").arg(self.accounts_key()).arg(field).to_owned();
        Ok(match self.connection.command(&command).await? {
            Value::BulkString(text) => Some(String::from_utf8_lossy(&text).into_owned()),
            _ => None,
        })
    }
}
