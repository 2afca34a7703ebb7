//! Which events are asked for: the same conditions for the store, as SQL, and for events that have not
//! reached it yet.

use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

use emp_event::Level;
use emp_job::JobEvent;

use super::literal::{key_among, literal, moment_literal};
use super::mention::Mention;

/// Conditions that all have to hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    conditions: Vec<Condition>,
    /// Words of which each has to occur in the type or in the data, in upper or lower case.
    texts: Vec<String>,
    /// Not earlier than that, by the producer's clock, ms since the epoch.
    pub since_ms: Option<i64>,
    /// Earlier than that.
    pub until_ms: Option<i64>,
}

#[derive(Debug, Clone)]
struct Condition {
    key: String,
    operator: Operator,
    value: String,
}

#[derive(Debug, Clone)]
enum Operator {
    Is,
    IsNot,
    Contains,
    Matches(Box<Regex>),
}

/// The text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It has no operator, or no key before it.
    #[error("`{0}` is no filter: write key=value, key!=value, key~=part or key~~=regex")]
    Malformed(String),
    /// What follows `~~=` is no regular expression.
    #[error("`{text}` has no regular expression after ~~=: {detail}")]
    Regex {
        /// The filter.
        text: String,
        /// What is wrong with it.
        detail: String,
    },
}

/// The columns that hold text. Any other key is one of `data`.
const COLUMNS: [&str; 9] =
    ["id", "service", "event_type", "level", "trace_id", "job_id", "worker_id", "machine_id", "user_id"];
/// The one that holds a number.
const DURATION: &str = "duration_ms";
/// The one that has four values.
const LEVEL: &str = "level";
const CAMEL: [(&str, &str); 6] = [
    ("eventType", "event_type"),
    ("traceId", "trace_id"),
    ("jobId", "job_id"),
    ("workerId", "worker_id"),
    ("machineId", "machine_id"),
    ("userId", "user_id"),
];

impl Filter {
    /// One more condition as it is typed: `key=value`, `key!=value`, `key~=part`, `key~~=regex`. The key
    /// is a column or a key of `data`.
    ///
    /// # Errors
    /// [`FilterError`] where it is none.
    pub fn add(&mut self, text: &str) -> Result<(), FilterError> {
        let malformed = || FilterError::Malformed(text.to_owned());
        let (before, value) = text.split_once('=').ok_or_else(malformed)?;
        let (key, operator) = if let Some(key) = before.strip_suffix("~~") {
            let regex = Regex::new(value);
            let invalid = |error: regex::Error| {
                let last = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
                FilterError::Regex { text: text.to_owned(), detail: last }
            };
            (key, Operator::Matches(Box::new(regex.map_err(invalid)?)))
        } else if let Some(key) = before.strip_suffix('~') {
            (key, Operator::Contains)
        } else if let Some(key) = before.strip_suffix('!') {
            (key, Operator::IsNot)
        } else {
            (before, Operator::Is)
        };
        let key = key.trim();
        if key.is_empty() {
            return Err(malformed());
        }
        let column = CAMEL.iter().find(|(camel, _)| *camel == key).map_or(key, |(_, column)| column);
        let value = match operator {
            Operator::Is | Operator::IsNot => stored(column, value),
            Operator::Contains | Operator::Matches(_) => value.to_owned(),
        };
        self.conditions.push(Condition { key: column.to_owned(), operator, value });
        Ok(())
    }

    /// A column that has to be that value, or one of several with commas between; one that ends with `*`
    /// stands for all that begin so.
    pub fn is(&mut self, column: &str, value: &str) {
        let plain = !value.contains(',') && !value.ends_with('*');
        let condition = |operator, value: &str| Condition { key: column.to_owned(), operator, value: value.to_owned() };
        self.conditions.push(if plain {
            condition(Operator::Is, &stored(column, value))
        } else {
            let one = |value: &str| match value.trim().strip_suffix('*') {
                Some(beginning) => format!("{}.*", regex::escape(beginning)),
                None => regex::escape(&stored(column, value.trim())),
            };
            let any = format!("^({})$", value.split(',').map(one).collect::<Vec<_>>().join("|"));
            match Regex::new(&any) {
                Ok(regex) => condition(Operator::Matches(Box::new(regex)), &any),
                // What was escaped is a regular expression, unless it is far too long for one.
                Err(_) => condition(Operator::Is, value),
            }
        });
    }

    /// A text that has to occur in the type or in the data, as a person reads them, in upper or lower case.
    pub fn text(&mut self, text: &str) {
        self.texts.push(text.to_owned());
    }

    /// What a value has to be, where exactly one is asked for.
    pub fn exactly(&self, column: &str) -> Option<&str> {
        let mut all = self.conditions.iter().filter(|condition| condition.key == column);
        all.find(|condition| matches!(condition.operator, Operator::Is)).map(|condition| condition.value.as_str())
    }

