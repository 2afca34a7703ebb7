use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tracing::debug;

use super::Database;
use super::session::talk;

/// Connections at once; each has a thread.
const CONNECTIONS: usize = 16;
/// How long to wait where no connection can be taken, as where all descriptors are in use.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Nobody can listen there.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address}: {source}; choose another address with --pg-listen")]
pub struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

/// A server that listens, until the process ends.
#[derive(Debug)]
pub struct Listening {
    /// Where: a port of 0 has become one that was free.
    pub address: SocketAddr,
}

/// Answers whoever knows the password, on threads of its own.
///
/// # Errors
/// [`ListenError`].
pub fn listen(
    address: SocketAddr,
    password: Option<String>,
    database: Arc<dyn Database>,
) -> Result<Listening, ListenError> {
    let failed = |source| ListenError { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let listening = Listening { address: listener.local_addr().map_err(failed)? };
    let password: Option<Arc<str>> = password.map(Into::into);
    let accept = move || {
        let connections = Arc::new(AtomicUsize::new(0));
        for stream in listener.incoming() {
            match stream {
                Ok(stream) => begin(stream, &connections, password.clone(), &database),
                Err(_) => std::thread::sleep(ACCEPT_AGAIN_AFTER),
            }
        }
    };
    std::thread::Builder::new().name("pg".to_owned()).spawn(accept).map_err(failed)?;
    Ok(listening)
}

/// One is closed at once where it is one too many.
fn begin(stream: TcpStream, connections: &Arc<AtomicUsize>, password: Option<Arc<str>>, database: &Arc<dyn Database>) {
    let place = Place::take(connections);
    let database = Arc::clone(database);
    let work = move || {
        let Some(_place) = place else { return };
        if let Err(error) = talk(&stream, password.as_deref(), database.as_ref()) {
            debug!("a connection of PostgreSQL's ended early: {error}");
        }
    };
    // Where there is no thread for it the connection is closed.
    let _ = std::thread::Builder::new().name("pg-session".to_owned()).spawn(work);
}

/// One of the connections at once.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(connections: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(connections));
        (connections.fetch_add(1, SeqCst) < CONNECTIONS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
