//! The checksum of a sealed file, kept in the file itself.
//!
//! The footer of a Parquet file may hold values under keys. Ours holds the CRC-32 of the whole
//! file, as it is with zeros in the checksum's own place: written so at first, and filled in
//! before the file is published. So each bit of the file is covered, and other engines see a key
//! that they don't ask for.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::path::Path;

use super::StoreError;
use super::disk::Temporary;
use super::error::IoContext as _;

/// The key in the footer of a sealed file under which the checksum of the whole file stands.
pub const KEY: &str = "emp-events.crc32";
/// Written in the place of the checksum until that is known; it has as many digits.
pub(super) const PLACEHOLDER: &str = "00000000";
/// Between key and value in the footer's encoding: the type of the field, and its length.
const BETWEEN: [u8; 2] = [0x18, PLACEHOLDER.len() as u8];
/// The length of the footer, and the letters `PAR1`.
const TAIL_BYTES: u64 = 8;

/// The outcome of comparing a file with its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// The file is as it was written.
    Holds,
    /// It has none: another program wrote it, or it is damaged just there.
    Missing,
    /// It is not as it was written.
    Broken,
}

/// Adds up what is written to a file.
pub(super) struct Summed {
    file: Temporary,
    hasher: crc32fast::Hasher,
}

impl Summed {
    pub fn new(file: Temporary) -> Self {
        Self { file, hasher: crc32fast::Hasher::new() }
    }

    /// Fills in the checksum of a Parquet file that was written whole.
    pub fn finish(self) -> Result<Temporary, StoreError> {
        let path = self.file.path();
        let place = File::open(path).and_then(|mut file| locate(&mut file)).doing("read", path)?;
        let (offset, _) = place.ok_or_else(|| StoreError::Damaged {
            path: path.to_owned(),
            detail: "the footer just written has no place for its checksum".to_owned(),
        })?;
        self.file.patch(offset, format!("{:08x}", self.hasher.finalize()).as_bytes())?;
        Ok(self.file)
    }
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Reads a sealed file, and compares it with the checksum in it.
///
/// # Errors
/// [`StoreError::Io`] where it cannot be read.
pub fn check(path: &Path) -> Result<Checksum, StoreError> {
    let mut file = File::open(path).doing("open", path)?;
    match locate(&mut file).doing("read", path)? {
        None => Ok(Checksum::Missing),
        Some((offset, digits)) => {
            let sum = sum_without(file, offset).doing("read", path)?;
            let holds = digits == format!("{sum:08x}").as_bytes();
            Ok(if holds { Checksum::Holds } else { Checksum::Broken })
        }
    }
}

type Digits = [u8; PLACEHOLDER.len()];

/// Where the checksum of a Parquet file stands, and its digits.
fn locate(file: &mut File) -> io::Result<Option<(u64, Digits)>> {
    let length = file.metadata()?.len();
    if length < TAIL_BYTES {
        return Ok(None);
    }
    let mut tail = [0; 4];
    file.seek(SeekFrom::Start(length - TAIL_BYTES))?;
    file.read_exact(&mut tail)?;
    let footer_bytes = u64::from(u32::from_le_bytes(tail));
    if footer_bytes > length - TAIL_BYTES {
        return Ok(None);
    }
    let start = length - TAIL_BYTES - footer_bytes;
    let mut footer = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(footer_bytes).read_to_end(&mut footer)?;
    let mut marker = KEY.as_bytes().to_vec();
    marker.extend(BETWEEN);
    let found = footer.windows(marker.len()).rposition(|window| window == marker).map(|at| at + marker.len());
    Ok(found.and_then(|at| Some((start + at as u64, footer.get(at..)?.first_chunk().copied()?))))
}

/// The sum of a file with zeros in the checksum's place.
fn sum_without(mut file: File, offset: u64) -> io::Result<u32> {
    let mut hasher = crc32fast::Hasher::new();
    file.rewind()?;
    io::copy(&mut (&file).take(offset), &mut Sink(&mut hasher))?;
    hasher.update(PLACEHOLDER.as_bytes());
    file.seek(SeekFrom::Start(offset + PLACEHOLDER.len() as u64))?;
    io::copy(&mut file, &mut Sink(&mut hasher))?;
    Ok(hasher.finalize())
}

struct Sink<'a>(&'a mut crc32fast::Hasher);

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