    /// Asks for another value of a column, where exactly one was asked for.
    pub fn mean(&mut self, column: &str, value: &str) {
        let mut all = self.conditions.iter_mut().filter(|condition| condition.key == column);
        if let Some(condition) = all.find(|condition| matches!(condition.operator, Operator::Is)) {
            condition.value = value.to_owned();
        }
    }

    /// The keys of `data` that are asked for.
    pub fn data_keys(&self) -> impl Iterator<Item = &str> {
        let keys = self.conditions.iter().map(|condition| condition.key.as_str());
        keys.filter(|key| !COLUMNS.contains(key) && *key != DURATION)
    }

    /// As a condition in SQL.
    pub fn sql(&self) -> String {
        let mut parts: Vec<String> = self.conditions.iter().map(Condition::sql).collect();
        parts.extend(self.texts.iter().map(|text| {
            let text = literal(text);
            format!("(mentions(data, {text}) or mentions(event_type, {text}))")
        }));
        parts.extend(self.since_ms.map(|ms| format!("timestamp >= {}", moment_literal(ms))));
        parts.extend(self.until_ms.map(|ms| format!("timestamp < {}", moment_literal(ms))));
        if parts.is_empty() { "true".to_owned() } else { parts.join(" and ") }
    }

    /// Do all conditions hold for that event?
    pub fn holds(&self, event: &JobEvent) -> bool {
        let contains = |text: &String| {
            let mention = Mention::of(text);
            mention.is_in_plain(&event.event_type)
                || mention.is_in(&serde_json::to_string(&event.data).unwrap_or_default())
        };
        self.conditions.iter().all(|condition| condition.holds(event))
            && self.texts.iter().all(contains)
            && self.since_ms.is_none_or(|since_ms| event.timestamp_ms >= since_ms)
            && self.until_ms.is_none_or(|until_ms| event.timestamp_ms < until_ms)
    }
}

/// A value as the column has it: a level that is called as some logger does is called as it is stored.
fn stored(column: &str, value: &str) -> String {
    let level = (column == LEVEL).then(|| Level::parse(value.trim())).flatten();
    level.map_or_else(|| value.to_owned(), |level| level.to_string())
}

impl Condition {
    /// The number that a duration has to be: `7` is `7.0`.
    fn duration(&self) -> Option<f64> {
        if self.key == DURATION { self.value.trim().parse().ok() } else { None }
    }

    fn sql(&self) -> String {
        let key = match self.key.as_str() {
            DURATION => "cast(duration_ms as varchar)".to_owned(),
            key => key_among(&COLUMNS, key),
        };
        let value = literal(&self.value);
        match (&self.operator, self.duration()) {
            (Operator::Is, Some(ms)) => return format!("duration_ms = {ms:?}"),
            (Operator::IsNot, Some(ms)) => return format!("(duration_ms is null or duration_ms <> {ms:?})"),
            _ => {}
        }
        match &self.operator {
            Operator::Is => format!("{key} = {value}"),
            Operator::IsNot => format!("({key} is null or {key} <> {value})"),
            Operator::Contains => format!("strpos({key}, {value}) > 0"),
            Operator::Matches(_) => format!("{key} ~ {value}"),
        }
    }

    fn holds(&self, event: &JobEvent) -> bool {
        let found = value_of(event, &self.key);
        match (&self.operator, self.duration()) {
            (Operator::Is, Some(ms)) => return event.duration_ms == Some(ms),
            (Operator::IsNot, Some(ms)) => return event.duration_ms != Some(ms),
            _ => {}
        }
        match &self.operator {
            Operator::Is => found.is_some_and(|found| found == self.value),
            Operator::IsNot => found.is_none_or(|found| found != self.value),
            Operator::Contains => found.is_some_and(|found| found.contains(&self.value)),
            Operator::Matches(regex) => found.is_some_and(|found| regex.is_match(&found)),
        }
    }
}

fn value_of(event: &JobEvent, key: &str) -> Option<String> {
    let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
    match key {
        "id" => Some(event.id.to_string()),
        "service" => Some(event.service.to_string()),
        "event_type" => Some(event.event_type.to_string()),
        "level" => Some(event.level.to_string()),
        "trace_id" => text(&event.trace_id),
        "job_id" => text(&event.job_id),
        "worker_id" => text(&event.worker_id),
        "machine_id" => text(&event.machine_id),
        "user_id" => text(&event.user_id),
        DURATION => event.duration_ms.map(|ms| if ms.fract() == 0.0 { format!("{ms:.1}") } else { ms.to_string() }),
        key => match event.data.get(key)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        },
    }
}
