//! What another room has to remember beside the events: a short text of a name, replaced as a whole.

use std::fs::{self, File, TryLockError};
use std::path::PathBuf;

use super::error::IoContext as _;
use super::layout::Layout;
use super::{StoreError, disk};

fn path(layout: &Layout, name: &str) -> PathBuf {
    layout.notes().join(name)
}

/// The right to keep a note, as long as it is held.
#[derive(Debug)]
pub struct NoteLock(#[expect(dead_code, reason = "the system frees it with its holder")] File);

/// Takes the right to keep the note of that name; `None` where another process has it.
///
/// # Errors
/// What the disk refused.
pub fn lock_note(layout: &Layout, name: &str) -> Result<Option<NoteLock>, StoreError> {
    disk::create_dir(layout, &layout.notes())?;
    let path = path(layout, &format!("{name}.lock"));
    let file = disk::open_or_create(layout, &path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(NoteLock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).doing("lock", &path),
    }
}

/// Keeps the text under that name, durably, in place of what was kept before.
///
/// # Errors
/// What the disk refused: the text before is still there then.
pub fn write_note(layout: &Layout, name: &str, text: &str) -> Result<(), StoreError> {
    disk::create_dir(layout, &layout.notes())?;
    disk::write_whole(layout, name, &path(layout, name), &mut text.as_bytes())
}

/// The text under that name; `None` where none was kept, or it cannot be read.
pub fn read_note(layout: &Layout, name: &str) -> Option<String> {
    fs::read_to_string(path(layout, name)).ok()
}
