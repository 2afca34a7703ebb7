//! The quarantine and the losses at rest: NDJSON files, named like the Parquet file of
//! the same segment after their writer and their range of IDs.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::IoContext as _;
use super::journal::{Loss, Quarantined};
use super::layout::{IdRange, SealedName, Writer};
use super::{StoreError, disk};
use crate::event::{EntryId, ParseEntryIdError};

pub(super) const NDJSON: &str = "ndjson";

/// A record that is kept in a sidecar, one JSON object a line.
pub(super) trait Record: Sized {
    /// The line as it stands in the file.
    type Line: Serialize + DeserializeOwned;

    /// The ID under which the record was committed.
    fn id(&self) -> EntryId;
    fn to_line(&self) -> Self::Line;
    fn from_line(line: Self::Line) -> Result<Self, ParseEntryIdError>;
}

#[derive(Serialize, Deserialize)]
pub(super) struct QuarantinedLine {
    id: String,
    reason: String,
    entry: String,
    noticed_at: i64,
}

impl Record for Quarantined {
    type Line = QuarantinedLine;

    fn id(&self) -> EntryId {
        self.id
    }

    fn to_line(&self) -> Self::Line {
        let Self { id, reason, entry, noticed_at } = self.clone();
        QuarantinedLine { id: id.to_string(), reason, entry, noticed_at }
    }

    fn from_line(line: Self::Line) -> Result<Self, ParseEntryIdError> {
        let QuarantinedLine { id, reason, entry, noticed_at } = line;
        Ok(Self { id: id.parse()?, reason, entry, noticed_at })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct LossLine {
    from_id: String,
    to_id: String,
    lost: u64,
    noticed_at: i64,
}

impl Record for Loss {
    type Line = LossLine;

    fn id(&self) -> EntryId {
        self.to
    }

    fn to_line(&self) -> Self::Line {
        let Self { from, to, lost, noticed_at } = *self;
        LossLine { from_id: from.to_string(), to_id: to.to_string(), lost, noticed_at }
    }

    fn from_line(line: Self::Line) -> Result<Self, ParseEntryIdError> {
        let LossLine { from_id, to_id, lost, noticed_at } = line;
        Ok(Self { from: from_id.parse()?, to: to_id.parse()?, lost, noticed_at })
    }
}

/// Writes the records of one segment, in ID order, into `folder`; no records, no file.
pub(super) fn write<R: Record>(
    folder: &Path,
    temporary: &Path,
    writer: &Writer,
    records: &[R],
) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (records.first(), records.last()) else {
        return Ok(());
    };
    let mut bytes = Vec::new();
    for record in records {
        // Plain text and numbers into memory: neither can fail.
        let _ = serde_json::to_writer(&mut bytes, &record.to_line());
        bytes.push(b'\n');
    }
    disk::create_dir(folder)?;
    let mut file = disk::create_temporary(temporary)?;
    file.write_all(&bytes).doing("write", temporary)?;
    let name = SealedName { writer: writer.clone(), ids: IdRange { first: first.id(), last: last.id() } };
    disk::publish(&file, temporary, &folder.join(name.with_extension(NDJSON)))
}

/// Reads one such file back.
pub(super) fn read<R: Record>(path: &PathBuf) -> Result<Vec<R>, StoreError> {
    let damaged = |detail: String| StoreError::Damaged { path: path.clone(), detail };
    let mut records = Vec::new();
    for (index, line) in BufReader::new(File::open(path).doing("open", path)?).lines().enumerate() {
        let line: R::Line = serde_json::from_str(&line.doing("read", path)?)
            .map_err(|error| damaged(format!("line {}: {error}", index + 1)))?;
        records.push(R::from_line(line).map_err(|error| damaged(format!("line {}: {error}", index + 1)))?);
    }
    Ok(records)
}
