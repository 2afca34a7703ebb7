use std::process::Command;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc::Receiver;

use super::{Followed, Refusal, Reply};

/// A question as it came: its name, and its parameters in their order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Asked {
    /// What is asked, by the name of a command.
    pub name: String,
    /// What is said with it; a name may come several times.
    pub parameters: Vec<(String, String)>,
}

/// What answers, each question in a process of its own.
pub trait Answers: Send + Sync + 'static {
    /// The program that answers one question in a process of its own, by [`answer_one`](super::answer_one).
    fn program(&self) -> Command;

    /// Writes the answer into the reply, in that process. It may wait; it ends early where [`Reply::over`] says so.
    ///
    /// # Errors
    /// Why there is no answer, or none to its end.
    fn answer(&self, asked: &Asked, reply: &mut Reply) -> Result<(), Refusal>;
}

/// What can be asked over HTTP.
pub trait Questions: Answers {
    /// Takes note that somebody asked that: from the page, or else a program.
    fn was_asked(&self, _asked: &Asked, _is_from_page: bool) {}

    /// Follows events: what comes of it, until nobody takes it any more.
    ///
    /// # Errors
    /// Why it cannot begin.
    fn follow(&self, asked: &Asked) -> Result<Receiver<Followed>, Refusal>;

    /// The command line that asks the same, as of a moment in ms since the epoch.
    fn command_line(&self, asked: &Asked, now_ms: Option<i64>) -> Option<String>;

    /// What the API's own description says of each question: an object of `paths` of OpenAPI, below `/api/v1`.
    fn described(&self) -> Value;
}
