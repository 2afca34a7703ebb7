//! The file of a day: what each of its files contributes, one record after the other.
//!
//! A record is added at the end. One that was torn by a crash, or damaged, ends what can be read: what stood behind it is
//! derived anew, and the day written anew. Once there are many, they are put together into one and compressed, which
//! takes a third off what is kept of a year.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::io::{self, Write as _};

use emp_catalog::Storage;
use emp_store::Hour;

const MAGIC: &[u8; 8] = b"EMPROLL3";
/// The length of what follows, its CRC-32, and whose it is.
const HEAD_BYTES: usize = 16;

/// Records that were put together have this number, and as many of them are left as they are.
const BLOCK: u64 = u64::from_le_bytes(*b"EMPBLOCK");
const LOOSE_MAX: usize = 16;
const LEVEL: i32 = 6;
/// What a day contributes takes no more by far.
const BLOCK_BYTES_MAX: usize = 256 << 20;

/// What a file contributes, encoded, under the number that the file has in [`super::kept`].
pub(super) type Record = (u64, Vec<u8>);

/// What is kept in a file of the index for each day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What events contribute, each by itself.
    Events,
    /// What they contribute as steps of jobs.
    Jobs,
    /// When what each producer sent has arrived.
    Arrivals,
    /// What they contribute to a comparison of two ranges.
    Compared,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Events, Self::Jobs, Self::Arrivals, Self::Compared];

    const fn name_start(self) -> &'static str {
        match self {
            Self::Events => "rollups-",
            Self::Jobs => "jobs-",
            Self::Arrivals => "arrivals-",
            Self::Compared => "compared-",
        }
    }

    /// Of the form in which it is kept.
    const fn version(self) -> u32 {
        match self {
            Self::Events | Self::Arrivals | Self::Compared => 3,
            Self::Jobs => 4,
        }
    }

    fn name(self, date: &str) -> String {
        format!("{}{date}.v{}", self.name_start(), self.version())
    }

    /// The day and the version of a file of that name.
    fn date_and_version(self, name: &str) -> Option<(&str, u32)> {
        let (date, version) = name.strip_prefix(self.name_start())?.rsplit_once(".v")?;
        Some((date, version.parse().ok()?))
    }

    fn date(self, name: &str) -> Option<&str> {
        let (date, version) = self.date_and_version(name)?;
        (version == self.version()).then_some(date)
    }
}

/// The file of the index in which what the hours of a day contribute is kept. A newer version of another form takes
/// another name, so that two versions can share a store.
pub fn file_name(date: &str) -> String {
    Kind::Events.name(date)
}

/// The day of such a file; `None` for a file of another name.
pub fn date_of_file(name: &str) -> Option<&str> {
    Kind::Events.date(name)
}

/// Removes what is there of other days than those of which something is to be kept, by their dates, and what older versions
/// kept.
pub(super) fn remove_others<'a>(storage: &Storage, days: impl Fn(Kind) -> &'a BTreeSet<String>) -> io::Result<()> {
    storage.remove(|name| {
        Kind::ALL.iter().any(|kind| {
            let found = kind.date_and_version(name);
            found.is_some_and(|(date, version)| match version.cmp(&kind.version()) {
                Ordering::Less => true,
                Ordering::Equal => !days(*kind).contains(date),
                // Of a newer version, which shares the store.
                Ordering::Greater => false,
            })
        })
    })
}

/// The files of one day, as they were read.
#[derive(Debug)]
pub(super) struct Part {
    name: String,
    /// Without blocks.
    copies: Vec<Vec<u8>>,
}

impl Part {
    /// What is there of the day in which this hour lies.
    pub fn read(storage: &Storage, kind: Kind, day: Hour) -> Self {
        let name = kind.name(&day.date());
        Self { copies: storage.read_each(&name).map(unpacked).collect(), name }
    }

    /// Each record that is whole.
    pub fn records(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.copies.iter().flat_map(|bytes| Records::of(bytes))
    }

    /// Where each record that is whole stands: in which copy, its number, and where its payload lies.
    pub fn places(&self) -> Vec<(usize, u64, std::ops::Range<usize>)> {
        let mut places = Vec::new();
        for (at, bytes) in self.copies.iter().enumerate() {
            for (number, payload) in Records::of(bytes) {
                let start = payload.as_ptr() as usize - bytes.as_ptr() as usize;
                places.push((at, number, start..start + payload.len()));
            }
        }
        places
    }

