//! How archiving goes, as whoever does it leaves word of it.

use std::fs;

use serde::{Deserialize, Serialize};

use emp_catalog::ArchiveCatalog;
use emp_store::{Layout, StoreError, settled_hours};

use super::address::Address;
use super::archiver::{Backlog, key, write};
use super::state::{archive_of, folder};

const NAME: &str = "status.json";

/// How it went last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// When all that waited was there, in ms since the epoch.
    pub done_ms: Option<i64>,
    /// What keeps the rest from getting there.
    pub error: Option<String>,
    /// Since when, in ms since the epoch.
    pub failing_since_ms: Option<i64>,
}

impl Status {
    /// What was left about that archive.
    pub fn read(layout: &Layout, address: &Address) -> Self {
        let text = fs::read_to_string(folder(layout, address).join(NAME)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Leaves it.
    pub fn write(&self, layout: &Layout, address: &Address) {
        let json = serde_json::to_string(self).unwrap_or_default();
        // It is for people to read; where it cannot be written, the collector's own log says why.
        let _ = write(layout, &folder(layout, address).join(NAME), json.as_bytes());
    }
}

/// Where the store's archive is, what waits to be put there, and how it went; `None` where it has none.
///
/// # Errors
/// [`StoreError`] where the store cannot be listed.
pub fn archiving(layout: &Layout, now_ms: i64) -> Result<Option<(Address, Backlog, Status)>, StoreError> {
    let Some(address) = archive_of(layout) else { return Ok(None) };
    let known: std::collections::HashSet<_> =
        ArchiveCatalog::load(layout, &folder(layout, &address)).files().iter().map(key).collect();
    let mut files = settled_hours(layout, now_ms)?;
    files.retain(|file| !known.contains(&key(file)));
    let status = Status::read(layout, &address);
    Ok(Some((address, Backlog::of(&files), status)))
}
