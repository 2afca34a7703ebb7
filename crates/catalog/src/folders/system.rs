//! What is asked of the system about folders.

use std::path::Path;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Dir, Mode, OFlags, openat};
use rustix::io::Errno;

/// Opens a folder; `None` where there is none of that name.
pub(super) fn open(parent: impl AsFd, name: &Path) -> rustix::io::Result<Option<OwnedFd>> {
    match openat(parent, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(folder) => Ok(Some(folder)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names in a folder. Those that are no text are not ours.
pub(super) fn list(folder: &OwnedFd) -> rustix::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let Ok(name) = entry?.file_name().to_str().map(str::to_owned) else { continue };
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}
