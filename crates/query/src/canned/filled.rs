//! A canned query as a statement that stands alone: its parameters' values in place of their names.

use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::CannedQuery;
use crate::engine::Clock;
use crate::literal::{literal, moment_literal};
use crate::{Engine, QueryError};

impl Engine {
    /// The statement that a canned query with these parameters is, without the words about it at its top.
    ///
    /// # Errors
    /// A [`QueryError`] about a parameter that is unknown, missing or not of its type.
    pub fn filled(&self, query: &CannedQuery, given: &[(String, String)]) -> Result<String, QueryError> {
        query.filled(given, &self.clock)
    }
}

impl CannedQuery {
    fn filled(&self, given: &[(String, String)], clock: &Clock) -> Result<String, QueryError> {
        let values = self.values(given, clock)?;
        let body: String = self.sql.split_inclusive('\n').skip_while(|line| line.starts_with("--")).collect();
        // What is no SQL is left for the run to complain about.
        let tokens = Tokenizer::new(&GenericDialect {}, &body).with_unescape(false).tokenize().unwrap_or_default();
        let text = |token: Token| match &token {
            Token::Placeholder(placeholder) => {
                let value = placeholder.strip_prefix('$').and_then(|name| values.get(name));
                value.map_or_else(|| token.to_string(), in_sql)
            }
            _ => token.to_string(),
        };
        Ok(tokens.into_iter().map(text).collect::<String>().trim().to_owned())
    }
}

/// A value as a statement has it, a null with its type.
fn in_sql(value: &ScalarValue) -> String {
    match value {
        ScalarValue::Utf8(Some(text)) => literal(text),
        ScalarValue::TimestampMillisecond(Some(ms), _) => moment_literal(*ms),
        ScalarValue::TimestampMillisecond(None, _) => "cast(null as timestamp)".to_owned(),
        ScalarValue::Int64(Some(number)) => number.to_string(),
        ScalarValue::Int64(None) => "cast(null as bigint)".to_owned(),
        _ => "cast(null as varchar)".to_owned(),
    }
}