    /// The payload at a place.
    pub fn bytes(&self, copy: usize, range: std::ops::Range<usize>) -> Option<&[u8]> {
        self.copies.get(copy)?.get(range)
    }

    /// Adds records. Where most of what is there is of files that are not among `files` any more, or cannot be read,
    /// or was added one by one, the day is written anew.
    pub fn add(&self, storage: &Storage, records: &[Record], files: &BTreeSet<u64>) -> io::Result<()> {
        // Something may have been added since it was read. The one that may be written to comes first.
        let own = storage.read_each(&self.name).next().unwrap_or_default();
        let mut reader = Records::of(&own);
        let loose = reader.by_ref().filter(|(number, _)| *number != BLOCK).count();
        let is_whole = reader.is_at_end() && loose + records.len() <= LOOSE_MAX;
        let own = unpacked(own);
        let kept: Vec<(u64, &[u8])> = Records::of(&own).filter(|(file, _)| files.contains(file)).collect();
        let kept_bytes: usize = kept.iter().map(|(_, payload)| HEAD_BYTES + payload.len()).sum();
        let mut added = Vec::new();
        records.iter().try_for_each(|(file, payload)| write(&mut added, *file, payload))?;
        if is_whole && 2 * kept_bytes >= own.len().saturating_sub(MAGIC.len()) {
            return storage.append(&self.name, MAGIC, &added);
        }
        let mut all = Vec::with_capacity(kept_bytes + added.len());
        kept.iter().try_for_each(|(file, payload)| write(&mut all, *file, payload))?;
        all.extend(added);
        let block = zstd::bulk::compress(&all, LEVEL)?;
        storage.replace(&self.name, |out| {
            let mut out = io::BufWriter::new(out);
            out.write_all(MAGIC)?;
            write(&mut out, BLOCK, &block)?;
            out.flush()
        })
    }
}

/// A file with the records of its blocks in place of these, as far as it is whole.
fn unpacked(bytes: Vec<u8>) -> Vec<u8> {
    if !Records::of(&bytes).any(|(number, _)| number == BLOCK) {
        return bytes;
    }
    let mut all = MAGIC.to_vec();
    for (number, payload) in Records::of(&bytes) {
        if number != BLOCK {
            // It was written, so it is not too long to be.
            let _ = write(&mut all, number, payload);
            continue;
        }
        // Its checksum says that it is what was compressed.
        let length = zstd::bulk::Decompressor::upper_bound(payload).unwrap_or(BLOCK_BYTES_MAX);
        all.extend(zstd::bulk::decompress(payload, length.min(BLOCK_BYTES_MAX)).unwrap_or_default());
    }
    all
}

/// The files of one day of several stores as one.
pub fn together(files: &[Vec<u8>]) -> Vec<u8> {
    let mut all = MAGIC.to_vec();
    for bytes in files {
        for (file, payload) in Records::of(&unpacked(bytes.clone())) {
            // It was written, so it is not too long to be.
            let _ = write(&mut all, file, payload);
        }
    }
    all
}

fn write(out: &mut impl io::Write, file: u64, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&checksum(file, payload).to_le_bytes())?;
    out.write_all(&file.to_le_bytes())?;
    out.write_all(payload)
}

fn checksum(file: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&file.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// Goes through the records of one file.
struct Records<'a> {
    /// `None` where it is none of ours.
    rest: Option<&'a [u8]>,
}

impl<'a> Records<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        // A file that is not there has nothing wrong with it.
        let rest = if bytes.is_empty() { Some(bytes) } else { bytes.strip_prefix(MAGIC) };
        Self { rest }
    }

    fn is_at_end(&self) -> bool {
        self.rest.is_some_and(<[u8]>::is_empty)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<(u64, &'a [u8])> {
        let (length, rest) = self.rest?.split_first_chunk()?;
        let (sum, rest) = rest.split_first_chunk()?;
        let (file, rest) = rest.split_first_chunk()?;
        let file = u64::from_le_bytes(*file);
        let (payload, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        if checksum(file, payload) != u32::from_le_bytes(*sum) {
            return None;
        }
        self.rest = Some(rest);
        Some((file, payload))
    }
}
