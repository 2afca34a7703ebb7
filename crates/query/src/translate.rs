//! From the query engine's errors to ours.

use std::error::Error;
use std::path::PathBuf;

use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::parser::ParserError;

use emp_catalog::MissingFile;

use super::QueryError;
use super::nearest::{is_slip, nearest};
use super::session::Limits;
use super::tables;

/// The path of the file that was gone, where that is what went wrong.
pub(super) fn vanished(error: &DataFusionError) -> Option<PathBuf> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(MissingFile(path)) = error.downcast_ref() {
            return Some(path.clone());
        }
        cause = error.source();
    }
    None
}

/// What is needed to explain an error.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The statement; empty where it has been understood.
    pub sql: &'a str,
    /// What its execution may use.
    pub limits: &'a Limits,
    /// The session, for the names of functions.
    pub state: Option<&'a SessionState>,
}

impl Asked<'_> {
    fn functions(&self) -> impl Iterator<Item = &str> {
        self.state.into_iter().flat_map(functions)
    }
}

/// The names of a session's functions; some are of two kinds, and come twice.
pub(super) fn functions(state: &SessionState) -> impl Iterator<Item = &str> {
    let scalar = state.scalar_functions().keys();
    let names = scalar.chain(state.aggregate_functions().keys()).chain(state.window_functions().keys());
    names.map(String::as_str)
}

/// Says what was wrong with the statement, or with its execution.
pub(super) fn translate(error: &DataFusionError, asked: &Asked<'_>) -> QueryError {
    if let Some(path) = vanished(error) {
        return QueryError::Unsettled { path };
    }
    // The type of what `->` gives, in full.
    if error.find_root().message().contains("Union(") {
        return QueryError::JsonAsValue { key: first_key(asked.sql) };
    }
    match error.find_root() {
        DataFusionError::SQL(error, _) => syntax(error, asked.sql),
        DataFusionError::SchemaError(error, _) => schema(error, asked.sql),
        DataFusionError::ResourcesExhausted(message) => asked.limits.exhausted(message),
        DataFusionError::Collection(errors) => match errors.first() {
            Some(first) => translate(first, asked),
            None => QueryError::Failed("the query failed".to_owned()),
        },
        DataFusionError::Plan(message)
        | DataFusionError::Execution(message)
        | DataFusionError::Internal(message)
        | DataFusionError::NotImplemented(message) => planning(message, asked),
        DataFusionError::ArrowError(error, _) => arrow(&error.to_string()),
        root => QueryError::Failed(sentence(&root.message())),
    }
}

fn arrow(message: &str) -> QueryError {
    let cast = message.split_once("Cannot cast string ").and_then(|(_, rest)| rest.split_once(" to value of "));
    match cast {
        Some((text, rest)) => {
            let kind = rest.split_whitespace().next().unwrap_or_default();
            QueryError::NoNumber { text: text.trim_matches('\'').to_owned(), kind: in_sql(kind) }
        }
        None => QueryError::Failed(sentence(message)),
    }
}

/// A type by its name in SQL.
fn in_sql(kind: &str) -> String {
    let name = match kind {
        "Int64" => "bigint",
        "Int32" => "int",
        "Float64" => "double",
        "Float32" => "float",
        "Date32" => "date",
        other => return other.to_lowercase(),
    };
    name.to_owned()
}

fn schema(error: &SchemaError, sql: &str) -> QueryError {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => unknown_column(field, valid_fields, sql),
        SchemaError::AmbiguousReference { field } => {
            QueryError::Failed(format!("`{}` could be a column of several tables: say which one", field.name))
        }
        other => QueryError::Failed(one_line(&other.to_string())),
    }
}

