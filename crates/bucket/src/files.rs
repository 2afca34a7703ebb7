//! Sealed files that lie in a bucket, brought into the cache when somebody opens them, and ahead of that.

use std::collections::{HashMap, HashSet, VecDeque};
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
/// Ahead of a file that is opened, so many more are fetched for each that was opened before: what is given up after a few files
/// has fetched a few in vain, and a scan has all lines busy after a few round trips.
const AHEAD_EACH: usize = 2;
/// A worker reads for several scans at the same time; of more the oldest is no longer read ahead of.
const SCANS_MAX: usize = 16;

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
    /// Of each scan that goes on, the newest first.
    expected: VecDeque<Expected>,
}

/// The files of one scan.
#[derive(Debug)]
struct Expected {
    files: Vec<(String, u64)>,
    positions: HashMap<String, usize>,
    /// The file that each of those who read was given last: a scan has several, each with a share of the files.
    readers: Vec<usize>,
    opened: usize,
}

impl Expected {
    fn of(files: Vec<(String, u64)>) -> Self {
        let positions = files.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
        Self { files, positions, readers: Vec::new(), opened: 0 }
    }

    /// What is to be fetched with the file at that place: those that come behind it, in the direction in which they are
    /// opened, the more the more were opened.
    fn ahead(&mut self, at: usize) -> Vec<(String, u64)> {
        let nearest = self.readers.iter_mut().min_by_key(|last| last.abs_diff(at));
        let Some(last) = nearest.filter(|last| last.abs_diff(at) <= AT_ONCE) else {
            self.readers.push(at);
            return Vec::new();
        };
        let is_backwards = at < *last;
        *last = at;
        if self.files.len() <= FEW {
            return Vec::new();
        }
        self.opened += 1;
        let count = (AHEAD_EACH * self.opened).min(AT_ONCE);
        match is_backwards {
            true => self.files[at.saturating_sub(count)..at].iter().rev().cloned().collect(),
            false => self.files[at + 1..(at + 1 + count).min(self.files.len())].to_vec(),
        }
    }
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
        let few = if expected.len() <= FEW { expected.clone() } else { Vec::new() };
        state.expected.truncate(SCANS_MAX - 1);
        state.expected.push_front(Expected::of(expected));
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
                let fetched = files.fetch(&name, bytes).await;
                files.has_come(name, fetched.is_ok());
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

    /// It is no longer under way. What was found to be whole as it came is not read once more to find that.
    fn has_come(&self, name: String, is_whole: bool) {
        let mut state = self.lock();
        state.under_way.remove(&name);
        if is_whole {
            state.sound.insert(name);
        }
        drop(state);
        self.arrived.notify_all();
    }

    fn ahead(state: &mut State, name: &str) -> Vec<(String, u64)> {
        let found = state.expected.iter_mut().find_map(|scan| Some((*scan.positions.get(name)?, scan)));
        found.map_or_else(Vec::new, |(at, scan)| scan.ahead(at))
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
            self.has_come(name.clone(), fetched.is_ok());
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
