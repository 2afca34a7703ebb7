use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::IoContext as _;
use super::layout::{Layout, Writer};
use super::{StoreError, disk};

/// How long to wait for somebody who writes under the same name.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The right to write under one name, beside whoever writes under others. There are many names, so
/// its file goes with it.
pub(super) struct WriterLock {
    path: PathBuf,
    file: File,
}

impl WriterLock {
    /// Takes the lock of a store whose journal folder exists.
    ///
    /// # Errors
    /// [`StoreError::Busy`] where another holds it for long; else what the disk refused.
    pub fn take(layout: &Layout, writer: &Writer) -> Result<Self, StoreError> {
        let path = layout.writer_lock(writer);
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match Self::try_take(&path)? {
                Some(lock) => return Ok(lock),
                None => std::thread::sleep(LOOK_EVERY),
            }
        }
        Err(StoreError::Busy { writer: writer.to_string() })
    }

    fn try_take(path: &Path) -> Result<Option<Self>, StoreError> {
        let file = match disk::open_or_create(path) {
            // Its holder has just removed it.
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        match file.try_lock() {
            Ok(()) if is_at(&file, path).doing("read", path)? => Ok(Some(Self { path: path.to_owned(), file })),
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).doing("lock", path),
        }
    }
}

/// Is this still the file of that name? Its last holder may have removed it after we opened it.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        // While it is still locked: whoever opened it meanwhile finds that it is gone. One that
        // cannot be removed locks nobody out.
        let _ = disk::remove(&self.path);
        let _ = self.file.unlock();
    }
}
