//! Several stores, in folders or in buckets, asked as one: every file once, by whoever wrote it.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use xxhash_rust::xxh3::xxh3_64;

use emp_catalog::Storage;
use emp_rollup::date_of_file;
use emp_store::{Away, Layout, Partition, ReadAt, write_derived};
use emp_system::at_once;

use super::address::Address;
use super::behind::with_archive;
use super::cache::Cache;
use super::cold::{Expected, store_at};
use super::error::BucketError;
use super::here::Here;
use super::remote::Remote;
use super::runtime::wait;

/// Where a store is; an address may have several below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a folder.
    Folder(PathBuf),
    /// In a bucket.
    Bucket(Address),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Bucket(address) => address.fmt(f),
        }
    }
}

/// One of several stores.
#[derive(Debug, Clone)]
pub struct Store {
    /// Where it is.
    pub place: Place,
    /// Its places for who asks.
    pub layout: Layout,
}

#[derive(Debug)]
struct Several {
    stores: Vec<(Arc<dyn Away>, Layout)>,
    layout: Layout,
    /// Held while something is brought here that several ask for.
    bringing: Mutex<()>,
}

/// The stores at these places, in their order. Where there is none at an address, those right below it.
///
/// # Errors
/// [`BucketError`] where there is none at one of them, or one of them cannot be opened.
pub fn stores_at(places: &[Place], expected: Expected) -> Result<Vec<Store>, BucketError> {
    let mut stores = Vec::new();
    for found in at_once(places, |place| stores_of(place, expected)) {
        stores.extend(found?);
    }
    Ok(stores)
}

fn stores_of(place: &Place, expected: Expected) -> Result<Vec<Store>, BucketError> {
    match place {
        Place::Folder(path) => {
            let layout = with_archive(Layout::new(path))?;
            Ok(vec![Store { place: place.clone(), layout }])
        }
        Place::Bucket(address) => match store_at(address, expected) {
            Ok(store) => Ok(vec![store]),
            Err(error @ BucketError::NoStore { .. }) => {
                let below = stores_below(address, expected)?;
                if below.is_empty() { Err(error) } else { Ok(below) }
            }
            Err(error) => Err(error),
        },
    }
}

