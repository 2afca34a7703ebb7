//! A disk whose power can be cut after any operation.
//!
//! A [`SimulatedDisk`] carries out what a store does, notes it, and makes some of it fail; syncs
//! cost nothing on it. [`Disk`] then tells what a real disk may hold after the first so many of
//! these operations. What was written and not synced may be there, or not, or in part, each file
//! and each folder for itself; what a failed sync was to write is gone, whatever is synced later.
//!
//! The tests of a bucket put one beside theirs: this is a file of those tests, too.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use rand::{Rng as _, RngExt as _};
use rand_chacha::ChaCha8Rng;

use super::{Backend, Layout, RealDisk, new_folder};

/// An operation that was done, or, of a sync, that failed.
#[derive(Debug, Clone)]
pub(super) enum Change {
    CreateDir(PathBuf),
    Create(PathBuf),
    Append(PathBuf, Vec<u8>),
    Patch(PathBuf, u64, Vec<u8>),
    SyncFile(PathBuf),
    SyncFailed(PathBuf),
    SyncDir(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    RemoveDir(PathBuf),
}

/// A disk that remembers what was done to it.
#[derive(Debug)]
pub(super) struct SimulatedDisk {
    real: RealDisk,
    recording: Mutex<Recording>,
}

#[derive(Debug, Default)]
struct Recording {
    changes: Vec<Change>,
    /// How many operations were asked for, those that failed included.
    asked: usize,
    /// Which of them fail.
    failing: Range<usize>,
}

impl SimulatedDisk {
    /// A store at this folder, and its disk: those operations fail whose number is in `failing`.
    pub fn holding(root: PathBuf, failing: Range<usize>) -> (Layout, Arc<Self>) {
        let recording = Mutex::new(Recording { failing, ..Recording::default() });
        let disk = Arc::new(Self { real: RealDisk::new(&root), recording });
        (Layout::on(root, disk.clone()), disk)
    }

    /// The same of a new store in a folder that goes with the first part of the answer.
    pub fn new_store(failing: Range<usize>) -> (tempfile::TempDir, Layout, Arc<Self>) {
        let folder = new_folder();
        let (layout, disk) = Self::holding(folder.path().join("store"), failing);
        (folder, layout, disk)
    }

    /// What was done so far.
    pub fn changes(&self) -> Vec<Change> {
        self.lock().changes.clone()
    }

    /// How many operations were done so far.
    pub fn done(&self) -> usize {
        self.lock().changes.len()
    }

    fn lock(&self) -> MutexGuard<'_, Recording> {
        self.recording.lock().unwrap()
    }

    /// Notes an operation, `None` where it changes nothing; the error where it is to fail.
    fn note(&self, change: Option<Change>) -> io::Result<()> {
        let mut recording = self.lock();
        let fails = recording.failing.contains(&recording.asked);
        recording.asked += 1;
        if fails {
            return Err(io::ErrorKind::StorageFull.into());
        }
        recording.changes.extend(change);
        Ok(())
    }
}

