//! Where connections come from: an address, or a socket in the file system; in the clear, or by TLS.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::ServeError;
use super::settings::{Place, Tls};

/// Whoever may reach the socket's folder and is in its group may ask.
const SOCKET_PERMISSIONS: u32 = 0o660;

/// A connection.
pub(crate) trait Line: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

/// Where connections come from.
pub(crate) enum Listener {
    Address(TcpListener),
    /// Held, so that it goes with the server.
    Socket(UnixListener, #[expect(dead_code, reason = "it is dropped, and does its work then")] OwnSocket),
}

/// A socket that goes with the server.
pub(crate) struct OwnSocket(PathBuf);

impl Drop for OwnSocket {
    fn drop(&mut self) {
        // Another server may have taken its place, or somebody removed it: neither is ours to put right.
        let _ = fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Begins to listen.
    pub async fn bind(place: &Place) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen { place: place.to_string(), source };
        match place {
            Place::Address(address) => TcpListener::bind(address).await.map(Self::Address).map_err(failed),
            Place::Socket(path) => {
                remove_left_over(path).await.map_err(failed)?;
                let listener = UnixListener::bind(path).map_err(failed)?;
                let own = OwnSocket(path.clone());
                fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_PERMISSIONS)).map_err(failed)?;
                Ok(Self::Socket(listener, own))
            }
        }
    }

    /// Where it listens, where that is an address.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Address(listener) => listener.local_addr().ok(),
            Self::Socket(..) => None,
        }
    }

    /// The next connection.
    pub async fn accept(&self) -> io::Result<Box<dyn Line>> {
        Ok(match self {
            Self::Address(listener) => {
                let (stream, _) = listener.accept().await?;
                // What is small and live is sent at once.
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            Self::Socket(listener, _) => Box::new(listener.accept().await?.0),
        })
    }
}

/// A socket that nobody listens at was left by a server that was killed.
async fn remove_left_over(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|there| there.file_type().is_socket());
    match is_socket
        && UnixStream::connect(path).await.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    {
        true => fs::remove_file(path),
        false => Ok(()),
    }
}

/// What speaks TLS by these files, and that protocol inside.
///
/// # Errors
/// [`ServeError::Certificate`].
pub fn acceptor(tls: &Tls, protocol: &[u8]) -> Result<TlsAcceptor, ServeError> {
    let failed = |path: &Path, detail: String| ServeError::Certificate { path: path.to_owned(), detail };
    let read = |error: &dyn std::fmt::Display| failed(&tls.certificate, error.to_string());
    let chain = CertificateDer::pem_file_iter(&tls.certificate).map_err(|error| read(&error))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|error| read(&error))?;
    if chain.is_empty() {
        return Err(failed(&tls.certificate, "it holds no certificate in PEM".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| failed(&tls.key, error.to_string()))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| read(&error))?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(|error| read(&error))?;
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
