//! Errors that are the same but for ids and numbers.

use serde_json::Value;

use super::data::Data;
use super::vocabulary::{Named, vocabulary};

/// Characters beyond these say little about which error it is.
const FINGERPRINT_CHARS_MAX: usize = 120;

/// The keys and values that may hold the reason of a failure, the most telling first. Of
/// `{"error": {"message": …}}` it is the message.
pub fn error_values(data: &Data) -> impl Iterator<Item = (&'static str, &Value)> {
    let keys = vocabulary().keys(Named::Error).iter();
    let held = keys.filter_map(|key| Some((key.as_str(), data.get(key).filter(|value| !value.is_null())?)));
    held.map(|(key, value)| {
        let inner = value.as_object().and_then(|object| object.get("message").or_else(|| object.get("code")));
        (key, inner.unwrap_or(value))
    })
}

/// The text of an error, in one line, where the event says it.
pub fn error_text(data: &Data) -> Option<String> {
    error_values(data).find_map(|(_, value)| {
        let text = match value {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let line = text.lines().next().unwrap_or_default().trim().to_owned();
        (!line.is_empty()).then_some(line)
    })
}

/// The error's text with what differs from case to case masked: words that hold a digit become `#`.
pub fn fingerprint(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut word = String::new();
    let flush = |word: &mut String, masked: &mut String| {
        if word.chars().any(|c| c.is_ascii_digit()) {
            if !masked.ends_with('#') {
                masked.push('#');
            }
        } else {
            masked.push_str(word);
        }
        word.clear();
    };
    for c in text.chars().take(FINGERPRINT_CHARS_MAX) {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
        } else {
            flush(&mut word, &mut masked);
            masked.push(c);
        }
    }
    flush(&mut word, &mut masked);
    masked
}
