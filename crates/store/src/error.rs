use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong with the files of a store. Every message names the path.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused an operation on a file or folder.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// A verb that fits the sentence: `write`, `list`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another collector works on the store.
    #[error("a collector is at work on the store {}", root.display())]
    Locked {
        /// The store's folder.
        root: PathBuf,
    },
    /// Somebody else writes under that name.
    #[error("another import writes as {writer}; try again when it has ended")]
    Busy {
        /// The writer's name.
        writer: String,
    },
    /// Whether an event is stored already cannot be told here.
    #[error(
        "{what} is in the archive alone, so what is new cannot be told from it; import it into a store of its own, and ask both with --store of each"
    )]
    InArchive {
        /// What.
        what: String,
    },
    /// What lies elsewhere cannot be brought here.
    #[error("{0}")]
    Elsewhere(String),
    /// A file is not what its name says.
    #[error("{} is damaged: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was expected, what was found.
        detail: String,
    },
    /// Retention would take out hours that had better stay.
    #[error("no hour was removed: {0}")]
    Refused(#[from] super::Refusal),
    /// A Parquet file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The Parquet library's answer.
        source: parquet::errors::ParquetError,
    },
    /// The name cannot stand at the front of a file name.
    #[error("`{0}` cannot name a writer: use letters, digits, `-` and `.`, not ending in `.e` and a number")]
    WriterName(String),
}

/// Says what was being done to which path when the system refused.
pub(super) trait IoContext<T> {
    fn doing(self, action: &'static str, path: &Path) -> Result<T, StoreError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn doing(self, action: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Io { action, path: path.to_owned(), source })
    }
}
