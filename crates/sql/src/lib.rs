//! SQL before anything runs: a statement is planned, and PostgreSQL's catalog is there for programs that ask it.
//!
//! A room of its own, since what reads and plans SQL is generic or asynchronous in the engine, and so is compiled by whoever
//! calls it first: here it is built small, while `query`, which runs over events, is built for speed.

mod catalog;
mod functions;
mod information;
mod names;
mod parser;
mod rewrite;
mod tables;
mod types;

use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use futures::FutureExt as _;
use futures::future::BoxFuture;

pub use functions::POSTGRES_VERSION;
pub use parser::CatalogParser;
pub use types::{postgres_name, postgres_type};

/// As which programs that speak to PostgreSQL know the database.
pub const POSTGRES_CATALOG: &str = "events";
/// In which all tables of a store are.
pub const SCHEMA: &str = "public";

/// What a statement asks for, as a plan that is not optimized yet.
///
/// # Errors
/// The engine's, where the statement names what is not there or has no meaning.
pub fn plan(state: &SessionState, statement: Statement) -> BoxFuture<'_, Result<LogicalPlan>> {
    state.statement_to_plan(statement).boxed()
}
