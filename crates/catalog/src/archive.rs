//! What is known about the files that have gone into an archive: the same as about those of the folder, kept beside it, so
//! that it can be carried to where the files are.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::saved::{Storage, run_name};
use super::{Catalog, Indexed, IndexingPace, Saved};
use emp_store::{Layout, Partition, StoreError};

/// A question reads a bucket of each run over the network.
const RUNS_MAX: usize = 4;

/// The catalog of an archive, as whoever puts files there keeps it.
#[derive(Debug)]
pub struct ArchiveCatalog {
    catalog: Catalog,
    folder: PathBuf,
}

/// A run of the index that the catalog refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFile {
    /// Its number.
    pub run: u64,
    /// It is of the words of texts, and not of ids.
    pub of_texts: bool,
    /// Where it lies.
    pub path: PathBuf,
}

impl ArchiveCatalog {
    /// What is kept in that folder about files of the store; nothing, where it is not there or not whole.
    pub fn load(layout: &Layout, folder: &Path) -> Self {
        let storage = Storage::at(layout, folder);
        let saved = storage.load_whole().unwrap_or_default();
        let catalog = Catalog { is_in_one: true, ..Catalog::with(layout, storage, saved, RUNS_MAX) };
        Self { catalog, folder: folder.to_owned() }
    }

    /// The files that are in it, by hour, writer and first ID. Their paths are those that they have or had in the store.
    pub fn files(&self) -> Vec<Partition> {
        self.catalog.saved.folders.partitions(self.catalog.layout.root(), &mut Vec::new())
    }

    /// How many events they hold.
    pub fn events(&self) -> u64 {
        let facts = self.catalog.saved.folders.knowledge().filter_map(|known| known.facts.as_ref().ok());
        facts.map(|facts| facts.rows).sum()
    }

    /// How many events each of these files holds; `None` where that is not known.
    pub fn rows(&self, files: &[Partition]) -> Vec<Option<u64>> {
        let known = self.catalog.saved.folders.known(files).into_iter();
        known.map(|known| Some(known?.knowledge.as_ref()?.facts.as_ref().ok()?.rows)).collect()
    }

    /// Learns all there is to learn about files that lie in the store's folder.
    ///
    /// # Errors
    /// What the system says where one of them is gone, or the folder cannot be written.
    pub fn add(&mut self, files: &[Partition], pace: IndexingPace) -> Result<(), StoreError> {
        let failed = |source| StoreError::Io { action: "write", path: self.folder.clone(), source };
        for file in files {
            let stat = rustix::fs::stat(&file.path).map_err(|errno| StoreError::Io {
                action: "read",
                path: file.path.clone(),
                source: io::Error::from(errno),
            })?;
            self.catalog.saved.folders.insert(file, &stat);
        }
        self.catalog.learn(files).map_err(|missing| StoreError::Io {
            action: "read",
            path: missing.0,
            source: io::ErrorKind::NotFound.into(),
        })?;
        for what in Indexed::ALL {
            self.catalog.index(files, what, pace, &|_| ()).map_err(failed)?;
        }
        self.catalog.has_learned = true;
        Ok(())
    }

    /// Forgets files.
    pub fn forget(&mut self, is_gone: impl Fn(&Partition) -> bool) {
        let gone: Vec<Partition> = self.files().into_iter().filter(|file| is_gone(file)).collect();
        self.catalog.saved.folders.forget(&gone);
        self.catalog.has_learned |= !gone.is_empty();
    }

    /// Keeps it for the next process.
    ///
    /// # Errors
    /// What the system says where it cannot be written.
    pub fn save(&mut self) -> Result<(), StoreError> {
        self.catalog.save().map_err(|source| StoreError::Io { action: "write", path: self.folder.clone(), source })
    }

    /// The dates of its files, ascending.
    pub fn dates(&self) -> Vec<String> {
        self.catalog.saved.folders.dates()
    }

    /// What is known about the files of these dates, to be read by [`emp_store::Away::known`].
    ///
    /// # Errors
    /// Where it cannot be encoded.
    pub fn part(&self, is_in: impl Fn(&str) -> bool) -> io::Result<Vec<u8>> {
        let body = self.catalog.saved.encode(is_in)?;
        Ok(super::saved::sealed_body(&body))
    }

    /// A number that stands for what [`Self::part`] has of these dates: another one where any of it has changed.
    ///
    /// # Errors
    /// As [`Self::part`].
    pub fn part_key(&self, is_in: impl Fn(&str) -> bool) -> io::Result<u64> {
        Ok(xxh3_64(&self.catalog.saved.folders.encode_dates(is_in).map_err(io::Error::other)?.concat()))
    }

    /// The runs that it refers to.
    pub fn runs(&self) -> Vec<RunFile> {
        let mut runs: BTreeSet<(u64, bool)> = BTreeSet::new();
        for known in self.catalog.saved.folders.knowledge() {
            for (what, of_texts) in [(Indexed::Ids, false), (Indexed::Texts, true)] {
                runs.extend(known.places.of(what).map(|place| (place.run, of_texts)));
            }
        }
        let file = |(run, of_texts)| RunFile { run, of_texts, path: self.folder.join(run_name(run)) };
        runs.into_iter().map(file).collect()
    }

    /// Takes what is known from these parts, in place of all that was known.
    ///
    /// # Errors
    /// Where one of them is none of ours, or they do not belong together.
    pub fn restore(&mut self, parts: &[Vec<u8>]) -> io::Result<()> {
        self.catalog.saved = Saved::of_parts(parts)?;
        self.catalog.has_learned = true;
        Ok(())
    }
}
