//! What is stored as lost, without reading the events.

use std::io;

use super::StoreError;
use super::journal::{Loss, SegmentReader};
use super::layout::{Layout, SealedName, SegmentName, Writer};
use super::listing::list;
use super::sidecar::{self, NDJSON};
use emp_event::EntryId;

/// What a writer has stored as lost, in its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedLosses {
    /// How many entries.
    pub lost: u64,
    /// The entry behind the last of them; the next loss lies behind it.
    pub last: EntryId,
}

impl RecordedLosses {
    /// Nothing was lost.
    pub const NONE: Self = Self { lost: 0, last: EntryId::ZERO };

    /// Adds up what a writer has stored.
    ///
    /// # Errors
    /// [`StoreError`] where a file cannot be read.
    pub fn of(layout: &Layout, writer: &Writer) -> Result<Self, StoreError> {
        let mut recorded = Self::NONE;
        losses(layout, |found| found == writer)?.iter().for_each(|loss| recorded.add(loss));
        Ok(recorded)
    }

    /// Takes note of one more.
    pub fn add(&mut self, loss: &Loss) {
        self.lost += loss.lost;
        self.last = self.last.max(loss.to);
    }
}

/// When the newest loss was noticed, in ms since the epoch; `None` where nothing was lost.
///
/// # Errors
/// [`StoreError`] where a file cannot be read.
pub fn newest_loss(layout: &Layout) -> Result<Option<i64>, StoreError> {
    Ok(losses(layout, |_| true)?.iter().map(|loss| loss.noticed_at).max())
}

/// From the sidecars, and from the journal's segments as far as they are not sealed. Of a record that is damaged
/// the journal may have another copy; else it is left out: what it counted is claimed in the stream's accounts, and
/// recorded anew.
fn losses(layout: &Layout, of: impl Fn(&Writer) -> bool) -> Result<Vec<Loss>, StoreError> {
    // The segments first: one that is sealed meanwhile is then found in both, and counted once.
    let mut unsealed: Vec<(Writer, Loss)> = Vec::new();
    for (path, file_name) in list(&layout.journal())? {
        let Some(name) = SegmentName::parse(&file_name).filter(|name| of(&name.writer)) else { continue };
        let mut reader = match SegmentReader::open(&path) {
            // Sealed and removed since it was listed: then it is among the sidecars.
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        reader.header()?;
        while let Some(commit) = reader.next_commit()? {
            unsealed.extend(commit.losses.into_iter().map(|loss| (name.writer.clone(), loss)));
        }
    }
    let mut losses = Vec::new();
    for (path, file_name) in list(&layout.losses())? {
        let Some(name) = SealedName::parse(&file_name, NDJSON).filter(|name| of(&name.writer)) else { continue };
        for loss in sidecar::records::<Loss>(&path)? {
            match loss {
                Err(StoreError::Damaged { .. }) => {}
                loss => {
                    let loss = loss?;
                    unsealed.retain(|(writer, other)| *writer != name.writer || other.to != loss.to);
                    losses.push(loss);
                }
            }
        }
    }
    losses.extend(unsealed.into_iter().map(|(_, loss)| loss));
    Ok(losses)
}
