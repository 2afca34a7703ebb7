//! `data`, read once: its members in their order, values as they were written.

use std::borrow::Cow;
use std::fmt;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of a JSON object.
pub struct Members<'a>(pub Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    /// The members of `data`; `None` where it is no JSON object.
    pub fn parse(data: &'a str) -> Option<Self> {
        if data == "{}" { Some(Self(Vec::new())) } else { serde_json::from_str(data).ok() }
    }

    /// What the first of these keys that says anything says, in one line. Of
    /// `{"error": {"message": …}}` it is the message.
    pub fn line(&self, keys: &[&str]) -> Option<Cow<'a, str>> {
        keys.iter().find_map(|key| {
            let (_, raw) = self.0.iter().find(|(name, _)| name == key)?;
            let text = match raw.as_bytes().first()? {
                b'{' => {
                    let inner = Self::parse(raw)?;
                    let (_, raw) = inner.0.iter().find(|(name, _)| name == "message" || name == "code")?;
                    scalar_text(raw)?
                }
                _ => scalar_text(raw)?,
            };
            first_line(text)
        })
    }
}

fn first_line(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let line = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim().lines().next().unwrap_or_default().trim_end()),
        Cow::Owned(text) => Cow::Owned(text.trim().lines().next().unwrap_or_default().trim_end().to_owned()),
    };
    (!line.is_empty()).then_some(line)
}

/// The text of a JSON string or number.
pub fn scalar_text(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes().first()? {
        b'"' => string(raw),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(raw)),
        _ => None,
    }
}

/// What a JSON string says; `None` where it escapes half a character.
fn string(raw: &str) -> Option<Cow<'_, str>> {
    if raw.contains('\\') {
        return serde_json::from_str(raw).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(raw.strip_prefix('"')?.strip_suffix('"')?))
}

/// A JSON value as OTLP's, and whether it had to be cut; `None` for null. Objects and arrays stay
/// JSON text, as do numbers that neither an `i64` nor an `f64` can hold.
pub fn any_value(raw: &str) -> Option<(Value, bool)> {
    let text = |text: &str| {
        let (text, is_cut) = cut(text);
        Some((Value::StringValue(text.into_owned()), is_cut))
    };
    match raw.as_bytes().first()? {
        b'"' => text(&string(raw).unwrap_or(Cow::Borrowed(raw))),
        b't' => Some((Value::BoolValue(true), false)),
        b'f' => Some((Value::BoolValue(false), false)),
        b'n' => None,
        b'-' | b'0'..=b'9' => match number(raw) {
            Some(number) => Some((number, false)),
            None => text(raw),
        },
        _ => text(raw),
    }
}

fn number(raw: &str) -> Option<Value> {
    if raw.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        return raw.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::DoubleValue);
    }
    raw.parse().ok().map(Value::IntValue)
}

/// How long a value may be: Dash0's quota.
const VALUE_CHARS_MAX: usize = 2_048;

/// The text within [`VALUE_CHARS_MAX`], its end marked by `…` where it was longer.
pub fn cut(text: &str) -> (Cow<'_, str>, bool) {
    // There are no more characters than bytes.
    if text.len() <= VALUE_CHARS_MAX {
        return (Cow::Borrowed(text), false);
    }
    let mut ends = text.char_indices().skip(VALUE_CHARS_MAX - 1).map(|(index, _)| index);
    match (ends.next(), ends.next()) {
        (Some(end), Some(_)) => (Cow::Owned(format!("{}…", &text[..end])), true),
        _ => (Cow::Borrowed(text), false),
    }
}

/// A JSON string that borrows where it holds no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(8);
        while let Some((Text(key), value)) = map.next_entry::<_, &RawValue>()? {
            members.push((key, value.get()));
        }
        Ok(Members(members))
    }
}
