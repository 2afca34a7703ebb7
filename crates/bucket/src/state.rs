//! What a store remembers of its archive: whose it is, and which heads it has put. Durable, as a forgotten head would look
//! like somebody else's.

use std::path::PathBuf;

use emp_store::{Layout, StoreError, read_note, write_note};

use super::address::Address;
use super::head::run_number;

/// As many heads are remembered as may be in the bucket: the one that was put last, and the one that was about to be.
const NONCES: usize = 2;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// The id under which the store is in the bucket.
    pub store: String,
    /// Of the heads that may be there, the newest first.
    pub nonces: Vec<String>,
}

/// The note that names the archive of a store.
const ARCHIVE: &str = "archive";

fn note(address: &Address) -> String {
    format!("archive-{}", run_number(address.number()))
}

impl State {
    /// That of a store that has put nothing there yet.
    pub fn new() -> Self {
        Self { store: run_number(rand::random()), nonces: Vec::new() }
    }

    /// `None` where it has put nothing there yet.
    pub fn read(layout: &Layout, address: &Address) -> Option<Self> {
        let text = read_note(layout, &note(address))?;
        let mut lines = text.lines();
        let store = lines.next()?.to_owned();
        Some(Self { store, nonces: lines.map(str::to_owned).collect() })
    }

    /// Another head is about to be put.
    pub fn add_nonce(&mut self) -> String {
        let nonce = run_number(rand::random());
        self.nonces.insert(0, nonce.clone());
        self.nonces.truncate(NONCES);
        nonce
    }

    /// Makes it durable.
    pub fn write(&self, layout: &Layout, address: &Address) -> Result<(), StoreError> {
        let lines: Vec<&str> = std::iter::once(&self.store).chain(&self.nonces).map(String::as_str).collect();
        write_note(layout, &note(address), &format!("{}\n", lines.join("\n")))?;
        write_note(layout, ARCHIVE, &format!("{address}\n"))
    }
}

/// Where the archive of a store is, if it has one.
#[must_use]
pub fn archive_of(layout: &Layout) -> Option<Address> {
    read_note(layout, ARCHIVE)?.trim().parse().ok()
}

/// The folder of what is derived about an archive.
pub(crate) fn folder(layout: &Layout, address: &Address) -> PathBuf {
    layout.archive().join(run_number(address.number()))
}
