//! What a user may say: one statement, which only reads, from the store's own tables.

use std::ops::ControlFlow;

use datafusion::common::TableReference;
use datafusion::execution::SessionState;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{SetExpr, Statement as SqlStatement};
use emp_sql::SCHEMA;

use super::QueryError;
use super::dialect::StoreDialect;
use super::postgres::Postgres;
use super::tables;
use super::translate::{Asked, translate, unknown_table};

/// Parses `sql` and refuses what is not for a reader.
pub(super) fn parse(
    state: &SessionState,
    asked: &Asked<'_>,
    postgres: Option<&Postgres>,
) -> Result<Statement, QueryError> {
    let recursion_limit = state.config_options().sql_parser.recursion_limit.get();
    let in_ours = || {
        let parser =
            DFParserBuilder::new(asked.sql).with_dialect(&StoreDialect).with_recursion_limit(recursion_limit).build();
        let parsed = parser.and_then(|mut parser| parser.parse_statements());
        parsed.map(Vec::from).map_err(|error| translate(&error, asked))
    };
    let parsed = postgres.and_then(|postgres| postgres.parse(asked)).unwrap_or_else(in_ours)?;
    let mut statements = parsed.into_iter();
    let Some(statement) = statements.next() else {
        return Err(QueryError::NotOneStatement("there is no statement: try `select * from events limit 10`"));
    };
    if statements.next().is_some() {
        return Err(QueryError::NotOneStatement("only one statement can be answered at a time"));
    }
    if let ControlFlow::Break(statement) = writes(&statement) {
        return Err(QueryError::ReadOnly { statement });
    }
    check_tables(state, &statement, asked, postgres.is_some())?;
    Ok(statement)
}

/// Breaks with the first words of a statement that does more than read.
fn writes(statement: &Statement) -> ControlFlow<String> {
    match statement {
        Statement::CreateExternalTable(_) => ControlFlow::Break("CREATE EXTERNAL TABLE".to_owned()),
        Statement::CopyTo(_) => ControlFlow::Break("COPY".to_owned()),
        Statement::Reset(_) => ControlFlow::Break("RESET".to_owned()),
        Statement::Explain(explain) => writes(&explain.statement),
        Statement::Statement(statement) => sql_writes(statement),
    }
}

fn sql_writes(statement: &SqlStatement) -> ControlFlow<String> {
    match statement {
        SqlStatement::Query(query) => match query.body.as_ref() {
            SetExpr::Select(select) if select.into.is_some() => ControlFlow::Break("SELECT INTO".to_owned()),
            SetExpr::Insert(inner) | SetExpr::Update(inner) | SetExpr::Delete(inner) | SetExpr::Merge(inner) => {
                sql_writes(inner)
            }
            _ => ControlFlow::Continue(()),
        },
        SqlStatement::ShowTables { .. }
        | SqlStatement::ShowColumns { .. }
        | SqlStatement::ShowVariable { .. }
        | SqlStatement::ShowFunctions { .. }
        | SqlStatement::ExplainTable { .. } => ControlFlow::Continue(()),
        SqlStatement::Explain { statement, .. } => sql_writes(statement),
        other => ControlFlow::Break(first_words(&other.to_string())),
    }
}

/// `CREATE TABLE` of `CREATE TABLE t (…)`.
fn first_words(statement: &str) -> String {
    let is_keyword = |word: &&str| word.bytes().all(|byte| byte.is_ascii_uppercase());
    let words: Vec<&str> = statement.split_whitespace().take_while(is_keyword).take(2).collect();
    words.join(" ")
}

/// Every table must be one of ours, one of the information schema or of PostgreSQL's catalog, or a function that makes rows.
fn check_tables(
    state: &SessionState,
    statement: &Statement,
    asked: &Asked<'_>,
    has_catalog: bool,
) -> Result<(), QueryError> {
    let references = state.resolve_table_references(statement).map_err(|error| translate(&error, asked))?;
    for reference in references {
        let is_ours = match &reference {
            TableReference::Bare { table } => {
                tables::NAMES.contains(&&**table) || state.table_functions().contains_key(&**table)
            }
            TableReference::Partial { schema, table } | TableReference::Full { schema, table, .. } => {
                &**schema == "information_schema"
                    || (has_catalog && &**schema == "pg_catalog")
                    || (&**schema == SCHEMA && tables::NAMES.contains(&&**table))
            }
        };
        if !is_ours {
            return Err(match &reference {
                TableReference::Bare { table } => unknown_table(table),
                TableReference::Partial { schema, table } if &**schema == SCHEMA => unknown_table(table),
                // `events.parquet` without quotes reads as a table of a schema.
                other => QueryError::ForeignFile { name: other.to_string() },
            });
        }
    }
    Ok(())
}

/// The second look, at what the statement was understood as.
pub(super) fn check_plan(plan: &LogicalPlan) -> Result<(), QueryError> {
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let statement = || plan.display().to_string().split([':', ' ']).next().unwrap_or_default().to_owned();
    options.verify_plan(plan).map_err(|_| QueryError::ReadOnly { statement: statement() })
}
