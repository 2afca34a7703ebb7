//! Events that a receiver has refused for good: kept until somebody sends them again.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::layout::{IdRange, Layout, SealedName, Writer};
use super::listing::list;
use super::sidecar::{self, NDJSON, Record};
use super::{StoreError, disk};
use emp_event::{EntryId, ParseEntryIdError};

/// An event that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The event's ID.
    pub id: EntryId,
    /// What was refused of it: `logs` or `spans`.
    pub signal: String,
    /// What the receiver said.
    pub reason: String,
    /// Who sent the event.
    pub service: String,
    /// Its type.
    pub event_type: String,
    /// The whole event, as JSON in the names of the wire.
    pub event: String,
    /// When it was refused, in ms since the epoch.
    pub noticed_at: i64,
}

/// A dead letter as it is written.
#[derive(Serialize, Deserialize)]
pub struct Line {
    id: String,
    signal: String,
    reason: String,
    service: String,
    event_type: String,
    event: String,
    noticed_at: i64,
}

impl Record for DeadLetter {
    type Line = Line;

    fn ids(&self) -> IdRange {
        IdRange { first: self.id, last: self.id }
    }

    fn to_line(&self) -> Self::Line {
        let Self { id, signal, reason, service, event_type, event, noticed_at } = self.clone();
        Line { id: id.to_string(), signal, reason, service, event_type, event, noticed_at }
    }

    fn from_line(line: Self::Line) -> Result<Self, ParseEntryIdError> {
        let Line { id, signal, reason, service, event_type, event, noticed_at } = line;
        Ok(Self { id: id.parse()?, signal, reason, service, event_type, event, noticed_at })
    }
}

/// The folder of the refused events, one file each: they are few, and go one by one.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    layout: Layout,
}

impl DeadLetters {
    /// The dead letters of a store.
    pub fn of(layout: &Layout) -> Self {
        Self { layout: layout.clone() }
    }

    /// Keeps one, durably. The same one once more takes the place of the first.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn add(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        let folder = self.layout.dead_letters();
        disk::create_dir(&self.layout, &folder)?;
        let writer = Writer::new(&letter.signal)?;
        sidecar::write(&self.layout, &folder, &writer, std::slice::from_ref(letter))
    }

    /// All of them, by ID; one is in memory at a time. One that cannot be read is an error, and the others follow.
    ///
    /// # Errors
    /// [`StoreError`] where the folder cannot be listed.
    pub fn iter(&self) -> Result<impl Iterator<Item = Result<DeadLetter, StoreError>> + use<>, StoreError> {
        let named = list(&self.layout.dead_letters())?.into_iter();
        let mut files: Vec<(EntryId, PathBuf)> = named
            .filter_map(|(path, file_name)| Some((SealedName::parse(&file_name, NDJSON)?.ids.first, path)))
            .collect();
        files.sort();
        Ok(files.into_iter().flat_map(|(_, path)| {
            let letters: Box<dyn Iterator<Item = _>> = match sidecar::records(&path) {
                Ok(letters) => Box::new(letters),
                Err(error) => Box::new(std::iter::once(Err(error))),
            };
            letters
        }))
    }

    /// Takes one out: it has been taken in somewhere after all.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn remove(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        disk::remove(&self.layout, &self.path(letter)?)
    }

    fn path(&self, letter: &DeadLetter) -> Result<PathBuf, StoreError> {
        let name = SealedName { writer: Writer::new(&letter.signal)?, ids: letter.ids() };
        Ok(self.layout.dead_letters().join(name.with_extension(NDJSON)))
    }
}
