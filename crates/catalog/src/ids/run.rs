//! A run on disk.
//!
//! ```text
//! "EMPIDS1\n"  bucket bits (u8)  files (u32)  CRC-32 of these
//! directory    of each bucket: where it ends (u32, from the first one), its CRC-32 (u32)
//! buckets      of each id, by hash: the distance to the hash before it, how many files,
//!              the first file's number and the distances to the others, all LEB128
//! ```
//! Numbers of fixed width are little-endian. Every byte that is used is checked by a CRC-32.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt as _;

use emp_store::ReadAt;

use super::HASH_BITS;

const MAGIC: &[u8; 8] = b"EMPIDS1\n";
const HEADER_BYTES: u64 = 8 + 1 + 4 + 4;
const DIRECTORY_ENTRY_BYTES: u64 = 8;
/// As many ids to a bucket, on average: a few kilobytes.
const BUCKET_IDS: usize = 512;
const BUCKET_BITS_MAX: u8 = 20;
/// By so many of their first bits the ids are parted into slices, which can be gone through one by one.
pub(crate) const SLICE_BITS: u32 = 6;

/// The slice that a hash is in.
pub(crate) fn slice_of(hash: u64) -> usize {
    (hash >> (HASH_BITS - SLICE_BITS)) as usize
}

/// The bytes are not those of a run, or not those that were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// A run that is open to be asked.
#[derive(Debug)]
pub(crate) struct Run {
    file: Box<dyn ReadAt>,
    bits: u8,
    files: u32,
}

impl Run {
    /// Reads the header.
    pub fn open(file: Box<dyn ReadAt>) -> Result<Self, Broken> {
        let mut header = [0; HEADER_BYTES as usize];
        file.read_exact_at(&mut header, 0)?;
        let (fields, sum) = header.split_at(header.len() - 4);
        let bits = fields[8];
        if fields[..8] != *MAGIC || sum != crc32fast::hash(fields).to_le_bytes() || bits > BUCKET_BITS_MAX {
            return Err(Broken);
        }
        Ok(Self { file, bits, files: u32_at(fields, 9) })
    }

    /// How many files it covers.
    pub fn files(&self) -> u32 {
        self.files
    }

    /// How many ids it holds, by its size.
    pub fn ids_about(&self) -> usize {
        // An id takes about seven bytes where it occurs in one file.
        self.file.length().map_or(0, |length| length as usize / 7)
    }

    /// The numbers of the files that hold an id of this hash, ascending.
    pub fn find(&self, hash: u64) -> Result<Vec<u32>, Broken> {
        let bucket = self.bucket((hash >> (HASH_BITS - u32::from(self.bits))) as usize)?;
        for entry in Entries::of(&bucket) {
            let (found, files) = entry?;
            if found >= hash {
                return Ok(if found == hash { files } else { Vec::new() });
            }
        }
        Ok(Vec::new())
    }

    /// The numbers of the files that hold any of these.
    pub fn find_any(&self, hashes: &[u64]) -> Result<Vec<u32>, Broken> {
        let each: Result<Vec<Vec<u32>>, Broken> = hashes.iter().map(|hash| self.find(*hash)).collect();
        Ok(each?.concat())
    }

    /// Shows each of these ids that it holds, by its hash, with the numbers of its files. `hashes` ascend, each once.
    pub fn find_all(&self, hashes: &[u64], show: &mut dyn FnMut(u64, &[u32])) -> Result<(), Broken> {
        let bucket_of = |hash: u64| hash >> (HASH_BITS - u32::from(self.bits));
        let mut files = Vec::new();
        for of_bucket in hashes.chunk_by(|a, b| bucket_of(*a) == bucket_of(*b)) {
            let bytes = self.bucket(bucket_of(of_bucket[0]) as usize)?;
            let (mut entries, mut wanted) = (Entries::of(&bytes), of_bucket);
            while let Some(last) = wanted.last()
                && let Some(found) = entries.next_into(&mut files)
            {
                let found = found?;
                wanted = &wanted[wanted.partition_point(|hash| *hash < found)..];
                if wanted.first() == Some(&found) {
                    show(found, &files);
                }
                if found >= *last {
                    break;
                }
            }
        }
        Ok(())
    }

    /// All of it will be read.
    pub fn expect_all(&self) {
        self.file.expect_all();
    }

    /// Every id's hash, ascending, with its files.
    pub fn entries(&self) -> impl Iterator<Item = Result<(u64, Vec<u32>), Broken>> {
        (0..1_usize << self.bits).flat_map(|bucket| match self.bucket(bucket) {
            Ok(bytes) => Entries::of(&bytes).collect(),
            Err(broken) => vec![Err(broken)],
        })
    }

    /// Shows each id whose hash begins with these bits of [`SLICE_BITS`], ascending, with its files.
    pub fn visit_slice(&self, slice: usize, show: &mut dyn FnMut(u64, &[u32])) -> Result<(), Broken> {
        let bits = u32::from(self.bits);
        let buckets = match bits.checked_sub(SLICE_BITS) {
            Some(finer) => slice << finer..(slice + 1) << finer,
            // Of a small run a bucket holds several slices.
            None => slice >> (SLICE_BITS - bits)..(slice >> (SLICE_BITS - bits)) + 1,
        };
        let mut files = Vec::new();
        for bucket in buckets {
            let bytes = self.bucket(bucket)?;
            let mut entries = Entries::of(&bytes);
            while let Some(hash) = entries.next_into(&mut files) {
                let hash = hash?;
                if slice_of(hash) == slice {
                    show(hash, &files);
                }
            }
        }
        Ok(())
    }

