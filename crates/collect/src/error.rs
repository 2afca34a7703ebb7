use std::path::PathBuf;
use std::time::Duration;

use super::liveness::DEAD_AFTER;
use emp_store::StoreError;
use emp_stream::StreamError;

/// Why a collector cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// Redis.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bucket, where it was asked for all at once.
    #[error(transparent)]
    Bucket(#[from] emp_bucket::BucketError),
    /// There is nobody to take over from.
    #[error("the group has no consumer `{name}` to adopt; it has {}", known.join(", "))]
    NoConsumer {
        /// Who was asked for.
        name: String,
        /// Who is there.
        known: Vec<String>,
    },
    /// Taking over from one that is alive would store its entries twice.
    #[error(
        "consumer `{name}` is alive: it asked for entries {:.1} s ago; stop it, and adopt what it leaves once it has been silent for {} s",
        idle.as_secs_f64(), DEAD_AFTER.as_secs()
    )]
    ConsumerAlive {
        /// Who was asked for.
        name: String,
        /// How long it has been silent.
        idle: Duration,
    },
    /// Another process reads in this store's name.
    #[error(
        "another collector is alive as `{name}`, the consumer of the store {root}: it works on a copy of the whole disk, or this is the copy. Stop one of the two; to keep both, remove {root}/_journal/identity of one of them, and that store is given a name of its own",
        root = root.display()
    )]
    AliveElsewhere {
        /// The consumer.
        name: String,
        /// The store's folder.
        root: PathBuf,
    },
}

impl CollectError {
    /// Will trying again not help? Then a person has to change something first.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Stream(error) => error.is_final(),
            Self::Store(error) => matches!(error, StoreError::WriterName(_)),
            Self::Bucket(_) | Self::NoConsumer { .. } | Self::ConsumerAlive { .. } | Self::AliveElsewhere { .. } => {
                true
            }
        }
    }

    /// Would trying again do harm, though all had worked before? Two collectors must not take turns in one name.
    pub(super) fn forbids_another_try(&self) -> bool {
        matches!(self, Self::AliveElsewhere { .. } | Self::Stream(StreamError::TakenOver { .. }))
    }
}
