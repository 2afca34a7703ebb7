use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use rand::RngExt as _;

/// How to serve.
#[derive(Debug)]
pub struct Settings {
    /// Where to listen.
    pub place: Place,
    /// What stands before each path, without a `/` at its end: empty, or `/emp`.
    pub base_path: String,
    /// Names of this host beside those of the loopback, as requests have them.
    pub allowed_hosts: Vec<String>,
    /// What whoever asks has to know; nothing where everybody may ask.
    pub token: Option<Token>,
    /// What a scraper of `/metrics` has to know; the token above does, too.
    pub metrics_token: Option<Token>,
    /// The page's files, in place of those that the program carries.
    pub assets: Option<PathBuf>,
    /// The certificate and its key, where HTTPS is spoken.
    pub tls: Option<Tls>,
    /// How long a question takes.
    pub time_limit: Duration,
}

/// Where to listen.
#[derive(Debug, Clone)]
pub enum Place {
    /// At an address; port 0 is any that is free.
    Address(SocketAddr),
    /// At a socket in the file system.
    Socket(PathBuf),
}

/// The files of a certificate.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificates, the server's own first, as PEM.
    pub certificate: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
}

/// A secret. It is shown to nobody by accident.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// One of 128 random bits.
    pub fn random() -> Self {
        Self(hex::encode(rand::rng().random::<[u8; 16]>()))
    }

    /// One that was chosen: 16 visible ASCII characters at least, none of which a header or a link would change.
    pub fn chosen(text: &str) -> Option<Self> {
        const LENGTH_MIN: usize = 16;
        const LENGTH_MAX: usize = 256;
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let is_long = (LENGTH_MIN..=LENGTH_MAX).contains(&text.len());
        (is_long && text.bytes().all(is_fit)).then(|| Self(text.to_owned()))
    }

    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Is it that? Takes as long whatever is given.
    pub(crate) fn is(&self, given: &str) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.0.as_bytes(), given.as_bytes()).into()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}
