use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};

use super::CollectError;
use super::intake::Intake;
use emp_store::StoreError;

/// The store's side, shared with the thread on which commits run.
#[derive(Clone)]
pub(super) struct Desk(Arc<Mutex<Intake>>);

impl Desk {
    pub fn new(intake: Intake) -> Self {
        Self(Arc::new(Mutex::new(intake)))
    }

    /// The intake, between commits.
    pub fn intake(&self) -> MutexGuard<'_, Intake> {
        // A commit that panicked ends the collector, which joins its thread.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The intake, once no step runs any more. A read that was given up may have left one.
    pub fn into_intake(self) -> Intake {
        let mut shared = self.0;
        loop {
            match Arc::try_unwrap(shared) {
                Ok(intake) => return intake.into_inner().unwrap_or_else(PoisonError::into_inner),
                Err(still_shared) => shared = still_shared,
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Runs one step on a thread of its own, since syncing to disk blocks.
    pub fn spawn<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Intake) -> Result<T, StoreError> + Send + 'static,
    ) -> JoinHandle<Result<T, StoreError>> {
        let desk = self.clone();
        spawn_blocking(move || step(&mut desk.intake()))
    }
}

/// What came of a step on its own thread; its panic goes on here.
pub(super) fn joined<T>(outcome: Result<Result<T, StoreError>, tokio::task::JoinError>) -> Result<T, CollectError> {
    match outcome {
        Ok(result) => Ok(result?),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
