//! Statements about PostgreSQL's catalog, as the engine understands them.

use std::sync::LazyLock;

use datafusion::error::Result;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use regex::Regex;

use super::{catalog, rewrite};

/// Reads statements about the catalog, in PostgreSQL's dialect, and rewrites them as far as the engine lacks something
/// (`datafusion-pg-catalog`).
#[derive(Debug)]
pub struct CatalogParser(PostgresCompatibilityParser);

impl CatalogParser {
    /// Makes the catalog known to a session of [`super::POSTGRES_CATALOG`].
    ///
    /// # Errors
    /// The engine's, where the session is another one.
    pub fn set_up(context: &SessionContext) -> BoxFuture<'_, Result<Self>> {
        async move {
            catalog::set_up(context).await?;
            Ok(Self(PostgresCompatibilityParser::new()))
        }
        .boxed()
    }

    /// The statements of a text.
    ///
    /// # Errors
    /// [`ParserError`] where it is no SQL.
    pub fn parse(&self, sql: &str) -> Result<Vec<Statement>, ParserError> {
        let parsed = self.0.parse(&FUNCTION_BY_NAME.replace_all(sql, "'$1'"))?;
        Ok(parsed.into_iter().map(|statement| Statement::Statement(Box::new(rewrite::rewritten(statement)))).collect())
    }
}

/// The catalog's columns hold the names of functions, where PostgreSQL's hold their numbers.
static FUNCTION_BY_NAME: LazyLock<Regex> = LazyLock::new(|| {
    // It is a constant, and tried by each statement of the tests.
    Regex::new(r"'(?:pg_catalog\.)?(\w+)'::(?:pg_catalog\.)?regproc\b")
        .unwrap_or_else(|_| unreachable!("it is an expression"))
});
