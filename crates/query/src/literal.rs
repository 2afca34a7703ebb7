//! Values as SQL writes them.

/// A text.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A time, ms since the epoch.
pub fn moment_literal(ms: i64) -> String {
    format!("to_timestamp_millis({ms})")
}

/// A column, or a key of `data` where there is no column of that name among these.
pub fn key_among(columns: &[&str], key: &str) -> String {
    if columns.contains(&key) { key.to_owned() } else { format!("(data->>{})", literal(key)) }
}
