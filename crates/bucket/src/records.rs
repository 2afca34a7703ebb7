//! Records beside the events: entries that are no events, losses, dead letters, and what retention took out.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;

use emp_store::{Layout, StoreError};

use super::bundle::{pack, unpack};
use super::error::BucketError;
use super::head::Object;
use super::remote::Sum;

/// The folders of a store that hold them.
pub(crate) const FOLDERS: [&str; 4] = ["_dead_letters", "_losses", "_quarantine", "_retired"];

/// Those that are not there yet, each with its file here. A file of them is written once.
pub(crate) fn find_new(layout: &Layout, known: &[Object]) -> Result<Vec<(Object, PathBuf)>, StoreError> {
    let known: HashSet<&str> = known.iter().map(|object| object.name.as_str()).collect();
    let mut new = Vec::new();
    for folder in FOLDERS {
        let path = layout.root().join(folder);
        let failed = |source| StoreError::Io { action: "list", path: path.clone(), source };
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let Ok(file) = entry.file_name().into_string() else { continue };
            let name = format!("{folder}/{file}");
            if !file.ends_with(".ndjson") || known.contains(name.as_str()) {
                continue;
            }
            match Sum::of_file(&entry.path()) {
                Ok(Sum { bytes, crc }) => new.push((Object { name, bytes, crc }, entry.path())),
                // Sent again meanwhile, or put together with others.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(StoreError::Io { action: "read", path: entry.path(), source }),
            }
        }
    }
    new.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    Ok(new)
}

/// The list of them, as it is put.
pub(crate) fn encode(records: &[Object]) -> Vec<u8> {
    // It has nothing that cannot be written as JSON.
    let json = serde_json::to_vec(records).unwrap_or_default();
    pack(&[("records.json".to_owned(), json)])
}

/// What was put.
pub(crate) fn decode(bytes: &[u8], place: &str) -> Result<Vec<Object>, BucketError> {
    let damaged = |detail: String| BucketError::Damaged { place: place.to_owned(), detail };
    let files = unpack(bytes, place)?;
    let (_, json) = files.first().ok_or_else(|| damaged("it holds no list of records".to_owned()))?;
    let records: Vec<Object> = serde_json::from_slice(json).map_err(|error| damaged(error.to_string()))?;
    // Each becomes a file in one of these folders.
    let is_plain = |object: &Object| {
        object
            .name
            .split_once('/')
            .is_some_and(|(folder, file)| FOLDERS.contains(&folder) && !file.contains(['/', '\\']))
    };
    match records.iter().find(|object| !is_plain(object)) {
        Some(object) => Err(damaged(format!("`{}` is no record's name", object.name))),
        None => Ok(records),
    }
}
