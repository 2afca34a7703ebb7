use jiff::Timestamp;

/// What is asked.
pub trait Database: Send + Sync + 'static {
    /// Answers a statement that only reads.
    ///
    /// # Errors
    /// Why there is no answer.
    fn ask(&self, statement: &str) -> Result<Box<dyn Rows>, Refused>;
}

/// The rows of an answer, a part at a time.
pub trait Rows {
    /// The columns.
    fn columns(&self) -> &[Column];

    /// The next rows; `None` behind the last.
    ///
    /// # Errors
    /// Why there are no more.
    fn next(&mut self) -> Result<Option<Vec<Vec<Option<Value>>>>, Refused>;
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Of what it is.
    pub of: Type,
}

/// What a column is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `boolean`.
    Bool,
    /// `bigint`.
    Int,
    /// `double precision`.
    Float,
    /// `text`.
    Text,
    /// `timestamp with time zone`.
    Moment,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
    /// Microseconds since the epoch.
    Moment(i64),
}

/// Between 1970, from which we count, and 2000, from which PostgreSQL does.
const MICROS_UNTIL_2000: i64 = 946_684_800_000_000;

impl Type {
    /// By which PostgreSQL knows it.
    pub(crate) const fn oid(self) -> i32 {
        match self {
            Self::Bool => 16,
            Self::Int => 20,
            Self::Float => 701,
            Self::Text => 25,
            Self::Moment => 1184,
        }
    }

    /// How many bytes it takes; -1 where that differs.
    pub(crate) const fn size(self) -> i16 {
        match self {
            Self::Bool => 1,
            Self::Text => -1,
            Self::Int | Self::Float | Self::Moment => 8,
        }
    }
}

impl Value {
    /// As bytes, in binary or as text.
    pub(crate) fn bytes(&self, is_binary: bool) -> Vec<u8> {
        match (self, is_binary) {
            (Self::Bool(value), true) => vec![u8::from(*value)],
            (Self::Bool(value), false) => vec![if *value { b't' } else { b'f' }],
            (Self::Int(value), true) => value.to_be_bytes().to_vec(),
            (Self::Int(value), false) => value.to_string().into_bytes(),
            (Self::Float(value), true) => value.to_be_bytes().to_vec(),
            (Self::Float(value), false) => float_text(*value).into_bytes(),
            (Self::Text(value), _) => value.clone().into_bytes(),
            (Self::Moment(micros), true) => micros.saturating_sub(MICROS_UNTIL_2000).to_be_bytes().to_vec(),
            (Self::Moment(micros), false) => moment_text(*micros).into_bytes(),
        }
    }
}

fn float_text(value: f64) -> String {
    match value {
        _ if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        _ => value.to_string(),
    }
}

/// `2025-09-27 10:00:00.123+00`; what no calendar shows is as far as PostgreSQL counts.
fn moment_text(micros: i64) -> String {
    match Timestamp::from_microsecond(micros) {
        Ok(moment) => moment.strftime("%Y-%m-%d %H:%M:%S%.f+00").to_string(),
        Err(_) if micros < 0 => "-infinity".to_owned(),
        Err(_) => "infinity".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_as_postgresql_does() {
        assert_eq!(moment_text(0), "1970-01-01 00:00:00+00");
        assert_eq!(moment_text(1_758_967_800_120_000), "2025-09-27 10:10:00.12+00");
        assert_eq!(moment_text(951_782_399_999_999), "2000-02-28 23:59:59.999999+00");
        assert_eq!(moment_text(951_782_400_000_000), "2000-02-29 00:00:00+00");
        assert_eq!(moment_text(-1), "1969-12-31 23:59:59.999999+00");
        assert_eq!(Value::Moment(MICROS_UNTIL_2000 + 1).bytes(true), 1i64.to_be_bytes());
    }

    #[test]
    fn numbers_and_truths_are_told_as_postgresql_does() {
        let text = |value: Value| String::from_utf8(value.bytes(false)).unwrap();
        assert_eq!(text(Value::Bool(true)), "t");
        assert_eq!(text(Value::Float(f64::NEG_INFINITY)), "-Infinity");
        assert_eq!(text(Value::Float(0.5)), "0.5");
        assert_eq!(Value::Bool(false).bytes(true), [0]);
    }
}
