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
/// its file goes with it, unless its holder died or failed: then it tells the next one.
pub(super) struct WriterLock {
    layout: Layout,
    path: PathBuf,
    file: File,
    is_left_over: bool,
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
            match Self::try_take(layout, &path)? {
                Some(lock) => return Ok(lock),
                None => std::thread::sleep(LOOK_EVERY),
            }
        }
        Err(StoreError::Busy { writer: writer.to_string() })
    }

    fn try_take(layout: &Layout, path: &Path) -> Result<Option<Self>, StoreError> {
        let file = match disk::open_or_create(layout, path) {
            // Its holder has just removed it.
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        match file.try_lock() {
            Ok(()) if is_at(&file, path).doing("read", path)? => Self::begin(layout, file, path).map(Some),
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).doing("lock", path),
        }
    }

    /// A file that is not empty was left by a holder that did not end well.
    fn begin(layout: &Layout, file: File, path: &Path) -> Result<Self, StoreError> {
        let is_left_over = file.metadata().doing("read", path)?.len() > 0;
        if !is_left_over {
            disk::open_append(layout, path)?.append(b"at work\n")?;
        }
        Ok(Self { layout: layout.clone(), path: path.to_owned(), file, is_left_over })
    }

    /// Did the last holder die, or fail?
    pub fn is_left_over(&self) -> bool {
        self.is_left_over
    }

    /// Gives the right back: all that was written is durable.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn end(self) -> Result<(), StoreError> {
        // While it is still locked: whoever has opened the file meanwhile finds that it is gone.
        disk::remove(&self.layout, &self.path)
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
        // Where this fails the file is closed a moment later all the same.
        let _ = self.file.unlock();
    }
}
