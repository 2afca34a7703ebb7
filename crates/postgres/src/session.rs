//! What a client asks, and what it is answered.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow_pg::datatypes::{arrow_schema_to_pg_fields, encode_recordbatch};
use async_trait::async_trait;
use futures::{Sink, SinkExt as _, Stream, StreamExt as _, TryStreamExt as _, stream};
use pgwire::api::portal::{Format, Portal, PortalExecutionState};
use pgwire::api::query::{
    ExtendedQueryHandler, SimpleQueryHandler, send_execution_response, send_partial_query_response,
    send_query_response, send_ready_for_query,
};
use pgwire::api::results::{
    DescribePortalResponse, DescribeStatementResponse, FieldInfo, QueryResponse, Response, Tag,
};
use pgwire::api::stmt::{QueryParser, StoredStatement};
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, PgWireConnectionState, Type};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::data::DataRow;
use pgwire::messages::extendedquery::Execute;
use pgwire::messages::response::{EmptyQueryResponse, TransactionStatus};
use pgwire::messages::simplequery::Query;
use tokio::sync::OnceCell;

use super::cancel::{Cancelled, Cancels};
use super::database::{Answer, Database, Described, Parameter, Refused};
use super::parameters::{bound, type_named};
use super::settings::shown;
use super::statements::{Kind, kind, split};

/// Answers every client of a server.
pub(crate) struct Session {
    pub database: Arc<dyn Database>,
    pub cancels: Arc<Cancels>,
}

/// A statement that was prepared; what it takes and gives is asked once, where somebody wants to know.
#[derive(Clone)]
pub(crate) struct Prepared {
    text: String,
    /// The types that the client has said.
    said: Vec<Option<String>>,
    described: Arc<OnceCell<Described>>,
}

impl Session {
    /// Begins to answer one statement.
    async fn answer(
        &self,
        client: &impl ClientInfo,
        statement: &str,
        parameters: Vec<Parameter>,
        format: &Format,
    ) -> PgWireResult<Response> {
        let has_failed = client.transaction_status() == TransactionStatus::Error;
        let kind = kind(statement);
        if has_failed && !matches!(kind, Kind::Commit | Kind::Rollback | Kind::Done("ROLLBACK")) {
            let why = "the transaction has failed: nothing is answered before it is ended";
            return Err(Refused::new("25P02", why).into());
        }
        Ok(match kind {
            Kind::Begin => Response::TransactionStart(Tag::new("BEGIN")),
            Kind::Commit if !has_failed => Response::TransactionEnd(Tag::new("COMMIT")),
            Kind::Commit | Kind::Rollback => Response::TransactionEnd(Tag::new("ROLLBACK")),
            Kind::Done(word) => Response::Execution(Tag::new(word)),
            Kind::Question => {
                let mut cancelled = self.cancels.begin(client);
                let asked = async {
                    match shown(statement, self.database.version()) {
                        Some((name, value)) => Ok(one(name, &value)),
                        None => self.database.ask(statement.to_owned(), parameters).await,
                    }
                };
                let answer = tokio::select! {
                    biased;
                    () = cancelled.wait() => return Err(PgWireError::QueryCanceled),
                    answer = asked => answer?,
                };
                Response::Query(rows_of(answer, cancelled, format)?)
            }
        })
    }

    /// What a prepared statement takes and gives; nothing where it has no rows.
    async fn described<'a>(&self, prepared: &'a Prepared) -> PgWireResult<Option<&'a Described>> {
        if kind(&prepared.text) != Kind::Question {
            return Ok(None);
        }
        let ask = || async {
            match shown(&prepared.text, self.database.version()) {
                Some((name, value)) => Ok(Described { parameters: Vec::new(), columns: one(name, &value).columns }),
                None => self.database.describe(prepared.text.clone(), prepared.said.clone()).await,
            }
        };
        Ok(Some(prepared.described.get_or_try_init(ask).await?))
    }

    /// Begins to answer what was bound.
    async fn begin(&self, client: &impl ClientInfo, portal: &Portal<Prepared>) -> PgWireResult<Response> {
        let prepared = &portal.statement.statement;
        // What a client was told of types, it goes by.
        let types =
            prepared.described.get().map_or_else(|| prepared.said.clone(), |described| types(prepared, described));
        let parameters = bound(portal, &types)?;
        self.answer(client, &prepared.text, parameters, &portal.result_column_format).await
    }
}

