//! The header of a canned query: the comment lines at its top.
//!
//! ```sql
//! -- What the query answers.
//! --
//! -- parameters:
//! --   job_id   text      required    the job
//! --   min_gap  duration  default 5s  from here on it is a gap
//! --   since    timestamp optional    only events from then on
//! --
//! -- columns:
//! --   time     when it happened
//! ```
//!
//! A line that is indented deeper than its entry goes on with the entry's meaning. A `$name`
//! that the header does not describe is a text, and required: so a file without a header
//! works, too.

use std::path::Path;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::{CannedQuery, Kind, Need, Parameter};
use crate::QueryError;

/// A column that a canned query gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it says.
    pub meaning: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Summary,
    Parameters,
    Columns,
}

/// Spaces before an entry; a line with more goes on with the one before.
const ENTRY_INDENT_MAX: usize = 4;

/// Reads the file of one query.
pub(super) fn parse(file: &Path, name: &str, sql: &str) -> Result<CannedQuery, QueryError> {
    let mut query = CannedQuery {
        name: name.to_owned(),
        summary: String::new(),
        parameters: Vec::new(),
        columns: Vec::new(),
        sql: sql.to_owned(),
    };
    let mut section = Section::Summary;
    for (index, line) in sql.lines().enumerate() {
        let Some(comment) = line.strip_prefix("--") else { break };
        let content = comment.trim();
        let indent = comment.len() - comment.trim_start().len();
        match content {
            "" => {}
            "parameters:" => section = Section::Parameters,
            "columns:" => section = Section::Columns,
            _ => take(&mut query, section, content, indent).map_err(|detail| QueryError::Header {
                file: file.to_owned(),
                line: index + 1,
                detail,
            })?,
        }
    }
    add_undescribed(&mut query);
    Ok(query)
}

fn take(query: &mut CannedQuery, section: Section, content: &str, indent: usize) -> Result<(), String> {
    let goes_on = indent > ENTRY_INDENT_MAX;
    match section {
        Section::Summary => append(&mut query.summary, content),
        Section::Parameters => match query.parameters.last_mut().filter(|_| goes_on) {
            Some(last) => append(&mut last.meaning, content),
            None => {
                let parameter = parameter(content)?;
                if query.parameters.iter().any(|other| other.name == parameter.name) {
                    return Err(format!("the parameter `{}` is described twice", parameter.name));
                }
                query.parameters.push(parameter);
            }
        },
        Section::Columns => match query.columns.last_mut().filter(|_| goes_on) {
            Some(last) => append(&mut last.meaning, content),
            None => {
                let (name, meaning) = word(content);
                query.columns.push(Column { name: name.to_owned(), meaning: meaning.to_owned() });
            }
        },
    }
    Ok(())
}

fn append(text: &mut String, more: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

/// The first word, and what follows it.
fn word(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}

/// `min_gap  duration  default 5s  from here on it is a gap`
fn parameter(content: &str) -> Result<Parameter, String> {
    let (name, rest) = word(content);
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(format!("`{name}` cannot name a parameter: use letters, digits and `_`"));
    }
    let (kind, rest) = word(rest);
    let kind = Kind::parse(kind).ok_or_else(|| {
        format!("`{kind}` is no type for the parameter `{name}`: use text, timestamp, duration or integer")
    })?;
    let (need, rest) = word(rest);
    let (need, meaning) = match need {
        "required" => (Need::Required, rest),
        "optional" => (Need::Optional, rest),
        "default" => {
            let (value, meaning) = word(rest);
            if value.is_empty() {
                return Err(format!("the default of the parameter `{name}` is missing"));
            }
            (Need::Default(value.to_owned()), meaning)
        }
        other => {
            let found = if other.is_empty() { "nothing".to_owned() } else { format!("`{other}`") };
            return Err(format!(
                "after the type of the parameter `{name}` comes `required`, `optional` or `default …`, not {found}"
            ));
        }
    };
    let parameter = Parameter { name: name.to_owned(), kind, need, meaning: meaning.to_owned() };
    parameter.check_default()?;
    Ok(parameter)
}

/// Text that is no SQL is left for the run to complain about.
fn add_undescribed(query: &mut CannedQuery) {
    for token in Tokenizer::new(&GenericDialect {}, &query.sql).tokenize().unwrap_or_default() {
        let Token::Placeholder(placeholder) = token else { continue };
        let Some(name) = placeholder.strip_prefix('$') else { continue };
        if query.parameters.iter().all(|parameter| parameter.name != name) {
            let (name, meaning) = (name.to_owned(), "a text".to_owned());
            query.parameters.push(Parameter { name, kind: Kind::Text, need: Need::Required, meaning });
        }
    }
}
