use crate::store::StoreError;
use crate::stream::StreamError;

/// Why a collector cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// Redis.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CollectError {
    /// Will trying again not help? Then a person has to change something first.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Stream(error) => error.is_final(),
            Self::Store(error) => matches!(error, StoreError::WriterName(_)),
        }
    }
}
