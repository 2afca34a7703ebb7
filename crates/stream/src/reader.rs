use std::collections::BTreeMap;
use std::time::Duration;

use redis::{Cmd, Pipeline, cmd, pipe};

use super::accounts::{self, Accounts};
use super::entries::{Entries, Taken};
use super::pace::Pace;
use super::poll::{Poll, Settled};
use super::resp::Answer;
use super::{Connection, StreamError};
use emp_event::EntryId;

/// IDs acknowledged by one script: Redis takes some eight thousand as arguments of one call.
const ACKNOWLEDGED_AT_ONCE: usize = 1_000;

/// Reads the stream as one consumer of a consumer group, and keeps the group's [`Accounts`].
pub struct GroupReader {
    pub(super) connection: Connection,
    pub(super) consumer: String,
    session: Option<Session>,
    /// Up to which ID a consumer had stored the stream's entries before the accounts began.
    pub(super) known: BTreeMap<String, EntryId>,
    pace: Pace,
    /// What was delivered and is to be asked for again, before anything new.
    rest: Option<Rest>,
}

/// Which start of which store's collector reads.
#[derive(Debug)]
struct Session {
    /// The store's id.
    store: String,
    /// What Redis may say of who reads: the number of this start, or of the one that it follows.
    numbers: Vec<u64>,
}

/// Entries that were delivered to this consumer, in an answer that was too long to be kept.
#[derive(Debug, Clone)]
struct Rest {
    after: EntryId,
    /// How many bytes each of them takes, about.
    sizes: Vec<usize>,
}

impl GroupReader {
    /// Reads over that connection under the consumer's name.
    pub fn new(connection: Connection, consumer: &str) -> Self {
        let (consumer, known) = (consumer.to_owned(), BTreeMap::new());
        Self { connection, consumer, session: None, known, pace: Pace::new(), rest: None }
    }

    /// Reads for a store from now on, as the start of that number, and hands out nothing once another start has
    /// said that it does. `before` is the start that it follows.
    pub fn read_as(&mut self, store: &str, session: u64, before: Option<u64>) {
        let numbers = std::iter::once(session).chain(before).collect();
        self.session = Some(Session { store: store.to_owned(), numbers });
    }

    /// How many entries the next read asks for, at most.
    pub fn pace(&self) -> usize {
        self.pace.count(usize::MAX)
    }

