//! Sealed files that lie in a bucket, brought into the cache when somebody opens them, and ahead of that.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;
use xxhash_rust::xxh3::xxh3_64;

use emp_store::{Checksum, Partition, check_sum};

use super::archiver::name_of;
use super::cache::Cache;
use super::error::BucketError;
use super::fetching::AT_ONCE;
use super::remote::Remote;
use super::runtime::{begin, wait};

/// So few files are all fetched as soon as they are expected.
const FEW: usize = 64;
/// Ahead of a file that is opened, so many more are fetched at first.
const AHEAD_FIRST: usize = 2;

/// Fetches files, each once.
#[derive(Debug)]
pub(crate) struct Files {
    remote: Arc<Remote>,
    cache: Arc<Cache>,
    state: Mutex<State>,
    arrived: Condvar,
    lines: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct State {
    under_way: HashSet<String>,
    /// Found to be whole by this process.
    sound: HashSet<String>,
    expected: Vec<(String, u64)>,
    positions: HashMap<String, usize>,
    last: Option<usize>,
    ahead: usize,
}

impl Files {
    pub fn new(remote: Arc<Remote>, cache: Arc<Cache>) -> Self {
        let (state, arrived) = (Mutex::default(), Condvar::new());
        Self { remote, cache, state, arrived, lines: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked has left it whole: each change is one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.cache.path("files", &format!("{:016x}.parquet", xxh3_64(name.as_bytes())))
    }

    /// These will be opened, in that order: few are fetched at once, of many those that come next.
    pub fn expect(self: &Arc<Self>, files: &[&Partition]) {
        let expected: Vec<(String, u64)> = files.iter().map(|file| (name_of(file), file.bytes)).collect();
        let mut state = self.lock();
        state.positions = expected.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
        (state.last, state.ahead) = (None, AHEAD_FIRST);
        let few = if expected.len() <= FEW { expected.clone() } else { Vec::new() };
        state.expected = expected;
        self.start(&mut state, few);
    }

    /// Fetches those of these beside that are neither here nor under way.
    fn start(self: &Arc<Self>, state: &mut State, files: Vec<(String, u64)>) {
        for (name, bytes) in files {
            if state.sound.contains(&name) || state.under_way.contains(&name) || self.is_here(&name, bytes) {
                continue;
            }
            state.under_way.insert(name.clone());
            let files = Arc::clone(self);
            begin(async move {
                // Whoever opens it asks again, and says what is wrong.
                let _ = files.fetch(&name, bytes).await;
                files.lock().under_way.remove(&name);
                files.arrived.notify_all();
            });
        }
    }

    fn is_here(&self, name: &str, bytes: u64) -> bool {
        fs::metadata(self.place(name)).is_ok_and(|metadata| metadata.len() == bytes)
    }

    async fn fetch(&self, name: &str, bytes: u64) -> Result<(), BucketError> {
        // It is closed only with the whole.
        let _line = self.lines.acquire().await;
        let fetched = self.remote.get(name, bytes).await?;
        let damaged = |detail: String| BucketError::Damaged { place: self.remote.place(name), detail };
        if fetched.len() as u64 != bytes {
            return Err(damaged(format!("it has {} bytes, not {bytes}", fetched.len())));
        }
        let path = self.place(name);
        let written = self.cache.write(&path, &fetched);
        written.map_err(|source| BucketError::Io { action: "write", path: path.clone(), source })?;
        match check_sum(&path)? {
            Checksum::Broken => {
                let _ = fs::remove_file(&path);
                Err(damaged("its checksum does not match".to_owned()))
            }
            Checksum::Holds | Checksum::Missing => Ok(()),
        }
    }

    /// What is to be fetched with that file: those that come behind it, in the direction in which they are opened, the more
    /// the longer that goes on.
    fn ahead(state: &mut State, name: &str) -> Vec<(String, u64)> {
        let Some(at) = state.positions.get(name).copied() else { return Vec::new() };
        let is_backwards = state.last.is_some_and(|last| at < last);
        let is_first = state.last.is_none();
        state.last = Some(at);
        if is_first || state.expected.len() <= FEW {
            return Vec::new();
        }
        let count = state.ahead;
        state.ahead = (2 * count).min(AT_ONCE);
        if is_backwards {
            state.expected[at.saturating_sub(count)..at].iter().rev().cloned().collect()
        } else {
            state.expected[at + 1..(at + 1 + count).min(state.expected.len())].to_vec()
        }
    }

    /// Opens a file, and waits until it is here.
    pub fn open(self: &Arc<Self>, file: &Partition) -> io::Result<File> {
        let (name, bytes) = (name_of(file), file.bytes);
        let mut has_asked = false;
        loop {
            let mut state = self.lock();
            if !has_asked {
                let ahead = Self::ahead(&mut state, &name);
                self.start(&mut state, ahead);
            }
            while state.under_way.contains(&name) {
                state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let is_sound = state.sound.contains(&name);
            if let Some(file) = self.open_here(&name, bytes, is_sound) {
                state.sound.insert(name);
                return Ok(file);
            }
            state.sound.remove(&name);
            state.under_way.insert(name.clone());
            drop(state);
            let (files, asked) = (Arc::clone(self), name.clone());
            let fetched = wait(async move { files.fetch(&asked, bytes).await });
            self.lock().under_way.remove(&name);
            self.arrived.notify_all();
            match fetched {
                Ok(()) => {}
                Err(BucketError::Missing { .. }) => return Err(io::ErrorKind::NotFound.into()),
                // A body that was cut, or bytes that came wrong: once more.
                Err(BucketError::Damaged { .. }) if !has_asked => {}
                Err(error) => return Err(io::Error::other(error)),
            }
            has_asked = true;
        }
    }

    /// The file where it is here, and whole.
    fn open_here(&self, name: &str, bytes: u64, is_sound: bool) -> Option<File> {
        let path = self.place(name);
        let file = self.cache.open(&path).ok()?;
        let has_size = file.metadata().is_ok_and(|metadata| metadata.len() == bytes);
        if has_size && (is_sound || !matches!(check_sum(&path), Ok(Checksum::Broken) | Err(_))) {
            return Some(file);
        }
        let _ = fs::remove_file(&path);
        None
    }
}
