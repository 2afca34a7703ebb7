//! The group's accounts: what all its readers together have been given, kept in Redis.
//!
//! `MAXLEN ~` removes entries from the stream's front, and Redis does not say which. But they go
//! in the order in which they came, so with E entries ever added and L still there, the first
//! R = E − L are gone. Count the entries of a stream from 1 in the order they were added: the
//! entry that a read begins with has the number R + 1 where it is the stream's first, and the
//! one it ends with has the number E where it is the last. So a reader knows which number the
//! group has got to whenever it reads at the front or up to the end, and between the two nothing
//! can have been trimmed.
//!
//! What was lost up to that moment is that number, less what was delivered. Every delivered entry
//! is either acknowledged or pending. Redis counts the pending ones, and a hash beside the stream
//! counts the others, moved in the same transaction as each XACK. So the sum is exact at any
//! moment, however many readers there are, and whichever of them dies:
//!
//! ```text
//! position = base + acknowledged + pending + lost
//! ```
//!
//! A reader that finds more lost than the hash says claims the difference, and then stores it.
//! Claims only raise the sum, one after another, so that no loss is claimed twice. What a reader
//! claimed and did not store before it died, it finds under its name when it starts again.
//!
//! A full Redis refuses whatever may take memory. The scripts may write all the same (`allow-oom`):
//! what they write is a few numbers, and reading and acknowledging is what makes room.

use redis::Value;

use super::StreamError;
use super::reply;

/// The fields of the hash.
pub(super) const BASE: &str = "base";
pub(super) const BEGUN: &str = "begun";
pub(super) const ACKNOWLEDGED: &str = "acknowledged";
pub(super) const LOST: &str = "lost";
/// What keeps a consumer from storing entries, in words.
pub(super) const TROUBLE: &str = "trouble";
/// The number of the start that reads for a store, by the store's id.
pub(super) const SESSION: &str = "session";
/// The highest ID that the stream had when it was found to have gone back, and these accounts began.
pub(super) const WENT_BACK: &str = "went-back";
/// The ID that a consumer has acknowledged last, or that it had stored when it said so.
pub(super) const STORED_UP_TO: &str = "stored-up-to";
/// The epoch of a consumer's store to which these accounts belong.
pub(super) const EPOCH: &str = "epoch";
/// Up to this ID a consumer had stored the stream's entries before these accounts began.
pub(super) const KNOWN: &str = "known";

/// Whose share what a consumer has stored is part of, where the accounts began after it was the store's.
pub(super) const WITHIN: &str = "within";

/// The hash of one group.
pub(super) fn key(stream: &str, group: &str) -> String {
    format!("{stream}:accounts:{group}")
}

/// The field in which a consumer's own share of `lost` or `acknowledged` is kept.
pub(super) fn own(field: &str, consumer: &str) -> String {
    format!("{field}:{consumer}")
}

/// The fields that [`Accounts::read`] expects, in this order. `store` is the id of the consumer's store; empty
/// where it has none.
pub(super) fn fields(consumer: &str, store: &str) -> [String; 7] {
    let (own_lost, own_acknowledged) = (own(LOST, consumer), own(ACKNOWLEDGED, consumer));
    [BASE.into(), BEGUN.into(), ACKNOWLEDGED.into(), LOST.into(), own_lost, own_acknowledged, own(SESSION, store)]
}

/// How the accounts stand at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accounts {
    /// What makes the sum come out; below zero where entries were pending when it began.
    /// `None` where there are no accounts yet.
    pub(super) base: Option<i64>,
    /// The number of the last entry before those that the accounts are about.
    pub begun: u64,
    /// Entries delivered and acknowledged.
    pub acknowledged: u64,
    /// Entries delivered and not acknowledged.
    pub pending: u64,
    /// Entries trimmed before they were delivered, or before they were stored, as claimed.
    pub lost: u64,
    /// Those of them that this consumer has claimed, and stores.
    pub own_lost: u64,
    /// Is this consumer known? It is from its first start on, as long as the stream lives.
    pub is_known: bool,
    /// The start that reads for this consumer's store; `None` where none has said so.
    pub(super) session: Option<u64>,
}

