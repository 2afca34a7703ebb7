//! The parameters of canned queries: text from the user, bound as values and never pasted.

use std::collections::HashMap;

use datafusion::common::ParamValues;
use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::scalar::ScalarValue;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use emp_units::{parse_duration, parse_moment};

use super::CannedQuery;
use crate::QueryError;
use crate::engine::Clock;
use crate::nearest::nearest;

/// A value that a canned query takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name: `$name` in the SQL.
    pub name: String,
    /// How its text is read.
    pub kind: Kind,
    /// What happens where it is not given.
    pub need: Need,
    /// What it stands for.
    pub meaning: String,
}

/// How the text of a parameter is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As it is: a Utf8 in SQL.
    Text,
    /// See [`parse_moment`]: a Timestamp(ms, UTC) in SQL.
    Timestamp,
    /// See [`parse_duration`]: a bigint of milliseconds in SQL.
    Duration,
    /// A bigint in SQL.
    Integer,
}

/// What happens where a parameter is not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// It is an error.
    Required,
    /// It is null.
    Optional,
    /// It is this text.
    Default(String),
}

impl Kind {
    pub(super) fn parse(name: &str) -> Option<Self> {
        [Self::Text, Self::Timestamp, Self::Duration, Self::Integer].into_iter().find(|kind| kind.as_str() == name)
    }

    /// Its name in the header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Timestamp => "timestamp",
            Self::Duration => "duration",
            Self::Integer => "integer",
        }
    }
}

impl Parameter {
    /// A default that is not of its type is the file's mistake, found before anyone runs it.
    pub(super) fn check_default(&self) -> Result<(), String> {
        let Need::Default(default) = &self.need else { return Ok(()) };
        let clock = Clock { now: Timestamp::UNIX_EPOCH, tz: TimeZone::UTC };
        self.value(Some(default), &clock).map_err(|error| error.to_string())?;
        Ok(())
    }

    /// The value of a text, or the null of this type.
    fn value(&self, text: Option<&str>, clock: &Clock) -> Result<ScalarValue, QueryError> {
        let bad_moment = |source| QueryError::BadMoment { name: self.name.clone(), source };
        match self.kind {
            Kind::Text => Ok(ScalarValue::Utf8(text.map(str::to_owned))),
            Kind::Timestamp => {
                let ms = text.map(|text| parse_moment(text, clock.now, &clock.tz)).transpose().map_err(bad_moment)?;
                Ok(ScalarValue::TimestampMillisecond(ms, Some("UTC".into())))
            }
            Kind::Duration => {
                let duration = text.map(parse_duration).transpose().map_err(bad_moment)?;
                Ok(ScalarValue::Int64(duration.map(|duration| duration.as_millis() as i64)))
            }
            Kind::Integer => {
                let bad = |value: &str| QueryError::BadInteger { name: self.name.clone(), value: value.to_owned() };
                let number = text.map(|text| text.trim().parse().map_err(|_| bad(text))).transpose()?;
                Ok(ScalarValue::Int64(number))
            }
        }
    }
}

impl CannedQuery {
    /// The value of every parameter, as the engine takes them.
    pub(crate) fn bind(&self, given: &[(String, String)], clock: &Clock) -> Result<ParamValues, QueryError> {
        let values = self.values(given, clock)?.into_iter();
        Ok(ParamValues::Map(values.map(|(name, value)| (name, ScalarAndMetadata::from(value))).collect()))
    }

    /// The value of every parameter, by its name.
    pub(super) fn values(
        &self,
        given: &[(String, String)],
        clock: &Clock,
    ) -> Result<HashMap<String, ScalarValue>, QueryError> {
        for (name, _) in given {
            if self.parameters.iter().all(|parameter| parameter.name != *name) {
                let known: Vec<&str> = self.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
                let hint = match nearest(name, known.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None if known.is_empty() => "it takes none".to_owned(),
                    None => format!("it takes {}", known.join(", ")),
                };
                return Err(QueryError::UnknownParameter { query: self.name.clone(), name: name.clone(), hint });
            }
        }
        let mut values = HashMap::new();
        for parameter in &self.parameters {
            let text = given.iter().rev().find(|(name, _)| *name == parameter.name).map(|(_, text)| text.as_str());
            let text = match (&parameter.need, text) {
                (Need::Required, None) => {
                    return Err(QueryError::MissingParameter {
                        query: self.name.clone(),
                        name: parameter.name.clone(),
                        meaning: parameter.meaning.clone(),
                    });
                }
                (Need::Default(default), None) => Some(default.as_str()),
                (_, text) => text,
            };
            values.insert(parameter.name.clone(), parameter.value(text, clock)?);
        }
        Ok(values)
    }
}

/// The values of a canned query's parameters, by their names.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a>(pub &'a ParamValues);

impl<'a> Values<'a> {
    fn value(self, name: &str) -> Option<&'a ScalarValue> {
        let ParamValues::Map(values) = self.0 else { return None };
        values.get(name).map(|value| &value.value)
    }

    pub fn text(self, name: &str) -> Option<&'a str> {
        self.value(name)?.try_as_str().flatten()
    }

    pub fn number(self, name: &str) -> Option<i64> {
        match self.value(name)? {
            ScalarValue::Int64(number) => *number,
            _ => None,
        }
    }

    /// In ms since the epoch.
    pub fn moment_ms(self, name: &str) -> Option<i64> {
        match self.value(name)? {
            ScalarValue::TimestampMillisecond(ms, _) => *ms,
            _ => None,
        }
    }
}
