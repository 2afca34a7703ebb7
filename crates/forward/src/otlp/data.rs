//! What members of `data` say, and as which values they are sent.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use serde_json::value::RawValue;

use emp_event::{Members, scalar_text};

/// What the first of these keys that says anything says, in one line. Of `{"error": {"message": …}}` it is
/// the message.
pub fn line<'a>(members: &Members<'a>, keys: &[impl AsRef<str>]) -> Option<Cow<'a, str>> {
    keys.iter().find_map(|key| {
        let raw = value(members, |name| name == key.as_ref())?;
        let text = match raw.get().as_bytes().first()? {
            b'{' => scalar_text(value(&Members::parse(raw.get()).ok()?, |name| matches!(name, "message" | "code"))?)?,
            _ => scalar_text(raw)?,
        };
        first_line(text)
    })
}

/// The value of the first member whose key is wanted.
pub fn value<'a>(members: &Members<'a>, is_wanted: impl Fn(&str) -> bool) -> Option<&'a RawValue> {
    members.0.iter().find(|(key, _)| is_wanted(key)).map(|(_, raw)| *raw)
}

fn first_line(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let line = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim().lines().next().unwrap_or_default().trim_end()),
        Cow::Owned(text) => Cow::Owned(text.trim().lines().next().unwrap_or_default().trim_end().to_owned()),
    };
    (!line.is_empty()).then_some(line)
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
