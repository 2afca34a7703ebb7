//! Moving the group's accounts: [`super::accounts`] says what they are.

use redis::{Value, cmd};

use super::accounts::{self, Accounts};
use super::poll::Start;
use super::reply;
use super::{Connection, GroupReader, StreamError};

impl GroupReader {
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

    /// Makes this consumer known to accounts that were begun anew in the middle of the stream's life, with what it had
    /// dealt with before.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn come_back(&mut self, held: u64) -> Result<(), StreamError> {
        let consumer = self.consumer.clone();
        self.amend(accounts::COME_BACK, &[consumer, held.to_string()]).await.map(drop)
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
                self.amend(accounts::SET_BASE, &[seen, base.to_string(), position.to_string()]).await?;
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