/// The stores right below an address.
fn stores_below(address: &Address, expected: Expected) -> Result<Vec<Store>, BucketError> {
    let remote = Remote::open(address)?;
    let folders = wait(async move { remote.folders().await })?;
    let below = |folder: String| {
        let prefix = if address.prefix.is_empty() { folder } else { format!("{}/{folder}", address.prefix) };
        Address { prefix, ..address.clone() }
    };
    let addresses: Vec<Address> = folders.into_iter().filter(|name| !name.starts_with('_')).map(below).collect();
    let mut stores = Vec::new();
    for opened in at_once(&addresses, |address| store_at(address, expected)) {
        match opened {
            Ok(store) => stores.push(store),
            // Something else lies there.
            Err(BucketError::NoStore { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(stores)
}

/// These stores as one layout.
///
/// # Errors
/// [`BucketError`] where there is no place for what belongs to all of them.
pub fn together(mut stores: Vec<Store>) -> Result<Layout, BucketError> {
    if stores.len() == 1 {
        return Ok(stores.remove(0).layout);
    }
    let mut names: Vec<String> = stores.iter().map(|store| store.place.to_string()).collect();
    names.sort_unstable();
    let layout = Cache::of_several(&names)?.layout().clone();
    let root = layout.root();
    fs::create_dir_all(root).map_err(|source| BucketError::Io { action: "create", path: root.to_owned(), source })?;
    let mut each: Vec<(Arc<dyn Away>, Layout)> = Vec::new();
    for Store { layout, .. } in stores {
        let away = layout.away().cloned();
        if !away.as_ref().is_some_and(|away| away.has_records()) {
            each.push((Arc::new(Here::new(&layout)), layout.clone()));
        }
        // A folder with an archive behind it is both.
        each.extend(away.map(|away| (away, layout)));
    }
    let several = Several { stores: each, layout: layout.clone(), bringing: Mutex::default() };
    Ok(layout.with_away(Arc::new(several)))
}

impl Several {
    /// The folders of all of them, each once.
    fn layouts(&self) -> Vec<&Layout> {
        let mut known = HashSet::new();
        self.stores.iter().map(|(_, layout)| layout).filter(|layout| known.insert(layout.root())).collect()
    }

    /// The records of all of them, in one folder.
    fn gather(&self, folder: &str) -> io::Result<()> {
        let _one_at_a_time = self.bringing.lock().unwrap_or_else(PoisonError::into_inner);
        let own = self.layout.root().join(folder);
        let names = |folder: &Path| {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name()).collect::<BTreeSet<_>>()
        };
        let mut wanted = BTreeSet::new();
        for layout in self.layouts() {
            let theirs = layout.root().join(folder);
            for name in names(&theirs) {
                let (from, to) = (theirs.join(&name), own.join(&name));
                let bytes = match fs::read(&from) {
                    // A dead letter that was sent again meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    bytes => bytes?,
                };
                if !fs::read(&to).is_ok_and(|known| known == bytes) {
                    write_derived(&self.layout, &to, |file| io::Write::write_all(file, &bytes))?;
                }
                wanted.insert(name);
            }
        }
        for name in names(&own).difference(&wanted) {
            let _ = fs::remove_file(own.join(name));
        }
        Ok(())
    }

    /// What is derived of each of them, as one file, which is made anew where one of theirs is another one.
    fn bring(&self, name: &str) -> io::Result<()> {
        let theirs = self.layouts().into_iter().map(|layout| Storage::of(layout).read_each(name).next());
        let theirs: Vec<Option<Vec<u8>>> = theirs.collect();
        let stamp: Vec<u64> = theirs.iter().map(|bytes| bytes.as_deref().map_or(0, xxh3_64)).collect();
        let all = match date_of_file(name) {
            Some(_) => Some(emp_rollup::together(&theirs.into_iter().flatten().collect::<Vec<_>>())),
            // What is typical of all cannot be told where it is not known of one, as of one that has a few hours.
            None => theirs.into_iter().collect::<Option<Vec<_>>>().and_then(|all| emp_typical::together(&all)),
        };
        let Some(all) = all else { return Ok(()) };
        let number = xxh3_64(stamp.iter().map(|sum| sum.to_le_bytes()).collect::<Vec<_>>().as_flattened());
        let folder = self.layout.index();
        let mark: PathBuf = folder.join(format!("{name}.{number:016x}.brought"));
        if mark.exists() {
            return Ok(());
        }
        write_derived(&self.layout, &folder.join(name), |file| io::Write::write_all(file, &all))?;
        write_derived(&self.layout, &mark, |_| Ok(()))
    }
}

impl Away for Several {
    fn each(self: Arc<Self>) -> Vec<Arc<dyn Away>> {
        self.stores.iter().map(|(store, _)| Arc::clone(store)).collect()
    }

    fn folders(&self) -> Vec<Layout> {
        self.layouts().into_iter().map(|layout| Layout::new(layout.root())).collect()
    }

    fn known(&self) -> io::Result<Vec<Vec<u8>>> {
        Err(io::Error::other("several stores are known one by one"))
    }

    /// Whoever lists files knows whose each is; to others only its name is known.
    fn open(&self, file: &Partition) -> io::Result<File> {
        for (store, _) in &self.stores {
            match store.open(file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                opened => return opened,
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }

    fn expect(&self, _files: &[&Partition]) {}

    fn bring_derived(&self, name: &str) {
        at_once(&self.stores, |(store, _)| store.bring_derived(name));
        let _one_at_a_time = self.bringing.lock().unwrap_or_else(PoisonError::into_inner);
        // What is derived is derived anew where it is missing.
        if let Err(error) = self.bring(name) {
            tracing::debug!("{name}: {error}");
        }
    }

    fn has_records(&self) -> bool {
        true
    }

    fn bring_records(&self, folder: &str) -> io::Result<()> {
        self.stores.iter().try_for_each(|(store, _)| store.bring_records(folder))?;
        self.gather(folder)
    }

    fn run(&self, run: u64) -> Option<Box<dyn ReadAt>> {
        self.stores.iter().find_map(|(store, _)| store.run(run))
    }

    fn name(&self, inside: &Path) -> String {
        self.stores.first().map_or_else(|| inside.display().to_string(), |(store, _)| store.name(inside))
    }
}
