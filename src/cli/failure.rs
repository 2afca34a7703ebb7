use std::process::ExitCode;

use crate::closed_pipe::is_closed_pipe;

/// How a command ends that has no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was tried and failed: exit status 1.
    Failed(anyhow::Error),
    /// It was asked for in a way that makes no sense: exit status 2.
    Usage(String),
}

/// What a command ends with.
pub(super) type Outcome = Result<ExitCode, Failure>;

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Usage(message) => f.write_str(message),
        }
    }
}

impl Failure {
    /// Says what went wrong on stderr. A reader that has seen enough (`| head`) is no failure.
    pub fn report(self) -> ExitCode {
        match self {
            Self::Usage(message) => {
                eprintln!("emp-events: {message}");
                ExitCode::from(2)
            }
            Self::Failed(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
            Self::Failed(error) => {
                eprintln!("emp-events: {error}");
                if is_wrong_usage(&error) { ExitCode::from(2) } else { ExitCode::FAILURE }
            }
        }
    }
}

/// Was it the asking that was wrong, not the answering?
#[cfg(feature = "query")]
fn is_wrong_usage(error: &anyhow::Error) -> bool {
    use crate::query::QueryError::{BadInteger, BadMoment, MissingParameter, UnknownParameter, UnknownQuery};
    matches!(
        error.downcast_ref(),
        Some(
            BadInteger { .. }
                | BadMoment { .. }
                | MissingParameter { .. }
                | UnknownParameter { .. }
                | UnknownQuery { .. }
        )
    )
}

#[cfg(not(feature = "query"))]
fn is_wrong_usage(_: &anyhow::Error) -> bool {
    false
}
