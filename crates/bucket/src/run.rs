//! A run of the index that lies in a bucket: read in blocks, which are kept.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::{Arc, Barrier, Mutex, OnceLock, PoisonError};

use emp_store::ReadAt;

use super::cache::Cache;
use super::error::BucketError;
use super::head::Object;
use super::remote::{Remote, Sum};
use super::runtime::wait;

/// What is fetched at once: the directory of a run of four million ids, or the bucket of an id with its neighbours.
const BLOCK_BYTES: u64 = 64 << 10;
/// The checksum behind a block that is kept.
const SUM_BYTES: usize = 4;

#[derive(Debug, Clone)]
pub(crate) struct RemoteRun {
    remote: Arc<Remote>,
    cache: Arc<Cache>,
    object: Object,
    whole: Arc<OnceLock<File>>,
    /// Whoever wants a block that is under way waits for it.
    under_way: Arc<Mutex<HashMap<u64, Arc<Mutex<()>>>>>,
}

impl RemoteRun {
    pub fn new(remote: &Arc<Remote>, cache: &Arc<Cache>, object: &Object) -> Self {
        let (whole, under_way) = (Arc::default(), Arc::default());
        Self { remote: Arc::clone(remote), cache: Arc::clone(cache), object: object.clone(), whole, under_way }
    }

    fn key(&self) -> String {
        self.object.name.replace('/', "-")
    }

    /// Fetches its beginning beside, where it is not here.
    pub fn expect_directory(&self) {
        if self.kept(0).is_none() {
            let (run, lock) = (self.clone(), self.lock_of(0));
            let is_begun = Arc::new(Barrier::new(2));
            let has_begun = Arc::clone(&is_begun);
            std::thread::spawn(move || {
                let _under_way = lock.lock().unwrap_or_else(PoisonError::into_inner);
                has_begun.wait();
                let fetching = run.clone();
                // Whoever needs it asks again, and says what is wrong.
                let _ = wait(async move { fetching.fetch(0).await });
            });
            is_begun.wait();
        }
    }

    fn range(&self, block: u64) -> std::ops::Range<u64> {
        let start = block * BLOCK_BYTES;
        start..(start + BLOCK_BYTES).min(self.object.bytes)
    }

    fn path(&self, block: u64) -> std::path::PathBuf {
        self.cache.path("blocks", &format!("{}.{block}", self.key()))
    }

    fn kept(&self, block: u64) -> Option<Vec<u8>> {
        let mut bytes = self.cache.read(&self.path(block))?;
        let range = self.range(block);
        let at = bytes.len().checked_sub(SUM_BYTES)?;
        let sum = u32::from_le_bytes(bytes[at..].try_into().ok()?);
        bytes.truncate(at);
        let is_whole = bytes.len() as u64 == range.end - range.start && crc32fast::hash(&bytes) == sum;
        is_whole.then_some(bytes)
    }

    async fn fetch(&self, block: u64) -> Result<Vec<u8>, BucketError> {
        let bytes = self.remote.get_range(&self.object.name, self.range(block)).await?;
        let kept = [&bytes[..], &crc32fast::hash(&bytes).to_le_bytes()].concat();
        // A cache that cannot be written makes the next question slower.
        let _ = self.cache.write(&self.path(block), &kept);
        Ok(bytes)
    }

    fn lock_of(&self, block: u64) -> Arc<Mutex<()>> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(under_way.entry(block).or_default())
    }

    fn block(&self, block: u64) -> io::Result<Vec<u8>> {
        if let Some(bytes) = self.kept(block) {
            return Ok(bytes);
        }
        let lock = self.lock_of(block);
        let _under_way = lock.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = self.kept(block) {
            return Ok(bytes);
        }
        let run = self.clone();
        wait(async move { run.fetch(block).await }).map_err(io::Error::other)
    }

    fn whole(&self) -> Option<&File> {
        if self.whole.get().is_none() {
            let path = self.cache.path("objects", &self.key());
            let is_whole = Sum::of_file(&path).is_ok_and(|sum| sum == self.object.sum());
            if let Some(file) = self.cache.open(&path).ok().filter(|_| is_whole) {
                let _ = self.whole.set(file);
            }
        }
        self.whole.get()
    }
}

impl ReadAt for RemoteRun {
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        if let Some(file) = self.whole.get() {
            return file.read_exact_at(bytes, offset);
        }
        let end = offset + bytes.len() as u64;
        if end > self.object.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut at = offset;
        while at < end {
            let block = self.block(at / BLOCK_BYTES)?;
            let within = (at % BLOCK_BYTES) as usize;
            let length = (block.len() - within).min((end - at) as usize);
            let to = (at - offset) as usize;
            bytes[to..to + length].copy_from_slice(&block[within..within + length]);
            at += length as u64;
        }
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.object.bytes)
    }

    fn expect_all(&self) {
        if self.whole().is_some() {
            return;
        }
        let run = self.clone();
        let fetched = wait(async move { run.remote.get_checked(&run.object.name, run.object.sum()).await });
        if let Ok(bytes) = fetched {
            let _ = self.cache.write(&self.cache.path("objects", &self.key()), &bytes);
            self.whole();
        }
    }
}
