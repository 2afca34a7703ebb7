//! Questions that come another way than over HTTP.

use std::process::Command;
use std::sync::Arc;

use axum::body::Bytes;
use tokio::sync::mpsc::Receiver;

use super::api::begin_by;
use super::limits::Limits;
use super::reply::Part;
use super::routes::Shared;
use super::{Asked, Kind, Refusal};

/// Answers in turn with what is asked over HTTP: all of it together has the memory of one command.
#[derive(Clone)]
pub struct Aside {
    shared: Arc<Shared>,
    limits: Arc<Limits>,
}

/// An answer as it comes. Where it is dropped, the question ends.
pub struct Parts(Receiver<Part>);

impl Aside {
    pub(crate) fn of(shared: &Arc<Shared>) -> Self {
        // Whoever reads on and on is not cut off.
        let limits = Limits { is_time_of_each_part: true, ..Limits::clone(&shared.limits) };
        Self { shared: Arc::clone(shared), limits: Arc::new(limits) }
    }

    /// Asks that program in a process of its own, once it is its turn.
    ///
    /// # Errors
    /// Why it cannot begin.
    pub async fn ask(&self, program: Command, asked: &Asked) -> Result<Parts, Refusal> {
        Ok(Parts(begin_by(&self.shared, program, asked, &self.limits).await?))
    }
}

impl Parts {
    /// The next part; `None` behind the last.
    ///
    /// # Errors
    /// Why there are no more.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            match self.0.recv().await {
                Some(Part::Head(_)) => {}
                Some(Part::Body(bytes)) => return Ok(Some(bytes)),
                Some(Part::End) => return Ok(None),
                Some(Part::Refused(refusal)) => return Err(refusal),
                None => return Err(Refusal::new(Kind::Failed, "the question ended before its answer did")),
            }
        }
    }
}
