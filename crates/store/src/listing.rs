//! What lies in the folders of the partitions: what the names there mean, and in which order files
//! are listed. The catalog, which remembers what it has listed, goes by the same rules.

use std::cmp::{Ordering, Reverse};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::IoContext as _;
use super::layout::{Hour, IdRange, Layout, SealedName, Writer};
use super::sealed::PARQUET;
use super::{Partition, StoreError};

/// What a name in a folder of the partitions stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed<T> {
    /// One of ours.
    Ours(T),
    /// It stands where ours do, and is none: worth a word.
    Odd,
    /// It has nothing to do with the store.
    Ignored,
}

impl<T> Listed<T> {
    fn or_odd(found: Option<T>) -> Self {
        found.map_or(Self::Odd, Self::Ours)
    }
}

/// What a folder of that name stands for within the folder `date=…` of that name.
pub fn listed_hour(date_folder: &str, name: &str) -> Listed<Hour> {
    match (date_folder.strip_prefix("date="), name.strip_prefix("hour=")) {
        (Some(date), Some(hour)) => Listed::or_odd(Hour::from_partition(date, hour)),
        _ => Listed::Ignored,
    }
}

/// What a file of that name stands for within the folder of an hour. Hidden ones are an editor's, or
/// a copy under way.
pub fn listed_file(name: &str) -> Listed<SealedName> {
    match SealedName::parse(name, PARQUET) {
        None if name.starts_with(['.', '_']) => Listed::Ignored,
        sealed => Listed::or_odd(sealed),
    }
}

/// The order of the files of an hour: by writer and first ID, the longer range first.
pub fn listed_before(a: (&Writer, IdRange), b: (&Writer, IdRange)) -> Ordering {
    let key = |ids: IdRange| (ids.first, Reverse(ids.last));
    a.0.cmp(b.0).then_with(|| key(a.1).cmp(&key(b.1)))
}

/// A folder among the hours whose name is not one's.
pub fn odd_hour(path: PathBuf) -> StoreError {
    StoreError::Damaged { path, detail: "it is no `date=YYYY-MM-DD/hour=HH` folder".to_owned() }
}

/// A file among the sealed ones whose name is not one's.
pub fn odd_file(path: PathBuf) -> StoreError {
    StoreError::Damaged { path, detail: "its name is not `<writer>_<first id>_<last id>.parquet`".to_owned() }
}

/// Every sealed file, sorted by hour, then as [`listed_before`] says. What is not ours goes to
/// `skipped`.
pub(super) fn list_partitions(layout: &Layout, skipped: &mut Vec<StoreError>) -> Result<Vec<Partition>, StoreError> {
    let mut partitions = Vec::new();
    for (date_path, date_name) in list(layout.root())? {
        if !date_name.starts_with("date=") {
            continue;
        }
        for (hour_path, hour_name) in list(&date_path)? {
            match listed_hour(&date_name, &hour_name) {
                Listed::Ours(hour) => list_hour(&hour_path, hour, &mut partitions, skipped)?,
                Listed::Odd => skipped.push(odd_hour(hour_path)),
                Listed::Ignored => {}
            }
        }
    }
    partitions.sort_by(|a, b| a.hour.cmp(&b.hour).then_with(|| before_in_hour(a, b)));
    Ok(partitions)
}

/// The same of one hour.
pub(super) fn partitions_of_hour(
    layout: &Layout,
    hour: Hour,
    skipped: &mut Vec<StoreError>,
) -> Result<Vec<Partition>, StoreError> {
    let mut partitions = Vec::new();
    list_hour(&layout.partition(hour), hour, &mut partitions, skipped)?;
    partitions.sort_by(before_in_hour);
    Ok(partitions)
}

fn before_in_hour(a: &Partition, b: &Partition) -> Ordering {
    listed_before((&a.name.writer, a.name.ids), (&b.name.writer, b.name.ids))
}

fn list_hour(
    folder: &Path,
    hour: Hour,
    partitions: &mut Vec<Partition>,
    skipped: &mut Vec<StoreError>,
) -> Result<(), StoreError> {
    for (path, file_name) in list(folder)? {
        let name = match listed_file(&file_name) {
            Listed::Ours(name) => name,
            Listed::Odd => {
                skipped.push(odd_file(path));
                continue;
            }
            Listed::Ignored => continue,
        };
        match fs::metadata(&path) {
            Ok(metadata) => partitions.push(Partition { path, hour, name, bytes: metadata.len(), away: None }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).doing("read", &path),
        }
    }
    Ok(())
}

/// The files and folders of a folder, with their names; none where it is missing, or no
/// folder. Names that are no text are not ours.
pub(super) fn list(folder: &Path) -> Result<Vec<(PathBuf, String)>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error).doing("list", folder),
    };
    let mut listed = Vec::new();
    for entry in entries {
        let entry = entry.doing("list", folder)?;
        if let Ok(name) = entry.file_name().into_string() {
            listed.push((entry.path(), name));
        }
    }
    Ok(listed)
}
