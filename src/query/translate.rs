//! From the query engine's errors to ours.

use std::path::PathBuf;

use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

use super::QueryError;
use super::nearest::nearest;
use super::session::Limits;
use super::tables;
use super::view::Vanished;

/// The path of the file that was gone, where that is what went wrong.
pub(super) fn vanished(error: &DataFusionError) -> Option<PathBuf> {
    match error.find_root() {
        DataFusionError::External(error) => error.downcast_ref::<Vanished>().map(|Vanished(path)| path.clone()),
        _ => None,
    }
}

/// Says what was wrong with the statement `sql`, or with its execution within `limits`.
pub(super) fn translate(error: &DataFusionError, sql: &str, limits: &Limits) -> QueryError {
    if let Some(path) = vanished(error) {
        return QueryError::Unsettled { path };
    }
    match error.find_root() {
        DataFusionError::SQL(error, _) => syntax(error, sql),
        DataFusionError::SchemaError(error, _) => schema(error),
        DataFusionError::ResourcesExhausted(message) => limits.exhausted(message),
        DataFusionError::Collection(errors) => match errors.first() {
            Some(first) => translate(first, sql, limits),
            None => QueryError::Failed("the query failed".to_owned()),
        },
        DataFusionError::Plan(message) | DataFusionError::Execution(message) => planning(message),
        DataFusionError::ArrowError(error, _) => QueryError::Failed(one_line(&without_prefix(&error.to_string()))),
        root => QueryError::Failed(one_line(&without_prefix(&root.message()))),
    }
}

fn schema(error: &SchemaError) -> QueryError {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => unknown_column(field, valid_fields),
        SchemaError::AmbiguousReference { field } => {
            QueryError::Failed(format!("`{}` could be a column of several tables: say which one", field.name))
        }
        other => QueryError::Failed(one_line(&other.to_string())),
    }
}

fn unknown_column(field: &Column, valid: &[Column]) -> QueryError {
    let mut known: Vec<String> = valid.iter().map(|column| column.name.clone()).collect();
    if known.is_empty() {
        known = tables::column_names();
    }
    let nearest = nearest(&field.name, known.iter().map(String::as_str));
    QueryError::UnknownColumn { name: field.name.clone(), nearest }
}

fn planning(message: &str) -> QueryError {
    let quoted = |text: &str| text.split('\'').nth(1).unwrap_or_default().to_owned();
    if let Some((invalid, meant)) = message.split_once(".\nDid you mean ")
        && invalid.contains("Invalid function ")
    {
        // Its suggestion is always made, however far it lies.
        let (name, meant) = (quoted(invalid), quoted(meant));
        let nearest = nearest(&name, [meant.as_str()]);
        return QueryError::UnknownFunction { name, nearest };
    }
    if message.starts_with("table '") && message.trim_end().ends_with("not found") {
        return unknown_table(quoted(message).rsplit('.').next().unwrap_or_default());
    }
    QueryError::Failed(one_line(&without_prefix(message)))
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
    QueryError::Syntax { detail: one_line(&detail.replace("found EOF", "found the end")), line: line.to_owned(), indent }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn one_line(message: &str) -> String {
    let line = message.lines().find(|line| !line.trim().is_empty()).unwrap_or("the query failed");
    line.trim_end().trim_end_matches('.').to_owned()
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