/// The types of the parameters: as the client has said, else as they were found.
fn types(prepared: &Prepared, described: &Described) -> Vec<Option<String>> {
    let all = prepared.said.len().max(described.parameters.len());
    let one = |index| {
        let said = prepared.said.get(index).cloned().flatten();
        said.or_else(|| described.parameters.get(index).cloned().flatten())
    };
    (0..all).map(one).collect()
}

/// The columns in the form that a client wants them in.
fn fields(columns: &Schema, format: &Format) -> PgWireResult<Vec<FieldInfo>> {
    if matches!(format, Format::Individual(each) if each.len() != columns.fields().len()) {
        return Err(Refused::new("08P01", "there is not one format for each column").into());
    }
    arrow_schema_to_pg_fields(columns, format, None)
}

fn rows_of(answer: Answer, cancelled: Cancelled, format: &Format) -> PgWireResult<QueryResponse> {
    let fields = Arc::new(fields(&answer.columns, format)?);
    let of_rows = Arc::clone(&fields);
    let batches = stream::unfold(Some((answer.rows, cancelled)), |state| async {
        let (mut rows, mut cancelled) = state?;
        let next = tokio::select! {
            biased;
            () = cancelled.wait() => return Some((Err(PgWireError::QueryCanceled), None)),
            next = rows.next() => next?,
        };
        Some((next.map_err(PgWireError::from), Some((rows, cancelled))))
    });
    let rows = batches.map_ok(move |batch| encoded(&of_rows, batch)).try_flatten();
    Ok(QueryResponse::new(fields, rows))
}

fn encoded(fields: &Arc<Vec<FieldInfo>>, batch: RecordBatch) -> impl Stream<Item = PgWireResult<DataRow>> + use<> {
    stream::iter(encode_recordbatch(Arc::clone(fields), batch))
}

/// One row of one text.
fn one(name: &str, text: &str) -> Answer {
    let columns = Arc::new(Schema::new(vec![Field::new(name, DataType::Utf8, false)]));
    let values: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let batch = RecordBatch::try_new(Arc::clone(&columns), vec![values]);
    let rows = stream::iter([batch.map_err(|error| Refused::new("XX000", error.to_string()))]).boxed();
    Answer { columns, rows }
}

#[async_trait]
impl SimpleQueryHandler for Session {
    /// One statement after the other: each is answered before the next is asked.
    async fn on_query<C>(&self, client: &mut C, query: Query) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if !matches!(client.state(), PgWireConnectionState::ReadyForQuery) {
            return Err(PgWireError::NotReadyForQuery);
        }
        client.set_state(PgWireConnectionState::QueryInProgress);
        let statements = split(&query.query);
        if statements.is_empty() {
            client.feed(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new())).await?;
        }
        for statement in statements {
            let response = self.answer(client, statement, Vec::new(), &Format::UnifiedText).await?;
            send(client, response, true).await?;
        }
        client.set_state(PgWireConnectionState::ReadyForQuery);
        let status = client.transaction_status();
        send_ready_for_query(client, status).await
    }

    async fn do_query<C>(&self, client: &mut C, query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        Ok(vec![self.answer(client, query, Vec::new(), &Format::UnifiedText).await?])
    }
}

/// Sends the whole of an answer, and takes note of what becomes of the transaction.
async fn send<C>(client: &mut C, response: Response, with_columns: bool) -> PgWireResult<()>
where
    C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
    C::Error: Debug,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
{
    let status = client.transaction_status();
    match response {
        Response::Query(answer) => send_query_response(client, answer, with_columns).await,
        Response::TransactionStart(tag) => {
            client.set_transaction_status(status.to_in_transaction_state());
            send_execution_response(client, tag).await
        }
        Response::TransactionEnd(tag) => {
            client.set_transaction_status(status.to_idle_state());
            send_execution_response(client, tag).await
        }
        Response::Execution(tag) => send_execution_response(client, tag).await,
        // None of the others is ever made.
        _ => Ok(client.feed(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new())).await?),
    }
}

