use std::fs::{File, TryLockError};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::error::IoContext as _;
use super::layout::Layout;
use super::{StoreError, disk};

/// The right to write to a store: one process has it at a time, and the system takes it
/// back from a process that dies.
pub struct Lock {
    file: File,
    is_of_a_copy: bool,
}

impl Lock {
    /// Takes the lock of a store whose journal folder exists.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where another has it; else what the disk refused.
    pub(super) fn take(layout: &Layout) -> Result<Self, StoreError> {
        let path = layout.lock_file();
        let file = disk::open_or_create(layout, &path)?;
        match file.try_lock() {
            Ok(()) => Self::identified(layout, file, &path),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked { root: layout.root().to_owned() }),
            Err(TryLockError::Error(error)) => Err(error).doing("lock", &path),
        }
    }

    /// The file holds its own place on the disk: where that is another one, the folder was
    /// copied, and whoever worked on the original may still do so.
    fn identified(layout: &Layout, mut file: File, path: &Path) -> Result<Self, StoreError> {
        let metadata = file.metadata().doing("read", path)?;
        let place = format!("device {} inode {}", metadata.dev(), metadata.ino());
        let mut found = Vec::new();
        file.read_to_end(&mut found).doing("read", path)?;
        let found = String::from_utf8_lossy(&found);
        // A power cut may have left part of a line.
        let whole = found.rsplit_once('\n').map(|(lines, _)| lines.lines().last().unwrap_or_default());
        let found_place = whole.filter(|line| line.starts_with("device "));
        if found_place.is_none() {
            disk::open_append(layout, path)?.append(format!("\n{place}\n").as_bytes())?;
        }
        Ok(Self { file, is_of_a_copy: found_place.is_some_and(|found| found != place) })
    }

    /// Was the store's folder copied from another place?
    pub(super) fn is_of_a_copy(&self) -> bool {
        self.is_of_a_copy
    }
}

impl Drop for Lock {
    /// Closing the file is not enough: a process that is just being spawned has a copy of it
    /// until it has become the other program.
    fn drop(&mut self) {
        // Where this fails the file is closed a moment later all the same.
        let _ = self.file.unlock();
    }
}
