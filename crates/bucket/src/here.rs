//! A store in a folder that is asked together with others: what is known of it is learned as a question to it alone would.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use emp_catalog::{Storage, known_in_folder};
use emp_store::{Away, Layout, Partition, ReadAt};

/// The folder, without what has left it.
#[derive(Debug)]
pub(crate) struct Here {
    layout: Layout,
    storage: Storage,
}

impl Here {
    pub fn new(layout: &Layout) -> Self {
        // What has left the folder is asked beside it.
        let layout = Layout::new(layout.root());
        Self { storage: Storage::of(&layout), layout }
    }
}

impl Away for Here {
    fn each(self: Arc<Self>) -> Vec<Arc<dyn Away>> {
        vec![self]
    }

    fn known(&self) -> io::Result<Vec<Vec<u8>>> {
        fs::metadata(self.layout.root())?;
        Ok(vec![known_in_folder(&self.layout).map_err(io::Error::other)?])
    }

    fn open(&self, file: &Partition) -> io::Result<File> {
        File::open(self.layout.partition(file.hour).join(file.name.with_extension("parquet")))
    }

    fn expect(&self, _files: &[&Partition]) {}

    fn bring_derived(&self, _name: &str) {}

    fn has_records(&self) -> bool {
        true
    }

    fn bring_records(&self, _folder: &str) -> io::Result<()> {
        Ok(())
    }

    fn run(&self, run: u64) -> Option<Box<dyn ReadAt>> {
        Some(Box::new(self.storage.run_file(run)?))
    }

    fn name(&self, inside: &Path) -> String {
        self.layout.root().join(inside).display().to_string()
    }
}
