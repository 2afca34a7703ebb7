//! Every change that a store makes to the disk, and nothing else: where durability is decided.
//!
//! A file counts as durable once its bytes and the folder entry that names it are synced. A sync
//! that failed says nothing about a later one that does not: what was to be synced has to be
//! written again, into another file.

mod access;
mod backend;
mod temporary;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::IoContext as _;
use super::{Layout, StoreError};
pub use backend::{Backend, RealDisk};
pub use temporary::write_derived;
pub(super) use temporary::{Temporary, is_held, is_temporary};

/// A file that is being written.
pub(super) struct DiskFile {
    backend: Arc<dyn Backend>,
    path: PathBuf,
    file: File,
}

impl DiskFile {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces bytes that were written before.
    pub fn patch(&self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        self.backend.patch(&self.path, &self.file, offset, bytes).doing("write", &self.path)
    }

    /// Appends the bytes and syncs them.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.write_all(bytes).doing("write", &self.path)?;
        self.sync()
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.backend.sync_file(&self.path, &self.file).doing("sync", &self.path)
    }
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.backend.append(&self.path, &self.file, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Creates a folder of the store, and those between, each synced into the one above it. That is
/// done for those that exist, too: whoever made them may have died before it had.
pub(super) fn create_dir(layout: &Layout, path: &Path) -> Result<(), StoreError> {
    if path != layout.root() && path.starts_with(layout.root()) {
        // Below the root there is a folder above.
        create_dir(layout, path.parent().unwrap_or(layout.root()))?;
        create_one_dir(layout, path)?;
        return sync_parent(layout, path);
    }
    if path.is_dir() {
        // The folder above the store belongs to somebody else, and may be unreadable for us.
        return match sync_parent(layout, path) {
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            synced => synced,
        };
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_dir(layout, parent)?;
    }
    create_one_dir(layout, path)?;
    sync_parent(layout, path)
}

fn create_one_dir(layout: &Layout, path: &Path) -> Result<(), StoreError> {
    match layout.backend().create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error).doing("create the folder", path),
        _ => Ok(()),
    }
}

/// Creates a file that must not exist yet, and syncs its name.
pub(super) fn create_new(layout: &Layout, path: &Path) -> Result<DiskFile, StoreError> {
    let file = layout.backend().create_new(path).doing("create", path)?;
    sync_parent(layout, path)?;
    Ok(DiskFile { backend: layout.backend().clone(), path: path.to_owned(), file })
}

/// Opens a file that several processes may create at once, to be locked and read.
pub(super) fn open_or_create(layout: &Layout, path: &Path) -> Result<File, StoreError> {
    if !path.exists() {
        layout.backend().create(path).doing("create", path)?;
    }
    OpenOptions::new().read(true).append(true).open(path).doing("open", path)
}

/// Opens an existing file to write at its end.
pub(super) fn open_append(layout: &Layout, path: &Path) -> Result<DiskFile, StoreError> {
    let file = OpenOptions::new().append(true).open(path).doing("open", path)?;
    Ok(DiskFile { backend: layout.backend().clone(), path: path.to_owned(), file })
}

/// Writes all that the source gives into a file of that name, in one step; `stem` begins its name
/// until then.
pub(super) fn write_whole(
    layout: &Layout,
    stem: &str,
    path: &Path,
    source: &mut impl io::Read,
) -> Result<(), StoreError> {
    let mut file = Temporary::create(layout, stem)?;
    let copied = io::copy(source, &mut file);
    copied.doing("write", file.path())?;
    file.publish(path)
}

/// Copies a file, in one step as [`write_whole`] does.
pub(super) fn copy(layout: &Layout, path: &Path, stem: &str, place: &Path) -> Result<(), StoreError> {
    write_whole(layout, stem, place, &mut File::open(path).doing("open", path)?)
}

/// Removes a file; one that is gone already is no error.
pub(super) fn remove(layout: &Layout, path: &Path) -> Result<(), StoreError> {
    match layout.backend().remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).doing("remove", path),
        _ => {}
    }
    mark_date(layout, path);
    Ok(())
}

/// Has the folder of a date tell that a name in one of its hours has changed, which the system notes of the hour alone:
/// a question to a store of many years looks at the folders of its dates, and at the hours of those that have changed.
fn mark_date(layout: &Layout, path: &Path) {
    let Some(folder) = path.ancestors().nth(2).filter(|folder| folder.parent() == Some(layout.root())) else { return };
    if folder.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("date=")) {
        // Whoever reads looks at all hours from time to time, where this is refused, too.
        let _ = layout.backend().touch_dir(folder);
    }
}

/// Removes a folder where it is empty.
pub(super) fn remove_empty_dir(layout: &Layout, path: &Path) -> Result<(), StoreError> {
    match layout.backend().remove_dir(path) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
            Err(error).doing("remove the folder", path)
        }
        _ => Ok(()),
    }
}

/// Moves a file that is no longer trusted to where nobody reads it: there is nothing to sync
/// before.
pub(super) fn set_aside(layout: &Layout, path: &Path, place: &Path) -> Result<(), StoreError> {
    layout.backend().rename(path, place).doing("move", path)?;
    mark_date(layout, path);
    sync_parent(layout, place)?;
    sync_parent(layout, path)
}

fn sync_parent(layout: &Layout, path: &Path) -> Result<(), StoreError> {
    let folder = match path.parent() {
        // A name alone lies in the working folder; the root of all lies nowhere.
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    layout.backend().sync_dir(folder).doing("sync the folder", folder)
}
