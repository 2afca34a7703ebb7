//! A head made anew from what lies in the bucket: the files that a listing names are read once more, and all that is derived
//! from them is put there again.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use xxhash_rust::xxh3::xxh3_64;

use emp_catalog::ArchiveCatalog;
use emp_store::{Checksum, Hour, Layout, Listed, Partition, StoreError, check_sum, listed_file, listed_hour};

use super::address::Address;
use super::archiver::{Archiver, Settings, name_of, read_head, write};
use super::bundle::unpack;
use super::derived::Kept;
use super::error::BucketError;
use super::head::{HEAD, Head, Object};
use super::records;
use super::remote::{Remote, Sum};
use super::runtime::wait;
use super::state::{State, folder};

/// So many files are held on this disk at the same time.
const FILES_AT_ONCE: usize = 128;

/// What a head was made of.
#[derive(Debug, Default)]
pub struct Rebuilt {
    /// Files of events.
    pub files: u64,
    /// The events in them.
    pub events: u64,
    /// What lies below `date=` and cannot be read as a file of ours: the head does not list it.
    pub left_out: Vec<StoreError>,
}

/// What a listing has of a store.
#[derive(Default)]
struct Listing {
    /// Below `date=`, each with its name there and its size.
    files: Vec<(String, Partition)>,
    records: Vec<(String, u64)>,
    derived: Vec<(String, u64)>,
    left_out: Vec<StoreError>,
}

impl Archiver {
    /// Makes the head anew from a listing, under the id that this folder has there, or a new one. `even_if_good` also where
    /// the head that is there can be read.
    ///
    /// # Errors
    /// [`BucketError::HeadIsGood`] where it can and that was not said, [`BucketError::NoStore`] where no file of a store
    /// lies there; else what the bucket or the folder refused.
    pub fn rebuild(
        layout: &Layout,
        address: &Address,
        settings: Settings,
        even_if_good: bool,
    ) -> Result<(Self, Rebuilt), BucketError> {
        let lock = Self::lock(layout)?;
        let remote = Arc::new(Remote::open(address)?);
        let before = match read_head(&remote) {
            Ok(head) => head,
            Err(BucketError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        if let Some(head) = before.as_ref().filter(|_| !even_if_good) {
            return Err(BucketError::HeadIsGood { address: address.to_string(), files: head.files });
        }
        let listing = Listing::of(&remote, layout)?;
        if listing.files.is_empty() {
            return Err(BucketError::NoStore { address: address.to_string() });
        }
        let mut state = State::read(layout, address).unwrap_or_else(State::new);
        let mut head = Head::default();
        if let Some(before) = before {
            state.store.clone_from(&before.store);
            (head.generation, head.kept_from_ms, head.taken_out) =
                (before.generation, before.kept_from_ms, before.taken_out);
        }
        head.store.clone_from(&state.store);
        // Nothing that was known of the bucket here is believed.
        let known = folder(layout, address);
        match fs::remove_dir_all(&known) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(BucketError::Io { action: "remove", path: known, source });
            }
            _ => {}
        }
        let catalog = ArchiveCatalog::load(layout, &known);
        let mut archiver = Self::new(layout, settings, remote, (state, head, catalog), lock);
        let mut rebuilt = Rebuilt { left_out: listing.left_out, ..Rebuilt::default() };
        archiver.read_all(&listing.files, &mut rebuilt)?;
        archiver.records = sums_of(&archiver.remote, &listing.records)?;
        archiver.kept = Kept { files: derived_files(&archiver.remote, &listing.derived)? };
        let unused = listing.derived.into_iter().map(|(name, _)| name).collect();
        archiver.is_rebuilding = true;
        archiver.commit(jiff::Timestamp::now().as_millisecond(), unused)?;
        (archiver.is_rebuilding, archiver.kept) = (false, Kept::default());
        (rebuilt.files, rebuilt.events) = (archiver.head.files, archiver.head.events);
        Ok((archiver, rebuilt))
    }

