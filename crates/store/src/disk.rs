//! Every change that a store makes to the disk, and nothing else: where durability is decided.
//!
//! A file counts as durable once its bytes and the folder entry that names it are synced. A sync
//! that failed says nothing about a later one that does not: what was to be synced has to be
//! written again, into another file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::error::IoContext as _;
use super::{Layout, StoreError};

/// One change to the disk. Tests look at each, and make some fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation<'a> {
    /// A folder comes to be.
    CreateDir(&'a Path),
    /// An empty file of that name comes to be, or the one that is there is emptied.
    Create(&'a Path),
    /// Bytes at the end of a file.
    Append(&'a Path, &'a [u8]),
    /// Bytes within a file.
    Patch(&'a Path, u64, &'a [u8]),
    /// What a file holds.
    SyncFile(&'a Path),
    /// The names that a folder holds.
    SyncDir(&'a Path),
    /// A file gets another name; one that had it is gone.
    Rename(&'a Path, &'a Path),
    /// A file is gone.
    Remove(&'a Path),
    /// An empty folder is gone.
    RemoveDir(&'a Path),
}

/// Does one operation, and lets tests look at it first.
fn perform<T>(operation: &Operation<'_>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    #[cfg(test)]
    super::tests::simulated_disk::observe(operation)?;
    let done = act()?;
    #[cfg(not(test))]
    let _ = operation;
    Ok(done)
}

/// A file that is being written.
pub(super) struct DiskFile {
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
        let operation = Operation::Patch(&self.path, offset, bytes);
        perform(&operation, || self.file.write_all_at(bytes, offset)).doing("write", &self.path)
    }

    /// Appends the bytes and syncs them.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.write_all(bytes).doing("write", &self.path)?;
        self.sync()
    }

    fn sync(&self) -> Result<(), StoreError> {
        perform(&Operation::SyncFile(&self.path), || sync(&self.file)).doing("sync", &self.path)
    }

    /// Gives a finished file its final name in one step: synced first, so that no reader ever
    /// sees half of it, not even after a power cut.
    pub fn publish(self, path: &Path) -> Result<(), StoreError> {
        self.sync()?;
        perform(&Operation::Rename(&self.path, path), || {
            #[expect(clippy::disallowed_methods, reason = "the one place that renames, and syncs before and after")]
            fs::rename(&self.path, path)
        })
        .doing("publish", path)?;
        sync_parent(path)
    }
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        perform(&Operation::Append(&self.path, bytes), || self.file.write(bytes))
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
        create_one_dir(path)?;
        return sync_parent(path);
    }
    if path.is_dir() {
        // What lies above the store is not ours, and need not even be readable.
        return match sync_parent(path) {
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            synced => synced,
        };
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_dir(layout, parent)?;
    }
    create_one_dir(path)?;
    sync_parent(path)
}

fn create_one_dir(path: &Path) -> Result<(), StoreError> {
    match perform(&Operation::CreateDir(path), || fs::create_dir(path)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error).doing("create the folder", path),
        _ => Ok(()),
    }
}

/// Creates a file that must not exist yet, and syncs its name.
pub(super) fn create_new(path: &Path) -> Result<DiskFile, StoreError> {
    let open = || OpenOptions::new().append(true).create_new(true).open(path);
    let file = perform(&Operation::Create(path), open).doing("create", path)?;
    sync_parent(path)?;
    Ok(DiskFile { path: path.to_owned(), file })
}

/// Opens a file that several processes may create at once, to be locked and read.
pub(super) fn open_or_create(path: &Path) -> Result<File, StoreError> {
    if !path.exists() {
        let create = || OpenOptions::new().append(true).create(true).open(path);
        perform(&Operation::Create(path), create).doing("create", path)?;
    }
    OpenOptions::new().read(true).append(true).open(path).doing("open", path)
}

/// Opens an existing file to write at its end.
pub(super) fn open_append(path: &Path) -> Result<DiskFile, StoreError> {
    let file = OpenOptions::new().append(true).open(path).doing("open", path)?;
    Ok(DiskFile { path: path.to_owned(), file })
}

/// Creates or empties a file under construction; [`DiskFile::publish`] makes it count.
pub(super) fn create_temporary(path: &Path) -> Result<DiskFile, StoreError> {
    let file = perform(&Operation::Create(path), || File::create(path)).doing("create", path)?;
    Ok(DiskFile { path: path.to_owned(), file })
}

/// Writes all that the source gives into a file of that name, in one step. Where that fails,
/// nothing is left of it: a full disk must not stay full for our sake.
pub(super) fn write_whole(temporary: &Path, path: &Path, source: &mut impl io::Read) -> Result<(), StoreError> {
    let mut file = create_temporary(temporary)?;
    let copied = io::copy(source, &mut file).doing("write", temporary);
    let written = copied.and_then(|_| file.publish(path));
    if written.is_err() {
        // The failure that counts is the first one.
        let _ = remove(temporary);
    }
    written
}

/// Removes a file; one that is gone already is no error.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match perform(&Operation::Remove(path), || fs::remove_file(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).doing("remove", path),
        _ => Ok(()),
    }
}

/// Removes a folder where it is empty.
pub(super) fn remove_empty_dir(path: &Path) -> Result<(), StoreError> {
    match perform(&Operation::RemoveDir(path), || fs::remove_dir(path)) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
            Err(error).doing("remove the folder", path)
        }
        _ => Ok(()),
    }
}

/// Copies a file, in one step as [`DiskFile::publish`] does.
pub(super) fn copy(path: &Path, temporary: &Path, place: &Path) -> Result<(), StoreError> {
    write_whole(temporary, place, &mut File::open(path).doing("open", path)?)
}

/// Moves a file that is no longer trusted to where nobody reads it.
pub(super) fn set_aside(path: &Path, place: &Path) -> Result<(), StoreError> {
    perform(&Operation::Rename(path, place), || {
        #[expect(clippy::disallowed_methods, reason = "the file is damaged: there is nothing to sync before")]
        fs::rename(path, place)
    })
    .doing("move", path)?;
    sync_parent(place)?;
    sync_parent(path)
}

fn sync_parent(path: &Path) -> Result<(), StoreError> {
    match path.parent() {
        // A name alone lies in the working folder; the root of all lies nowhere.
        Some(parent) if parent.as_os_str().is_empty() => sync_dir(Path::new(".")),
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}

fn sync_dir(path: &Path) -> Result<(), StoreError> {
    perform(&Operation::SyncDir(path), || File::open(path).and_then(|folder| sync(&folder)))
        .doing("sync the folder", path)
}

fn sync(file: &File) -> io::Result<()> {
    // A simulated power cut asks the simulation what is durable.
    #[cfg(test)]
    if super::tests::simulated_disk::is_on() {
        return Ok(());
    }
    file.sync_all()
}
