//! A store in a bucket as its readers see it: a folder that is nearly empty, and files that are fetched as they are needed.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use emp_store::{Away, Partition, ReadAt, Writer};

use super::address::Address;
use super::bundle::unpack;
use super::cache::Cache;
use super::error::BucketError;
use super::fetching::get_all;
use super::files::Files;
use super::head::{HEAD, Head, Object};
use super::records;
use super::remote::{Changed, Remote, Sum};
use super::run::RemoteRun;
use super::runtime::wait;
use super::several::{Place, Store};

/// What a question is going to need, as far as whoever asks it can tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expected {
    /// It names an id: the directories of the index are fetched with what is known about the files.
    pub ids: bool,
}

/// A store in a bucket.
#[derive(Debug)]
struct Cold {
    remote: Arc<Remote>,
    cache: Arc<Cache>,
    files: Arc<Files>,
    expected: Expected,
    head: Mutex<Option<Arc<Head>>>,
    /// It was seen as the store was opened, and not used since.
    is_fresh: AtomicBool,
    runs: Mutex<HashMap<u64, RemoteRun>>,
    /// Held while something is brought here that several ask for.
    bringing: Mutex<()>,
}

/// A store in a bucket, for everybody who reads; read rights are enough.
///
/// # Errors
/// [`BucketError`] where there are no credentials, no store is there, or it does not answer.
pub(crate) fn store_at(address: &Address, expected: Expected) -> Result<Store, BucketError> {
    let remote = Arc::new(Remote::open(address)?);
    let cache = Arc::new(Cache::of(address)?);
    let layout = cache.layout().clone();
    let root = layout.root();
    fs::create_dir_all(root).map_err(|source| BucketError::Io { action: "create", path: root.to_owned(), source })?;
    let files = Arc::new(Files::new(Arc::clone(&remote), Arc::clone(&cache)));
    let (head, runs, bringing) = (Mutex::default(), Mutex::default(), Mutex::default());
    let is_fresh = AtomicBool::new(true);
    let cold = Arc::new(Cold { remote, cache, files, expected, head, is_fresh, runs, bringing });
    cold.look()?;
    Ok(Store { place: Place::Bucket(address.clone()), layout: layout.with_away(cold) })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked has left it whole: each change is one step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cold {
    /// The head that is there now; what was seen before is asked for by its tag.
    fn look(&self) -> Result<Arc<Head>, BucketError> {
        let path = self.cache.path("store", "head");
        let known = self.cache.read(&path).and_then(|bytes| {
            let text = String::from_utf8(bytes).ok()?;
            let (tag, head) = text.split_once('\n')?;
            Some((tag.to_owned(), Head::decode(head.as_bytes()).ok()?))
        });
        let (remote, tag) = (Arc::clone(&self.remote), known.as_ref().map(|(tag, _)| tag.clone()));
        let asked = wait(async move { remote.get_if_changed(HEAD, tag.as_deref()).await });
        let head = match (asked, known) {
            (Ok(Changed::Unchanged), Some((_, head))) => head,
            (Ok(Changed::Now(bytes, tag)), _) => {
                let decoded = Head::decode(&bytes);
                let head = decoded.map_err(|detail| BucketError::Damaged { place: self.remote.place(HEAD), detail })?;
                if let Some(tag) = tag.filter(|tag| !tag.contains('\n')) {
                    // Without it the head is fetched whole again.
                    let _ = self.cache.write(&path, &[tag.as_bytes(), b"\n", &bytes].concat());
                }
                head
            }
            (Ok(Changed::Unchanged), None) | (Err(BucketError::Missing { .. }), _) => {
                return Err(BucketError::NoStore { address: self.remote.address().to_string() });
            }
            (Err(error), _) => return Err(error),
        };
        let head = Arc::new(head);
        *lock(&self.head) = Some(Arc::clone(&head));
        if self.expected.ids {
            let runs = head.runs.iter().filter(|run| !run.of_texts);
            let numbers = runs.filter_map(|run| u64::from_str_radix(&run.run, 16).ok());
            numbers.filter_map(|run| self.run_of(&head, run)).for_each(|run| run.expect_directory());
        }
        self.bring_retired(&head)?;
        Ok(head)
    }

    /// The run of that number: those who read it share what is under way.
    fn run_of(&self, head: &Head, run: u64) -> Option<RemoteRun> {
        let object = head.run(run)?;
        let new = || RemoteRun::new(&self.remote, &self.cache, object);
        Some(lock(&self.runs).entry(run).or_insert_with(new).clone())
    }

    fn seen(&self) -> Option<Arc<Head>> {
        lock(&self.head).clone()
    }

    /// What retention took out is needed to know what counts.
    fn bring_retired(&self, head: &Head) -> Result<(), BucketError> {
        if head.records.is_some() { self.bring(head, "_retired") } else { Ok(()) }
    }

    /// The bytes of objects that never change, from here or from there.
    fn objects(&self, objects: &[&Object]) -> Result<Vec<Vec<u8>>, BucketError> {
        let place = |object: &Object| self.cache.path("objects", &object.name.replace('/', "-"));
        let kept = |object: &&Object| self.cache.read(&place(object)).filter(|bytes| Sum::of(bytes) == object.sum());
        let mut all: Vec<Option<Vec<u8>>> = objects.iter().map(kept).collect();
        let missing: Vec<Object> =
            objects.iter().zip(&all).filter(|(_, kept)| kept.is_none()).map(|(object, _)| (*object).clone()).collect();
        let fetched = get_all(&self.remote, missing.clone())?;
        for (object, bytes) in missing.iter().zip(&fetched) {
            // A cache that cannot be written makes the next question slower.
            let _ = self.cache.write(&place(object), bytes);
        }
        let mut fetched = fetched.into_iter();
        for one in all.iter_mut().filter(|one| one.is_none()) {
            *one = fetched.next();
        }
        Ok(all.into_iter().flatten().collect())
    }

    fn object(&self, object: &Object) -> Result<Vec<u8>, BucketError> {
        Ok(self.objects(&[object])?.pop().unwrap_or_default())
    }

    /// Brings the records of a folder here, and removes those that are no longer there.
    fn bring(&self, head: &Head, folder: &str) -> Result<(), BucketError> {
        let _one_at_a_time = lock(&self.bringing);
        let root = self.cache.layout().root().join(folder);
        let listed = match &head.records {
            Some(object) => records::decode(&self.object(object)?, &self.remote.place(&object.name))?,
            None => Vec::new(),
        };
        let prefix = format!("{folder}/");
        let wanted: Vec<Object> = listed.into_iter().filter(|object| object.name.starts_with(&prefix)).collect();
        let is_wanted = |path: &Path| {
            let name = path.file_name().map(|name| format!("{prefix}{}", name.to_string_lossy()));
            wanted.iter().any(|object| Some(&object.name) == name.as_ref())
        };
        for entry in fs::read_dir(&root).into_iter().flatten().flatten() {
            if !is_wanted(&entry.path()) {
                let _ = fs::remove_file(entry.path());
            }
        }
        let place = |object: &Object| root.join(object.name.trim_start_matches(&prefix));
        let is_missing = |object: &Object| !Sum::of_file(&place(object)).is_ok_and(|sum| sum == object.sum());
        let missing: Vec<Object> = wanted.into_iter().filter(is_missing).collect();
        let fetched = get_all(&self.remote, missing.clone())?;
        for (object, bytes) in missing.iter().zip(fetched) {
            super::archiver::write(self.cache.layout(), &place(object), &bytes)?;
        }
        Ok(())
    }

    /// Brings a file of what is derived here, as its room names it.
    fn bring_file(&self, object: &Object, name: &str) {
        self.bring_files(&[object], &|_, bytes| Ok(vec![(name.to_owned(), bytes)]));
    }

    /// The same of bundles of such files.
    fn bring_bundles(&self, objects: &[&Object]) {
        self.bring_files(objects, &|object, bytes| unpack(&bytes, &object.name));
    }

    fn bring_files(&self, objects: &[&Object], files: Unpack<'_>) {
        let _one_at_a_time = lock(&self.bringing);
        let folder = self.cache.layout().index();
        let mark = |object: &Object| folder.join(format!("{}.brought", object.name.replace('/', "-")));
        let missing: Vec<&Object> = objects.iter().filter(|object| !mark(object).exists()).copied().collect();
        let brought = || -> Result<(), BucketError> {
            for (object, bytes) in missing.iter().zip(self.objects(&missing)?) {
                for (name, bytes) in files(object, bytes)? {
                    super::archiver::write(self.cache.layout(), &folder.join(name), &bytes)?;
                }
                super::archiver::write(self.cache.layout(), &mark(object), &[])?;
            }
            Ok(())
        };
        // What is derived is derived anew where it is missing.
        if let Err(error) = brought() {
            tracing::debug!("{error}");
        }
    }
}

/// What makes files of an object.
type Unpack<'a> = &'a dyn Fn(&Object, Vec<u8>) -> Result<NamedFiles, BucketError>;
/// Files, each with its name.
type NamedFiles = Vec<(String, Vec<u8>)>;

impl Away for Cold {
    fn each(self: Arc<Self>) -> Vec<Arc<dyn Away>> {
        vec![self]
    }

    fn taken_out(&self) -> Vec<(Writer, u64)> {
        let head = self.seen();
        let each = head.iter().flat_map(|head| &head.taken_out);
        each.filter_map(|(writer, events)| Some((writer.parse().ok()?, *events))).collect()
    }

    fn known(&self) -> io::Result<Vec<Vec<u8>>> {
        let fresh = if self.is_fresh.swap(false, Relaxed) { self.seen() } else { None };
        let head = match fresh.map_or_else(|| self.look(), Ok) {
            Err(BucketError::NoStore { .. }) => return Err(io::Error::other("the store in the bucket is gone")),
            head => head.map_err(io::Error::other)?,
        };
        let objects: Vec<&Object> = head.parts.iter().map(|part| &part.facts).collect();
        match self.objects(&objects) {
            // The head was written over, and what it named is gone.
            Err(BucketError::Missing { .. }) => {
                let head = self.look().map_err(io::Error::other)?;
                let objects: Vec<&Object> = head.parts.iter().map(|part| &part.facts).collect();
                self.objects(&objects).map_err(io::Error::other)
            }
            known => known.map_err(io::Error::other),
        }
    }

    fn open(&self, file: &Partition) -> io::Result<File> {
        self.files.open(file)
    }

    fn expect(&self, files: &[&Partition]) {
        self.files.expect(files);
    }

    fn bring_derived(&self, name: &str) {
        let Some(head) = self.seen() else { return };
        if name == emp_typical::FILE_NAME {
            if let Some(object) = &head.typical {
                self.bring_file(object, name);
            }
        } else if let Some(date) = emp_rollup::date_of_file(name) {
            let at = head.parts.partition_point(|part| part.from.as_str() <= date).saturating_sub(1);
            // Questions are about the newest day, too, nearly always, and that is small.
            let newest = head.parts.len().saturating_sub(1);
            let parts = head.parts.iter().enumerate().filter(|(number, _)| [at, newest].contains(number));
            self.bring_bundles(&parts.filter_map(|(_, part)| part.rollups.as_ref()).collect::<Vec<_>>());
        }
    }

    fn has_records(&self) -> bool {
        true
    }

    fn bring_records(&self, folder: &str) -> io::Result<()> {
        let Some(head) = self.seen() else { return Ok(()) };
        self.bring(&head, folder).map_err(io::Error::other)
    }

    fn run(&self, run: u64) -> Option<Box<dyn ReadAt>> {
        let head = self.seen()?;
        Some(Box::new(self.run_of(&head, run)?))
    }

    fn name(&self, inside: &Path) -> String {
        self.remote.place(&inside.display().to_string())
    }
}
