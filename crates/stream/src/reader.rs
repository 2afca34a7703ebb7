use std::time::Duration;

use redis::{Cmd, Pipeline, Value, cmd, pipe};

use super::accounts::{self, Accounts};
use super::entries::Entries;
use super::reply::{self, StreamState};
use super::{Connection, StreamError};
use emp_event::EntryId;

/// Reads the stream as one consumer of a consumer group, and keeps the group's [`Accounts`].
pub struct GroupReader {
    pub(super) connection: Connection,
    pub(super) consumer: String,
}

/// What one read found; all of it is of the same moment.
#[derive(Debug)]
pub struct Poll {
    /// The entries, in ID order.
    pub entries: Entries,
    /// Pending entries that were trimmed before they could be read again.
    pub trimmed: Vec<EntryId>,
    /// The stream after the read.
    pub state: StreamState,
    /// The group's accounts after the read, with what it showed to be lost claimed.
    pub accounts: Accounts,
}

/// Entries that are dealt with, to be acknowledged.
#[derive(Debug, Default)]
pub struct Settled {
    /// Those that are stored.
    pub stored: Vec<EntryId>,
    /// Those that were trimmed while they were pending, and are not stored: losses. To be
    /// acknowledged before anything above them is stored, for afterwards they cannot be told
    /// from those that were stored.
    pub gone: Vec<EntryId>,
}

/// Where the accounts of a new group begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// What was trimmed before now is not our business.
    Now,
    /// Up to this position all is accounted for: the group was destroyed, and its stream lives on.
    At(u64),
    /// The stream began anew, and all that it was ever given counts.
    NewStream,
}

impl GroupReader {
    /// Reads over that connection under the consumer's name.
    pub fn new(connection: Connection, consumer: &str) -> Self {
        Self { connection, consumer: consumer.to_owned() }
    }

    /// Goes on under another consumer's name.
    pub fn become_consumer(&mut self, consumer: &str) {
        consumer.clone_into(&mut self.consumer);
    }

    /// Is there no such group, or no stream at all?
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn group_is_missing(&mut self) -> Result<bool, StreamError> {
        match self.last_delivered().await {
            Ok(_) => Ok(false),
            Err(StreamError::NoGroup { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Makes sure that nothing is read under this consumer's name any more but over this
    /// connection.
    ///
    /// A connection that broke, or whose process died, may have left a request on its way. Were it
    /// carried out after the pending entries were looked through, what it reads would be pending
    /// unseen, and once entries above it are stored it could not be told from what is stored.
    /// Redis drops what a client has asked for that it ends.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn fence(&mut self) -> Result<(), StreamError> {
        let name = client_name(&self.connection.stream, &self.consumer);
        let mut list = cmd("CLIENT");
        list.arg("LIST").arg("TYPE").arg("normal");
        let clients = reply::clients(self.connection.command(&list).await?);
        for id in clients.into_iter().filter(|client| client.name == name).map(|client| client.id) {
            let mut kill = cmd("CLIENT");
            kill.arg("KILL").arg("ID").arg(id).arg("SKIPME").arg("yes");
            self.connection.command(&kill).await?;
        }
        self.connection.command(cmd("CLIENT").arg("SETNAME").arg(name)).await.map(drop)
    }

    /// Makes the group, at the stream's beginning, with its accounts, and the stream, where
    /// they are missing. `recorded` is what this consumer has stored as lost.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn create_group(&mut self, start: Start, recorded: u64) -> Result<(), StreamError> {
        let (at, begun) = match start {
            Start::Now => ("-".to_owned(), "now"),
            Start::At(position) => (position.to_string(), "keep"),
            Start::NewStream => ("0".to_owned(), "now"),
        };
        let Connection { stream, group, .. } = &self.connection;
        let mut create = cmd("EVAL");
        create.arg(accounts::CREATE).arg(2).arg(stream).arg(self.accounts_key());
        create.arg(group).arg(&self.consumer).arg(at).arg(recorded).arg(begun);
        self.connection.command(&create).await.map(drop)
    }

    /// Brings this consumer's share of the accounts up to what it has stored as lost.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn agree_on(&mut self, recorded: u64) -> Result<(), StreamError> {
        let consumer = self.consumer.clone();
        self.amend(accounts::AGREE, &[consumer, recorded.to_string(), "-".to_owned()]).await.map(drop)
    }

    /// The stream went back, as after a fail-over: begins this consumer's accounts anew there.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn begin_anew(&mut self, position: u64) -> Result<(), StreamError> {
        let consumer = self.consumer.clone();
        self.amend(accounts::AGREE, &[consumer, "0".to_owned(), position.to_string()]).await.map(drop)
    }

