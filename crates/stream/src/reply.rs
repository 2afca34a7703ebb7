//! Redis' answers, taken apart. Any value gives a result or an error, never a panic.

use std::time::Duration;

use redis::Value;

use super::StreamError;
use super::inquiry::{Consumer, Memory};
use emp_event::EntryId;

/// How the stream stands at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamState {
    /// How many entries were ever added.
    pub added: u64,
    /// How many are in it now.
    pub length: u64,
    /// The entry that was added first, of those in it now.
    pub first: Option<EntryId>,
    /// The highest ID ever given out.
    pub last: Option<EntryId>,
}

impl StreamState {
    /// How many entries were ever removed.
    pub fn removed(&self) -> u64 {
        self.added.saturating_sub(self.length)
    }
}

/// The IDs in the answer of XRANGE: a list of `[id, [name, value, …]]`.
pub(super) fn entry_ids(list: Value) -> Result<Vec<EntryId>, StreamError> {
    const COMMAND: &str = "XRANGE";
    let id = |entry: Value| pair(entry, COMMAND).and_then(|[id, _]| entry_id(&id, COMMAND));
    array(list, COMMAND)?.into_iter().map(id).collect()
}

/// The answer of XINFO STREAM; `None` where it does not tell how many entries were added, as before Redis 7.
pub(super) fn stream_state(reply: Value) -> Result<Option<StreamState>, StreamError> {
    const COMMAND: &str = "XINFO STREAM";
    let mut state = StreamState::default();
    let mut counts_added = false;
    for (name, value) in named(reply, COMMAND)? {
        match name.as_slice() {
            b"length" => state.length = count(&value, COMMAND)?,
            b"entries-added" => (state.added, counts_added) = (count(&value, COMMAND)?, true),
            b"last-generated-id" => state.last = Some(entry_id(&value, COMMAND)?),
            b"first-entry" if value != Value::Nil => {
                let [id, _] = pair(value, COMMAND)?;
                state.first = Some(entry_id(&id, COMMAND)?);
            }
            _ => {}
        }
    }
    Ok(counts_added.then_some(state))
}

/// The answer of INFO memory: lines of `name:value`.
pub(super) fn memory(info: &Value) -> Result<Memory, StreamError> {
    const COMMAND: &str = "INFO memory";
    let bytes = match info {
        Value::BulkString(bytes) => bytes.as_slice(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.as_bytes(),
        other => return Err(StreamError::Reply { command: COMMAND, detail: format!("{other:?} is no text") }),
    };
    let text = String::from_utf8_lossy(bytes);
    let value =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok());
    let missing = || StreamError::Reply { command: COMMAND, detail: "it has no used_memory".to_owned() };
    let used = value("used_memory").ok_or_else(missing)?;
    Ok(Memory { used, most: value("maxmemory").filter(|most| *most > 0) })
}

/// The `last-delivered-id` of one group in the answer of XINFO GROUPS; `None` where there is
/// no such group.
pub(super) fn last_delivered(reply: Value, group: &str) -> Result<Option<EntryId>, StreamError> {
    const COMMAND: &str = "XINFO GROUPS";
    for entry in array(reply, COMMAND)? {
        let fields = named(entry, COMMAND)?;
        let field = |wanted: &[u8]| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        if field(b"name").is_some_and(|name| bytes(name) == Some(group.as_bytes())) {
            return field(b"last-delivered-id").map(|id| entry_id(id, COMMAND)).transpose();
        }
    }
    Ok(None)
}

/// So many numbers, each missing or an integer.
pub(super) fn numbers<const N: usize>(reply: Value, command: &'static str) -> Result<[Option<i64>; N], StreamError> {
    let mut numbers = [None; N];
    for (number, value) in numbers.iter_mut().zip(array(reply, command)?) {
        *number = match value {
            Value::Nil => None,
            Value::Int(number) => Some(number),
            value => {
                let text = bytes(&value).and_then(|bytes| std::str::from_utf8(bytes).ok());
                let parsed = text.and_then(|text| text.parse().ok());
                Some(parsed.ok_or_else(|| unexpected(command, "a number", &value))?)
            }
        };
    }
    Ok(numbers)
}

