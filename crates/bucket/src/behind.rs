//! An archive behind a store's folder: what has left the folder is fetched from the bucket as it is needed. What is known
//! about it lies in the folder, so nothing else is.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use emp_store::{Away, Layout, Partition, ReadAt, Released, StoreError};

use super::address::Address;
use super::cache::Cache;
use super::error::BucketError;
use super::files::Files;
use super::head::run_number;
use super::remote::Remote;
use super::state::{archive_of, folder};

/// As the catalog names what it keeps.
const CATALOG: &str = "catalog.v2";

#[derive(Debug)]
struct Behind {
    address: Address,
    folder: PathBuf,
    /// The way there, which is needed only where a file is.
    files: OnceLock<Arc<Files>>,
}

/// The store with all that has left its folder.
///
/// # Errors
/// [`StoreError`] where what has left cannot be known.
pub fn with_archive(layout: Layout) -> Result<Layout, StoreError> {
    if Released::read(&layout)?.is_empty() {
        return Ok(layout);
    }
    let address = archive_of(&layout).ok_or_else(|| {
        StoreError::Elsewhere(format!(
            "hours of {} are in a bucket alone, and nothing says in which: {}/archive is missing",
            layout.root().display(),
            layout.notes().display()
        ))
    })?;
    let folder = folder(&layout, &address);
    Ok(layout.with_away(Arc::new(Behind { address, folder, files: OnceLock::new() })))
}

impl Behind {
    fn files(&self) -> Result<&Arc<Files>, BucketError> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let (remote, cache) = (Arc::new(Remote::open(&self.address)?), Arc::new(Cache::of(&self.address)?));
        let files = Arc::new(Files::new(remote, cache));
        Ok(self.files.get_or_init(|| files))
    }
}

impl Away for Behind {
    fn each(self: Arc<Self>) -> Vec<Arc<dyn Away>> {
        vec![self]
    }

    fn known(&self) -> io::Result<Vec<Vec<u8>>> {
        let path = self.folder.join(CATALOG);
        let known = fs::read(&path).map_err(|error| {
            let advice = "`emp-events archive` fetches what is known about it";
            io::Error::new(
                error.kind(),
                format!("hours that are in {} alone: {}: {error}; {advice}", self.address, path.display()),
            )
        })?;
        Ok(vec![known])
    }

    fn open(&self, file: &Partition) -> io::Result<File> {
        // One that was listed before it left is here no longer; one that came back is.
        match File::open(&file.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.files().map_err(io::Error::other)?.open(file),
            opened => opened,
        }
    }

    fn expect(&self, files: &[&Partition]) {
        // Whoever opens one says why it cannot be had.
        if let Ok(fetched) = self.files() {
            fetched.expect(files);
        }
    }

    fn bring_derived(&self, _name: &str) {}

    fn has_records(&self) -> bool {
        false
    }

    fn bring_records(&self, _folder: &str) -> io::Result<()> {
        Ok(())
    }

    fn run(&self, run: u64) -> Option<Box<dyn ReadAt>> {
        let file = File::open(self.folder.join(format!("{}.run", run_number(run)))).ok()?;
        Some(Box::new(file))
    }

    fn name(&self, inside: &Path) -> String {
        format!("{}/{}", self.address, inside.display())
    }
}
