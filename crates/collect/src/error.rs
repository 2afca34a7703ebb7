use std::time::Duration;

use super::reading::DEAD_AFTER;
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
}

impl CollectError {
    /// Will trying again not help? Then a person has to change something first.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Stream(error) => error.is_final(),
            Self::Store(error) => matches!(error, StoreError::WriterName(_)),
            Self::NoConsumer { .. } | Self::ConsumerAlive { .. } => true,
        }
    }
}
