use std::path::Path;

use super::frame::{self, MAGIC};
use super::{Commit, Header};
use crate::disk::{self, DiskFile};
use crate::layout::SegmentName;
use crate::{Layout, StoreError};

/// Appends commits to one segment.
pub(crate) struct SegmentWriter {
    file: DiskFile,
    bytes: u64,
    /// Kept between commits, so that a steady load allocates nothing.
    buffer: Vec<u8>,
}

impl SegmentWriter {
    /// Begins a segment; durable on return.
    pub fn create(layout: &Layout, path: &Path, header: &Header<'_>) -> Result<Self, StoreError> {
        let mut file = disk::create_new(layout, path)?;
        let buffer = encode(path, header, MAGIC.to_vec())?;
        file.append(&buffer)?;
        Ok(Self { file, bytes: buffer.len() as u64, buffer })
    }

    /// Goes on with a segment of that length whose every byte was found valid.
    pub fn resume(layout: &Layout, path: &Path, bytes: u64) -> Result<Self, StoreError> {
        Ok(Self { file: disk::open_append(layout, path)?, bytes, buffer: Vec::new() })
    }

    /// Makes a commit durable.
    pub fn append(&mut self, commit: &Commit<'_>) -> Result<(), StoreError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        self.buffer = encode(self.file.path(), commit, buffer)?;
        self.file.append(&self.buffer)?;
        self.bytes += self.buffer.len() as u64;
        Ok(())
    }

    /// How long the segment is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The first bytes of a segment: the magic bytes, and, where its own header is lost, a header made
/// from its name.
pub(crate) fn segment_start(path: &Path, name: &SegmentName, lacks_header: bool) -> Result<Vec<u8>, StoreError> {
    if !lacks_header {
        return Ok(MAGIC.to_vec());
    }
    let header = Header { writer: &name.writer.to_string(), after: name.after, position: None };
    encode(path, &header, MAGIC.to_vec())
}

fn encode(path: &Path, payload: &impl serde::Serialize, buffer: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    frame::encode(payload, buffer).map_err(|error| StoreError::Damaged {
        path: path.to_owned(),
        detail: format!("a commit of more than 4 GiB cannot be written ({error})"),
    })
}
