//! Sealed files that do not lie in the store's folder: they are brought here when somebody opens them.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Layout, Partition, Writer};

/// Where such files are.
pub trait Away: Send + Sync + fmt::Debug {
    /// Each of the stores that are asked as one; itself, where it is one.
    fn each(self: Arc<Self>) -> Vec<Arc<dyn Away>>;

    /// The folders of those that are asked as one: each may have a journal, and what retention took out of it.
    fn folders(&self) -> Vec<Layout> {
        Vec::new()
    }

    /// How many events of each writer retention has taken out of there.
    fn taken_out(&self) -> Vec<(Writer, u64)> {
        Vec::new()
    }

    /// What is known about them, as the catalog wrote it: one text for each span of time.
    ///
    /// # Errors
    /// What keeps it from being read.
    fn known(&self) -> io::Result<Vec<Vec<u8>>>;

    /// Opens one of them, and waits until it is here.
    ///
    /// # Errors
    /// `NotFound` where it is gone; else what keeps it from coming.
    fn open(&self, file: &Partition) -> io::Result<File>;

    /// These will be opened soon, in that order: they may be brought here beside.
    fn expect(&self, files: &[&Partition]);

    /// Brings the file of that name here into the folder of what is derived, if there is one.
    fn bring_derived(&self, name: &str);

    /// Are the records elsewhere, too?
    fn has_records(&self) -> bool;

    /// Brings the records of that folder of the store here, such as `_losses`.
    ///
    /// # Errors
    /// What keeps them from coming.
    fn bring_records(&self, folder: &str) -> io::Result<()>;

    /// A run of the index, if there is one of that number.
    fn run(&self, run: u64) -> Option<Box<dyn ReadAt>>;

    /// How a person calls a file that lies at this path below the store's folder.
    fn name(&self, inside: &Path) -> String;
}

/// Bytes that are read at any place.
pub trait ReadAt: Send + Sync + fmt::Debug {
    /// Fills `bytes` with those from `offset` on.
    ///
    /// # Errors
    /// What keeps them from being read; also where there are fewer.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;

    /// How many there are.
    ///
    /// # Errors
    /// What keeps that from being known.
    fn length(&self) -> io::Result<u64>;

    /// All of them will be read.
    fn expect_all(&self) {}
}

impl ReadAt for File {
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, bytes, offset)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

/// Takes note that these files will be opened, in that order, so that those that lie elsewhere are brought here beside.
pub fn expect<'a>(files: impl IntoIterator<Item = &'a Partition>) {
    let mut by_store: Vec<(&Arc<dyn Away>, Vec<&Partition>)> = Vec::new();
    for file in files {
        let Some(away) = &file.away else { continue };
        match by_store.iter_mut().find(|(known, _)| file.is_at(known)) {
            Some((_, files)) => files.push(file),
            None => by_store.push((away, vec![file])),
        }
    }
    for (away, files) in by_store {
        away.expect(&files);
    }
}

impl Partition {
    /// How a person calls it: its path, or where it is brought from.
    #[must_use]
    pub fn shown(&self) -> PathBuf {
        match &self.away {
            None => self.path.clone(),
            Some(away) => {
                let name = self.name.with_extension("parquet");
                away.name(
                    &Path::new(&format!("date={}", self.hour.date()))
                        .join(format!("hour={}", self.hour.hour()))
                        .join(name),
                )
                .into()
            }
        }
    }

    /// Opens it, wherever it lies.
    ///
    /// # Errors
    /// What the system says, or what keeps it from coming.
    pub fn open(&self) -> io::Result<File> {
        match &self.away {
            None => File::open(&self.path),
            Some(away) => away.open(self),
        }
    }
}
