//! Sealing: one journal segment becomes one Parquet file and its sidecars.

use std::path::PathBuf;

use super::journal::SegmentReader;
use super::layout::{Layout, SegmentName};
use super::mend::{KeptAside, keep_damage};
use super::sealed::PartitionWriter;
use super::{StoreError, disk, sidecar};

/// A segment that nothing is appended to any more, waiting to be sealed. Independent of
/// the writer, so that it can be sealed on another thread while commits go on.
#[derive(Debug)]
pub struct SealTask {
    layout: Layout,
    segment: SegmentName,
}

/// What sealing a segment came to.
#[derive(Debug)]
pub struct Sealed {
    /// The segment, which is superseded now.
    pub(super) segment: PathBuf,
    /// The Parquet file; none where the segment held no events.
    pub parquet: Option<PathBuf>,
    /// How many events it holds.
    pub rows: u64,
    /// Bytes of the segment that are no whole commit.
    pub damaged: Vec<KeptAside>,
}

impl SealTask {
    pub(super) fn new(layout: &Layout, segment: SegmentName) -> Self {
        Self { layout: layout.clone(), segment }
    }

    /// Writes and publishes the files. Done twice, it leaves the same files as done once:
    /// after a crash the task is simply run again.
    ///
    /// # Errors
    /// [`StoreError`] where the disk refuses; the segment still counts then.
    pub fn run(&self) -> Result<Sealed, StoreError> {
        let path = self.layout.segment(&self.segment);
        let writer = &self.segment.writer;
        let mut reader = SegmentReader::open(&path)?;
        reader.header()?;
        let mut parquet = PartitionWriter::create(&self.layout, writer)?;
        let mut quarantined = Vec::new();
        let mut losses = Vec::new();
        let mut rows = 0;
        while let Some(commit) = reader.next_commit()? {
            for row in &commit.rows {
                parquet.push_read(row, &path)?;
            }
            rows += commit.rows.len() as u64;
            quarantined.extend(commit.quarantined);
            losses.extend(commit.losses);
        }
        // A crash tears only the newest segment; this one was damaged later.
        let damaged = keep_damage(&self.layout, &path, reader.damage())?;
        // The sidecars first: once the Parquet file is there, the segment may go.
        sidecar::write(&self.layout, &self.layout.quarantine(), writer, &quarantined)?;
        sidecar::write(&self.layout, &self.layout.losses(), writer, &losses)?;
        Ok(Sealed { segment: path, parquet: parquet.finish()?, rows, damaged })
    }
}

/// Asks the collector at work on the store to seal what it has. It removes
/// [`Layout::seal_request`] once that is done.
///
/// # Errors
/// [`StoreError`] where the disk refuses.
pub fn request_seal(layout: &Layout) -> Result<(), StoreError> {
    disk::write_whole(layout, "seal", &layout.seal_request(), &mut std::io::empty())
}

/// Tells whoever asked that all is sealed.
pub(super) fn answer_seal_request(layout: &Layout) -> Result<(), StoreError> {
    disk::remove(layout, &layout.seal_request())
}
