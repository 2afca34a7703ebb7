use std::process::ExitCode;

use super::ask::is_wrong_usage;
use emp_event::visible_lines;
use emp_system::is_closed_pipe;

/// How a command ends that has no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was tried and failed: exit status 1.
    Failed(anyhow::Error),
    /// It was asked for in a way that makes no sense: exit status 2.
    Usage(String),
}

/// What was asked about is not there.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
#[cfg_attr(not(feature = "query"), expect(dead_code, reason = "only questions are about something"))]
pub(super) struct Missing(pub String);

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

/// Says something beside the answer. It may tell of what producers wrote, which no terminal is to obey.
pub(super) fn say(message: &str) {
    eprintln!("emp-events: {}", visible_lines(message));
}

impl Failure {
    /// Says what went wrong on stderr. A reader that has seen enough (`| head`) is no failure.
    pub fn report(self) -> ExitCode {
        match self {
            Self::Usage(message) => {
                say(&message);
                ExitCode::from(2)
            }
            Self::Failed(error) if is_closed_pipe(error.as_ref()) => ExitCode::SUCCESS,
            Self::Failed(error) => {
                say(&error.to_string());
                if is_wrong_usage(&error) { ExitCode::from(2) } else { ExitCode::FAILURE }
            }
        }
    }
}
