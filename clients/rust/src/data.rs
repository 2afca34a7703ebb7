//! What is sent of an event's data: no secrets, and not too much.

use serde_json::{Map, Value};

/// Keys whose values are secrets, in small letters and without `_` and `-`.
const SECRETS: [&str; 11] = [
    "password",
    "passwd",
    "secret",
    "token",
    "authorization",
    "cookie",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "credentials",
];
const STRING_CHARS_MAX: usize = 2_048;
const ARRAY_ITEMS_MAX: usize = 100;
/// How deep objects and arrays may lie in one another, the data itself included.
const DEPTH_MAX: usize = 8;
const TRUNCATED: &str = "_truncated";

/// What may be sent.
#[derive(Debug, Clone)]
pub(crate) struct DataRules {
    /// Further secrets, normalised.
    secrets: Vec<String>,
    bytes_max: usize,
}

impl DataRules {
    pub(crate) fn new(secrets: &[String], bytes_max: usize) -> Self {
        let secrets = secrets.iter().map(|key| normalised(key)).filter(|key| !key.is_empty()).collect();
        Self { secrets, bytes_max }
    }

    /// The data as JSON text, or `None` where it cannot be made small enough.
    pub(crate) fn text(&self, mut data: Map<String, Value>) -> Option<String> {
        self.clean_members(&mut data, 1);
        let text = json(&data);
        if text.len() <= self.bytes_max { Some(text) } else { self.cut(data, text.len()) }
    }

    fn clean_members(&self, members: &mut Map<String, Value>, depth: usize) {
        for (key, value) in members.iter_mut() {
            if self.is_secret(key) {
                *value = Value::from("[redacted]");
            } else {
                self.clean(value, depth + 1);
            }
        }
    }

    fn clean(&self, value: &mut Value, depth: usize) {
        match value {
            Value::String(text) => cut_text(text),
            Value::Object(_) | Value::Array(_) if depth > DEPTH_MAX => *value = Value::from("[deep]"),
            Value::Object(members) => self.clean_members(members, depth),
            Value::Array(items) => {
                let surplus = items.len().saturating_sub(ARRAY_ITEMS_MAX);
                items.truncate(ARRAY_ITEMS_MAX);
                items.iter_mut().for_each(|item| self.clean(item, depth + 1));
                if surplus > 0 {
                    items.push(Value::from(format!("[{surplus} more]")));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn is_secret(&self, key: &str) -> bool {
        let key = normalised(key);
        SECRETS.iter().any(|secret| key.ends_with(secret)) || self.secrets.iter().any(|secret| key.ends_with(secret))
    }

    /// Replaces members, the largest first, until the whole fits.
    fn cut(&self, mut data: Map<String, Value>, bytes: usize) -> Option<String> {
        data.remove(TRUNCATED);
        let mut sizes: Vec<(String, usize)> =
            data.iter().map(|(key, value)| (key.clone(), value.to_string().len())).collect();
        sizes.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        let mut bytes = bytes + format!(",\"{TRUNCATED}\":true").len();
        for (key, size) in sizes {
            if bytes <= self.bytes_max {
                break;
            }
            let note = Value::from(format!("[cut {size} bytes]"));
            let saved = size.checked_sub(note.to_string().len())?;
            data.insert(key, note);
            bytes -= saved;
        }
        data.insert(TRUNCATED.to_owned(), Value::Bool(true));
        let text = json(&data);
        (text.len() <= self.bytes_max).then_some(text)
    }
}

fn normalised(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

fn cut_text(text: &mut String) {
    // Most are short: their bytes tell so without counting.
    if text.len() <= STRING_CHARS_MAX {
        return;
    }
    if let Some((end, _)) = text.char_indices().nth(STRING_CHARS_MAX) {
        let surplus = text[end..].chars().count();
        text.truncate(end);
        text.push_str(&format!("…[cut {surplus} chars]"));
    }
}

fn json(data: &Map<String, Value>) -> String {
    // A map of values with text for keys always can be written.
    serde_json::to_string(data).unwrap_or_default()
}

/// About how many bytes the data takes; counting ends soon after `enough`.
pub(crate) fn estimate(data: &Map<String, Value>, enough: usize) -> usize {
    let mut bytes = 0;
    for (key, value) in data {
        bytes += key.len() + 32;
        add_value(value, &mut bytes, enough);
        if bytes > enough {
            break;
        }
    }
    bytes
}

fn add_value(value: &Value, bytes: &mut usize, enough: usize) {
    *bytes += 16;
    match value {
        Value::String(text) => *bytes += text.len(),
        Value::Array(items) => {
            for item in items {
                if *bytes > enough {
                    return;
                }
                add_value(item, bytes, enough);
            }
        }
        Value::Object(members) => *bytes += estimate(members, enough.saturating_sub(*bytes)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