    /// Asks for no more than so many at first: an answer to more did not get through.
    pub fn begin_with(&mut self, entries: usize) {
        self.pace = Pace::from(entries);
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

    /// Acknowledges what is settled, and reads up to `count` entries that no consumer has been
    /// given yet: fewer where they are large.
    ///
    /// # Errors
    /// Any [`StreamError`]; [`StreamError::TakenOver`] where another start reads for the store.
    pub async fn poll_new(&mut self, count: usize, settled: &Settled) -> Result<Poll, StreamError> {
        if let Some(rest) = self.rest.clone() {
            let poll = self.poll_rest(count, rest, settled).await?;
            if poll.rest > 0 || !poll.entries.is_empty() || !poll.trimmed.is_empty() {
                return Ok(poll);
            }
            // Somebody has acknowledged it by hand.
            return self.poll_undelivered(count, &Settled::default()).await;
        }
        self.poll_undelivered(count, settled).await
    }

    async fn poll_undelivered(&mut self, count: usize, settled: &Settled) -> Result<Poll, StreamError> {
        let mut poll = self.poll(self.pace.count(count), ">", settled).await?;
        if let Some(cut) = &poll.cut {
            poll.rest = cut.count();
            self.rest = Some(Rest { after: cut.first.before(), sizes: cut.sizes.clone() });
        }
        if let Some(position) = poll.position() {
            self.claim(&mut poll.accounts, position).await?;
        }
        Ok(poll)
    }

    /// Goes on with what was delivered in an answer that was too long: with as many as fit, so that each comes over
    /// the line twice at most.
    async fn poll_rest(&mut self, count: usize, mut rest: Rest, settled: &Settled) -> Result<Poll, StreamError> {
        let count = Pace::fitting(rest.sizes.iter().copied()).min(count);
        let mut poll = self.poll(count, &rest.after.to_string(), settled).await?;
        let here = poll.entries.len() + poll.trimmed.len();
        let is_over = here == 0 && poll.cut.is_none();
        rest.sizes.drain(..here.min(rest.sizes.len()));
        rest.after = poll.last_id().unwrap_or(rest.after);
        poll.rest = if is_over { 0 } else { rest.sizes.len() as u64 };
        self.rest = (poll.rest > 0).then_some(rest);
        Ok(poll)
    }

    /// Acknowledges what is settled, and reads up to `count` entries above `after` that this
    /// consumer was given before and has not acknowledged: fewer where they are large.
    ///
    /// # Errors
    /// Any [`StreamError`]; [`StreamError::TakenOver`] where another start reads for the store.
    pub async fn poll_pending(&mut self, count: usize, after: EntryId, settled: &Settled) -> Result<Poll, StreamError> {
        let mut poll = self.poll(self.pace.count(count), &after.to_string(), settled).await?;
        if poll.cut.is_some() && poll.last_id().is_none() {
            // One entry alone is more than is kept: it is asked for by itself.
            poll = self.poll(1, &after.to_string(), &Settled::default()).await?;
        }
        Ok(poll)
    }

    async fn poll(&mut self, count: usize, from: &str, settled: &Settled) -> Result<Poll, StreamError> {
        let Connection { stream, group, .. } = &self.connection;
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP").arg(group).arg(&self.consumer).arg("COUNT").arg(count);
        read.arg("STREAMS").arg(stream).arg(from);
        let (answer, [entries, hash, pending, state]) = self.read_with_accounts(settled, &read, count, from).await?;
        let accounts = Accounts::read(answer.value(hash), answer.value(pending))?;
        let state = self.connection.stream_state(answer.value(state))?;
        self.check_session(&accounts)?;
        let Taken { entries, trimmed, cut } = Entries::take(answer, entries)?;
        self.pace.learn(&entries, cut.as_ref());
        Ok(Poll { entries, trimmed, rest: 0, state, accounts, cut })
    }

    /// Acknowledges, reads, and asks how the accounts stand at that moment, for which they are exact alone. The
    /// answer, and where in it those of XREADGROUP, HMGET, XPENDING and [`accounts::STAND`] are.
    async fn read_with_accounts(
        &mut self,
        settled: &Settled,
        read: &Cmd,
        count: usize,
        from: &str,
    ) -> Result<(Answer, [usize; 4]), StreamError> {
        let Connection { stream, group, .. } = &self.connection;
        let pending = cmd("XPENDING").arg(stream).arg(group).to_owned();
        let mut transaction = pipe();
        transaction.atomic();
        self.add_acknowledgement(&mut transaction, settled);
        transaction.add_command(read.clone()).add_command(self.get_accounts());
        transaction.add_command(pending).add_command(self.stand());
        match self.connection.transaction(&transaction, Pace::kept_bytes(count)).await {
            // What was acknowledged was answered first.
            Ok((answer, parts)) => {
                let last = parts.last_chunk().copied();
                Ok((answer, last.ok_or_else(|| too_few_answers("EXEC"))?))
            }
            // A full Redis queues nothing, not even what would make room.
            Err(StreamError::Full { .. }) => {
                self.acknowledge(settled).await?;
                self.read_by_script(count, from).await
            }
            Err(error) => Err(error),
        }
    }

    /// Reads, where `count` is not 0, and asks how the accounts stand, in one script.
    pub(super) async fn read_by_script(
        &mut self,
        count: usize,
        from: &str,
    ) -> Result<(Answer, [usize; 4]), StreamError> {
        let Connection { stream, group, .. } = &self.connection;
        let mut script = cmd("EVAL");
        script.arg(accounts::READ).arg(2).arg(stream).arg(self.accounts_key());
        script.arg(group).arg(&self.consumer).arg(count).arg(from).arg(&self.account_fields());
        let answer = self.connection.answer(&script, Pace::kept_bytes(count)).await?;
        let parts = <[usize; 4]>::try_from(answer.parts(0)).map_err(|_| too_few_answers("EVAL"))?;
        Ok((answer, parts))
    }

    /// Has another start said that it reads for the store? Then what was read is not ours to store.
    fn check_session(&self, accounts: &Accounts) -> Result<(), StreamError> {
        let is_ours = |number: u64| self.session.as_ref().is_none_or(|session| session.numbers.contains(&number));
        match accounts.session {
            Some(number) if !is_ours(number) => Err(StreamError::TakenOver { consumer: self.consumer.clone() }),
            _ => Ok(()),
        }
    }

    /// Asks for what [`Accounts::read`] expects.
    pub(super) fn get_accounts(&self) -> Cmd {
        let mut hash = cmd("HMGET");
        hash.arg(self.accounts_key()).arg(&self.account_fields());
        hash
    }

    fn account_fields(&self) -> [String; 7] {
        let store = self.session.as_ref().map_or("", |session| session.store.as_str());
        accounts::fields(&self.consumer, store)
    }

    /// Acknowledges entries.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn acknowledge(&mut self, settled: &Settled) -> Result<(), StreamError> {
        if settled.is_empty() {
            return Ok(());
        }
        // Each script is one step by itself, and a full Redis takes them like this.
        let mut pipeline = pipe();
        self.add_acknowledgement(&mut pipeline, settled);
        self.connection.pipeline(&pipeline).await.map(drop)
    }

