use std::borrow::Cow;

use serde_json::value::RawValue;

use super::data::{self, Members};
use super::{EntryId, Event, Rejection, decode_fields, read_time};

/// An event as one line of JSON, in the wire's names: what a client's spool holds, and what can be
/// imported.
#[derive(Debug)]
pub struct JsonLine<'a> {
    /// `uid`, where it says which line of which spool it is: sixteen hexadecimal digits, `:` and a number.
    pub uid: Option<Cow<'a, str>>,
    /// `spooledAt`: when it was written down, ms since the epoch.
    pub spooled_at: Option<i64>,
    /// `timestamp`, where it can be read.
    pub timestamp: Option<i64>,
    /// The event, without what is the spool's own.
    event: Cow<'a, str>,
}

impl<'a> JsonLine<'a> {
    /// Reads one line.
    ///
    /// # Errors
    /// The text is no JSON object.
    pub fn parse(text: &'a str) -> serde_json::Result<Self> {
        let Members(members) = Members::parse(text)?;
        let mut line = Self { uid: None, spooled_at: None, timestamp: None, event: Cow::Borrowed(text) };
        for (name, value) in &members {
            match name.as_ref() {
                "uid" => line.uid = data::scalar_text(value).filter(|uid| is_of_a_spool(uid)),
                "spooledAt" => line.spooled_at = millisecond(value),
                "timestamp" => line.timestamp = millisecond(value),
                _ => {}
            }
        }
        // A `uid` of another shape is somebody's own, and kept.
        if line.uid.is_some() {
            line.event = Cow::Owned(without_spool_members(&members));
        }
        Ok(line)
    }

    /// The event that the line tells of, as the entry of that ID.
    ///
    /// # Errors
    /// As [`super::decode`].
    pub fn decode(&self, id: EntryId) -> Result<Event<'_>, Rejection> {
        decode_fields(id, std::iter::once((b"event".as_slice(), self.event.as_bytes())))
    }
}

fn millisecond(value: &RawValue) -> Option<i64> {
    read_time(&data::scalar_text(value)?)
}

/// `<16 lower-case hexadecimal digits>:<number>`.
fn is_of_a_spool(uid: &str) -> bool {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    uid.split_once(':').is_some_and(|(spool, number)| {
        spool.len() == 16 && spool.bytes().all(is_hex) && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn without_spool_members(members: &[(Cow<'_, str>, &RawValue)]) -> String {
    let mut text = String::from("{");
    for (name, value) in members.iter().filter(|(name, _)| !matches!(name.as_ref(), "uid" | "spooledAt")) {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&serde_json::Value::from(name.as_ref()).to_string());
        text.push(':');
        text.push_str(value.get());
    }
    text.push('}');
    text
}
