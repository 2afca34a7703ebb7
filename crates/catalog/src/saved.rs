//! Where the catalog is kept between processes, and how.
//!
//! Nothing here is synced to the disk: what a power cut leaves half written does not match its
//! checksum, and is made anew.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs::{Access, access};
use xxhash_rust::xxh3::xxh3_64;

use super::folders::Folders;
use super::head::Looked;
use super::ids::{Broken, Run};
use super::parts::{NewPart, Parts};
use super::stamp::now_ns;
use super::values::ValueNumbers;
use emp_store::{Layout, ReadAt, write_derived};
use emp_system::user_folder;

/// Everything that is known, but for the ids and the texts.
#[derive(Debug, Default)]
pub(super) struct Saved {
    pub folders: Folders,
    pub numbers: ValueNumbers,
    /// Where what is known about the files of days is read once it is needed.
    pub parts: Parts,
    pub looked: Looked,
}

impl Saved {
    fn decode(body: &[u8]) -> Option<Self> {
        let (numbers, folders) = postcard::take_from_bytes(body).ok()?;
        Some(Self { folders: Folders::decode(folders)?, numbers, ..Self::default() })
    }

    /// As bytes, with the folders of these dates.
    pub fn encode(&self, is_in: impl Fn(&str) -> bool) -> io::Result<Vec<u8>> {
        let mut body = postcard::to_stdvec(&self.numbers).map_err(io::Error::other)?;
        body.extend(self.folders.encode(is_in).map_err(io::Error::other)?);
        Ok(body)
    }

    /// Of several parts of one catalog, each of dates of its own.
    pub fn of_parts(parts: &[Vec<u8>]) -> io::Result<Self> {
        let broken = || io::Error::new(io::ErrorKind::InvalidData, "a part of the catalog is none of ours");
        let mut all = Self::default();
        for bytes in parts {
            let part = whole_body(bytes, MAGIC).and_then(Self::decode).ok_or_else(broken)?;
            if !all.numbers.grow_to(part.numbers) || !all.folders.append(part.folders) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "parts of different catalogs"));
            }
        }
        Ok(all)
    }
}

/// A body with what is needed to know it again.
pub(super) fn sealed_body(body: &[u8]) -> Vec<u8> {
    with_checksum(MAGIC, body)
}

/// What [`Storage::write_whole`] writes.
#[must_use]
pub fn with_checksum(magic: &[u8; 8], body: &[u8]) -> Vec<u8> {
    [&magic[..], &crc32fast::hash(body).to_le_bytes(), body].concat()
}

/// What stands behind the magic and the checksum, if it is whole.
#[must_use]
pub fn whole_body<'a>(bytes: &'a [u8], magic: &[u8; 8]) -> Option<&'a [u8]> {
    let (sum, body) = bytes.strip_prefix(magic)?.split_first_chunk()?;
    (crc32fast::hash(body) == u32::from_le_bytes(*sum)).then_some(body)
}

/// As the catalog of an archive is kept, and that of a store was by older versions: all in one.
const NAME: &str = "catalog.v2";
const MAGIC: &[u8; 8] = b"EMPCAT2\n";
const RUN_EXTENSION: &str = "run";
const PART_EXTENSION: &str = "days";
/// A run that nothing refers to any more stays that long: a process that has read an older catalog
/// may be about to open it.
const RUN_GRACE: Duration = Duration::from_secs(600);
/// An older version that is in use writes what it keeps each hour.
const VERSION_GRACE: Duration = Duration::from_secs(24 * 3_600);

/// The folder of what is derived from the store.
#[derive(Debug, Clone)]
pub struct Storage {
    layout: Layout,
    /// The store's own, which may be read only.
    own: PathBuf,
    /// Where to write; `None` where nothing may be written.
    writable: Option<PathBuf>,
}

impl Storage {
    /// The store's own folder where it may be written, else one for this store in the user's cache.
    pub fn of(layout: &Layout) -> Self {
        let own = layout.index();
        let parent = if own.is_dir() { &own } else { layout.root() };
        let writable = if access(parent, Access::WRITE_OK).is_ok() { Some(own.clone()) } else { in_cache(layout) };
        Self { layout: layout.clone(), own, writable }
    }

