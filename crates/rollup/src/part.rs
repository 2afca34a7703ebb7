//! The file of a day: what each of its files contributes, one record after the other.
//!
//! A record is added at the end, so that a collector never has to hold a day. One that was torn by a crash, or damaged,
//! ends what can be read: what stood behind it is derived anew, and the day written anew.

use std::collections::BTreeSet;
use std::io::{self, Write as _};

use emp_catalog::Storage;
use emp_store::Hour;

const MAGIC: &[u8; 8] = b"EMPROLL3";
/// The length of what follows, its CRC-32, and whose it is.
const HEAD_BYTES: usize = 16;

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
            Self::Events => NAME_START,
            Self::Jobs => "jobs-",
            Self::Arrivals => "arrivals-",
            Self::Compared => "compared-",
        }
    }

    fn name(self, date: &str) -> String {
        format!("{}{date}{NAME_END}", self.name_start())
    }

    fn date(self, name: &str) -> Option<&str> {
        name.strip_prefix(self.name_start())?.strip_suffix(NAME_END)
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
        let found = Kind::ALL.iter().find_map(|kind| Some((*kind, kind.date(name)?)));
        let is_of_other_day = found.is_some_and(|(kind, date)| !days(kind).contains(date));
        let is_old =
            |kind: &Kind| name.starts_with(kind.name_start()) && OLD_ENDS.iter().any(|end| name.ends_with(end));
        is_of_other_day || Kind::ALL.iter().any(is_old)
    })
}

const NAME_START: &str = "rollups-";
const NAME_END: &str = ".v3";
/// How the names of older versions end.
const OLD_ENDS: [&str; 2] = [".v1", ".v2"];

/// The files of one day, as they were read.
#[derive(Debug)]
pub(super) struct Part {
    name: String,
    /// The one that may be written to comes first.
    copies: Vec<Vec<u8>>,
}

impl Part {
    /// What is there of the day in which this hour lies.
    pub fn read(storage: &Storage, kind: Kind, day: Hour) -> Self {
        let name = kind.name(&day.date());
        Self { copies: storage.read_each(&name).collect(), name }
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
    /// the day is written anew.
    pub fn add(&self, storage: &Storage, records: &[Record], files: &BTreeSet<u64>) -> io::Result<()> {
        let own = self.copies.first().map_or(&[][..], Vec::as_slice);
        let mut reader = Records::of(own);
        let kept: Vec<(u64, &[u8])> = reader.by_ref().filter(|(file, _)| files.contains(file)).collect();
        let kept_bytes: usize = kept.iter().map(|(_, payload)| HEAD_BYTES + payload.len()).sum();
        let is_whole = reader.is_at_end() && 2 * kept_bytes >= own.len().saturating_sub(MAGIC.len());
        let mut added = Vec::new();
        records.iter().try_for_each(|(file, payload)| write(&mut added, *file, payload))?;
        if is_whole {
            return storage.append(&self.name, MAGIC, &added);
        }
        storage.replace(&self.name, |out| {
            let mut out = io::BufWriter::new(out);
            out.write_all(MAGIC)?;
            kept.iter().try_for_each(|(file, payload)| write(&mut out, *file, payload))?;
            out.write_all(&added)?;
            out.flush()
        })
    }
}

/// The files of one day of several stores as one.
pub fn together(files: &[Vec<u8>]) -> Vec<u8> {
    let mut all = MAGIC.to_vec();
    for (file, payload) in files.iter().flat_map(|bytes| Records::of(bytes)) {
        // It was written, so it is not too long to be.
        let _ = write(&mut all, file, payload);
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
