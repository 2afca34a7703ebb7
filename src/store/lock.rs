use std::fs::{File, TryLockError};

use super::StoreError;
use super::error::IoContext as _;
use super::layout::Layout;

/// The right to write to a store: one process has it at a time, and the system takes it
/// back from a process that dies.
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock of a store whose journal folder exists.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where another has it; else what the disk refused.
    pub fn take(layout: &Layout) -> Result<Self, StoreError> {
        let path = layout.lock_file();
        let file = File::options().create(true).append(true).open(&path).doing("open", &path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked { root: layout.root().to_owned() }),
            Err(TryLockError::Error(error)) => Err(error).doing("lock", &path),
        }
    }
}

impl Drop for Lock {
    /// Closing the file is not enough: a process that is just being spawned has a copy of it
    /// until it has become the other program.
    fn drop(&mut self) {
        // Where this fails the file is closed a moment later all the same.
        let _ = self.0.unlock();
    }
}
