use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::frame::{self, Frame, MAGIC};
use super::record::CommitStart;
use super::{Commit, Header};
use crate::StoreError;
use crate::error::IoContext as _;
use emp_event::EntryId;

/// Reads the commits of one segment that are whole, in order. What is no whole commit is skipped,
/// and noted: the last one may be torn by a crash, and any may be damaged on the disk later.
///
/// The file stays readable through this reader even where the collector seals and removes
/// it meanwhile.
pub(crate) struct SegmentReader {
    path: PathBuf,
    source: BufReader<File>,
    /// Where the next frame begins.
    at: u64,
    /// Bytes that the file had when it was opened.
    length: u64,
    payload: Vec<u8>,
    /// The ID of the last event that was read.
    last: EntryId,
    damage: Damage,
}

/// Bytes of a segment that are no whole frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Where they are, in order.
    pub ranges: Vec<Range<u64>>,
    /// Is the header among them?
    pub has_header: bool,
}

impl SegmentReader {
    /// Opens a segment.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).doing("open", path)?;
        let length = file.metadata().doing("read", path)?.len();
        let mut reader = Self {
            path: path.to_owned(),
            source: BufReader::with_capacity(64 << 10, file),
            at: 0,
            length,
            payload: Vec::new(),
            last: EntryId::ZERO,
            damage: Damage::default(),
        };
        reader.read_magic().doing("read", path)?;
        Ok(reader)
    }

    fn read_magic(&mut self) -> io::Result<()> {
        let mut magic = [0; MAGIC.len()];
        let length = self.length.min(MAGIC.len() as u64);
        self.source.read_exact(&mut magic[..length as usize])?;
        self.at = length;
        if &magic != MAGIC {
            self.skip_from(0);
        }
        Ok(())
    }

    /// The header; `None` where it is not whole. To be read before the commits.
    pub fn header(&mut self) -> Result<Option<Header<'_>>, StoreError> {
        let found = self.read_frame()?;
        if !matches!(found, Frame::Whole(_)) {
            self.damage.has_header = true;
            self.skip_damage(&found)?;
            return Ok(None);
        }
        Self::parse(&self.path, &self.payload).map(Some)
    }

    /// The next commit that is whole; `None` at the end.
    pub fn next_commit(&mut self) -> Result<Option<Commit<'_>>, StoreError> {
        loop {
            let found = self.read_frame()?;
            match found {
                Frame::End => return Ok(None),
                Frame::Whole(_) if self.is_in_order() => break,
                Frame::Whole(bytes) => self.skip_from(self.at - bytes),
                Frame::Broken(_) | Frame::Torn => self.skip_damage(&found)?,
            }
        }
        let commit: Commit<'_> = Self::parse(&self.path, &self.payload)?;
        self.last = commit.rows.last().map_or(self.last, |row| row.id);
        Ok(Some(commit))
    }

    /// How many bytes the segment has.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Once the commits have been read: what was skipped.
    pub fn damage(&self) -> &Damage {
        &self.damage
    }

    fn read_frame(&mut self) -> Result<Frame, StoreError> {
        let left = self.length - self.at;
        let found = frame::read(&mut self.source, left, &mut self.payload).doing("read", &self.path)?;
        if let Frame::Whole(bytes) = found {
            self.at += bytes;
        }
        Ok(found)
    }

    /// A commit whose events do not follow those before it was written elsewhere: by a disk that
    /// takes one place for another, say.
    fn is_in_order(&self) -> bool {
        CommitStart::of(&self.payload).and_then(|start| start.first_event()).is_none_or(|first| first > self.last)
    }

    /// Goes on at the next commit that is whole, or at the end.
    fn skip_damage(&mut self, found: &Frame) -> Result<(), StoreError> {
        let start = self.at;
        let mut rest = Vec::new();
        self.source.seek(SeekFrom::Start(start)).doing("read", &self.path)?;
        let left = self.length - start;
        (&mut self.source).take(left).read_to_end(&mut rest).doing("read", &self.path)?;
        let claimed = if let Frame::Broken(bytes) = found { Some(*bytes as usize) } else { None };
        let behind = frame::find_commit(&rest, claimed).map_or(left, |offset| offset as u64);
        self.at = start + behind;
        self.source.seek(SeekFrom::Start(self.at)).doing("read", &self.path)?;
        self.skip_from(start);
        Ok(())
    }

    fn skip_from(&mut self, start: u64) {
        let end = self.at;
        match self.damage.ranges.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ if start < end => self.damage.ranges.push(start..end),
            _ => {}
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
