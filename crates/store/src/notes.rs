//! What another room has to remember beside the events: a short text of a name, replaced as a whole.

use std::fs;
use std::path::PathBuf;

use super::layout::Layout;
use super::{StoreError, disk};

fn path(layout: &Layout, name: &str) -> PathBuf {
    layout.notes().join(name)
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
