//! What was fetched from a bucket, on this machine's disk: plain files that never change, shared by all processes of a user.
//!
//! A file gets its name once it is whole. Which were used last is known by their times, and the others go where all
//! together are more than they may be. Deleting any of it costs time and nothing else.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

use emp_store::{Layout, write_derived};
use emp_system::user_folder;

use xxhash_rust::xxh3::xxh3_64;

use super::address::Address;
use super::error::BucketError;

/// What the caches of all buckets may take together.
const BYTES_MAX: u64 = 2 << 30;
/// The variable that says otherwise.
const VARIABLE: &str = "EMP_EVENTS_CACHE_BYTES";
/// Folders of caches begin so, in the user's own cache.
const PREFIX: &str = "bucket-";
/// After so many bytes that are new, or as many of a hundredth part of the limit, it is looked whether there are too many.
const LOOK_BYTES: u64 = 64 << 20;

/// The folders of what may go at any time.
const KINDS: [&str; 3] = ["files", "objects", "blocks"];

/// The cache of one bucket.
#[derive(Debug)]
pub(crate) struct Cache {
    root: PathBuf,
    /// Whose files these are, for the rights that they get.
    layout: Layout,
    most: u64,
    new: AtomicU64,
}

impl Cache {
    /// The folder for that bucket. It is made when something is put there.
    pub fn of(address: &Address) -> Result<Self, BucketError> {
        Self::numbered(&address.to_string(), address.number())
    }

    /// The folder for what belongs to several stores together.
    pub fn of_several(names: &[String]) -> Result<Self, BucketError> {
        let names = names.join("\n");
        Self::numbered(&names.replace('\n', ", "), xxh3_64(names.as_bytes()).wrapping_add(1))
    }

    fn numbered(address: &str, number: u64) -> Result<Self, BucketError> {
        let folder = user_folder("XDG_CACHE_HOME", ".cache").ok_or_else(|| BucketError::Settings {
            address: address.to_string(),
            why: "there is no place for what is fetched: set HOME or XDG_CACHE_HOME".to_owned(),
        })?;
        let set = std::env::var(VARIABLE).ok().filter(|value| !value.is_empty());
        let most = match set {
            None => BYTES_MAX,
            Some(value) => value.parse().map_err(|_| BucketError::Settings {
                address: address.to_string(),
                why: format!("{VARIABLE} is `{value}`, not a number of bytes"),
            })?,
        };
        let root = folder.join(format!("{PREFIX}{number:016x}"));
        Ok(Self { layout: Layout::new(root.join("store")), root, most, new: AtomicU64::new(0) })
    }

    /// The folder that stands for the store's own.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Where something of that kind and name is.
    pub fn path(&self, kind: &str, name: &str) -> PathBuf {
        self.root.join(kind).join(name)
    }

    /// What lies there, which is used now.
    pub fn open(&self, path: &Path) -> io::Result<File> {
        let file = File::options().read(true).open(path)?;
        // Where that is forbidden it goes a little earlier than it should.
        let _ = file.set_modified(SystemTime::now());
        Ok(file)
    }

    /// All bytes of what lies there; `None` where nothing does.
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut self.open(path).ok()?, &mut bytes).ok()?;
        Some(bytes)
    }

    /// Puts something there, in one step.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        write_derived(&self.layout, path, |file| file.write_all(bytes))?;
        let new = self.new.fetch_add(bytes.len() as u64, Relaxed) + bytes.len() as u64;
        if new >= LOOK_BYTES.min(self.most / 4) {
            self.new.store(0, Relaxed);
            self.trim();
        }
        Ok(())
    }

    /// Removes what was not used for longest, until no more is left than may be.
    fn trim(&self) {
        let Some(parent) = self.root.parent() else { return };
        let caches = entries(parent)
            .filter(|(path, _)| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX)));
        let kinds = caches.flat_map(|(cache, _)| KINDS.map(|kind| cache.join(kind)));
        let files = kinds.flat_map(|folder| entries(&folder)).filter(|(_, metadata)| metadata.is_file());
        let mut files: Vec<(SystemTime, u64, PathBuf)> =
            files.filter_map(|(path, metadata)| Some((metadata.modified().ok()?, metadata.len(), path))).collect();
        let mut left: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        files.sort();
        for (_, bytes, path) in files {
            if left <= self.most {
                break;
            }
            // Another process may have removed it; whoever has it open goes on reading it.
            if fs::remove_file(&path).is_ok() {
                left -= bytes;
            }
        }
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        // Little by little it grows, too: one question in so many looks.
        if self.new.load(Relaxed) > 0 && rand::random::<u8>() < 8 {
            self.trim();
        }
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = (PathBuf, fs::Metadata)> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)))
}