impl Accounts {
    /// From the answers of HMGET and XPENDING.
    pub(super) fn read(hash: Value, pending: Value) -> Result<Self, StreamError> {
        let [base, begun, acknowledged, lost, own_lost, own_acknowledged, session] = reply::numbers(hash, "HMGET")?;
        let count = |number: Option<i64>| number.unwrap_or(0).max(0).unsigned_abs();
        Ok(Self {
            base,
            begun: count(begun),
            acknowledged: count(acknowledged),
            pending: reply::pending_count(pending)?,
            lost: count(lost),
            own_lost: count(own_lost),
            is_known: own_acknowledged.is_some(),
            session: session.map(i64::unsigned_abs),
        })
    }

    /// The number of the entry that was delivered last; `None` where there are no accounts.
    pub fn position(&self) -> Option<u64> {
        let position = self.base? + self.delivered() + signed(self.lost);
        Some(position.max(0).unsigned_abs())
    }

    /// What was lost up to the moment at which the entry of that number had been delivered.
    pub(super) fn lost_up_to(&self, position: u64) -> Option<i64> {
        Some(signed(position) - self.base? - self.delivered())
    }

    /// The base with which the sum comes out at that position.
    pub(super) fn base_for(&self, position: u64) -> i64 {
        signed(position) - self.delivered() - signed(self.lost)
    }

    fn delivered(&self) -> i64 {
        signed(self.acknowledged) + signed(self.pending)
    }
}

/// No count of entries comes near the bound.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Makes the group and its accounts in one step, where there is no such group.
///
/// KEYS: stream, hash. ARGV: group, consumer, the position up to which all is accounted for (or
/// `-` for all that was trimmed before now), how many of those entries its store holds, how many of them the consumer
/// has stored as lost, and the store's earlier consumers, whose share is part of that. Answers 1 where it made the group.
pub(super) const CREATE: &str = r"#!lua flags=allow-oom
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if made.err then
  if string.find(made.err, 'BUSYGROUP') then return 0 end
  return made
end
local info, added, length = redis.call('XINFO', 'STREAM', KEYS[1]), nil, 0
for i = 1, #info, 2 do
  if info[i] == 'entries-added' then added = info[i + 1] end
  if info[i] == 'length' then length = info[i + 1] end
end
if not added then
  redis.call('XGROUP', 'DESTROY', KEYS[1], ARGV[1])
  return redis.error_reply('TOOOLD it does not count the entries added to a stream')
end
local removed = added - length
local start = removed
if ARGV[3] ~= '-' then start = math.min(removed, tonumber(ARGV[3])) end
local begun = start - ARGV[4] - ARGV[5]
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'base', begun, 'begun', begun, 'acknowledged', ARGV[4], 'acknowledged:' .. ARGV[2], ARGV[4],
  'lost', ARGV[5], 'lost:' .. ARGV[2], ARGV[5])
for i = 6, #ARGV do redis.call('HSET', KEYS[2], 'within:' .. ARGV[i], ARGV[2]) end
return 1";

/// Acknowledges entries, and counts those that were pending indeed: after a reset of the stream
/// they are not.
///
/// Lua hands some 8,000 values to a command at most, so that many IDs go in portions.
///
/// KEYS: stream, hash. ARGV: group, the two fields to count in, the field for the last of the IDs or `-`, the IDs.
pub(super) const ACKNOWLEDGE: &str = r"#!lua flags=allow-oom
local function is_above(id, other)
  local ms, seq = string.match(id, '(%d+)-(%d+)')
  local other_ms, other_seq = string.match(other, '(%d+)-(%d+)')
  if ms == other_ms then return tonumber(seq) > tonumber(other_seq) end
  return tonumber(ms) > tonumber(other_ms)
end
local count = 0
for first = 5, #ARGV, 1000 do
  count = count + redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
