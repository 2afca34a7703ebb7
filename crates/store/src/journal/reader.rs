use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::frame::{self, Frame, MAGIC};
use super::{Commit, Header};
use crate::StoreError;
use crate::error::IoContext as _;

/// Reads the commits of one segment, as many as were whole when it was opened.
///
/// The file stays readable through this reader even where the collector seals and removes
/// it meanwhile.
pub(crate) struct SegmentReader {
    path: PathBuf,
    source: BufReader<File>,
    /// Bytes that the reader has accepted; the rest is the torn tail, if any.
    valid: u64,
    /// Bytes that the file had when it was opened.
    length: u64,
    payload: Vec<u8>,
    ended: bool,
}

impl SegmentReader {
    /// Opens a segment. One whose header is not whole was cut short at its creation and has
    /// no commits.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).doing("open", path)?;
        let length = file.metadata().doing("read", path)?.len();
        let source = BufReader::with_capacity(64 << 10, file);
        let mut reader = Self { path: path.to_owned(), source, valid: 0, length, payload: Vec::new(), ended: false };
        reader.accept_magic().doing("read", path)?;
        Ok(reader)
    }

    fn accept_magic(&mut self) -> io::Result<()> {
        let mut magic = [0; MAGIC.len()];
        if self.length < MAGIC.len() as u64 {
            self.ended = true;
            return Ok(());
        }
        self.source.read_exact(&mut magic)?;
        if &magic == MAGIC {
            self.valid = MAGIC.len() as u64;
        } else {
            self.ended = true;
        }
        Ok(())
    }

    /// The header; `None` where it is not whole. To be read before the commits.
    pub fn header(&mut self) -> Result<Option<Header<'_>>, StoreError> {
        if !self.advance()? {
            return Ok(None);
        }
        Self::parse(&self.path, &self.payload).map(Some)
    }

    /// The next commit; `None` at the end, and at the torn tail.
    pub fn next_commit(&mut self) -> Result<Option<Commit<'_>>, StoreError> {
        if !self.advance()? {
            return Ok(None);
        }
        Self::parse(&self.path, &self.payload).map(Some)
    }

    /// Once the commits have been read: where the next one belongs.
    pub fn valid_bytes(&self) -> u64 {
        self.valid
    }

    fn advance(&mut self) -> Result<bool, StoreError> {
        if self.ended {
            return Ok(false);
        }
        let left = self.length - self.valid;
        match frame::read(&mut self.source, left, &mut self.payload).doing("read", &self.path)? {
            Frame::Whole(bytes) => {
                self.valid += bytes;
                Ok(true)
            }
            Frame::End | Frame::Broken(_) | Frame::Torn => {
                self.ended = true;
                Ok(false)
            }
        }
    }

    /// The checksum held, so a payload that does not parse was written by another version.
    fn parse<'a, T: serde::Deserialize<'a>>(path: &Path, payload: &'a [u8]) -> Result<T, StoreError> {
        postcard::from_bytes(payload).map_err(|error| StoreError::Damaged {
            path: path.to_owned(),
            detail: format!(
                "a commit with a valid checksum cannot be read ({error}); a newer version may have written it"
            ),
        })
    }
}
