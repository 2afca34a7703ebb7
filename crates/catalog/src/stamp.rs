//! Telling cheaply whether a file or folder is still the one that was looked at.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::Stat;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// What the system says of a file or folder, in one number: which one it is, how large, and when it
/// was changed last, in its contents (`mtime`) or in any way (`ctime`, which no program can set).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp(u64);

/// A folder may change twice in one tick of the file system's clock; network file systems and old
/// ones count in seconds. So the stamp of a folder that changed this short a time ago says nothing.
/// (Git treats the times in its index alike, for the same reason: "racy git".)
const FOLDER_SETTLES_NS: i128 = 2_000_000_000;

impl Stamp {
    /// Of a file: nobody changes a sealed file after it was published.
    pub fn of_file(stat: &Stat) -> Self {
        let numbers = [
            stat.st_ino as i128,
            stat.st_size as i128,
            ns(stat.st_mtime as i128, stat.st_mtime_nsec as i128),
            ns(stat.st_ctime as i128, stat.st_ctime_nsec as i128),
        ];
        Self(xxh3_64(numbers.map(i128::to_le_bytes).as_flattened()).max(1))
    }

    /// Of a folder, seen at `now_ns`; the default, which holds for nothing, where it changed just
    /// before.
    pub fn of_folder(stat: &Stat, now_ns: i128) -> Self {
        let changed = ns(stat.st_ctime as i128, stat.st_ctime_nsec as i128);
        if now_ns - changed < FOLDER_SETTLES_NS { Self::default() } else { Self::of_file(stat) }
    }

    /// All of it.
    pub fn number(self) -> u64 {
        self.0
    }

    /// Is it the stamp that was seen before, and does that say anything?
    pub fn holds(self, before: Self) -> bool {
        self == before && self != Self::default()
    }
}

fn ns(seconds: i128, nanoseconds: i128) -> i128 {
    seconds * 1_000_000_000 + nanoseconds
}

/// Now, in the file system's time.
pub(super) fn now_ns() -> i128 {
    // A clock before 1970 trusts no folder.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128)
}
