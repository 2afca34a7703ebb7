use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A file counts as so much at least, which bounds how many files there can be.
const FILE_BYTES_MIN: u64 = 64 << 10;
/// Between two counts other processes may write, or files be taken away.
const COUNT_EVERY: Duration = Duration::from_secs(1);
const COUNT_EVERY_BYTES: u64 = 1 << 20;

/// How much a spool's folder may still take, whichever processes wrote what it holds.
pub(crate) struct SpoolRoom {
    folder: PathBuf,
    bytes_max: u64,
    left: u64,
    counted: Option<Instant>,
    taken_since: u64,
}

impl SpoolRoom {
    pub(crate) fn new(folder: PathBuf, bytes_max: u64) -> Self {
        Self { folder, bytes_max, left: 0, counted: None, taken_since: 0 }
    }

    /// Counts what the folder holds, if that is due.
    pub(crate) fn count(&mut self) {
        let is_due = self.counted.is_none_or(|at| at.elapsed() >= COUNT_EVERY);
        if is_due || self.taken_since >= COUNT_EVERY_BYTES {
            self.left = self.bytes_max.saturating_sub(held(&self.folder));
            self.counted = Some(Instant::now());
            self.taken_since = 0;
        }
    }

    /// Is there room for so much, at the end of a file or as a new one?
    pub(crate) fn has(&self, bytes: u64, is_new_file: bool) -> bool {
        self.left >= if is_new_file { bytes.max(FILE_BYTES_MIN) } else { bytes }
    }

    pub(crate) fn take(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
        self.taken_since += bytes;
    }
}

/// What a folder's spool files count together. One that is not there yet holds nothing.
fn held(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let is_spool = |entry: &std::fs::DirEntry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("emp-events-") && name.ends_with(".ndjson")
    };
    // A file may be taken away in between.
    let bytes = |entry: std::fs::DirEntry| entry.metadata().map_or(0, |metadata| metadata.len());
    entries.flatten().filter(is_spool).map(|entry| bytes(entry).max(FILE_BYTES_MIN)).sum()
}