    fn bucket(&self, bucket: usize) -> Result<Vec<u8>, Broken> {
        // The entry before tells where the bucket begins.
        let mut entries = [0; 2 * DIRECTORY_ENTRY_BYTES as usize];
        let at = HEADER_BYTES + bucket as u64 * DIRECTORY_ENTRY_BYTES;
        let (start, end, sum) = if bucket == 0 {
            self.file.read_exact_at(&mut entries[..8], at)?;
            (0, u32_at(&entries, 0), u32_at(&entries, 4))
        } else {
            self.file.read_exact_at(&mut entries, at - DIRECTORY_ENTRY_BYTES)?;
            (u32_at(&entries, 0), u32_at(&entries, 8), u32_at(&entries, 12))
        };
        let buckets_at = HEADER_BYTES + (DIRECTORY_ENTRY_BYTES << self.bits);
        let length = end.checked_sub(start).ok_or(Broken)?;
        if buckets_at + u64::from(end) > self.file.length()? {
            return Err(Broken);
        }
        let mut bytes = vec![0; length as usize];
        self.file.read_exact_at(&mut bytes, buckets_at + u64::from(start))?;
        if crc32fast::hash(&bytes) == sum { Ok(bytes) } else { Err(Broken) }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().copied().map_or(0, u32::from_le_bytes)
}

/// The ids of a bucket.
struct Entries<'a> {
    bytes: &'a [u8],
    hash: u64,
}

impl<'a> Entries<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, hash: 0 }
    }

    /// The next id's hash; its files go into `files`. `None` at the end.
    fn next_into(&mut self, files: &mut Vec<u32>) -> Option<Result<u64, Broken>> {
        if self.bytes.is_empty() {
            return None;
        }
        let entry = self.entry(files);
        if entry.is_none() {
            self.bytes = &[];
        }
        Some(entry.ok_or(Broken))
    }

    fn entry(&mut self, files: &mut Vec<u32>) -> Option<u64> {
        files.clear();
        self.hash = self.hash.checked_add(take(&mut self.bytes)?)?;
        let count = take(&mut self.bytes)?;
        let mut number = 0_u32;
        for _ in 0..count {
            number = number.checked_add(u32::try_from(take(&mut self.bytes)?).ok()?)?;
            files.push(number);
        }
        Some(self.hash)
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<(u64, Vec<u32>), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut files = Vec::new();
        let hash = self.next_into(&mut files)?;
        Some(hash.map(|hash| (hash, files)))
    }
}

/// A number in LEB128 from the front.
fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Writes a run of ids that come in the order of their hashes.
pub(crate) struct RunBuilder {
    file: File,
    bits: u8,
    files: u32,
    directory: Vec<u8>,
    bucket: Vec<u8>,
    bucket_number: u64,
    last_hash: u64,
    /// Full buckets that are not written yet.
    waiting: Vec<u8>,
    written: u64,
}

/// Written at once.
const WRITE_BYTES: usize = 256 << 10;

impl RunBuilder {
    /// Begins a run of so many files, and of about so many ids.
    pub fn new(file: File, files: u32, ids: usize) -> Self {
        let buckets = (ids / BUCKET_IDS).max(1).next_power_of_two();
        let bits = (buckets.trailing_zeros() as u8).min(BUCKET_BITS_MAX);
        Self {
            file,
            bits,
            files,
            directory: Vec::with_capacity((DIRECTORY_ENTRY_BYTES as usize) << bits),
            bucket: Vec::new(),
            bucket_number: 0,
            last_hash: 0,
            waiting: Vec::new(),
            written: 0,
        }
    }

    /// Adds an id's hash, which is above those before it, and its files, ascending.
    pub fn push(&mut self, hash: u64, files: &[u32]) -> io::Result<()> {
        let bucket = hash >> (HASH_BITS - u32::from(self.bits));
        while self.bucket_number < bucket {
            self.end_bucket()?;
        }
        put(&mut self.bucket, hash - self.last_hash);
        self.last_hash = hash;
        put(&mut self.bucket, files.len() as u64);
        let mut last = 0;
        for number in files {
            put(&mut self.bucket, u64::from(number - last));
            last = *number;
        }
        Ok(())
    }

    /// Writes what is left, and the header.
    pub fn finish(mut self) -> io::Result<()> {
        while self.bucket_number < 1 << self.bits {
            self.end_bucket()?;
        }
        self.write_waiting()?;
        let mut header = Vec::with_capacity(HEADER_BYTES as usize + self.directory.len());
        header.extend(MAGIC);
        header.push(self.bits);
        header.extend(self.files.to_le_bytes());
        header.extend(crc32fast::hash(&header).to_le_bytes());
        header.extend(&self.directory);
        self.file.write_all_at(&header, 0)?;
        self.file.flush()
    }

    fn end_bucket(&mut self) -> io::Result<()> {
        let sum = crc32fast::hash(&self.bucket);
        self.waiting.append(&mut self.bucket);
        let end = self.written + self.waiting.len() as u64;
        let end = u32::try_from(end).map_err(|_| io::Error::other("the ids of one run are more than 4 GiB"))?;
        self.directory.extend(end.to_le_bytes());
        self.directory.extend(sum.to_le_bytes());
        (self.bucket_number, self.last_hash) = (self.bucket_number + 1, 0);
        if self.waiting.len() >= WRITE_BYTES { self.write_waiting() } else { Ok(()) }
    }

    fn write_waiting(&mut self) -> io::Result<()> {
        let at = HEADER_BYTES + (DIRECTORY_ENTRY_BYTES << self.bits) + self.written;
        self.file.write_all_at(&self.waiting, at)?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }
}