fn unknown_column(field: &Column, valid: &[Column], sql: &str) -> QueryError {
    let mut known: Vec<String> = valid.iter().map(|column| column.name.clone()).collect();
    if known.is_empty() {
        known = tables::column_names();
    }
    if is_bare_key(&field.name, sql) {
        return QueryError::BareKey { key: key_as_written(&field.name, sql) };
    }
    let mut nearest = nearest(&field.name, known.iter().map(String::as_str));
    let is_slip = nearest.as_ref().is_some_and(|nearest| is_slip(&field.name, nearest));
    if !is_slip && sql.contains(&format!("\"{}\"", field.name)) {
        return QueryError::TextInDoubleQuotes { name: field.name.clone() };
    }
    if nearest.as_ref() == Some(&field.name) {
        // The column is there, but not in the table that was named.
        nearest = valid.iter().find(|column| column.name == field.name).map(Column::flat_name);
    }
    QueryError::UnknownColumn { name: field.flat_name(), nearest }
}

fn planning(message: &str, asked: &Asked<'_>) -> QueryError {
    let quoted = |text: &str| text.split('\'').nth(1).unwrap_or_default().to_owned();
    if let Some((invalid, meant)) = message.split_once(".\nDid you mean ")
        && invalid.contains("Invalid function ")
    {
        // Its suggestion is always made, however far it lies.
        let (name, meant) = (quoted(invalid), quoted(meant));
        let nearest = nearest(&name, asked.functions().chain([meant.as_str()]));
        return QueryError::UnknownFunction { name, nearest };
    }
    if let Some((before, _)) = message.split_once(" must appear in the GROUP BY clause")
        && let Some(column) = before.rsplit('"').nth(1)
    {
        return QueryError::Failed(format!(
            "the column `{column}` must stand in GROUP BY, or inside an aggregate function"
        ));
    }
    if let Some((before, _)) = message.split_once(" was not provided a value for execution") {
        let name = quoted(before);
        return QueryError::Failed(format!("`{name}` has no value: only canned queries take parameters"));
    }
    if let Some((before, reasons)) = message.split_once(" failed to match any signature") {
        if reasons.contains("(DataType: Utf8") && asked.sql.contains("->>'") {
            return QueryError::TextForFunction { name: quoted(before), key: first_key(asked.sql) };
        }
        let received = reasons.split("(DataType: ").nth(1).and_then(|rest| rest.split(')').next());
        let types =
            received.map_or_else(|| "these arguments".to_owned(), |received| format!("a value of type {received}"));
        return QueryError::Failed(format!("`{}` does not take {types}", quoted(before)));
    }
    if (message.contains("annot access field at argument") || message.contains("ot access not supported"))
        && let Some(key) = after_dot("data", asked.sql)
    {
        return QueryError::KeyAsField { key };
    }
    if message.contains("annot coerce arithmetic expression") && message.contains("Timestamp") {
        return QueryError::NumberAndTime;
    }
    if let Some((before, types)) = message.split_once(" function: coercion from ")
        && let Some((given, taken)) = types.split_once(" to the signature Exact(")
    {
        let taken = taken.split(')').next().unwrap_or_default();
        return QueryError::Failed(format!("`{}` takes ({taken}), not ({given})", quoted(before)));
    }
    if message.contains("annot coerce arithmetic expression") && message.contains("Utf8") {
        return QueryError::TextInArithmetic { key: first_key(asked.sql) };
    }
    if message.starts_with("table '") && message.trim_end().ends_with("not found") {
        return unknown_table(quoted(message).rsplit('.').next().unwrap_or_default());
    }
    QueryError::Failed(sentence(message))
}

/// The key of `data` that a statement names first.
fn first_key(sql: &str) -> String {
    let (_, behind) = sql.split_once("->").unwrap_or_default();
    let key = behind.trim_start_matches('>').trim_start().strip_prefix('\'').and_then(|rest| rest.split('\'').next());
    key.unwrap_or("key").to_owned()
}

/// The name that stands behind `name.`, or in `name['…']`, in a statement.
fn after_dot(name: &str, sql: &str) -> Option<String> {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    let (_, rest) = sql
        .match_indices(name)
        .map(|(at, _)| (&sql[..at], &sql[at + name.len()..]))
        .find(|(before, rest)| rest.starts_with(['.', '[']) && !before.ends_with(is_part))?;
    let key = rest[1..].trim_start_matches(['"', '\'']);
    Some(key.chars().take_while(|character| is_part(*character)).collect())
}

