//! Files under construction: they count once they have their final name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::access::Access;
use super::{DiskFile, create_dir, mark_date, remove, sync_parent};
use crate::error::IoContext as _;
use crate::{Layout, StoreError};

/// What the names of files under construction end in.
const EXTENSION: &str = ".tmp";

/// A file under construction. One that is dropped before it was published goes: a disk that is
/// full must not stay full for our sake.
///
/// Its maker holds a lock on it, so that others can tell whether anybody still writes to it.
pub(crate) struct Temporary {
    layout: Layout,
    file: DiskFile,
    is_published: bool,
}

impl Temporary {
    /// Begins a file of the store. Its name begins with `stem`, which says what it is to become.
    pub fn create(layout: &Layout, stem: &str) -> Result<Self, StoreError> {
        let folder = layout.journal();
        if !folder.is_dir() {
            create_dir(layout, &folder)?;
        }
        loop {
            let path = folder.join(new_name(stem));
            match layout.backend().create_new(&path) {
                // Left over from another process of the same number, as all are in containers.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => {
                    let file = created.doing("create", &path)?;
                    // Where the file system has no locks, its age alone tells that it is left over.
                    let _ = file.try_lock();
                    let file = DiskFile { backend: layout.backend().clone(), path, file };
                    return Ok(Self { layout: layout.clone(), file, is_published: false });
                }
            }
        }
    }

    /// Where it is now.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Replaces bytes that were written before.
    pub fn patch(&self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.patch(offset, bytes)
    }

    /// Writes the bytes and syncs them.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.append(bytes)
    }

    /// Gives a finished file its final name in one step: synced first, so that no reader ever
    /// sees half of it, not even after a power cut.
    pub fn publish(mut self, path: &Path) -> Result<(), StoreError> {
        self.file.sync()?;
        self.layout.backend().rename(self.path(), path).doing("publish", path)?;
        self.is_published = true;
        mark_date(&self.layout, path);
        sync_parent(&self.layout, path)
    }
}

impl Write for Temporary {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_published {
            // Where it cannot be removed now, it is when it is found left over.
            let _ = remove(&self.layout, self.path());
        }
    }
}

/// A name that no other file under construction has.
fn new_name(stem: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    format!("{stem}.{process}.{number}{EXTENSION}")
}

/// Is that the name of a file under construction?
pub(crate) fn is_temporary(file_name: &str) -> bool {
    file_name.ends_with(EXTENSION)
}

/// Does whoever began that file still hold its lock? One that is gone is nobody's.
pub(crate) fn is_held(path: &Path) -> Result<bool, StoreError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened.doing("open", path)?,
    };
    match file.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        // A file system without locks: nobody can hold one.
        Err(TryLockError::Error(_)) => Ok(false),
    }
}

/// Writes a file that is derived from a store, in one step: a reader finds the old one or the new
/// one, or, after a power cut, one that is cut short. What it says has to be checked by a checksum.
/// `path` lies in the store, or in the user's cache.
///
/// # Errors
/// The system's refusal, or the error of `write`; the unfinished file is removed.
pub fn write_derived(layout: &Layout, path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let access = if path.starts_with(layout.root()) { Access::of_store(layout.root()) } else { Access::Owner };
    let folder = path.parent().unwrap_or(Path::new("."));
    access.create_dir_all(folder)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary: PathBuf = folder.join(new_name(&name));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(access.file_mode());
    let written = options.open(&temporary).and_then(|mut file| {
        write(&mut file)?;
        #[expect(clippy::disallowed_methods, reason = "what is derived and has a checksum need not be durable")]
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        // If that fails, whoever tidies up the folder removes the file later.
        let _ = fs::remove_file(&temporary);
    }
    written
}
