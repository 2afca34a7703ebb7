//! What can be saved of a segment that was damaged in its middle.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Write};
use std::path::Path;

use super::frame::{self, Frame, MAGIC};
use super::{Commit, Header};
use crate::StoreError;
use crate::error::IoContext as _;
use crate::layout::SegmentName;
use emp_event::EntryId;

/// What came of reading every frame of a segment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Salvaged {
    /// Commits that are whole.
    pub commits: u64,
    /// Events in them.
    pub events: u64,
    /// The first of those.
    pub first: Option<EntryId>,
    /// Frames that are not whole, with whole ones behind them.
    pub broken: u64,
    /// Bytes at the end that are no whole frame.
    pub torn_bytes: u64,
}

/// Reads a segment to its end, over frames whose checksum does not hold, and writes those that
/// are whole as a segment of that name.
pub(crate) fn salvage(path: &Path, name: &SegmentName, output: &mut impl Write) -> Result<Salvaged, StoreError> {
    let file = File::open(path).doing("open", path)?;
    let mut left = file.metadata().doing("read", path)?.len().saturating_sub(MAGIC.len() as u64);
    let mut source = BufReader::new(file);
    let mut magic = [0; MAGIC.len()];
    let is_ours = source.read_exact(&mut magic).is_ok() && &magic == MAGIC;
    let mut salvaged = Salvaged { broken: u64::from(!is_ours), ..Salvaged::default() };
    let header = Header { writer: &name.writer.to_string(), after: name.after, position: None };
    let start = frame::encode(&header, MAGIC.to_vec()).map_err(|error| damaged(path, &error))?;
    output.write_all(&start).doing("write", path)?;
    let mut payload = Vec::new();
    let mut last = name.after;
    let mut is_first = true;
    loop {
        let found = frame::read(&mut source, left, &mut payload).doing("read", path)?;
        let bytes = match found {
            Frame::Whole(bytes) | Frame::Broken(bytes) => bytes,
            Frame::End => return Ok(salvaged),
            Frame::Torn => {
                salvaged.torn_bytes = left;
                return Ok(salvaged);
            }
        };
        left -= bytes;
        let is_header = std::mem::take(&mut is_first);
        if matches!(found, Frame::Broken(_)) {
            salvaged.broken += 1;
        } else if !is_header {
            let commit: Commit<'_> = postcard::from_bytes(&payload).map_err(|error| damaged(path, &error))?;
            // Out of order it was not written here; it stays aside with the file it came from.
            let first = commit.rows.first().map(|row| row.id);
            if first.is_some_and(|first| first <= last) {
                salvaged.broken += 1;
                continue;
            }
            last = commit.last().unwrap_or(last);
            salvaged.first = salvaged.first.or(first);
            salvaged.commits += 1;
            salvaged.events += commit.rows.len() as u64;
            write_frame(output, &payload).doing("write", path)?;
        }
    }
}

fn write_frame(output: &mut impl Write, payload: &[u8]) -> io::Result<()> {
    output.write_all(&frame::prefix(payload))?;
    output.write_all(payload)
}

fn damaged(path: &Path, error: &postcard::Error) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), detail: error.to_string() }
}