/// The sum in the short answer of XPENDING.
pub(super) fn pending_count(reply: Value) -> Result<u64, StreamError> {
    const COMMAND: &str = "XPENDING";
    match array(reply, COMMAND)?.first() {
        Some(sum) => count(sum, COMMAND),
        None => Err(unexpected(COMMAND, "a sum", &Value::Nil)),
    }
}

/// The IDs in the long answer of XPENDING.
pub(super) fn pending_ids(reply: Value) -> Result<Vec<EntryId>, StreamError> {
    const COMMAND: &str = "XPENDING";
    let id = |entry: Value| entry_id(array(entry, COMMAND)?.first().unwrap_or(&Value::Nil), COMMAND);
    array(reply, COMMAND)?.into_iter().map(id).collect()
}

/// A connection that Redis has.
pub(super) struct Client {
    pub id: u64,
    pub name: String,
    /// Whole seconds since it asked for something last.
    pub idle: Duration,
}

/// The answer of CLIENT LIST: a line for each, of words `name=value`.
pub(super) fn clients(reply: Value) -> Vec<Client> {
    let text = bytes(&reply).map(String::from_utf8_lossy).unwrap_or_default();
    let value = |line: &str, name: &str| {
        line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default().to_owned()
    };
    let client = |line: &str| {
        let idle = Duration::from_secs(value(line, "idle").parse().unwrap_or_default());
        Some(Client { id: value(line, "id").parse().ok()?, name: value(line, "name"), idle })
    };
    text.lines().filter_map(client).collect()
}

/// The answer of XINFO CONSUMERS.
pub(super) fn consumers(reply: Value) -> Result<Vec<Consumer>, StreamError> {
    const COMMAND: &str = "XINFO CONSUMERS";
    let mut consumers = Vec::new();
    for entry in array(reply, COMMAND)? {
        let mut consumer = Consumer { name: String::new(), pending: 0, idle: Duration::ZERO };
        for (name, value) in named(entry, COMMAND)? {
            match name.as_slice() {
                b"name" => consumer.name = String::from_utf8_lossy(&owned_bytes(value, COMMAND)?).into_owned(),
                b"pending" => consumer.pending = count(&value, COMMAND)?,
                b"idle" => consumer.idle = Duration::from_millis(count(&value, COMMAND)?),
                _ => {}
            }
        }
        consumers.push(consumer);
    }
    Ok(consumers)
}

/// A list of alternating names and values.
fn named(reply: Value, command: &'static str) -> Result<Vec<(Vec<u8>, Value)>, StreamError> {
    let mut values = array(reply, command)?.into_iter();
    let mut fields = Vec::with_capacity(values.len() / 2);
    while let (Some(name), Some(value)) = (values.next(), values.next()) {
        fields.push((owned_bytes(name, command)?, value));
    }
    Ok(fields)
}

fn array(value: Value, command: &'static str) -> Result<Vec<Value>, StreamError> {
    match value {
        Value::Array(values) => Ok(values),
        other => Err(unexpected(command, "a list", &other)),
    }
}

fn pair(value: Value, command: &'static str) -> Result<[Value; 2], StreamError> {
    <[Value; 2]>::try_from(array(value, command)?)
        .map_err(|values| unexpected(command, "a pair", &Value::Array(values)))
}

fn count(value: &Value, command: &'static str) -> Result<u64, StreamError> {
    match value {
        Value::Int(number) if *number >= 0 => Ok(number.unsigned_abs()),
        other => Err(unexpected(command, "a count", other)),
    }
}

pub(super) fn entry_id(value: &Value, command: &'static str) -> Result<EntryId, StreamError> {
    bytes(value).and_then(EntryId::parse).ok_or_else(|| unexpected(command, "an entry ID", value))
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        _ => None,
    }
}

fn owned_bytes(value: Value, command: &'static str) -> Result<Vec<u8>, StreamError> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        other => Err(unexpected(command, "text", &other)),
    }
}

fn unexpected(command: &'static str, wanted: &str, found: &Value) -> StreamError {
    let kind = match found {
        Value::Nil => "nil".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Array(values) => format!("a list of {}", values.len()),
        Value::BulkString(bytes) => format!("`{}`", String::from_utf8_lossy(&bytes[..bytes.len().min(64)])),
        _ => "another type".to_owned(),
    };
    StreamError::Reply { command, detail: format!("{wanted} was expected, not {kind}") }
}
