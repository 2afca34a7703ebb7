//! Several stores in one bucket, each below a prefix of its own, asked as one: every file once, by whoever wrote it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use xxhash_rust::xxh3::xxh3_64;

use emp_rollup::{date_of_file, together};
use emp_store::{Away, Layout, Partition, ReadAt, write_derived};

use super::address::Address;
use super::cache::Cache;
use super::cold::{Expected, store_at};
use super::error::BucketError;
use super::remote::Remote;
use super::runtime::wait;

/// Their records lie side by side: what retention took out is needed to know what counts.
const RETIRED: &str = "_retired";

#[derive(Debug)]
struct Several {
    /// Each with the folder that stands for its own.
    stores: Vec<(Arc<dyn Away>, Layout)>,
    layout: Layout,
    /// Held while something is brought here that several ask for.
    bringing: Mutex<()>,
}

/// The stores below an address at which there is none, as one layout; `None` where there are none.
///
/// # Errors
/// [`BucketError`] where one of them cannot be opened.
pub(crate) fn layout_of_all_below(address: &Address, expected: Expected) -> Result<Option<Layout>, BucketError> {
    let remote = Remote::open(address)?;
    let folders = wait(async move { remote.folders().await })?;
    let below = |folder: String| {
        let prefix = if address.prefix.is_empty() { folder } else { format!("{}/{folder}", address.prefix) };
        Address { prefix, ..address.clone() }
    };
    let addresses: Vec<Address> = folders.into_iter().filter(|name| !name.starts_with('_')).map(below).collect();
    let opened = std::thread::scope(|scope| {
        let open = |address| scope.spawn(move || store_at(address, expected));
        let threads: Vec<_> = addresses.iter().map(open).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect::<Vec<Result<_, BucketError>>>()
    });
    let mut stores: Vec<(Arc<dyn Away>, Layout)> = Vec::new();
    for store in opened {
        match store {
            Ok((away, layout)) => stores.push((away, layout)),
            // Something else lies there.
            Err(BucketError::NoStore { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    if stores.is_empty() {
        return Ok(None);
    }
    let layout = Cache::of_all_below(address)?.layout().clone();
    let root = layout.root().to_owned();
    fs::create_dir_all(&root).map_err(|source| BucketError::Io { action: "create", path: root.clone(), source })?;
    let several = Several { stores, layout: layout.clone(), bringing: Mutex::default() };
    several.gather(RETIRED).map_err(|source| BucketError::Io { action: "write", path: root, source })?;
    Ok(Some(layout.with_away(Arc::new(several))))
}

impl Several {
    /// The records of all of them, in one folder.
    fn gather(&self, folder: &str) -> io::Result<()> {
        let _one_at_a_time = self.bringing.lock().unwrap_or_else(PoisonError::into_inner);
        let own = self.layout.root().join(folder);
        let names = |folder: &Path| {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name()).collect::<BTreeSet<_>>()
        };
        let mut wanted = BTreeSet::new();
        for (_, layout) in &self.stores {
            let theirs = layout.root().join(folder);
            for name in names(&theirs) {
                let (from, to) = (theirs.join(&name), own.join(&name));
                let bytes = fs::read(&from)?;
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

    /// What the hours of a day contribute, of all of them.
    fn bring_day(&self, name: &str) -> io::Result<()> {
        let theirs = self.stores.iter().filter_map(|(_, layout)| fs::read(layout.index().join(name)).ok());
        let all = together(&theirs.collect::<Vec<_>>());
        let folder = self.layout.index();
        let mark: PathBuf = folder.join(format!("{name}.{:016x}.brought", xxh3_64(&all)));
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
        if date_of_file(name).is_none() {
            // What is typical is learned from all of them.
            return;
        }
        self.stores.iter().for_each(|(store, _)| store.bring_derived(name));
        let _one_at_a_time = self.bringing.lock().unwrap_or_else(PoisonError::into_inner);
        // What is derived is derived anew where it is missing.
        if let Err(error) = self.bring_day(name) {
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