    /// Learns what the files hold, some at a time.
    fn read_all(&mut self, files: &[(String, Partition)], rebuilt: &mut Rebuilt) -> Result<(), BucketError> {
        let place = self.folder.join("read");
        for some in files.chunks(FILES_AT_ONCE) {
            let mut whole = Vec::new();
            for (file, path) in fetch(&self.remote, &self.layout, &place, some, self.settings.at_once)? {
                match check_sum(&path) {
                    Ok(Checksum::Holds | Checksum::Missing) => {
                        (self.settings.on_file)(&path, file.bytes);
                        whole.push(Partition { path, ..file });
                    }
                    Ok(Checksum::Broken) | Err(StoreError::Damaged { .. }) => {
                        let detail = "it is not as it was written".to_owned();
                        let path = PathBuf::from(self.remote.place(&name_of(&file)));
                        rebuilt.left_out.push(StoreError::Damaged { path, detail });
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            self.catalog.add(&whole, self.settings.pace)?;
            fs::remove_dir_all(&place).map_err(|source| BucketError::Io {
                action: "remove",
                path: place.clone(),
                source,
            })?;
        }
        Ok(self.catalog.save()?)
    }
}

impl Listing {
    fn of(remote: &Arc<Remote>, layout: &Layout) -> Result<Self, BucketError> {
        let asked = Arc::clone(remote);
        let mut listing = Self::default();
        for (name, bytes) in wait(async move { asked.list("").await })? {
            let is_record = || {
                let parts = name.split_once('/').filter(|(folder, _)| records::FOLDERS.contains(folder));
                parts.is_some_and(|(_, file)| file.ends_with(".ndjson") && !file.contains('/'))
            };
            if name.starts_with("date=") {
                match file_named(layout, &name, bytes) {
                    Some(file) => listing.files.push((name, file)),
                    None => {
                        let detail = "its name is none of a store's file".to_owned();
                        listing.left_out.push(StoreError::Damaged { path: remote.place(&name).into(), detail });
                    }
                }
            } else if is_record() {
                listing.records.push((name, bytes));
            } else if name.starts_with("_catalog/") && name != HEAD {
                listing.derived.push((name, bytes));
            }
        }
        Ok(listing)
    }
}

/// The file that an object of that name is.
fn file_named(layout: &Layout, object: &str, bytes: u64) -> Option<Partition> {
    let mut parts = object.split('/');
    let (date, hour, file, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    let (Listed::Ours(hour), Listed::Ours(name)) = (listed_hour(date, hour), listed_file(file)) else { return None };
    let hour: Hour = hour;
    Some(Partition { path: layout.partition(hour).join(file), hour, name, bytes, away: None })
}

/// Brings files here, below a folder of their own.
fn fetch(
    remote: &Arc<Remote>,
    layout: &Layout,
    place: &Path,
    files: &[(String, Partition)],
    at_once: usize,
) -> Result<Vec<(Partition, PathBuf)>, BucketError> {
    let each: Vec<(String, Partition, PathBuf)> =
        files.iter().map(|(name, file)| (name.clone(), file.clone(), place.join(name))).collect();
    let (remote, layout) = (Arc::clone(remote), layout.clone());
    wait(async move {
        let fetched = each.into_iter().map(|(name, file, path)| {
            let (remote, layout) = (Arc::clone(&remote), layout.clone());
            async move {
                let bytes = remote.get(&name, file.bytes).await?;
                write(&layout, &path, &bytes)?;
                Ok::<_, BucketError>((Partition { bytes: bytes.len() as u64, ..file }, path))
            }
        });
        stream::iter(fetched).buffered(at_once).try_collect().await
    })
}

async fn bytes_of(remote: Arc<Remote>, (name, bytes): (String, u64)) -> Result<(String, Vec<u8>), BucketError> {
    let bytes = remote.get(&name, bytes).await?;
    Ok((name, bytes))
}

fn get_each(remote: &Arc<Remote>, objects: Vec<(String, u64)>) -> Result<Vec<(String, Vec<u8>)>, BucketError> {
    let remote = Arc::clone(remote);
    wait(async move {
        let each = objects.into_iter().map(|object| bytes_of(Arc::clone(&remote), object));
        stream::iter(each).buffered(super::fetching::AT_ONCE).try_collect().await
    })
}

/// The records, each as it is there.
fn sums_of(remote: &Arc<Remote>, listed: &[(String, u64)]) -> Result<Vec<Object>, BucketError> {
    let fetched = get_each(remote, listed.to_vec())?.into_iter();
    let object = |(name, bytes): (String, Vec<u8>)| {
        let Sum { bytes, crc } = Sum::of(&bytes);
        Object { name, bytes, crc }
    };
    Ok(fetched.map(object).collect())
}

/// What was derived of many events and lies there: it costs much to be derived anew. An object of it is named by what it
/// holds, and holds for each file a number that stands for the file.
fn derived_files(remote: &Arc<Remote>, listed: &[(String, u64)]) -> Result<BTreeMap<String, Vec<u8>>, BucketError> {
    let is_wanted = |(name, _): &&(String, u64)| name.ends_with(".rollups") || name.ends_with(".typical");
    let mut by_name: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for (name, bytes) in get_each(remote, listed.iter().filter(is_wanted).cloned().collect())? {
        let (stem, kind) = name.trim_start_matches("_catalog/").split_once('.').unwrap_or_default();
        if stem != format!("{:016x}", xxh3_64(&bytes)) {
            continue;
        }
        if kind == "typical" {
            by_name.entry(emp_typical::FILE_NAME.to_owned()).or_default().push(bytes);
            continue;
        }
        for (file, bytes) in unpack(&bytes, &name).unwrap_or_default() {
            by_name.entry(file).or_default().push(bytes);
        }
    }
    let mut known = HashSet::new();
    let together = by_name.into_iter().filter_map(|(name, files)| {
        let files: Vec<Vec<u8>> = files.into_iter().filter(|bytes| known.insert(xxh3_64(bytes))).collect();
        match name == emp_typical::FILE_NAME {
            true => emp_typical::newest(files).map(|newest| (name, newest)),
            false => Some((name, emp_rollup::together(&files))),
        }
    });
    Ok(together.collect())
}