#[async_trait]
impl ExtendedQueryHandler for Session {
    type Statement = Prepared;
    type QueryParser = Parser;

    fn query_parser(&self) -> Arc<Parser> {
        Arc::new(Parser)
    }

    /// Rows go out as they come, and are not gathered before; what is left of an answer waits with its portal.
    async fn on_execute<C>(&self, client: &mut C, message: Execute) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(pgwire::api::DEFAULT_NAME);
        let portal = client.portal_store().get_portal(name);
        let Some(portal) = portal.as_ref().and_then(|entry| entry.value()) else {
            // One that is not there, or is empty.
            return self._on_execute(client, message).await;
        };
        let most = usize::try_from(message.max_rows).unwrap_or(0);
        let state = portal.state();
        let mut state = state.lock().await;
        if matches!(*state, PortalExecutionState::Initial) {
            match self.begin(client, portal).await? {
                Response::Query(answer) => *state = PortalExecutionState::Suspended(answer),
                other => return send(client, other, false).await,
            }
        }
        match std::mem::replace(&mut *state, PortalExecutionState::Finished) {
            PortalExecutionState::Suspended(mut answer) => {
                if send_partial_query_response(client, &mut answer, most).await? {
                    *state = PortalExecutionState::Suspended(answer);
                }
                Ok(())
            }
            _ => send_execution_response(client, Tag::new("SELECT").with_rows(0)).await,
        }
    }

    async fn do_describe_statement<C>(
        &self,
        _: &mut C,
        target: &StoredStatement<Prepared>,
    ) -> PgWireResult<DescribeStatementResponse>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let prepared = &target.statement;
        let Some(described) = self.described(prepared).await? else {
            return Ok(DescribeStatementResponse::new(Vec::new(), Vec::new()));
        };
        let types = types(prepared, described).iter().map(|name| type_named(name.as_deref())).collect();
        Ok(DescribeStatementResponse::new(types, fields(&described.columns, &Format::UnifiedText)?))
    }

    /// The columns are those of the answer, which is begun for them.
    async fn do_describe_portal<C>(
        &self,
        client: &mut C,
        target: &Portal<Prepared>,
    ) -> PgWireResult<DescribePortalResponse>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let state = target.state();
        let mut state = state.lock().await;
        if let (PortalExecutionState::Initial, Kind::Question) = (&*state, kind(&target.statement.statement.text))
            && let Response::Query(answer) = self.begin(client, target).await?
        {
            *state = PortalExecutionState::Suspended(answer);
        }
        let fields = match &*state {
            PortalExecutionState::Suspended(answer) => answer.row_schema().as_ref().clone(),
            _ => Vec::new(),
        };
        Ok(DescribePortalResponse::new(fields))
    }

    async fn do_query<C>(&self, client: &mut C, portal: &Portal<Prepared>, _: usize) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        self.begin(client, portal).await
    }
}

/// Takes statements as they are; what is wrong with them is said when they are asked.
pub(crate) struct Parser;

#[async_trait]
impl QueryParser for Parser {
    type Statement = Prepared;

    async fn parse_sql<C>(&self, _: &C, text: &str, types: &[Option<Type>]) -> PgWireResult<Option<Prepared>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let statements = split(text);
        let text = match statements.as_slice() {
            [] => return Ok(None),
            [one] => (*one).to_owned(),
            _ => return Err(Refused::new("42601", "several statements cannot be prepared as one").into()),
        };
        let said = types.iter().map(|of| of.as_ref().map(|of| of.name().to_owned())).collect();
        Ok(Some(Prepared { text, said, described: Arc::default() }))
    }

    fn get_parameter_types(&self, _: &Prepared) -> PgWireResult<Vec<Type>> {
        Ok(Vec::new())
    }

    fn get_result_schema(&self, _: &Prepared, _: Option<&Format>) -> PgWireResult<Vec<FieldInfo>> {
        Ok(Vec::new())
    }
}
