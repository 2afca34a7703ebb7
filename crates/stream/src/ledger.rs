//! Moving the group's accounts: [`super::accounts`] says what they are.

use redis::{Value, cmd};

use super::accounts::{self, Accounts};
use super::poll::Start;
use super::reply;
use super::{Connection, GroupReader, StreamError};
use emp_event::EntryId;

/// What a consumer's store holds, as the accounts are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// How many entries it has stored as lost.
    pub lost: u64,
    /// The epoch of the store to which the accounts belong.
    pub epoch: u32,
    /// Up to which ID it has stored the entries that it was given.
    pub stored_up_to: EntryId,
    /// Up to which ID it had stored the stream's entries before the accounts began; `None` where they began with the
    /// stream, or with the consumer.
    pub known_up_to: Option<EntryId>,
}

/// What a store that makes the group has of the stream already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Earlier {
    /// Entries that the stream has no longer, and what the earlier consumers have stored as lost.
    pub held: u64,
    /// Those that this consumer has stored as lost.
    pub lost: u64,
    /// The store's earlier consumers.
    pub consumers: Vec<String>,
}

/// What a consumer has that accounts knew which somebody has deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// Its name.
    pub consumer: String,
    /// The entries that it has stored and that are not pending.
    pub held: u64,
    /// Those that it has stored as lost.
    pub lost: u64,
}

impl GroupReader {
    /// Makes the group, at the stream's beginning, with its accounts, and the stream, where
    /// they are missing.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn create_group(&mut self, start: Start, earlier: &Earlier) -> Result<(), StreamError> {
        let at = match start {
            Start::Now => "-".to_owned(),
            Start::At(position) => position.to_string(),
            Start::NewStream => "0".to_owned(),
        };
        let Connection { stream, group, .. } = &self.connection;
        let mut create = cmd("EVAL");
        create.arg(accounts::CREATE).arg(2).arg(stream).arg(self.accounts_key());
        create.arg(group).arg(&self.consumer).arg(at).arg(earlier.held).arg(earlier.lost).arg(&earlier.consumers);
        self.connection.command(&create).await.map(drop)
    }

    /// Makes this consumer known to the accounts, and brings its share of them up to what it has stored.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn agree_on(&mut self, holding: &Holding) -> Result<(), StreamError> {
        let Holding { lost, epoch, stored_up_to, known_up_to } = holding;
        let known_up_to = known_up_to.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let (lost, epoch, stored_up_to) = (lost.to_string(), epoch.to_string(), stored_up_to.to_string());
        self.amend(accounts::AGREE, &[self.consumer.clone(), lost, epoch, stored_up_to, known_up_to]).await?;
        let known = self.known_of(&self.consumer.clone()).await?;
        self.known.extend(known.map(|id| (self.consumer.clone(), id)));
        Ok(())
    }

    /// Says up to which ID this consumer, which another one takes over from, had stored the stream's entries before the
    /// accounts began: to acknowledge them counts for nothing.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn note_known(&mut self, known: EntryId) -> Result<(), StreamError> {
        let field = accounts::own(accounts::KNOWN, &self.consumer);
        self.amend(accounts::NOTE, &[field, known.to_string()]).await?;
        self.known.insert(self.consumer.clone(), known);
        Ok(())
    }

    /// Has somebody deleted the accounts? That is noted in them, for those who look later.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn notice_deleted_accounts(&mut self) -> Result<bool, StreamError> {
        Ok(self.amend(accounts::NOTICE_DELETED, &[]).await? == Value::Int(1))
    }

    /// Makes consumers known to accounts that somebody has deleted.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn come_back(&mut self, returned: &[Returned]) -> Result<(), StreamError> {
        let told = returned.iter().flat_map(|one| [one.consumer.clone(), one.held.to_string(), one.lost.to_string()]);
        self.amend(accounts::COME_BACK, &told.collect::<Vec<_>>()).await.map(drop)
    }

    /// The stream went back, as after a fail-over: begins the accounts anew there, where they still are as the
    /// caller saw them. They know no consumer then.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn begin_anew(&mut self, seen: &Accounts, last: EntryId) -> Result<(), StreamError> {
        let base = seen.base.map_or_else(|| "-".to_owned(), |base| base.to_string());
        self.amend(accounts::BEGIN_ANEW, &[base, last.to_string()]).await.map(drop)
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

    /// Says that this start reads for the store from now on.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn say_session(&mut self, store: &str, session: u64) -> Result<(), StreamError> {
        self.amend(accounts::NOTE, &[accounts::own(accounts::SESSION, store), session.to_string()]).await.map(drop)
    }

    /// Tells whoever asks what keeps this consumer from storing entries; `None`: nothing does.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn report_trouble(&mut self, trouble: Option<&str>) -> Result<(), StreamError> {
        let field = accounts::own(accounts::TROUBLE, &self.consumer);
        match trouble {
            Some(trouble) => self.amend(accounts::NOTE, &[field, trouble.to_owned()]).await.map(drop),
            None => self.connection.command(cmd("HDEL").arg(self.accounts_key()).arg(field)).await.map(drop),
        }
    }

    /// Removes a consumer of whose entries none is pending any more.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn remove_drained(&mut self, consumer: &str) -> Result<(), StreamError> {
        let Connection { stream, group, .. } = &self.connection;
        let mut remove = cmd("EVAL");
        remove.arg(accounts::REMOVE_DRAINED).arg(1).arg(stream).arg(group).arg(consumer);
        self.connection.command(&remove).await.map(drop)
    }

    /// Compares the accounts with what the read has shown, and claims what is missing.
    pub(super) async fn claim(&mut self, accounts: &mut Accounts, position: u64) -> Result<(), StreamError> {
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
                self.amend(accounts::SET_BASE, &[seen, base.to_string()]).await?;
                accounts.base = Some(base);
                Ok(())
            }
        }
    }

    /// Runs one of the scripts on the accounts.
    async fn amend(&mut self, script: &str, arguments: &[String]) -> Result<Value, StreamError> {
        let mut command = cmd("EVAL");
        command.arg(script).arg(1).arg(self.accounts_key()).arg(arguments);
        self.connection.command(&command).await
    }
}
