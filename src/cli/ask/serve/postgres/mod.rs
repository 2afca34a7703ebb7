//! `--pg-listen`: SQL over PostgreSQL's wire protocol. Each statement is answered as every question of `serve` is: in a process
//! of its own, in turn with the others. It writes what it finds as a stream of Arrow, which is read here.

mod codes;
mod plain;
mod statement;

use std::process::Command;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamDecoder;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};

use emp_postgres::{Answer, Database, Described, Parameter, Refused};
use emp_serve::{Answers, Aside, Asked, Kind, Parts, Refusal};

pub(super) use statement::OfStatements;
use statement::{BOUND, Bound, DESCRIBE, STATEMENT, TAKES, TYPES};

/// The store, asked by processes of their own.
pub(super) struct Apart {
    pub aside: Aside,
    pub statements: Arc<OfStatements>,
}

impl Database for Apart {
    fn version(&self) -> (&'static str, &'static str) {
        emp_query::POSTGRES_VERSION
    }

    fn ask(&self, statement: String, parameters: Vec<Parameter>) -> BoxFuture<'static, Result<Answer, Refused>> {
        let bound: Vec<Bound> = parameters.into_iter().map(|Parameter { of, text }| Bound { of, text }).collect();
        let given = (BOUND.to_owned(), serde_json::json!(bound).to_string());
        let asked = self.begin(vec![(STATEMENT.to_owned(), statement), given]);
        async move {
            let mut answer = asked.await?;
            let columns = answer.schema().await?;
            let rows = stream::try_unfold(answer, |mut answer| async {
                Ok(answer.next().await?.map(|batch| (batch, answer)))
            });
            Ok(Answer { columns, rows: rows.boxed() })
        }
        .boxed()
    }

    fn describe(
        &self,
        statement: String,
        types: Vec<Option<String>>,
    ) -> BoxFuture<'static, Result<Described, Refused>> {
        let types = (TYPES.to_owned(), serde_json::json!(types).to_string());
        let asked =
            self.begin(vec![(STATEMENT.to_owned(), statement), types, (DESCRIBE.to_owned(), "true".to_owned())]);
        async move {
            let columns = asked.await?.schema().await?;
            let takes = columns.metadata().get(TAKES).map(String::as_str).unwrap_or("[]");
            let parameters = serde_json::from_str(takes).map_err(|error| unreadable(&error))?;
            Ok(Described { parameters, columns })
        }
        .boxed()
    }
}

impl Apart {
    fn begin(&self, parameters: Vec<(String, String)>) -> BoxFuture<'static, Result<Read, Refused>> {
        let (aside, program): (Aside, Command) = (self.aside.clone(), self.statements.program());
        let asked = Asked { name: STATEMENT.to_owned(), parameters };
        async move {
            let parts = aside.ask(program, &asked).await.map_err(refused)?;
            Ok(Read { parts, decoder: StreamDecoder::new(), buffer: Buffer::default() })
        }
        .boxed()
    }
}

/// A stream of Arrow, as its parts come.
struct Read {
    parts: Parts,
    decoder: StreamDecoder,
    /// What has come and is not decoded yet.
    buffer: Buffer,
}

impl Read {
    async fn schema(&mut self) -> Result<SchemaRef, Refused> {
        // The first step takes the schema alone, however much lies behind it.
        loop {
            if let Some(schema) = self.decoder.schema() {
                return Ok(schema);
            }
            if !self.take().await? {
                return Err(unreadable(&"it has no columns"));
            }
            let mut first = self.buffer.clone();
            let mut ahead = StreamDecoder::new();
            // What rows it meets are met again, by the decoder that goes on.
            if ahead.decode(&mut first).is_ok()
                && let Some(schema) = ahead.schema()
            {
                return Ok(schema);
            }
        }
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>, Refused> {
        loop {
            let batch = self.decoder.decode(&mut self.buffer).map_err(|error| unreadable(&error))?;
            if batch.is_some() {
                return Ok(batch);
            }
            if !self.take().await? {
                return Ok(None);
            }
        }
    }

    /// Waits for the next part; is there one?
    async fn take(&mut self) -> Result<bool, Refused> {
        let Some(part) = self.parts.next().await.map_err(refused)? else { return Ok(false) };
        self.buffer = match self.buffer.is_empty() {
            true => Buffer::from(part),
            false => Buffer::from([self.buffer.as_slice(), part.as_ref()].concat()),
        };
        Ok(true)
    }
}

fn refused(refusal: Refusal) -> Refused {
    let usual = match refusal.kind {
        Kind::Usage => codes::WRONG,
        Kind::Busy => codes::BUSY,
        Kind::TooLong => codes::TOO_LONG,
        Kind::AnswerTooLarge | Kind::TooLarge => codes::TOO_MUCH,
        _ => codes::FAILED,
    };
    Refused::new(refusal.code.as_deref().unwrap_or(usual), refusal.message)
}

fn unreadable(error: &dyn std::fmt::Display) -> Refused {
    Refused::new(codes::FAILED, format!("the answer cannot be read: {error}; that is an error of this program"))
}