if count > 0 then
  redis.call('HINCRBY', KEYS[2], ARGV[2], count)
  redis.call('HINCRBY', KEYS[2], ARGV[3], count)
  local last = ARGV[#ARGV]
  if ARGV[4] ~= '-' and is_above(last, redis.call('HGET', KEYS[2], ARGV[4]) or '0-0') then
    redis.call('HSET', KEYS[2], ARGV[4], last)
  end
end
return count";

/// Sets the base, where it is still what the caller saw (`-`: none). Accounts without one begin there.
///
/// KEYS: hash. ARGV: the base seen, the base to be.
pub(super) const SET_BASE: &str = r"#!lua flags=allow-oom
if (redis.call('HGET', KEYS[1], 'base') or '-') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'base', ARGV[2])
if ARGV[1] == '-' then redis.call('HSET', KEYS[1], 'begun', ARGV[2]) end
return 1";

/// Notices accounts that somebody has deleted, and notes that they were: those that begin with a group know who made it,
/// and those that begin since the stream went back say so. Answers 1 where they were deleted, now or before.
///
/// KEYS: hash.
pub(super) const NOTICE_DELETED: &str = r"#!lua flags=allow-oom
if redis.call('HEXISTS', KEYS[1], 'deleted') == 1 then return 1 end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if field == 'went-back' or string.find(field, '^acknowledged:') then return 0 end
end
redis.call('HSET', KEYS[1], 'deleted', 1)
return 1";

/// Gives accounts that somebody has deleted back what they knew of consumers: what they are about begins before what
/// these hold.
///
/// KEYS: hash. ARGV, for each of them: the consumer, how many entries it holds that are not pending, how many it has
/// stored as lost.
pub(super) const COME_BACK: &str = r"#!lua flags=allow-oom
for i = 1, #ARGV, 3 do
  local consumer, held, lost = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('HSETNX', KEYS[1], 'acknowledged:' .. consumer, held) == 1 then
    redis.call('HINCRBY', KEYS[1], 'acknowledged', held)
    redis.call('HINCRBY', KEYS[1], 'lost', lost)
    redis.call('HINCRBY', KEYS[1], 'lost:' .. consumer, lost)
    if redis.call('HEXISTS', KEYS[1], 'base') == 1 then
      local before = 0 - held - lost
      redis.call('HINCRBY', KEYS[1], 'base', before)
      redis.call('HINCRBY', KEYS[1], 'begun', before)
    end
  end
end
return 1";

/// Raises what is claimed as lost to that sum; answers the sum, and the consumer's share of it.
///
/// KEYS: hash. ARGV: consumer, sum.
pub(super) const CLAIM: &str = r"#!lua flags=allow-oom
local more = ARGV[2] - (redis.call('HGET', KEYS[1], 'lost') or 0)
if more > 0 then
  redis.call('HINCRBY', KEYS[1], 'lost', more)
  redis.call('HINCRBY', KEYS[1], 'lost:' .. ARGV[1], more)
end
return redis.call('HMGET', KEYS[1], 'lost', 'lost:' .. ARGV[1])";

/// Makes a consumer known, and its share of what was lost agree with what it has stored; leaves
/// the position as it is. A lower share is raised; a higher one is a loss still to be stored, and
/// stays. What another consumer's share had of it becomes its own.
///
/// KEYS: hash. ARGV: consumer, what it has stored as lost, its store's epoch, up to which ID it has stored the
/// stream's entries, up to which it had before the accounts began, or `-`.
pub(super) const AGREE: &str = r"#!lua flags=allow-oom
local share = 'lost:' .. ARGV[1]
redis.call('HSETNX', KEYS[1], 'acknowledged:' .. ARGV[1], 0)
redis.call('HSET', KEYS[1], 'epoch:' .. ARGV[1], ARGV[3], 'stored-up-to:' .. ARGV[1], ARGV[4])
if ARGV[5] ~= '-' then redis.call('HSET', KEYS[1], 'known:' .. ARGV[1], ARGV[5]) end
local more = ARGV[2] - (redis.call('HGET', KEYS[1], share) or 0)
if more <= 0 or redis.call('HEXISTS', KEYS[1], 'base') == 0 then return 0 end
redis.call('HINCRBY', KEYS[1], share, more)
redis.call('HINCRBY', KEYS[1], 'lost', more)
local holder = redis.call('HGET', KEYS[1], 'within:' .. ARGV[1])
if holder then
  redis.call('HINCRBY', KEYS[1], 'acknowledged', -more)
  redis.call('HINCRBY', KEYS[1], 'acknowledged:' .. holder, -more)
