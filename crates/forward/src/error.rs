use emp_store::StoreError;
use emp_stream::StreamError;

/// Why events cannot be forwarded.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// Redis.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No client can be made: the system's certificates cannot be read, say.
    #[error("cannot make a connection of HTTP: {0}")]
    Client(String),
    /// The receiver's answer to whom it does not know; told where nobody waits for a person to change that.
    #[error("the receiver refuses us, so nothing more was sent: {0}; check endpoint and key, then run this again")]
    Denied(String),
    /// Another forwarder reads the group now.
    #[error(
        "another forwarder has taken over the group `{}` and goes on; stop it first, or leave the work to it",
        super::GROUP
    )]
    Superseded,
    /// A mistake of this program.
    #[error(
        "a mistake of this program ended it ({0}); start it again, and report this: nothing was acknowledged that was not delivered"
    )]
    Panicked(String),
}

impl ForwardError {
    /// Will trying again not help? Then a person has to change something first.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Stream(error) => error.is_final(),
            Self::Client(_) | Self::Denied(_) | Self::Panicked(_) => true,
            Self::Store(_) | Self::Superseded => false,
        }
    }
}
