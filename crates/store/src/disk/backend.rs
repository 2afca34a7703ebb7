//! The one seam between a store and the system: each change that a store makes to a disk is one
//! call of a [`Backend`]. Tests put one that remembers and fails in the place of the real one.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::access::Access;

/// What carries out the changes of a store: the machine's disk, or, in tests, one that remembers and fails.
pub trait Backend: fmt::Debug + Send + Sync {
    /// Makes a folder.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes a file that is not there yet, to be written from its front on.
    fn create_new(&self, path: &Path) -> io::Result<File>;
    /// Makes a file where there is none, to be appended to.
    fn create(&self, path: &Path) -> io::Result<File>;
    /// Writes behind what was written to a file as many of the bytes as the disk takes at once: how many.
    fn append(&self, path: &Path, file: &File, bytes: &[u8]) -> io::Result<usize>;
    /// Replaces bytes of a file that were written before.
    fn patch(&self, path: &Path, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes durable what a file holds.
    fn sync_file(&self, path: &Path, file: &File) -> io::Result<()>;
    /// Makes durable which names a folder holds.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Gives a file another name; a file that had it is gone.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Lets a folder look as if a name in it had changed just now. Nothing that is stored depends on it.
    fn touch_dir(&self, path: &Path) -> io::Result<()>;
}

/// The disk of the machine.
#[derive(Debug)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// The disk as the store at this folder uses it.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn open_options(&self) -> OpenOptions {
        let mut options = OpenOptions::new();
        options.mode(Access::of_store(&self.root).file_mode());
        options
    }
}

impl Backend for RealDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        if path.starts_with(&self.root) {
            return Access::of_store(&self.root).create_dir(path);
        }
        // A folder above the store holds other things, too.
        fs::create_dir(path)
    }

    fn create_new(&self, path: &Path) -> io::Result<File> {
        self.open_options().write(true).create_new(true).open(path)
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        self.open_options().append(true).create(true).open(path)
    }

    fn append(&self, _: &Path, mut file: &File, bytes: &[u8]) -> io::Result<usize> {
        file.write(bytes)
    }

    fn patch(&self, _: &Path, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn sync_file(&self, _: &Path, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        #[expect(clippy::disallowed_methods, reason = "the one place that renames; `disk` syncs before and after")]
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn touch_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.set_modified(SystemTime::now())
    }
}
