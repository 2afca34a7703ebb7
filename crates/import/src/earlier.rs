//! What version 0.1 and 0.2 have imported from files that are no spools.
//!
//! They knew a file by its first line and a line by its number, and kept its events under the name
//! `import-<hash of the first line>`. The names of those files tell which numbers, of which time,
//! are there: such lines are not taken once more.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use crate::spool::number_of;
use emp_store::{IdRange, Layout, SealedName, StoreError, known_names};

/// The files of earlier imports, by the hash of the first line.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    events: BTreeMap<u64, Vec<IdRange>>,
    quarantined: BTreeMap<u64, Vec<IdRange>>,
}

impl Earlier {
    /// Looks through the names of a store's files.
    ///
    /// # Errors
    /// [`StoreError`] where a folder cannot be listed.
    pub fn of(layout: &Layout) -> Result<Self, StoreError> {
        let names = known_names(layout)?;
        Ok(Self { events: by_first_line(names.events), quarantined: by_first_line(names.quarantined) })
    }

    /// Follows the file that begins with this line.
    pub fn follow(&self, first_line: &[u8]) -> Following {
        let file = xxh3_64(first_line);
        let ranges = |of: &BTreeMap<u64, Vec<IdRange>>| of.get(&file).cloned().unwrap_or_default();
        let kind = |ranges| Kind { ranges, last_ms: 0 };
        Following { events: kind(ranges(&self.events)), quarantined: kind(ranges(&self.quarantined)), ms: None }
    }
}

fn by_first_line(names: Vec<SealedName>) -> BTreeMap<u64, Vec<IdRange>> {
    let mut files: BTreeMap<u64, Vec<IdRange>> = BTreeMap::new();
    for SealedName { writer, ids } in names {
        let hash = writer.name().strip_prefix("import-").filter(|hash| hash.len() == 16);
        if let Some(hash) = hash.and_then(|hash| u64::from_str_radix(hash, 16).ok()) {
            files.entry(hash).or_default().push(ids);
        }
    }
    files
}

/// One file, line by line, as an earlier version would have numbered it.
pub(crate) struct Following {
    events: Kind,
    quarantined: Kind,
    /// The time of the line before.
    ms: Option<u64>,
}

struct Kind {
    ranges: Vec<IdRange>,
    last_ms: u64,
}

impl Following {
    /// Has an earlier version taken the next line? `ms` is the time that it gives itself.
    pub fn knows(&mut self, number: u64, ms: Option<i64>, is_event: bool) -> bool {
        let said = ms.map(|ms| u64::try_from(ms).unwrap_or(0));
        self.ms = said.or(self.ms);
        let kind = if is_event { &mut self.events } else { &mut self.quarantined };
        // What was stored never went back in time.
        kind.last_ms = kind.last_ms.max(self.ms.unwrap_or(0));
        let is_timeless = self.ms.is_none();
        let is_in = |ids: &IdRange| {
            (number_of(ids.first)..=number_of(ids.last)).contains(&number)
                && (is_timeless || (ids.first.ms..=ids.last.ms).contains(&kind.last_ms))
        };
        kind.ranges.iter().any(is_in)
    }
}
