//! Being told to stop, and why work may end before it is complete.

use std::future::Future;

use tokio::sync::watch;

use super::ForwardError;
use emp_store::StoreError;

/// Whether we were told to stop.
#[derive(Debug, Clone)]
pub(super) struct Shutdown(watch::Receiver<bool>);

/// We were told to stop. An error, so that what was stopped cannot be taken for complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopped;

/// Why work ended before it was complete.
#[derive(Debug)]
pub(super) enum Halt {
    /// We were told to stop: what is left is for the next start.
    Stopped,
    /// Another forwarder has the group now: nothing that we remember of it counts any more.
    Superseded,
    /// Redis or the store failed.
    Failed(ForwardError),
}

impl Shutdown {
    /// Requested once the sender's value turns true.
    pub fn new(receiver: watch::Receiver<bool>) -> Self {
        Self(receiver)
    }

    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// [`Stopped`] once we were told to stop.
    pub fn check(&self) -> Result<(), Stopped> {
        if self.is_requested() { Err(Stopped) } else { Ok(()) }
    }

    /// Waits until we are told to stop: for ever, where nobody is left to tell us.
    pub async fn requested(&self) {
        if self.0.clone().wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What the work gives, unless we are told to stop before it is done.
    pub async fn unless<T>(&self, work: impl Future<Output = T>) -> Result<T, Stopped> {
        tokio::select! {
            biased;
            () = self.requested() => Err(Stopped),
            done = work => Ok(done),
        }
    }
}

impl From<Stopped> for Halt {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<ForwardError> for Halt {
    fn from(error: ForwardError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}