    /// What was stored counts as acknowledged, what is gone as lost, to be stored as such. What was stored before
    /// the accounts began belongs before their beginning.
    pub(super) fn add_acknowledgement(&self, transaction: &mut Pipeline, settled: &Settled) {
        let known = self.known.get(&self.consumer).copied().unwrap_or(EntryId::ZERO);
        let (before, stored): (Vec<EntryId>, Vec<EntryId>) = settled.stored.iter().partition(|id| **id <= known);
        let own = |field| accounts::own(field, &self.consumer);
        let (acknowledged, last) = (own(accounts::ACKNOWLEDGED), own(accounts::STORED_UP_TO));
        self.add_acknowledged(transaction, &before, [accounts::BASE, accounts::BEGUN, "-"]);
        self.add_acknowledged(transaction, &stored, [accounts::ACKNOWLEDGED, &acknowledged, &last]);
        self.add_acknowledged(transaction, &settled.gone, [accounts::LOST, &own(accounts::LOST), "-"]);
    }

    fn add_acknowledged(&self, transaction: &mut Pipeline, ids: &[EntryId], fields: [&str; 3]) {
        let Connection { stream, group, .. } = &self.connection;
        for ids in ids.chunks(ACKNOWLEDGED_AT_ONCE) {
            let mut acknowledge = cmd("EVAL");
            acknowledge.arg(accounts::ACKNOWLEDGE).arg(2).arg(stream).arg(self.accounts_key());
            acknowledge.arg(group).arg(&fields);
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
        self.connection.outline(&command).await.map(drop)
    }

    pub(super) fn accounts_key(&self) -> String {
        accounts::key(&self.connection.stream, &self.connection.group)
    }

    /// Asks how the stream stands.
    pub(super) fn stand(&self) -> Cmd {
        cmd("EVAL").arg(accounts::STAND).arg(1).arg(&self.connection.stream).to_owned()
    }
}

fn too_few_answers(command: &'static str) -> StreamError {
    StreamError::Reply { command, detail: "it has too few answers".to_owned() }
}