else
  redis.call('HINCRBY', KEYS[1], 'base', -more)
end
return more";

/// Begins the accounts anew where the stream went back: all that it was given so far but for what is pending or
/// unread is settled, and no consumer is known. Only the first who notices does so, which the base tells.
///
/// KEYS: hash. ARGV: the base seen (`-`: none), the highest ID that the stream has.
pub(super) const BEGIN_ANEW: &str = r"#!lua flags=allow-oom
local sum = redis.call('HMGET', KEYS[1], 'base', 'acknowledged', 'lost')
if (sum[1] or '-') ~= ARGV[1] then return 0 end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if not string.find(field, '^session:') then redis.call('HDEL', KEYS[1], field) end
end
redis.call('HSET', KEYS[1], 'went-back', ARGV[2])
if not sum[1] then return 1 end
local settled = sum[1] + (sum[2] or 0) + (sum[3] or 0)
redis.call('HSET', KEYS[1], 'base', settled, 'begun', settled)
return 1";

/// Writes one field of the accounts.
///
/// KEYS: hash. ARGV: the field, its value.
pub(super) const NOTE: &str = r"#!lua flags=allow-oom
return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])";

/// Hands what a dead consumer had claimed and not stored to another.
///
/// KEYS: hash. ARGV: from, to, what the first has stored.
pub(super) const HAND_OVER: &str = r"#!lua flags=allow-oom
local owed = (redis.call('HGET', KEYS[1], 'lost:' .. ARGV[1]) or 0) - ARGV[3]
if owed <= 0 then return 0 end
redis.call('HINCRBY', KEYS[1], 'lost:' .. ARGV[1], -owed)
redis.call('HINCRBY', KEYS[1], 'lost:' .. ARGV[2], owed)
return owed";

/// Removes a consumer that has nothing pending: with what is pending, it would be forgotten.
///
/// KEYS: stream. ARGV: group, consumer.
pub(super) const REMOVE_DRAINED: &str = r"#!lua flags=allow-oom
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) > 0 then return 0 end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1";

/// Lua that tells how a stream stands: what XINFO STREAM says, but of its first entry the ID alone, and nothing of
/// its last one. They may be large, and are asked about with each read.
macro_rules! stand {
    () => {
        r"
local function stand(key)
  local info = redis.call('XINFO', 'STREAM', key)
  for i = 1, #info, 2 do
    if info[i] == 'first-entry' and info[i + 1] then info[i + 1] = {info[i + 1][1], ''} end
    if info[i] == 'last-entry' then info[i + 1] = false end
  end
  return info
end
"
    };
}

/// Tells how the stream stands.
///
/// KEYS: stream.
pub(super) const STAND: &str = concat!("#!lua flags=no-writes", stand!(), "return stand(KEYS[1])");

/// Reads as a consumer, unless the count is 0, and tells how the accounts and the stream stand then.
///
/// KEYS: stream, hash. ARGV: group, consumer, count, from which ID, the hash's fields.
pub(super) const READ: &str = concat!(
    "#!lua flags=allow-oom",
    stand!(),
    r"
local read = false
if tonumber(ARGV[3]) > 0 then
  read = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[3], 'STREAMS', KEYS[1], ARGV[4])
end
return {read, redis.call('HMGET', KEYS[2], unpack(ARGV, 5)), redis.call('XPENDING', KEYS[1], ARGV[1]), stand(KEYS[1])}"
);
