//! Events as they come: from a store that a collector writes to, or straight from Redis.
//!
//! What came before and what comes live is told apart by one rule, so that nothing is missing or doubled
//! where they meet: of a stream by the ID of the last event that was shown, of a store by that of each of
//! its writers, since the events of several come in no order. Both are read a few megabytes at a time.

mod in_order;
mod of_redis;
mod of_store;

use std::io;

use emp_job::JobEvent;
use emp_query::QueryError;
use emp_store::StoreError;
use emp_stream::StreamError;

pub use in_order::{OrderedTail, Told};
pub use of_redis::RedisTail;
pub use of_store::StoreTail;

/// Why nothing more can be shown.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// The store cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Rows of the store are no events.
    #[error("the store's rows cannot be read as events: {0}")]
    Rows(#[from] arrow::error::ArrowError),
    /// A file of the store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Redis refuses to be read.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl TailError {
    /// Has a file gone that was to be read? Then its events are in another one now.
    fn is_of_a_file_that_went(&self) -> bool {
        matches!(self, Self::Store(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound)
    }
}

/// What comes next: events, or what is to be said beside them.
pub type Next = Result<Vec<JobEvent>, Notice>;

/// What is to be said beside the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// An import has put so many events among those that were there before; they are not shown.
    AddedAmong(u64),
    /// A file of the store was left out, for that reason.
    Skipped(String),
    /// Redis is gone; it is tried again.
    Disconnected(String),
    /// Redis is there again.
    Connected,
}
