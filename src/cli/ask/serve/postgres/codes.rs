//! PostgreSQL's codes (SQLSTATE) for what can be wrong with a question.

use emp_query::QueryError;

pub(super) const WRONG: &str = "42000";
pub(super) const BUSY: &str = "53400";
pub(super) const TOO_LONG: &str = "57014";
pub(super) const TOO_MUCH: &str = "54000";
pub(super) const FAILED: &str = "XX000";

/// By what programs know an error.
pub(super) fn code_of(error: &QueryError) -> &'static str {
    match error {
        QueryError::Syntax { .. } | QueryError::NotOneStatement(_) => "42601",
        QueryError::ReadOnly { .. } => "25006",
        QueryError::ForeignFile { .. } => "42501",
        QueryError::UnknownTable { .. } => "42P01",
        QueryError::UnknownColumn { .. } | QueryError::TextInDoubleQuotes { .. } => "42703",
        QueryError::UnknownFunction { .. } => "42883",
        QueryError::NoParameter { .. } | QueryError::NoNumber { .. } => "22P02",
        QueryError::NumberAndTime
        | QueryError::TextInArithmetic { .. }
        | QueryError::TextForFunction { .. }
        | QueryError::JsonAsValue { .. } => "42804",
        QueryError::Exhausted { .. } => "53200",
        QueryError::NoStore { .. } | QueryError::Store(_) => "58030",
        QueryError::Unsettled { .. } => "40001",
        _ => WRONG,
    }
}
