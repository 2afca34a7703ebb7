//! Every change that a store makes to the disk, and nothing else: where durability is decided.
//!
//! A file counts as durable once its bytes and the folder entry that names it are synced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use super::StoreError;
use super::error::IoContext as _;

/// Creates the folder and those above it, each synced into its parent.
pub(super) fn create_dir(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_dir(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error).doing("create the folder", path),
        _ => sync_dir(parent.unwrap_or(Path::new("."))),
    }
}

/// Creates a file that must not exist yet, and syncs its name.
pub(super) fn create_new(path: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new().append(true).create_new(true).open(path).doing("create", path)?;
    sync_parent(path)?;
    Ok(file)
}

/// Opens an existing file to write at its end.
pub(super) fn open_append(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new().append(true).open(path).doing("open", path)
}

/// Creates or empties a file under construction; [`publish`] makes it count.
pub(super) fn create_temporary(path: &Path) -> Result<File, StoreError> {
    File::create(path).doing("create", path)
}

/// Appends the bytes and syncs them.
pub(super) fn append(file: &mut File, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    file.write_all(bytes).doing("write", path)?;
    file.sync_data().doing("sync", path)
}

/// Gives a finished file its final name in one step: synced first, so that no reader ever
/// sees half of it, not even after a power cut.
pub(super) fn publish(file: &File, temporary: &Path, path: &Path) -> Result<(), StoreError> {
    file.sync_all().doing("sync", temporary)?;
    #[expect(clippy::disallowed_methods, reason = "the one place that renames, and syncs before and after")]
    fs::rename(temporary, path).doing("publish", path)?;
    sync_parent(path)
}

/// Removes a file; one that is gone already is no error.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).doing("remove", path),
        _ => Ok(()),
    }
}

fn sync_parent(path: &Path) -> Result<(), StoreError> {
    // Every path that gets here was made by joining a name to a folder.
    path.parent().map_or(Ok(()), sync_dir)
}

fn sync_dir(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|folder| folder.sync_all()).doing("sync the folder", path)
}