    /// That folder, which may be written.
    pub(super) fn at(layout: &Layout, folder: &Path) -> Self {
        Self { layout: layout.clone(), own: folder.to_owned(), writable: Some(folder.to_owned()) }
    }

    /// What was saved in one, if it is there, and whole.
    pub(super) fn load_whole(&self) -> Option<Saved> {
        self.read_whole(NAME, MAGIC, Saved::decode)
    }

    /// What the file of that name holds after its magic and its checksum, if it is there, whole, and can
    /// be decoded.
    pub fn read_whole<T>(&self, name: &str, magic: &[u8; 8], decode: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        self.bring(name);
        self.folders().find_map(|folder| {
            let bytes = fs::read(folder.join(name)).ok()?;
            decode(whole_body(&bytes, magic)?)
        })
    }

    /// Writes such a file in one step: a reader finds the old one or the new one.
    pub fn write_whole(&self, name: &str, magic: &[u8; 8], body: &[u8]) -> io::Result<()> {
        self.replace(name, |file| {
            file.write_all(magic)?;
            file.write_all(&crc32fast::hash(body).to_le_bytes())?;
            file.write_all(body)
        })
    }

    /// Each file of that name, whole as it is: the one that may be written to, then the store's own.
    pub fn read_each(&self, name: &str) -> impl Iterator<Item = Vec<u8>> {
        self.bring(name);
        self.folders().filter_map(move |folder| fs::read(folder.join(name)).ok())
    }

    /// What is derived from files that lie elsewhere lies there, too.
    fn bring(&self, name: &str) {
        if let Some(away) = self.layout.away() {
            away.bring_derived(name);
        }
    }

    /// A run of the index, as it lies there; `None` where it does not.
    pub fn run_file(&self, run: u64) -> Option<File> {
        self.folders().find_map(|folder| File::open(folder.join(run_name(run))).ok())
    }

    /// Writes a file in one step: a reader finds the old one or the new one.
    ///
    /// # Errors
    /// What the system says where it cannot be written.
    pub fn replace(&self, name: &str, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        let folder = self.writable.as_ref().ok_or(io::ErrorKind::ReadOnlyFilesystem)?;
        write_derived(&self.layout, &folder.join(name), write)
    }