/// A name as it stands in a statement, in upper or lower case.
fn key_as_written(name: &str, sql: &str) -> String {
    let at = sql.to_ascii_lowercase().find(&name.to_ascii_lowercase());
    at.and_then(|at| sql.get(at..at + name.len())).unwrap_or(name).to_owned()
}

/// Does a statement ask for a key of `data` by that name, without the quotes around it?
fn is_bare_key(name: &str, sql: &str) -> bool {
    let mut behind = sql.split("->").skip(1).map(|behind| behind.trim_start_matches('>').trim_start());
    behind.any(|behind| {
        let word = behind.trim_start_matches('"');
        let word: String = word.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
        word.eq_ignore_ascii_case(name)
    })
}

/// There is no such table: a near name, or a file that cannot be one.
pub(super) fn unknown_table(name: &str) -> QueryError {
    if name.contains(['/', '\\', '.', '*']) {
        return QueryError::ForeignFile { name: name.to_owned() };
    }
    QueryError::UnknownTable { name: name.to_owned(), nearest: nearest(name, tables::NAMES) }
}

/// The parser says where in words: `… at Line: 1, Column: 8`.
fn syntax(error: &ParserError, sql: &str) -> QueryError {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message.as_str(),
        ParserError::RecursionLimitExceeded => "the statement is nested too deeply",
    };
    let (detail, place) = match message.rsplit_once(" at Line: ") {
        Some((detail, place)) => (detail, place.split_once(", Column: ")),
        None => (message, None),
    };
    let place = place.and_then(|(line, column)| {
        let digits = column.split(|c: char| !c.is_ascii_digit()).next()?;
        Some((line.parse::<usize>().ok()?.checked_sub(1)?, digits.parse::<usize>().ok()?.checked_sub(1)?))
    });
    // Without a place it is the end that came too early.
    let last = sql.trim_end().lines().count().saturating_sub(1);
    let (row, column) = place.unwrap_or((last, usize::MAX));
    let line = sql.lines().nth(row).unwrap_or_default().trim_end();
    // Tabs are kept, so that the caret stands right whatever their width.
    let indent = line.chars().take(column).map(|c| if c == '\t' { c } else { ' ' }).collect();
    let detail = lower_first(&detail.replace("Expected: ", "expected ").replace(", found: ", ", found "));
    QueryError::Syntax {
        detail: one_line(&detail.replace("found EOF", "found the end")),
        line: line.to_owned(),
        indent,
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn one_line(message: &str) -> String {
    let line = message.lines().find(|line| !line.trim().is_empty()).unwrap_or("the query failed");
    line.trim_end().trim_end_matches('.').to_owned()
}

/// The engine's own words, as far as they help the user.
fn sentence(message: &str) -> String {
    let line = one_line(&without_prefix(message));
    let told = line.split(". No function matches the given name").next().unwrap_or_default();
    // Names that begin with a capital stay as they are: `LIMIT must be …`.
    let begins_a_word = told.chars().nth(1).is_some_and(char::is_lowercase);
    if begins_a_word { lower_first(told) } else { told.to_owned() }
}

/// The kind of error says nothing to the user that the message does not.
fn without_prefix(message: &str) -> String {
    const PREFIXES: [&str; 10] = [
        "Error during planning: ",
        "Execution error: ",
        "Arrow error: ",
        "Schema error: ",
        "Optimizer rule failed: ",
        "This feature is not implemented: ",
        "Cast error: ",
        "Compute error: ",
        "Invalid argument error: ",
        "Parser error: ",
    ];
    let mut rest = message;
    while let Some(stripped) = PREFIXES.iter().find_map(|prefix| rest.strip_prefix(prefix)) {
        rest = stripped;
    }
    rest.to_owned()
}