impl Backend for SimulatedDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.note((!path.exists()).then(|| Change::CreateDir(path.to_owned())))?;
        self.real.create_dir(path)
    }

    fn create_new(&self, path: &Path) -> io::Result<File> {
        self.note(Some(Change::Create(path.to_owned())))?;
        self.real.create_new(path)
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        self.note(Some(Change::Create(path.to_owned())))?;
        self.real.create(path)
    }

    fn append(&self, path: &Path, mut file: &File, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.note(Some(Change::Append(path.to_owned(), bytes.to_vec()))) {
            // A full disk takes part of what is written.
            let part = &bytes[..bytes.len() / 2];
            file.write_all(part)?;
            self.lock().changes.push(Change::Append(path.to_owned(), part.to_vec()));
            return Err(error);
        }
        file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn patch(&self, path: &Path, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.note(Some(Change::Patch(path.to_owned(), offset, bytes.to_vec())))?;
        self.real.patch(path, file, offset, bytes)
    }

    fn sync_file(&self, path: &Path, _: &File) -> io::Result<()> {
        self.note(Some(Change::SyncFile(path.to_owned()))).map_err(|_| {
            // What it was to write is lost.
            self.lock().changes.push(Change::SyncFailed(path.to_owned()));
            io::Error::other("the simulated disk failed to sync")
        })
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.note(Some(Change::SyncDir(path.to_owned())))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note(Some(Change::Rename(from.to_owned(), to.to_owned())))?;
        self.real.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.note(path.exists().then(|| Change::Remove(path.to_owned())))?;
        self.real.remove(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.note(path.exists().then(|| Change::RemoveDir(path.to_owned())))?;
        self.real.remove_dir(path)
    }

    fn touch_dir(&self, path: &Path) -> io::Result<()> {
        self.real.touch_dir(path)
    }
}

/// What becomes of that which was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The process is killed, and the system lives on: all is there.
    Kill,
    /// Power is cut, and the disk had been given all of it.
    Kept,
    /// Power is cut, and the disk had been given nothing of it.
    Lost,
    /// Power is cut, and each file and folder is at a point of its own.
    Torn(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Pending,
    Durable,
    /// A sync of it failed.
    Doomed,
}

#[derive(Debug, Clone)]
struct Written {
    offset: usize,
    bytes: Vec<u8>,
    state: State,
}

#[derive(Debug, Clone, Default)]
struct Inode {
    written: Vec<Written>,
    length: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    File(usize),
    Dir,
}

#[derive(Debug, Clone, Default)]
struct Dir {
    durable: BTreeMap<PathBuf, Entry>,
    pending: Vec<(PathBuf, Option<Entry>)>,
}

/// What a disk may hold after a series of changes below one folder.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    root: PathBuf,
    inodes: Vec<Inode>,
    dirs: BTreeMap<PathBuf, Dir>,
    /// The names as the running system sees them.
    live: BTreeMap<PathBuf, Entry>,
}

impl Disk {
    /// An empty folder, which is durable itself.
    pub fn new(root: &Path) -> Self {
        let dirs = BTreeMap::from([(root.to_owned(), Dir::default())]);
        Self { root: root.to_owned(), inodes: Vec::new(), dirs, live: BTreeMap::new() }
    }

    /// All that a folder holds now, durable.
    pub fn holding(root: &Path) -> Self {
        let mut disk = Self::new(root);
        if root.exists() {
            disk.hold(root);
        }
        disk
    }