    /// Takes over what a dead consumer found to be lost and has not stored; `recorded` is what
    /// it has.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn take_over_losses(&mut self, from: &str, recorded: u64) -> Result<(), StreamError> {
        let consumer = self.consumer.clone();
        self.amend(accounts::HAND_OVER, &[from.to_owned(), consumer, recorded.to_string()]).await.map(drop)
    }

    /// Acknowledges what is settled, and reads up to `count` entries that no consumer has been
    /// given yet.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn poll_new(&mut self, count: usize, settled: &Settled) -> Result<Poll, StreamError> {
        let mut poll = self.poll(count, ">", settled).await?;
        if let Some(position) = poll.position() {
            self.claim(&mut poll.accounts, position).await?;
        }
        Ok(poll)
    }

    /// Acknowledges what is settled, and reads up to `count` entries above `after` that this
    /// consumer was given before and has not acknowledged.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn poll_pending(&mut self, count: usize, after: EntryId, settled: &Settled) -> Result<Poll, StreamError> {
        self.poll(count, &after.to_string(), settled).await
    }

    async fn poll(&mut self, count: usize, from: &str, settled: &Settled) -> Result<Poll, StreamError> {
        let Connection { stream, group, .. } = &self.connection;
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP").arg(group).arg(&self.consumer).arg("COUNT").arg(count);
        read.arg("STREAMS").arg(stream).arg(from);
        let mut hash = cmd("HMGET");
        hash.arg(self.accounts_key()).arg(&accounts::fields(&self.consumer));
        let pending = cmd("XPENDING").arg(stream).arg(group).to_owned();
        // One MULTI: the accounts are exact only for the moment of the read.
        let mut transaction = pipe();
        transaction.atomic();
        self.add_acknowledgement(&mut transaction, settled);
        transaction.add_command(read).add_command(hash).add_command(pending).add_command(self.xinfo_stream());
        let (answer, parts) = self.connection.transaction(&transaction).await?;
        // What was acknowledged was answered first.
        let [.., entries, hash, pending, state] = parts.as_slice() else {
            return Err(StreamError::Reply { command: "EXEC", detail: "it has too few answers".to_owned() });
        };
        let accounts = Accounts::read(answer.value(*hash), answer.value(*pending))?;
        let state = reply::stream_state(answer.value(*state))?;
        let (entries, trimmed) = Entries::take(answer, *entries)?;
        Ok(Poll { entries, trimmed, state, accounts })
    }

    /// Compares the accounts with what the read has shown, and claims what is missing.
    async fn claim(&mut self, accounts: &mut Accounts, position: u64) -> Result<(), StreamError> {
        match accounts.lost_up_to(position) {
            Some(lost) if lost == i64::try_from(accounts.lost).unwrap_or(i64::MAX) => Ok(()),
            Some(lost) if lost > 0 && lost.unsigned_abs() > accounts.lost => {
                let sum = lost.to_string();
                let consumer = self.consumer.clone();
                let claimed = self.amend(accounts::CLAIM, &[consumer, sum]).await?;
                let [all, own] = reply::numbers(claimed, "HMGET")?;
                accounts.lost = all.unwrap_or(0).max(0).unsigned_abs();
                accounts.own_lost = own.unwrap_or(0).max(0).unsigned_abs();
                Ok(())
            }
            // There are no accounts, or somebody has moved the group by hand: they begin here.
            _ => {
                let seen = accounts.base.map_or_else(|| "-".to_owned(), |base| base.to_string());
                let base = accounts.base_for(position);
                self.amend(accounts::SET_BASE, &[seen, base.to_string(), position.to_string()]).await?;
                accounts.base = Some(base);
                Ok(())
            }
        }
    }

    /// Acknowledges entries.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn acknowledge(&mut self, settled: &Settled) -> Result<(), StreamError> {
        if settled.is_empty() {
            return Ok(());
        }
        let mut transaction = pipe();
        self.add_acknowledgement(transaction.atomic(), settled);
        self.connection.transaction(&transaction).await.map(drop)
    }

    /// What was stored counts as acknowledged, what is gone as lost, to be stored as such.
    pub(super) fn add_acknowledgement(&self, transaction: &mut Pipeline, settled: &Settled) {
        for (field, ids) in [(accounts::ACKNOWLEDGED, &settled.stored), (accounts::LOST, &settled.gone)] {
            if ids.is_empty() {
                continue;
            }
            let Connection { stream, group, .. } = &self.connection;
            let mut acknowledge = cmd("EVAL");
            acknowledge.arg(accounts::ACKNOWLEDGE).arg(2).arg(stream).arg(self.accounts_key());
            acknowledge.arg(group).arg(field).arg(accounts::own(field, &self.consumer));
            for id in ids {
                acknowledge.arg(id.to_string());
            }
            transaction.add_command(acknowledge);
        }
    }

    /// Waits until the stream has an entry above `after`, at most that long.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn wait(&mut self, after: EntryId, at_most: Duration) -> Result<(), StreamError> {
        let mut command = cmd("XREAD");
        command.arg("COUNT").arg(1).arg("BLOCK").arg(at_most.as_millis().max(1).to_string());
        command.arg("STREAMS").arg(&self.connection.stream).arg(after.to_string());
        self.connection.command(&command).await.map(drop)
    }

    /// Runs one of the scripts on the accounts.
    async fn amend(&mut self, script: &str, arguments: &[String]) -> Result<Value, StreamError> {
        let mut command = cmd("EVAL");
        command.arg(script).arg(1).arg(self.accounts_key()).arg(arguments);
        self.connection.command(&command).await
    }

    pub(super) fn accounts_key(&self) -> String {
        accounts::key(&self.connection.stream, &self.connection.group)
    }

    pub(super) fn xinfo_stream(&self) -> Cmd {
        cmd("XINFO").arg("STREAM").arg(&self.connection.stream).to_owned()
    }
}

/// What Redis calls the connections of a consumer; it takes no spaces there.
fn client_name(stream: &str, consumer: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() { c } else { '-' };
    format!("emp-events:{stream}:{consumer}").chars().map(plain).collect()
}

impl Poll {
    /// The number of the entry that the group was given last, counted from the first ever added;
    /// `None` where this read alone does not tell.
    fn position(&self) -> Option<u64> {
        let Some(last) = self.entries.last_id() else { return Some(self.state.added) };
        if self.state.last == Some(last) {
            return Some(self.state.added);
        }
        let is_front = self.state.first == self.entries.first_id();
        is_front.then(|| self.state.removed() + self.entries.len() as u64)
    }
}

impl Settled {
    /// Is there nothing to acknowledge?
    pub fn is_empty(&self) -> bool {
        self.stored.is_empty() && self.gone.is_empty()
    }
}
