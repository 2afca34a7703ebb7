//! What is stored as lost, without reading the events.

use super::StoreError;
use super::journal::{Loss, SegmentReader};
use super::layout::{Layout, SealedName, SegmentName, Writer};
use super::sidecar::{self, NDJSON};
use super::snapshot::list;

/// How many entries a writer has stored as lost, in its epoch.
///
/// # Errors
/// [`StoreError`] where a file cannot be read.
pub fn recorded_losses(layout: &Layout, writer: &Writer) -> Result<u64, StoreError> {
    Ok(losses(layout, |found| found == writer)?.iter().map(|loss| loss.lost).sum())
}

/// When the newest loss was noticed, in ms since the epoch; `None` where nothing was lost.
///
/// # Errors
/// [`StoreError`] where a file cannot be read.
pub fn newest_loss(layout: &Layout) -> Result<Option<i64>, StoreError> {
    Ok(losses(layout, |_| true)?.iter().map(|loss| loss.noticed_at).max())
}

/// From the sidecars, and from the journal's segments as far as they are not sealed.
fn losses(layout: &Layout, of: impl Fn(&Writer) -> bool) -> Result<Vec<Loss>, StoreError> {
    // The segments first: one that is sealed meanwhile is then found in both, and counted once.
    let mut unsealed: Vec<(Writer, Loss)> = Vec::new();
    for (path, file_name) in list(&layout.journal())? {
        let Some(name) = SegmentName::parse(&file_name).filter(|name| of(&name.writer)) else { continue };
        let mut reader = SegmentReader::open(&path)?;
        reader.header()?;
        while let Some(commit) = reader.next_commit()? {
            unsealed.extend(commit.losses.into_iter().map(|loss| (name.writer.clone(), loss)));
        }
    }
    let mut losses = Vec::new();
    for (path, file_name) in list(&layout.losses())? {
        let Some(name) = SealedName::parse(&file_name, NDJSON).filter(|name| of(&name.writer)) else { continue };
        losses.extend(sidecar::read::<Loss>(&path)?);
        let ids = name.ids.first..=name.ids.last;
        unsealed.retain(|(writer, loss)| *writer != name.writer || !ids.contains(&loss.to));
    }
    losses.extend(unsealed.into_iter().map(|(_, loss)| loss));
    Ok(losses)
}
