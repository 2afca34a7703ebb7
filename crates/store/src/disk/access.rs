//! Who may read the store's files. Events name users, so only the owner may, unless the store's
//! folder is shared with a group.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

/// Set on a folder that is shared: what is made in it belongs to the folder's group.
const SET_GROUP_ID: u32 = 0o2000;
/// The group may list and enter the folder.
const GROUP_READS: u32 = 0o050;

/// For whom new files and folders are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Their owner alone.
    Owner,
    /// Their group, too, which may read and not write.
    Group,
}

impl Access {
    /// As the store's own folder says: it is shared where it has the set-group-ID bit and its
    /// group may read it (`chmod g+rxs`). That is the way in which folders are shared on Unix, it
    /// is the same for every process that writes, and it goes with the folder.
    pub fn of_store(root: &Path) -> Self {
        let shared = SET_GROUP_ID | GROUP_READS;
        match fs::metadata(root) {
            Ok(folder) if folder.permissions().mode() & shared == shared => Self::Group,
            _ => Self::Owner,
        }
    }

    /// The permissions of a new file.
    pub fn file_mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Group => 0o640,
        }
    }

    /// Makes a folder.
    pub fn create_dir(self, path: &Path) -> io::Result<()> {
        self.builder().create(path)
    }

    /// Makes a folder and those above it, where they are missing.
    pub fn create_dir_all(self, path: &Path) -> io::Result<()> {
        self.builder().recursive(true).create(path)
    }

    fn builder(self) -> DirBuilder {
        let mut builder = DirBuilder::new();
        builder.mode(match self {
            Self::Owner => 0o700,
            Self::Group => 0o750,
        });
        builder
    }
}
