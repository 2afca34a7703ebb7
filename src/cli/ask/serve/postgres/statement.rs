//! One statement, in the process that answers it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use arrow::datatypes::Schema;
use arrow::ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::runtime::Runtime;

use emp_query::{Engine, QueryError, postgres_name};
use emp_serve::{Answers, Asked, Kind, Refusal, Reply};

use super::codes::{FAILED, TOO_MUCH, code_of};
use super::plain::{plain_batch, plain_schema};
use crate::cli::ask::answer::engine_for_postgres;
use crate::cli::ask::serve::questions::PROGRAM;
use crate::cli::options::Options;

/// The names of what is said with a question.
pub(super) const STATEMENT: &str = "statement";
/// See [`STATEMENT`]: what stands for its parameters.
pub(super) const BOUND: &str = "bound";
/// See [`STATEMENT`]: the types of its parameters, as far as they were said.
pub(super) const TYPES: &str = "types";
/// See [`STATEMENT`]: only what it takes and gives is wanted.
pub(super) const DESCRIBE: &str = "describe";
/// What is said beside the columns of the answer to that: the types of the parameters.
pub(super) const TAKES: &str = "takes";

/// What stands for a parameter.
#[derive(Serialize, Deserialize)]
pub(super) struct Bound {
    pub of: Option<String>,
    pub text: Option<String>,
}

/// Statements about one store.
pub(in crate::cli::ask::serve) struct OfStatements {
    pub options: Options,
    /// On which they are answered, in the process that does.
    pub runtime: Option<Runtime>,
    /// The words of a command line that answers one of them in a process of its own.
    pub words: Vec<OsString>,
}

impl Answers for OfStatements {
    fn program(&self) -> Command {
        let mut program = Command::new(&*PROGRAM);
        program.arg0("emp-events").args(&self.words);
        program
    }

    fn answer(&self, asked: &Asked, reply: &mut Reply) -> Result<(), Refusal> {
        let said =
            |name: &str| asked.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let statement = said(STATEMENT).unwrap_or_default();
        let Some(runtime) = &self.runtime else { return Err(failed("this process asks, and does not answer")) };
        runtime.block_on(async {
            let engine = engine_for_postgres(&self.options).map_err(refusal)?;
            match said(DESCRIBE) {
                Some(_) => describe(&engine, statement, said(TYPES).unwrap_or("[]"), reply).await,
                None => answer(&engine, statement, said(BOUND).unwrap_or("[]"), reply).await,
            }
        })
    }
}

async fn answer(engine: &Engine, statement: &str, bound: &str, reply: &mut Reply) -> Result<(), Refusal> {
    let bound: Vec<Bound> = serde_json::from_str(bound).map_err(failed)?;
    let bound: Vec<_> = bound.into_iter().map(|Bound { of, text }| emp_query::Bound { of, text }).collect();
    let mut answer = engine.sql_bound(statement, &bound).await.map_err(refusal)?;
    let schema = plain_schema(&answer.schema);
    let mut rows_left = reply.rows_max();
    let rows_max = rows_left;
    let mut out = StreamWriter::try_new(&mut *reply, &schema).map_err(failed)?;
    while let Some(batch) = answer.next().await.map_err(refusal)? {
        if batch.num_rows() > rows_left {
            let message = format!("the answer has more than {rows_max} rows: ask for fewer");
            return Err(Refusal::new(Kind::AnswerTooLarge, message).known_as(TOO_MUCH));
        }
        rows_left -= batch.num_rows();
        out.write(&plain_batch(&batch, &schema).map_err(failed)?).map_err(failed)?;
    }
    out.finish().map_err(failed)
}

/// The columns alone, and beside them what the statement takes.
async fn describe(engine: &Engine, statement: &str, types: &str, reply: &mut Reply) -> Result<(), Refusal> {
    let types: Vec<Option<String>> = serde_json::from_str(types).map_err(failed)?;
    let described = engine.describe(statement, &types).await.map_err(refusal)?;
    let takes: Vec<Option<&str>> = described.parameters.iter().map(|of| of.as_ref().map(postgres_name)).collect();
    let fields = plain_schema(&described.schema).fields().clone();
    let beside = [(TAKES.to_owned(), json!(takes).to_string())];
    let schema = Schema::new(fields).with_metadata(beside.into());
    let mut out = StreamWriter::try_new(&mut *reply, &schema).map_err(failed)?;
    out.finish().map_err(failed)
}

fn refusal(error: QueryError) -> Refusal {
    let kind = match error {
        QueryError::Exhausted { .. } => Kind::AnswerTooLarge,
        _ => Kind::Usage,
    };
    let code = code_of(&error);
    Refusal::new(kind, error.to_string()).known_as(code)
}

/// What is no fault of the statement's.
fn failed(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Kind::Failed, error.to_string()).known_as(FAILED)
}
