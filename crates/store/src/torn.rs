//! Bytes of a segment that are no whole commit: kept aside, never dropped.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::error::IoContext as _;
use super::layout::Layout;
use super::{StoreError, disk};

/// Copies what follows the last whole commit, if anything does, into the quarantine folder: where
/// it is now, and how many bytes that is.
pub(super) fn keep_torn(layout: &Layout, segment: &Path, whole: u64) -> Result<Option<(PathBuf, u64)>, StoreError> {
    let mut file = File::open(segment).doing("open", segment)?;
    let bytes = file.metadata().doing("read", segment)?.len().saturating_sub(whole);
    if bytes == 0 {
        return Ok(None);
    }
    let folder = layout.quarantine();
    disk::create_dir(layout, &folder)?;
    let mut hasher = Hasher(crc32fast::Hasher::new());
    file.seek(SeekFrom::Start(whole)).doing("read", segment)?;
    io::copy(&mut file, &mut hasher).doing("read", segment)?;
    // The sum in the name: what is torn twice at one place is kept twice.
    let name = segment.file_name().unwrap_or_default().to_string_lossy();
    let kept_as = folder.join(format!("{name}.{whole}.{:08x}.torn", hasher.0.finalize()));
    file.seek(SeekFrom::Start(whole)).doing("read", segment)?;
    disk::write_whole(layout, &format!("{name}.torn"), &kept_as, &mut file)?;
    Ok(Some((kept_as, bytes)))
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
