//! The quarantine and the losses at rest: NDJSON files, named like the Parquet file of
//! the same segment after their writer and their range of IDs.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::IoContext as _;
use super::journal::{Loss, Quarantined};
use super::layout::{IdRange, Layout, SealedName, Writer};
use super::{StoreError, disk};
use emp_event::ParseEntryIdError;

pub(super) const NDJSON: &str = "ndjson";

/// A record that is kept in a sidecar, one JSON object a line.
pub trait Record: Sized + Send + 'static {
    /// The line as it stands in the file.
    type Line: Serialize + DeserializeOwned;

    /// The IDs that the record is about.
    fn ids(&self) -> IdRange;
    /// As it is written.
    fn to_line(&self) -> Self::Line;
    /// As it is read.
    fn from_line(line: Self::Line) -> Result<Self, ParseEntryIdError>;
}

/// A quarantined entry as it is written.
#[derive(Serialize, Deserialize)]
pub struct QuarantinedLine {
    id: String,
    reason: String,
    entry: String,
    noticed_at: i64,
}

impl Record for Quarantined {
    type Line = QuarantinedLine;

    fn ids(&self) -> IdRange {
        IdRange { first: self.id, last: self.id }
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

/// A loss as it is written.
#[derive(Serialize, Deserialize)]
pub struct LossLine {
    from_id: String,
    to_id: String,
    lost: u64,
    noticed_at: i64,
}

impl Record for Loss {
    type Line = LossLine;

    /// A loss is committed with the entry behind it.
    fn ids(&self) -> IdRange {
        IdRange { first: self.to, last: self.to }
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

/// Each line ends in its checksum, so that a damaged record is found.
const CHECKSUM_KEY: &str = ",\"crc32\":\"";
const CHECKSUM_END: &str = "\"}";
/// A CRC-32 in hexadecimal digits.
const CHECKSUM_DIGITS: usize = 8;

/// Writes the records of one segment, in ID order, into that folder of the store; no records, no file.
pub(super) fn write<R: Record>(
    layout: &Layout,
    folder: &Path,
    writer: &Writer,
    records: &[R],
) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (records.first(), records.last()) else {
        return Ok(());
    };
    let mut text = String::new();
    for record in records {
        // Plain text and numbers into memory: it cannot fail.
        let line = serde_json::to_string(&record.to_line()).unwrap_or_default();
        text.push_str(&with_checksum(&line));
        text.push('\n');
    }
    disk::create_dir(layout, folder)?;
    let name = SealedName { writer: writer.clone(), ids: IdRange { first: first.ids().first, last: last.ids().last } };
    let path = folder.join(name.with_extension(NDJSON));
    disk::write_whole(layout, &format!("{writer}.sidecar"), &path, &mut text.as_bytes())
}

fn with_checksum(line: &str) -> String {
    let sum = crc32fast::hash(line.as_bytes());
    format!("{}{CHECKSUM_KEY}{sum:08x}{CHECKSUM_END}", line.strip_suffix('}').unwrap_or(line))
}

/// The line without its checksum; `None` where it has none, or another one than it should.
fn without_checksum(line: &str) -> Option<String> {
    let rest = line.strip_suffix(CHECKSUM_END)?;
    let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(CHECKSUM_DIGITS)?)?;
    let bare = format!("{}}}", rest.strip_suffix(CHECKSUM_KEY)?);
    (format!("{:08x}", crc32fast::hash(bare.as_bytes())) == digits).then_some(bare)
}

/// Reads one such file back, whole.
pub(super) fn read<R: Record>(path: &Path) -> Result<Vec<R>, StoreError> {
    records(path)?.collect()
}

/// Reads one such file a line at a time. A line that is damaged is an error, and those behind it follow.
pub(super) fn records<R: Record>(
    path: &Path,
) -> Result<impl Iterator<Item = Result<R, StoreError>> + Send + use<R>, StoreError> {
    let lines = BufReader::new(File::open(path).doing("open", path)?).split(b'\n');
    let path = path.to_owned();
    Ok(lines.zip(1..).map(move |(line, number)| {
        let line = line.doing("read", &path)?;
        parse(&line)
            .map_err(|detail| StoreError::Damaged { path: path.clone(), detail: format!("line {number}: {detail}") })
    }))
}

fn parse<R: Record>(line: &[u8]) -> Result<R, String> {
    let line = std::str::from_utf8(line).map_err(|error| error.to_string())?;
    let bare = without_checksum(line).ok_or("its checksum does not hold")?;
    let line: R::Line = serde_json::from_str(&bare).map_err(|error| error.to_string())?;
    R::from_line(line).map_err(|error| error.to_string())
}

/// How many records such a file has, by its lines: none is decoded.
pub(super) fn count(path: &Path) -> Result<u64, StoreError> {
    let mut file = BufReader::new(File::open(path).doing("open", path)?);
    let mut count = 0;
    loop {
        let bytes = file.fill_buf().doing("read", path)?;
        if bytes.is_empty() {
            return Ok(count);
        }
        count += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let length = bytes.len();
        file.consume(length);
    }
}
