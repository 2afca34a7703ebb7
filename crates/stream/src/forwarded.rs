//! What a group has passed on, kept beside the stream: it moves in one step with each XACK.

use redis::{Value, cmd, pipe};

use super::{GroupReader, Settled, StreamError};

/// Sets or renews the lease where nobody else has it; answers 1 where it is ours.
///
/// KEYS: lease. ARGV: who, for how many ms.
const LEASE: &str = r"
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1";

/// Gives the lease up where it is ours.
///
/// KEYS: lease. ARGV: who.
const RELEASE: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0";

impl GroupReader {
    /// Acknowledges entries, and writes fields of the group's notes in the same step.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn acknowledge_noting(
        &mut self,
        settled: &Settled,
        notes: &[(&'static str, String)],
    ) -> Result<(), StreamError> {
        let mut transaction = pipe();
        self.add_acknowledgement(transaction.atomic(), settled);
        transaction.add_command(cmd("HSET").arg(self.notes_key()).arg(notes).to_owned());
        self.connection.transaction(&transaction, usize::MAX).await.map(drop)
    }

    /// The fields of the group's notes, in the order asked for; `None` where one is not set.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn notes<const N: usize>(&mut self, fields: [&str; N]) -> Result<[Option<String>; N], StreamError> {
        let command = cmd("HMGET").arg(self.notes_key()).arg(&fields).to_owned();
        let Value::Array(values) = self.connection.command(&command).await? else {
            return Err(StreamError::Reply { command: "HMGET", detail: "it is no list".to_owned() });
        };
        let mut notes = values.into_iter().map(|value| match value {
            Value::BulkString(text) => Some(String::from_utf8_lossy(&text).into_owned()),
            _ => None,
        });
        Ok(std::array::from_fn(|_| notes.next().flatten()))
    }

    /// Takes the group's lease, or renews it: whoever has it is the one that reads. `false` where
    /// another holds it.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn hold_lease(&mut self, holder: &str, lasts_ms: u64) -> Result<bool, StreamError> {
        let mut command = cmd("EVAL");
        command.arg(LEASE).arg(1).arg(self.lease_key()).arg(holder).arg(lasts_ms);
        Ok(self.connection.command(&command).await? == Value::Int(1))
    }

    /// Gives the lease up.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn release_lease(&mut self, holder: &str) -> Result<(), StreamError> {
        let mut command = cmd("EVAL");
        command.arg(RELEASE).arg(1).arg(self.lease_key()).arg(holder);
        self.connection.command(&command).await.map(drop)
    }

    fn notes_key(&self) -> String {
        format!("{}:forward:{}", self.connection.stream, self.connection.group)
    }

    fn lease_key(&self) -> String {
        format!("{}:lease", self.notes_key())
    }
}