    /// Adds to the end of a file, which begins with `head` where there is none yet.
    ///
    /// # Errors
    /// What the system says where it cannot be written.
    pub fn append(&self, name: &str, head: &[u8], bytes: &[u8]) -> io::Result<()> {
        let folder = self.writable.as_ref().ok_or(io::ErrorKind::ReadOnlyFilesystem)?;
        match File::options().append(true).open(folder.join(name)) {
            Ok(mut file) => file.write_all(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.replace(name, |file| {
                file.write_all(head)?;
                file.write_all(bytes)
            }),
            Err(error) => Err(error),
        }
    }

    /// Removes files by their names, where they may be written.
    ///
    /// # Errors
    /// What the system says where the folder cannot be listed, or a file not be removed.
    pub fn remove(&self, is_left: impl Fn(&str) -> bool) -> io::Result<()> {
        let Some(folder) = self.writable.as_ref().filter(|folder| folder.is_dir()) else { return Ok(()) };
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(&is_left) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Can anything be saved?
    pub fn is_writable(&self) -> bool {
        self.writable.is_some()
    }

    /// Saves all of it in one.
    pub(super) fn save_whole(&self, saved: &Saved) -> io::Result<()> {
        self.write_whole(NAME, MAGIC, &saved.encode(|_| true)?)
    }

    /// Opens a run.
    pub(super) fn run(&self, run: u64) -> Result<Run, Broken> {
        let own = self.run_file(run).map(|file| Box::new(file) as Box<dyn ReadAt>);
        Run::open(own.or_else(|| self.layout.away()?.run(run)).ok_or(Broken)?)
    }

    /// May a read take as long as a line to somewhere else does?
    pub(super) fn is_away(&self) -> bool {
        self.layout.away().is_some()
    }

    /// Writes a run under a new number, which is returned.
    pub(super) fn write_run(&self, write: impl FnOnce(File) -> io::Result<()>) -> io::Result<u64> {
        let run = new_number();
        self.replace(&run_name(run), |file| write(file.try_clone()?))?;
        Ok(run)
    }

    /// A part of the catalog, as it lies there.
    pub(super) fn part_file(&self, part: u64) -> Option<File> {
        self.folders().find_map(|folder| File::open(folder.join(numbered(part, PART_EXTENSION))).ok())
    }

    /// Writes a part of the catalog.
    pub(super) fn write_part(&self, part: &NewPart) -> io::Result<()> {
        self.replace(&numbered(part.number(), PART_EXTENSION), |file| file.write_all(&part.bytes))
    }

    /// Removes runs and parts, by their numbers, that nothing has referred to for a while, and what older versions kept
    /// in one file that none of them has written for long, unless all is kept in one.
    pub(super) fn remove_left(
        &self,
        is_in_one: bool,
        is_run: impl Fn(u64) -> bool,
        is_part: impl Fn(u64) -> bool,
    ) -> io::Result<()> {
        let Some(folder) = &self.writable else { return Ok(()) };
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let is_older = |than: Duration| -> io::Result<bool> {
                let modified = fs::metadata(&path)?.modified()?;
                Ok(SystemTime::now().duration_since(modified).is_ok_and(|age| age > than))
            };
            let is_left = match path.extension().and_then(|extension| extension.to_str()) {
                Some(RUN_EXTENSION) => number_of(&path).is_some_and(|run| !is_run(run)),
                Some(PART_EXTENSION) => number_of(&path).is_some_and(|part| !is_part(part)),
                Some(extension) => extension == TEMPORARY_EXTENSION,
                None => false,
            };
            let is_of_older_version = !is_in_one && path.file_name().is_some_and(|name| name == NAME);
            if is_left && is_older(RUN_GRACE)? || is_of_older_version && is_older(VERSION_GRACE)? {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Removes a run that nothing has ever referred to.
    pub(super) fn remove_run(&self, run: u64) {
        if let Some(folder) = &self.writable {
            // Where that fails it is removed later, as what is left over is.
            let _ = fs::remove_file(folder.join(run_name(run)));
        }
    }

    /// Nothing refers to the run from now on.
    pub(super) fn retire_run(&self, run: u64) {
        self.retire(&run_name(run));
    }

    /// Nothing refers to the part from now on.
    pub(super) fn retire_part(&self, part: u64) {
        self.retire(&numbered(part, PART_EXTENSION));
    }

    fn retire(&self, name: &str) {
        let Some(folder) = &self.writable else { return };
        let file = File::options().append(true).open(folder.join(name));
        // Where that fails it may go too early, and whoever wanted it does without.
        let _ = file.and_then(|file| file.set_modified(SystemTime::now()));
    }

    fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        self.writable.iter().chain(std::iter::once(&self.own).filter(|own| self.writable.as_ref() != Some(own)))
    }
}

const TEMPORARY_EXTENSION: &str = "tmp";

pub(super) fn run_name(run: u64) -> String {
    numbered(run, RUN_EXTENSION)
}

fn numbered(number: u64, extension: &str) -> String {
    format!("{number:016x}.{extension}")
}

/// A number that no other run and no other part has, whoever writes it.
pub(super) fn new_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let parts = [now_ns() as u64, u64::from(std::process::id()), NEXT.fetch_add(1, Ordering::Relaxed)];
    xxh3_64(parts.map(u64::to_le_bytes).as_flattened())
}

fn number_of(path: &Path) -> Option<u64> {
    u64::from_str_radix(path.file_stem()?.to_str()?, 16).ok()
}

/// A folder for this store in the user's cache: `~/.cache/emp-events/…`.
fn in_cache(layout: &Layout) -> Option<PathBuf> {
    let cache = user_folder("XDG_CACHE_HOME", ".cache")?;
    let root = layout.root().canonicalize().ok()?;
    let store = xxh3_64(root.as_os_str().as_encoded_bytes());
    Some(cache.join(format!("{store:016x}")))
}
