//! Segments with bytes in them that are no whole commit: those are kept aside, never dropped, and
//! what is whole before and behind them stays.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::error::IoContext as _;
use super::journal::{Damage, segment_start};
use super::layout::{Layout, SegmentName};
use super::{StoreError, disk};

/// Bytes that were kept aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAside {
    /// The file that holds them now.
    pub path: PathBuf,
    /// How many.
    pub bytes: u64,
    /// Did they stand at the segment's end? Then they may be of a commit that a crash cut short,
    /// whose entries were never acknowledged.
    pub is_tail: bool,
}

/// Copies what is damaged of a segment into the quarantine folder.
pub(super) fn keep_damage(layout: &Layout, segment: &Path, damage: &Damage) -> Result<Vec<KeptAside>, StoreError> {
    damage.ranges.iter().map(|range| keep_range(layout, segment, range)).collect()
}

fn keep_range(layout: &Layout, segment: &Path, range: &Range<u64>) -> Result<KeptAside, StoreError> {
    let mut file = File::open(segment).doing("open", segment)?;
    let bytes = range.end - range.start;
    let folder = layout.quarantine();
    disk::create_dir(layout, &folder)?;
    let mut hasher = Hasher(crc32fast::Hasher::new());
    file.seek(SeekFrom::Start(range.start)).doing("read", segment)?;
    io::copy(&mut (&file).take(bytes), &mut hasher).doing("read", segment)?;
    // The sum in the name: what is torn twice at one place is kept twice.
    let name = segment.file_name().unwrap_or_default().to_string_lossy();
    let path = folder.join(format!("{name}.{}.{:08x}.torn", range.start, hasher.0.finalize()));
    file.seek(SeekFrom::Start(range.start)).doing("read", segment)?;
    disk::write_whole(layout, &format!("{name}.torn"), &path, &mut (&file).take(bytes))?;
    let length = file.metadata().doing("read", segment)?.len();
    Ok(KeptAside { path, bytes, is_tail: range.end == length })
}

/// Writes what is whole of a segment anew, into another file that takes its place: how many bytes
/// that is.
pub(super) fn write_anew(layout: &Layout, name: &SegmentName, damage: &Damage) -> Result<u64, StoreError> {
    let path = layout.segment(name);
    let mut file = File::open(&path).doing("open", &path)?;
    let length = file.metadata().doing("read", &path)?.len();
    let start = segment_start(&path, name, damage.has_header)?;
    let mut output = disk::Temporary::create(layout, &name.to_string())?;
    output.write_all(&start).doing("write", &path)?;
    let mut written = start.len() as u64;
    for range in whole_ranges(damage, length) {
        file.seek(SeekFrom::Start(range.start)).doing("read", &path)?;
        let bytes = range.end - range.start;
        written += io::copy(&mut (&file).take(bytes), &mut output).doing("write", &path)?;
    }
    output.publish(&path)?;
    Ok(written)
}

/// Where frames are whole, behind the magic bytes.
fn whole_ranges(damage: &Damage, length: u64) -> Vec<Range<u64>> {
    let mut whole = Vec::new();
    let mut at = super::journal::MAGIC.len() as u64;
    for damaged in &damage.ranges {
        whole.push(at..damaged.start);
        at = at.max(damaged.end);
    }
    whole.push(at..length);
    whole.retain(|range| range.start < range.end);
    whole
}

struct Hasher(crc32fast::Hasher);

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
