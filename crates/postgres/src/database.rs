use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use pgwire::error::{ErrorInfo, PgWireError};

/// What is asked.
pub trait Database: Send + Sync + 'static {
    /// The version of PostgreSQL for which clients are to choose their questions, and its number: `15.0` and `150000`.
    fn version(&self) -> (&'static str, &'static str);

    /// Answers a statement that only reads. The question is dropped where nobody waits for its answer any more.
    fn ask(&self, statement: String, parameters: Vec<Parameter>) -> BoxFuture<'static, Result<Answer, Refused>>;

    /// What a statement takes and would be answered. Types are PostgreSQL's names, as far as the client has said them.
    fn describe(&self, statement: String, types: Vec<Option<String>>)
    -> BoxFuture<'static, Result<Described, Refused>>;
}

/// What stands for `$1` and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// PostgreSQL's name of its type, where that is known.
    pub of: Option<String>,
    /// As text; `None` is null.
    pub text: Option<String>,
}

/// The rows of an answer, as they come.
pub struct Answer {
    /// Its columns.
    pub columns: SchemaRef,
    /// The rows.
    pub rows: BoxStream<'static, Result<RecordBatch, Refused>>,
}

/// What a statement takes and gives.
#[derive(Debug, Clone)]
pub struct Described {
    /// PostgreSQL's names of the types of its parameters; `None` is whatever is given.
    pub parameters: Vec<Option<String>>,
    /// The columns of its answer.
    pub columns: SchemaRef,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// PostgreSQL's code for it (SQLSTATE).
    pub code: String,
    /// For a person.
    pub message: String,
}

impl Refused {
    /// That code, and what a person is told.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

impl From<Refused> for PgWireError {
    fn from(refused: Refused) -> Self {
        error("ERROR", &refused.code, &refused.message)
    }
}

/// An error as clients are told of it: a fatal one ends the connection.
pub(crate) fn error(severity: &str, code: &str, message: &str) -> PgWireError {
    // What an event said may stand in it, and a zero would end the text early.
    let message = message.replace('\0', "\u{fffd}");
    let mut info = ErrorInfo::new(severity.to_owned(), code.to_owned(), message);
    info.severity_nonlocalized = Some(severity.to_owned());
    PgWireError::UserError(Box::new(info))
}
