use std::path::Path;

use crate::StoreError;
use crate::journal::{Damage, SegmentReader};
use emp_event::EntryId;

/// What a segment holds, once each of its frames has been read.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Commits that are whole.
    pub commits: u64,
    /// Events in them.
    pub events: u64,
    /// The first of those.
    pub first: Option<EntryId>,
    /// What is no whole commit.
    pub damage: Damage,
}

impl Contents {
    /// Reads a segment to its end.
    pub fn of(path: &Path) -> Result<Self, StoreError> {
        let mut reader = SegmentReader::open(path)?;
        reader.header()?;
        let mut contents = Self::default();
        while let Some(commit) = reader.next_commit()? {
            contents.commits += 1;
            contents.events += commit.rows.len() as u64;
            contents.first = contents.first.or(commit.rows.first().map(|row| row.id));
        }
        contents.damage.clone_from(reader.damage());
        Ok(contents)
    }

    /// What is wrong with it, if anything is.
    pub fn complaint(&self) -> Option<String> {
        let ranges = &self.damage.ranges;
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        let places = ranges.len();
        (places > 0).then(|| {
            let commits = self.commits;
            format!("{commits} commits are whole; in {places} places there are {bytes} bytes that are no whole commit")
        })
    }
}
