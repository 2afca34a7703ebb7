//! Statements of programs that speak to PostgreSQL: with parameters, and about PostgreSQL's own catalog.
//!
//! What asks events is the same SQL as everywhere. What asks the catalog is read in PostgreSQL's dialect, and rewritten
//! as far as the engine lacks something (`emp-sql`).

use std::collections::HashMap;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use emp_sql::{CatalogParser, postgres_name, postgres_type};
use tokio::sync::OnceCell;

use super::clocks::goes_by_clocks;
use super::dialect::StoreDialect;
use super::engine::Given;
use super::json_column::told_schema;
use super::translate::{Asked, translate};
use super::{Answer, Engine, QueryError};

/// What stands for `$1` and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The type that was said, by PostgreSQL's name.
    pub of: Option<String>,
    /// As text; `None` is null.
    pub text: Option<String>,
}

/// What a statement takes and gives.
#[derive(Debug, Clone)]
pub struct Described {
    /// The types of its parameters, as far as they are known.
    pub parameters: Vec<Option<DataType>>,
    /// The columns of its answer.
    pub schema: SchemaRef,
}

/// What an engine has for such programs.
#[derive(Debug, Default)]
pub(super) struct Postgres {
    parser: OnceCell<CatalogParser>,
}

impl Postgres {
    /// Makes the catalog known to a session, before it is asked for the first time.
    pub async fn set_up(&self, context: &SessionContext, asked: &Asked<'_>) -> Result<(), QueryError> {
        if asks_catalog(asked.sql) {
            let parser = self.parser.get_or_try_init(|| CatalogParser::set_up(context)).await;
            parser.map_err(|error| translate(&error, asked))?;
        }
        Ok(())
    }

    /// A statement about the catalog; `None` where it is about something else.
    pub fn parse(&self, asked: &Asked<'_>) -> Option<Result<Vec<Statement>, QueryError>> {
        let parser = self.parser.get().filter(|_| asks_catalog(asked.sql))?;
        Some(parser.parse(asked.sql).map_err(|error| translate(&error.into(), asked)))
    }
}

/// Names that only PostgreSQL's catalog has, beside those that begin with `pg_`.
const CATALOG_NAMES: [&str; 12] = [
    "information_schema",
    "current_schema",
    "current_catalog",
    "current_user",
    "session_user",
    "regclass",
    "regtype",
    "regproc",
    "regprocedure",
    "regnamespace",
    "regrole",
    "show",
];
/// Functions that only PostgreSQL has. Their names may be columns of somebody's own.
const CATALOG_FUNCTIONS: [&str; 14] = [
    "version",
    "current_database",
    "current_schemas",
    "current_setting",
    "set_config",
    "format_type",
    "quote_ident",
    "obj_description",
    "col_description",
    "shobj_description",
    "has_table_privilege",
    "has_schema_privilege",
    "has_database_privilege",
    "has_any_column_privilege",
];

/// Does a statement ask about PostgreSQL's catalog? Texts in it do not count.
fn asks_catalog(sql: &str) -> bool {
    let Ok(tokens) = Tokenizer::new(&StoreDialect, sql).tokenize() else { return false };
    let mut tokens = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).peekable();
    while let Some(token) = tokens.next() {
        let Token::Word(word) = token else { continue };
        let name = word.value.to_ascii_lowercase();
        let is_called = matches!(tokens.peek(), Some(Token::LParen));
        if name.starts_with("pg_")
            || CATALOG_NAMES.contains(&name.as_str())
            || (is_called && CATALOG_FUNCTIONS.contains(&name.as_str()))
        {
            return true;
        }
    }
    false
}

impl Engine {
    /// As [`Engine::sql`], with what stands for its parameters. It reads texts as what the statement needs there.
    ///
    /// # Errors
    /// As [`Engine::sql`], and where a text is not of the type that it has to be.
    pub async fn sql_bound(&self, text: &str, parameters: &[Bound]) -> Result<Answer, QueryError> {
        let offsets = match goes_by_clocks(text) {
            true => Some(self.offsets(None, None).await?),
            false => None,
        };
        self.run(text, Given::Texts(parameters), offsets).await
    }

    /// What a statement takes and gives, which is not answered for that.
    ///
    /// # Errors
    /// As [`Engine::sql`].
    pub async fn describe(&self, text: &str, types: &[Option<String>]) -> Result<Described, QueryError> {
        let (state, logical) = self.understand(text).await?;
        let found = types_of_parameters(&logical);
        let count = found.keys().filter_map(|name| name.strip_prefix('$')?.parse::<usize>().ok()).max().unwrap_or(0);
        let parameters = (0..count.max(types.len())).map(|index| {
            let said = types.get(index).and_then(|name| postgres_type(name.as_deref()?));
            said.or_else(|| found.get(&format!("${}", index + 1)).cloned().flatten())
        });
        let parameters: Vec<Option<DataType>> = parameters.collect();
        let analyzed = state.analyzer().execute_and_check(logical.clone(), state.config_options(), |_, _| {});
        // Where a parameter can be anything, nothing more is known than before.
        let schema = told_schema(analyzed.unwrap_or(logical).schema().inner());
        Ok(Described { parameters, schema })
    }
}

/// The types that a plan needs its parameters to be of, as far as they are known.
fn types_of_parameters(plan: &LogicalPlan) -> HashMap<String, Option<DataType>> {
    let mut found = plan.get_parameter_types().unwrap_or_default();
    // The engine finds no type where a number of rows stands.
    let _ = plan.apply_with_subqueries(|plan| {
        if let LogicalPlan::Limit(limit) = plan {
            for expr in [&limit.skip, &limit.fetch].into_iter().flatten() {
                if let Expr::Placeholder(parameter) = expr.as_ref() {
                    found.insert(parameter.id.clone(), Some(DataType::Int64));
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    found
}

/// The values that stand for the parameters of a plan.
pub(super) fn values(plan: &LogicalPlan, bound: &[Bound]) -> Result<Option<ParamValues>, QueryError> {
    if bound.is_empty() {
        return Ok(None);
    }
    let found = types_of_parameters(plan);
    let one = |(index, Bound { of, text }): (usize, &Bound)| {
        let needed = found.get(&format!("${}", index + 1)).cloned().flatten();
        let of = needed.filter(|of| *of != DataType::Null).or_else(|| postgres_type(of.as_deref()?));
        let of = of.unwrap_or(DataType::Utf8);
        ScalarValue::Utf8(text.clone()).cast_to(&of).map_err(|_| QueryError::NoParameter {
            number: index + 1,
            text: text.clone().unwrap_or_default(),
            kind: postgres_name(&of).to_owned(),
        })
    };
    let values: Vec<ScalarValue> = bound.iter().enumerate().map(one).collect::<Result<_, _>>()?;
    Ok(Some(values.into()))
}
