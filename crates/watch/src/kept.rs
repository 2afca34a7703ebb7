//! The book on the disk, and shared by those who look and those who send.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use emp_store::{Layout, NoteLock, StoreError, lock_note, read_note, write_note};
use tokio::sync::watch;
use tracing::warn;

use super::Book;

/// The note in which the store has the book.
const NOTE: &str = "watch";

/// Why what was told cannot be remembered.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// It cannot be written.
    #[error(
        "what was told cannot be remembered in {}: {source}; mend that, or name a folder that can be written with --state",
        place.display()
    )]
    Unwritable {
        /// Where it would be.
        place: PathBuf,
        /// What the disk refused.
        source: StoreError,
    },
    /// Another process has the book, and tells.
    #[error(
        "another `emp-events watch` remembers in {} what it tells: two would tell each incident twice. Stop it, or name a folder \
         of its own with --state",
        place.display()
    )]
    Taken {
        /// Where.
        place: PathBuf,
    },
}

/// Where the book is kept.
#[derive(Debug)]
pub struct Place {
    layout: Option<Layout>,
    book: Mutex<Book>,
    /// How often it was changed.
    changes: watch::Sender<u64>,
    /// Nobody else tells by the same book.
    _lock: Option<NoteLock>,
}

impl Place {
    /// In that store, or in a folder of its own, for this process alone.
    ///
    /// # Errors
    /// [`KeptError::Taken`] where another process has it.
    pub fn of(layout: Layout) -> Result<Self, KeptError> {
        let lock = match lock_note(&layout, NOTE) {
            Ok(None) => return Err(KeptError::Taken { place: layout.notes() }),
            Ok(lock) => lock,
            // Where nothing can be written, each change says so, and people are told all the same.
            Err(_) => None,
        };
        let book = read_note(&layout, NOTE).map(|text| {
            serde_json::from_str(&text).unwrap_or_else(|error| {
                let place = layout.notes().join(NOTE);
                warn!("{} cannot be read ({error}): what it knew is told once more", place.display());
                Book::default()
            })
        });
        let book = Mutex::new(book.unwrap_or_default());
        Ok(Self { layout: Some(layout), book, changes: watch::Sender::new(0), _lock: lock })
    }

    /// Nowhere: for a watch that tells nobody.
    pub fn nowhere() -> Self {
        Self { layout: None, book: Mutex::default(), changes: watch::Sender::new(0), _lock: None }
    }

    /// Reads the book.
    pub fn read<T>(&self, read: impl FnOnce(&Book) -> T) -> T {
        read(&self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the book, and keeps it: what is to be sent before it is sent, and that it was sent before another one is.
    ///
    /// # Errors
    /// Where it cannot be written; the change holds as long as the process lives, so that people are told of a full disk.
    pub fn change<T>(&self, change: impl FnOnce(&mut Book) -> T) -> Result<T, KeptError> {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.layout.is_some().then(|| book.clone());
        let changed = change(&mut book);
        let mut written = Ok(());
        if let Some(layout) = self.layout.as_ref().filter(|_| before.as_ref() != Some(&*book)) {
            // A book is plain values: it is always text.
            let text = serde_json::to_string(&*book).unwrap_or_default();
            let failed = |source| KeptError::Unwritable { place: layout.notes(), source };
            written = write_note(layout, NOTE, &text).map_err(failed);
        }
        drop(book);
        self.changes.send_modify(|changes| *changes += 1);
        written.map(|()| changed)
    }

    /// Hears of each change.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
