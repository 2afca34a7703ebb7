use std::fs::{File, TryLockError};
use std::io;
use std::time::{Duration, Instant};

use super::error::IoContext as _;
use super::identity::{Identity, place_of};
use super::layout::Layout;
use super::{StoreError, disk};

/// How long to try where a reader looks whether the lock is taken: that takes it a moment.
const PATIENCE: Duration = Duration::from_secs(10);
const TRY_EVERY: Duration = Duration::from_millis(1);

/// The right to write to a store: one process has it at a time, and the system takes it
/// back from a process that dies.
pub struct Lock {
    file: File,
    layout: Layout,
    identity: Identity,
}

impl Lock {
    /// Takes the lock of a store whose journal folder exists. A store that has no id yet is given one, and one
    /// that lies elsewhere than before another one.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where another has it; else what the disk refused.
    pub(super) fn take(layout: &Layout) -> Result<Self, StoreError> {
        let path = layout.lock_file();
        let file = disk::open_or_create(layout, &path)?;
        if !lock_exclusively(&file).doing("lock", &path)? {
            return Err(StoreError::Locked { root: layout.root().to_owned() });
        }
        let place = place_of(&file, &path)?;
        let identity = match Identity::read(layout)? {
            Some(identity) if identity.is_at(&place) => return Ok(Self { file, layout: layout.clone(), identity }),
            Some(identity) => identity.of_moved(&place),
            None => Identity::new(&place),
        };
        identity.write(layout)?;
        Ok(Self { file, layout: layout.clone(), identity })
    }

    /// Does somebody write to the store? Writes nothing, and keeps nobody from the lock.
    ///
    /// # Errors
    /// What the disk refused.
    pub(super) fn is_taken(layout: &Layout) -> Result<bool, StoreError> {
        let path = layout.lock_file();
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened.doing("open", &path)?,
        };
        let is_free = locked(file.try_lock_shared()).doing("lock", &path)?;
        if is_free {
            // Closing the file would do the same a moment later.
            let _ = file.unlock();
        }
        Ok(!is_free)
    }

    /// Which store it is.
    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Makes it durable under which name the store's collector reads.
    pub(super) fn note_collector(&mut self, consumer: &str) -> Result<(), StoreError> {
        if self.identity.note_collector(consumer) { self.identity.write(&self.layout) } else { Ok(()) }
    }

    /// Makes it durable that another start works on the store; its number. `before` is the one that it follows.
    pub(super) fn begin_session(&mut self, before: Option<u64>) -> Result<u64, StoreError> {
        let session = self.identity.note_session(before);
        self.identity.write(&self.layout)?;
        Ok(session)
    }
}

/// Takes the lock; `false` where another writer has it. A reader that looks has it for a moment only, and
/// beside a reader it can be shared.
fn lock_exclusively(file: &File) -> io::Result<bool> {
    let begun = Instant::now();
    loop {
        if locked(file.try_lock())? {
            return Ok(true);
        }
        if !locked(file.try_lock_shared())? || begun.elapsed() > PATIENCE {
            return Ok(false);
        }
        file.unlock()?;
        std::thread::sleep(TRY_EVERY);
    }
}

fn locked(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

impl Drop for Lock {
    /// Closing the file is not enough: a process that is just being spawned has a copy of it
    /// until it has become the other program.
    fn drop(&mut self) {
        // Where this fails the file is closed a moment later all the same.
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn store(folder: &Path) -> Layout {
        let layout = Layout::new(folder.join("store"));
        disk::create_dir(&layout, &layout.journal()).unwrap();
        layout
    }

    fn copy(from: &Layout, to: &Layout) {
        for file in fs::read_dir(from.journal()).unwrap() {
            let path = file.unwrap().path();
            fs::copy(&path, to.journal().join(path.file_name().unwrap())).unwrap();
        }
    }

    #[test]
    fn readers_keep_no_writer_from_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let layout = store(folder.path());
        drop(Lock::take(&layout).unwrap());
        let is_over = AtomicBool::new(false);
        std::thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        Lock::is_taken(&layout).unwrap();
                    }
                });
            }
            for _ in 0..200 {
                let taken = Lock::take(&layout).map(drop);
                is_over.store(taken.is_err(), Ordering::Relaxed);
                taken.unwrap();
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn looking_whether_the_lock_is_taken_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let layout = store(folder.path());
        assert!(!Lock::is_taken(&layout).unwrap());
        assert_eq!(fs::read_dir(layout.journal()).unwrap().count(), 0);
        let lock = Lock::take(&layout).unwrap();
        assert!(Lock::is_taken(&layout).unwrap());
        drop(lock);
        assert!(!Lock::is_taken(&layout).unwrap());
    }

    #[test]
    fn an_id_is_kept_where_the_store_lies_and_changed_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (store(&folder.path().join("here")), store(&folder.path().join("there")));
        let first = Lock::take(&here).unwrap().identity().clone();
        assert_eq!(Lock::take(&here).unwrap().identity(), &first);
        copy(&here, &there);
        let copied = Lock::take(&there).unwrap().identity().clone();
        assert_ne!(copied.id(), first.id());
        let consumer = first.consumer("c1");
        assert_eq!((copied.is_own(&consumer), copied.is_former(&consumer)), (false, true));
        assert_eq!((copied.is_own("c1"), copied.is_former("c1")), (false, true), "from before there were ids");
        assert!(!copied.is_former("c1-0123456789abcdef"), "adopted from another store");
        assert_eq!(Identity::read(&there).unwrap(), Some(copied));
    }

    #[test]
    fn starts_are_remembered_with_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let layout = store(folder.path());
        let mut lock = Lock::take(&layout).unwrap();
        let first = lock.begin_session(None).unwrap();
        let second = lock.begin_session(Some(first)).unwrap();
        lock.note_collector("c1-x").unwrap();
        let read = Identity::read(&layout).unwrap().unwrap();
        assert_eq!((read.sessions(), read.collector()), (&[second, first][..], Some("c1-x")));
    }
}
