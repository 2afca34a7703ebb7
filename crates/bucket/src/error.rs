//! What can go wrong with a bucket.

use std::path::PathBuf;

use emp_store::StoreError;

/// Why something could not be put into a bucket, or be read from it. Every message says what to do where something can
/// be done.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// Nobody says who we are.
    #[error("no credentials for {address}: {looked}")]
    NoCredentials {
        /// The store.
        address: String,
        /// Where they were looked for, and what to do.
        looked: String,
    },
    /// The settings for the bucket make no sense.
    #[error("{address} cannot be asked: {why}")]
    Settings {
        /// The store.
        address: String,
        /// What is wrong.
        why: String,
    },
    /// The bucket refuses.
    #[error("{place} is refused: {why}")]
    Denied {
        /// The object.
        place: String,
        /// What the server said.
        why: String,
    },
    /// It does not answer, or not as it should. It may do so later.
    #[error("{place} does not answer: {why}")]
    Away {
        /// The object.
        place: String,
        /// What the server or the system said.
        why: String,
    },
    /// Something is not there.
    #[error("{place} is not there")]
    Missing {
        /// The object.
        place: String,
    },
    /// There is another object of that name.
    #[error(
        "{place} is there, and holds something else ({there}, not {ours}): nothing was written over; archive to another prefix, or find out who writes there"
    )]
    Differs {
        /// The object.
        place: String,
        /// What is there.
        there: String,
        /// What was to be put there.
        ours: String,
    },
    /// Another store writes below that prefix.
    #[error(
        "{address} belongs to another store ({theirs}, ours is {ours}): each store needs a prefix of its own, such as {address}/{ours}"
    )]
    Foreign {
        /// The prefix.
        address: String,
        /// The id of the store that writes there.
        theirs: String,
        /// Ours.
        ours: String,
    },
    /// The same store, or a copy of it, writes there from somewhere else.
    #[error(
        "somebody else has written to {address} as this store does, a copy of it perhaps: archive one of them to another prefix, or, where the other is gone for good, add --take-over"
    )]
    Twice {
        /// The prefix.
        address: String,
    },
    /// What is there is not what was put there.
    #[error("{place} is damaged: {detail}")]
    Damaged {
        /// The object.
        place: String,
        /// What was expected, what was found.
        detail: String,
    },
    /// Hours would go that had better stay.
    #[error("no hour was taken out of {address}: {why}")]
    Refused {
        /// The store.
        address: String,
        /// Why.
        why: String,
    },
    /// The head needs not be made anew.
    #[error(
        "the head of {address} is good, it lists {files} files: nothing was changed; where it is to be made anew all the same, add --even-if-good"
    )]
    HeadIsGood {
        /// The store.
        address: String,
        /// How many files it lists.
        files: u64,
    },
    /// Somebody else on this machine puts hours there.
    #[error("a collector or another `archive` at work on {store} puts its hours into a bucket already")]
    Busy {
        /// The store's folder.
        store: String,
    },
    /// There is a bucket, and no store in it.
    #[error(
        "there is no store at {address}: {address}/_catalog/head is missing; `emp-events archive` on the host of the store puts one there, and, where files of it are there and the head was lost, `emp-events archive --rebuild-head`"
    )]
    NoStore {
        /// The prefix.
        address: String,
    },
    /// The folder refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system refused an operation on a file of ours.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// A verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl BucketError {
    /// May the same succeed later, with nothing changed here?
    pub fn may_pass(&self) -> bool {
        !matches!(
            self,
            Self::Refused { .. }
                | Self::HeadIsGood { .. }
                | Self::Differs { .. }
                | Self::Foreign { .. }
                | Self::Twice { .. }
                | Self::Settings { .. }
        )
    }
}