    fn hold(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.apply(&Change::CreateDir(path.clone()));
                self.hold(&path);
            } else {
                self.apply(&Change::Create(path.clone()));
                self.apply(&Change::Append(path.clone(), fs::read(&path).unwrap()));
                self.apply(&Change::SyncFile(path));
            }
        }
        self.apply(&Change::SyncDir(folder.to_owned()));
    }

    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::CreateDir(path) => {
                self.dirs.insert(path.clone(), Dir::default());
                self.name(path, Some(Entry::Dir));
            }
            Change::Create(path) => {
                self.inodes.push(Inode::default());
                self.name(path, Some(Entry::File(self.inodes.len() - 1)));
            }
            Change::Append(path, bytes) => {
                let offset = self.inode(path).length;
                self.write(path, offset, bytes);
            }
            Change::Patch(path, offset, bytes) => self.write(path, usize::try_from(*offset).unwrap(), bytes),
            Change::SyncFile(path) => self.settle(path, State::Durable),
            Change::SyncFailed(path) => self.settle(path, State::Doomed),
            Change::SyncDir(path) => {
                if let Some(dir) = self.dirs.get_mut(path) {
                    for (name, entry) in dir.pending.drain(..) {
                        set(&mut dir.durable, name, entry);
                    }
                }
            }
            Change::Rename(from, to) => {
                let entry = self.live[from];
                self.name(to, Some(entry));
                self.name(from, None);
            }
            Change::Remove(path) | Change::RemoveDir(path) => self.name(path, None),
        }
    }

    fn name(&mut self, path: &Path, entry: Option<Entry>) {
        set(&mut self.live, path.to_owned(), entry);
        if let Some(dir) = self.dirs.get_mut(path.parent().unwrap()) {
            dir.pending.push((path.to_owned(), entry));
        }
    }

    fn inode(&mut self, path: &Path) -> &mut Inode {
        match self.live.get(path) {
            Some(Entry::File(inode)) => &mut self.inodes[*inode],
            other => panic!("{} is {other:?}", path.display()),
        }
    }

    fn write(&mut self, path: &Path, offset: usize, bytes: &[u8]) {
        let inode = self.inode(path);
        inode.written.push(Written { offset, bytes: bytes.to_vec(), state: State::Pending });
        inode.length = inode.length.max(offset + bytes.len());
    }

    fn settle(&mut self, path: &Path, state: State) {
        let pending = self.inode(path).written.iter_mut().filter(|written| written.state == State::Pending);
        pending.for_each(|written| written.state = state);
    }

    /// Writes what the disk may hold now into another folder.
    pub fn restore(&self, cut: Cut, random: &mut ChaCha8Rng, place: &Path) {
        self.restore_dir(&self.root, cut, random, place);
    }

    fn restore_dir(&self, path: &Path, cut: Cut, random: &mut ChaCha8Rng, place: &Path) {
        fs::create_dir_all(place).unwrap();
        let dir = &self.dirs[path];
        let mut entries = dir.durable.clone();
        let kept = match cut {
            Cut::Kill | Cut::Kept => dir.pending.len(),
            Cut::Lost => 0,
            Cut::Torn(_) => random.random_range(0..=dir.pending.len()),
        };
        for (name, entry) in &dir.pending[..kept] {
            set(&mut entries, name.clone(), *entry);
        }
        for (name, entry) in entries {
            let place = place.join(name.file_name().unwrap());
            match entry {
                Entry::Dir => self.restore_dir(&name, cut, random, &place),
                Entry::File(inode) => fs::write(&place, self.inodes[inode].contents(cut, random)).unwrap(),
            }
        }
    }
}

impl Inode {
    fn contents(&self, cut: Cut, random: &mut ChaCha8Rng) -> Vec<u8> {
        let mut bytes = Vec::new();
        let pending = self.written.iter().filter(|written| written.state == State::Pending).count();
        let mut left = match cut {
            Cut::Kill | Cut::Kept => pending,
            Cut::Lost => 0,
            Cut::Torn(_) => random.random_range(0..=pending),
        };
        for written in &self.written {
            let is_there = match written.state {
                State::Durable => true,
                State::Doomed => cut == Cut::Kill,
                State::Pending => left > 0,
            };
            if !is_there {
                continue;
            }
            let mut part = written.bytes.clone();
            if written.state == State::Pending {
                left -= 1;
                if left == 0 && matches!(cut, Cut::Torn(_)) {
                    tear(&mut part, random);
                }
            }
            bytes.resize(bytes.len().max(written.offset + part.len()), 0);
            bytes[written.offset..written.offset + part.len()].copy_from_slice(&part);
        }
        bytes
    }
}

/// The last write may be cut short, or its length be known and its end be zeros.
fn tear(part: &mut Vec<u8>, random: &mut ChaCha8Rng) {
    let whole = random.random_range(0..=part.len());
    if random.next_u32().is_multiple_of(2) {
        part.truncate(whole);
    } else {
        part[whole..].fill(0);
    }
}

fn set(entries: &mut BTreeMap<PathBuf, Entry>, name: PathBuf, entry: Option<Entry>) {
    match entry {
        Some(entry) => entries.insert(name, entry),
        None => entries.remove(&name),
    };
}
