//! A sealed file as it was last seen.

use emp_store::{Hour, IdRange, Partition, Writer};
use rustix::fs::Stat;
use serde::{Deserialize, Serialize};

use crate::facts::Knowledge;
use crate::stamp::Stamp;

/// A sealed file, and what is known about it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KnownFile {
    pub(super) writer: u32,
    pub ids: IdRange,
    pub bytes: u64,
    pub stamp: Stamp,
    /// What was learned about a file of that name. Where its stamp is not that of the file, it has
    /// to be looked at again.
    pub knowledge: Option<Knowledge>,
}

impl KnownFile {
    /// Is what is known about it known of the file as it is now?
    pub fn is_current(&self) -> bool {
        self.knowledge.as_ref().is_some_and(|known| known.stamp == self.stamp)
    }

    /// Is it, in the folder of that hour, the file that was listed as this partition?
    pub(super) fn is(&self, listed: &Partition, hour: Hour, writers: &[Writer]) -> bool {
        hour == listed.hour && self.ids == listed.name.ids && writers[self.writer as usize] == listed.name.writer
    }

    /// May all that it holds be in another file of its hour, by their names?
    pub fn may_be_within(&self, other: &Self) -> bool {
        self.writer == other.writer && other.ids.contains(&self.ids)
    }

    /// Takes note of what the system says of it; tells whether that has changed.
    pub(super) fn look(&mut self, stat: &Stat) -> bool {
        let seen = Stamp::of_file(stat);
        let has_changed = seen != self.stamp;
        self.stamp = seen;
        self.bytes = u64::try_from(stat.st_size).unwrap_or_default();
        has_changed
    }
}
