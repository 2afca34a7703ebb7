//! The engine: one store, asked in SQL.

use std::io;
use std::sync::Arc;

use datafusion::common::ParamValues;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionContext;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::canned::CannedQuery;
use super::session::{self, Limits};
use super::translate::{Asked, translate, vanished};
use super::view::Source;
use super::{Answer, QueryError, statement, tables};
use crate::store::{Layout, StoreError};

/// Answers questions about one store, as it was when the engine was opened.
///
/// Opening is cheap, so a process opens one for each question that should see new events.
/// An engine looks again by itself where files have gone since.
pub struct Engine {
    pub(super) source: Arc<Source>,
    context: SessionContext,
    limits: Limits,
    clock: Clock,
    /// Held while a statement is planned: all its scans must see one snapshot.
    planning: tokio::sync::Mutex<()>,
}

/// What `1h` ago and `friday` are counted from.
pub(super) struct Clock {
    pub now: Timestamp,
    pub tz: TimeZone,
}

impl Engine {
    /// Looks at the store, and starts a session.
    ///
    /// # Errors
    /// [`QueryError::NoStore`] where the folder is missing, [`QueryError::Store`] where it
    /// cannot be read.
    pub fn open(layout: &Layout) -> Result<Self, QueryError> {
        Self::open_within(layout, Limits::of_machine())
    }

    pub(super) fn open_within(layout: &Layout, limits: Limits) -> Result<Self, QueryError> {
        let source = Source::open(layout).map_err(|error| match error {
            StoreError::Io { ref source, ref path, .. }
                if source.kind() == io::ErrorKind::NotFound && path == layout.root() =>
            {
                QueryError::NoStore { root: layout.root().to_owned() }
            }
            other => QueryError::Store(other),
        })?;
        let source = Arc::new(source);
        let asked = Asked { sql: "", limits: &limits, state: None };
        let context = context(&source, &limits).map_err(|error| translate(&error, &asked))?;
        let clock = Clock { now: Timestamp::now(), tz: TimeZone::system() };
        Ok(Self { source, context, limits, clock, planning: tokio::sync::Mutex::default() })
    }

    /// The same engine with another clock and time zone for the parameters of canned queries.
    #[must_use]
    pub fn with_clock(self, now: Timestamp, tz: TimeZone) -> Self {
        Self { clock: Clock { now, tz }, ..self }
    }

    /// Answers one statement that reads: SELECT, EXPLAIN, SHOW, DESCRIBE.
    ///
    /// # Errors
    /// [`QueryError`]: see its cases.
    pub async fn sql(&self, text: &str) -> Result<Answer, QueryError> {
        self.run(text, None).await
    }

    /// Answers a canned query. `given` are its parameters as text, by name; of two with one
    /// name the last counts.
    ///
    /// # Errors
    /// A [`QueryError`] about a parameter that is unknown, missing or not of its type; else
    /// as [`Self::sql`].
    pub async fn canned(&self, query: &CannedQuery, given: &[(String, String)]) -> Result<Answer, QueryError> {
        let values = query.bind(given, &self.clock)?;
        self.run(&query.sql, Some(values)).await
    }

    async fn run(&self, text: &str, values: Option<ParamValues>) -> Result<Answer, QueryError> {
        let state = self.context.state();
        let asked = Asked { sql: text, limits: &self.limits, state: Some(&state) };
        let plan = match self.plan(&state, &asked, values.clone()).await? {
            Ok(plan) => plan,
            // The collector replaced files since they were listed: the new ones hold the same.
            Err(error) if vanished(&error).is_some() => {
                self.source.refresh()?;
                self.plan(&state, &asked, values).await?.map_err(|error| translate(&error, &asked))?
            }
            Err(error) => return Err(translate(&error, &asked)),
        };
        let stream = execute_stream(plan, state.task_ctx()).map_err(|error| translate(&error, &asked))?;
        Ok(Answer::new(stream, self.source.view().warnings(), self.limits))
    }

    /// Outside, what is wrong with the statement; inside, what went wrong with planning it.
    async fn plan(
        &self,
        state: &SessionState,
        asked: &Asked<'_>,
        values: Option<ParamValues>,
    ) -> Result<Result<Arc<dyn ExecutionPlan>, DataFusionError>, QueryError> {
        let statement = statement::parse(state, asked)?;
        let _one_at_a_time = self.planning.lock().await;
        let logical = match state.statement_to_plan(statement).await {
            Ok(logical) => logical,
            Err(error) => return Ok(Err(error)),
        };
        statement::check_plan(&logical)?;
        let bound = match values {
            Some(values) => logical.with_param_values(values),
            None => Ok(logical),
        };
        Ok(match bound {
            Ok(logical) => state.create_physical_plan(&logical).await,
            Err(error) => Err(error),
        })
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("limits", &self.limits).finish_non_exhaustive()
    }
}

fn context(source: &Arc<Source>, limits: &Limits) -> Result<SessionContext, DataFusionError> {
    let state = session::start(limits)?;
    let schema = state.schema_for_ref(tables::NAMES[0])?;
    for (name, table) in tables::all(source) {
        schema.register_table(name.to_owned(), table)?;
    }
    Ok(SessionContext::new_with_state(state))
}
