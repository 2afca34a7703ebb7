//! Files that no longer count: another holds their events, or their time was over.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::error::IoContext as _;
use super::layout::{Layout, SealedName};
use super::leftovers::remove_leftovers;
use super::listing::{list, list_partitions};
use super::retain::ranges;
use super::snapshot::part_superseded;
use super::{Partition, StoreError, disk};

/// Removes sealed files that have not counted for that long: so long a running query, or a copy
/// under way, may still need them. Then the folders that have become empty, and files that were
/// begun and that nobody goes on with. How many sealed files that were.
///
/// # Errors
/// [`StoreError`] where the disk refuses.
pub fn remove_superseded_files(layout: &Layout, grace: Duration) -> Result<u64, StoreError> {
    remove_leftovers(layout, None)?;
    let mut removed = 0;
    for (file, by) in superseded(layout)? {
        if is_older(&by, grace)? {
            disk::remove(layout, &file.path)?;
            removed += 1;
            remove_empty_folders(layout, &file.path)?;
        }
    }
    Ok(removed)
}

/// Every sealed file that no longer counts, and the file because of which it does not.
pub(super) fn superseded(layout: &Layout) -> Result<Vec<(Partition, PathBuf)>, StoreError> {
    let retired = ranges(layout)?;
    let (counting, mut superseded) = part_superseded(list_partitions(layout, &mut Vec::new())?);
    for file in counting {
        let covers =
            |(name, _): &&(SealedName, PathBuf)| name.writer == file.name.writer && name.ids.contains(&file.name.ids);
        let by = retired.iter().find(covers).map(|(_, path)| path.clone());
        superseded.extend(by.map(|by| (file, by)));
    }
    Ok(superseded)
}

/// Was the file written that long ago? One that is gone was removed for a reason of its own.
pub(super) fn is_older(path: &Path, grace: Duration) -> Result<bool, StoreError> {
    let modified = match fs::metadata(path).and_then(|metadata| metadata.modified()) {
        Ok(modified) => modified,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).doing("read", path),
    };
    // A clock that was put back makes it look newer, and the file stays longer.
    Ok(SystemTime::now().duration_since(modified).is_ok_and(|age| age >= grace))
}

pub(super) fn remove_empty_folders(layout: &Layout, file: &Path) -> Result<(), StoreError> {
    for folder in file.ancestors().skip(1).take(2) {
        if !list(folder)?.is_empty() {
            break;
        }
        disk::remove_empty_dir(layout, folder)?;
    }
    Ok(())
}
