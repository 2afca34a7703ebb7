use std::io;

use url::Url;

use super::VERSION;

/// Why a worker does not begin, or workers cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum DistributeError {
    /// The text is no address of a worker.
    #[error("`{0}` is no address of a worker: write http://HOST:PORT, or https://HOST:PORT")]
    Address(String),
    /// The text cannot be a token.
    #[error("a token has 16 to 256 letters, digits or any of -._~")]
    UnfitToken,
    /// It was shown another token than its own.
    #[error("{} does not take this token: --worker-token has to be the one that it was started with", shown(.0))]
    Token(Url),
    /// It is another version.
    #[error("the worker at {} is version {theirs} and this is {}: both have to be the same", shown(url), VERSION)]
    Version {
        /// Where it is.
        url: Url,
        /// What it says.
        theirs: String,
    },
    /// It does not answer.
    #[error("{} does not answer: {detail}", shown(url))]
    Away {
        /// Where it should be.
        url: Url,
        /// What the way there says.
        detail: String,
    },
    /// The engine cannot be set up.
    #[error("cannot set up the engine: {0}")]
    Engine(String),
    /// The certificate cannot be used.
    #[error("the certificate cannot be used: {0}")]
    Certificate(String),
    /// The listener gave up.
    #[error("cannot answer: {0}")]
    Serving(String),
    /// The address cannot be listened at.
    #[error("cannot listen: {0}")]
    Listening(#[from] io::Error),
}

/// An address as it is typed.
fn shown(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}
