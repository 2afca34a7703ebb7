//! What a group has passed on, kept beside the stream: it moves in one step with each XACK.

use redis::{Value, cmd};

use super::{GroupReader, StreamError, accounts};
use emp_event::EntryId;

/// Takes or renews the lease where nobody else has it, and notes who has it. Answers 0 where another has it,
/// 1 where it is ours and was ours before, 2 where another had it last.
///
/// KEYS: lease, notes. ARGV: who, for how many ms.
const LEASE: &str = r"#!lua flags=allow-oom
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
local last = redis.call('HGET', KEYS[2], 'holder')
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if last == ARGV[1] then return 1 end
redis.call('HSET', KEYS[2], 'holder', ARGV[1])
return last and 2 or 1";

/// Gives the lease up where it is ours.
///
/// KEYS: lease. ARGV: who.
const RELEASE: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0";

/// Acknowledges entries, counts those that were pending, and writes notes, unless another has had the lease
/// since; answers 1 where it did.
///
/// KEYS: stream, accounts, notes. ARGV: who, group, the field to count in beside `acknowledged`, how many words
/// the notes are, the notes, the IDs.
const SETTLE: &str = r"#!lua flags=allow-oom
if (redis.call('HGET', KEYS[3], 'holder') or ARGV[1]) ~= ARGV[1] then return 0 end
local ids, count = 5 + ARGV[4], 0
for first = ids, #ARGV, 1000 do
  count = count + redis.call('XACK', KEYS[1], ARGV[2], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
if count > 0 then
  redis.call('HINCRBY', KEYS[2], 'acknowledged', count)
  redis.call('HINCRBY', KEYS[2], ARGV[3], count)
end
redis.call('HSET', KEYS[3], unpack(ARGV, 5, ids - 1))
return 1";

/// Who has the lease of a group now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// We do, and nobody else had it since we had it last.
    Ours,
    /// We do; before us another had it.
    TakenOver,
    /// Another one.
    Theirs,
}

impl GroupReader {
    /// Acknowledges entries, and writes fields of the group's notes in the same step: at least one. `false`,
    /// and nothing is done, where another has had the lease since that holder had it.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn settle(
        &mut self,
        holder: &str,
        settled: &[EntryId],
        notes: &[(&'static str, String)],
    ) -> Result<bool, StreamError> {
        let own = accounts::own(accounts::ACKNOWLEDGED, &self.consumer);
        let mut command = cmd("EVAL");
        command.arg(SETTLE).arg(3).arg(&self.connection.stream).arg(self.accounts_key()).arg(self.notes_key());
        command.arg(holder).arg(&self.connection.group).arg(own).arg(2 * notes.len()).arg(notes);
        for id in settled {
            command.arg(id.to_string());
        }
        Ok(self.connection.command(&command).await? == Value::Int(1))
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

    /// Takes the group's lease, or renews it: whoever has it is the one that reads.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn hold_lease(&mut self, holder: &str, lasts_ms: u64) -> Result<Lease, StreamError> {
        let mut command = cmd("EVAL");
        command.arg(LEASE).arg(2).arg(self.lease_key()).arg(self.notes_key()).arg(holder).arg(lasts_ms);
        Ok(match self.connection.command(&command).await? {
            Value::Int(1) => Lease::Ours,
            Value::Int(2) => Lease::TakenOver,
            _ => Lease::Theirs,
        })
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
