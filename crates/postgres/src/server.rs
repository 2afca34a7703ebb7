use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use pgwire::api::{ClientInfo as _, ErrorHandler as _, PgWireConnectionState};
use pgwire::messages::PgWireFrontendMessage;
use pgwire::tokio::TlsAcceptor;
use pgwire::tokio::server::{negotiate_tls, process_error, process_message};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_util::codec::{Framed, FramedParts};
use tracing::debug;

use super::Database;
use super::cancel::Cancels;
use super::line::{Allowance, Line};
use super::session::Session;
use super::settings::Told;
use super::startup::{Entry, Errors, Known, Startup};

/// Connections at once.
const CONNECTIONS: usize = 32;
/// How long it may take until the client has said who it is.
const GREETING_TIME: Duration = Duration::from_secs(30);
/// Of what comes at once until the client has said so, and then of a message.
const GREETING_BYTES: usize = 64 << 10;
/// See [`GREETING_BYTES`].
const MESSAGE_BYTES: usize = 16 << 20;
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

/// What encrypts connections, where a client asks for that.
pub struct Encryption {
    /// Speaks TLS.
    pub acceptor: TlsAcceptor,
    /// The certificate as PEM, to which a client may bind the proof that it knows the password.
    pub certificate: Vec<u8>,
}

/// What connections have in common.
struct Shared {
    entry: Entry,
    acceptor: Option<TlsAcceptor>,
    session: Arc<Session>,
    cancels: Arc<Cancels>,
    room: Arc<Semaphore>,
}

/// Answers whoever knows the password, on a thread of its own.
///
/// # Errors
/// [`ListenError`].
pub fn listen(
    address: SocketAddr,
    password: Option<&str>,
    encryption: Option<Encryption>,
    database: Arc<dyn Database>,
) -> Result<Listening, ListenError> {
    let failed = |source| ListenError { address, source };
    let listener = StdListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let listening = Listening { address: listener.local_addr().map_err(failed)? };
    let (acceptor, certificate) = encryption.map(|it| (it.acceptor, it.certificate)).unzip();
    let cancels = Arc::<Cancels>::default();
    let shared = Shared {
        entry: Entry {
            known: password.map(|password| Arc::new(Known::of(password))),
            certificate,
            keys: Arc::default(),
            told: Told { version: database.version() },
        },
        acceptor,
        session: Arc::new(Session { database, cancels: Arc::clone(&cancels) }),
        cancels,
        room: Arc::new(Semaphore::new(CONNECTIONS)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener).map_err(failed)?
    };
    let work = move || runtime.block_on(accept(listener, Arc::new(shared)));
    std::thread::Builder::new().name("pg".to_owned()).spawn(work).map_err(failed)?;
    Ok(listening)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
            continue;
        };
        // One that is one too many is closed at once.
        let Ok(place) = Arc::clone(&shared.room).try_acquire_owned() else { continue };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            if let Err(error) = talk(stream, &shared).await {
                debug!("a connection of PostgreSQL's ended early: {error}");
            }
            drop(place);
        });
    }
}

/// Talks with a client until it goes.
async fn talk(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let greeted_by = Instant::now() + GREETING_TIME;
    let negotiated = timeout_at(greeted_by, negotiate_tls(stream, shared.acceptor.clone())).await;
    let Ok(Some(socket)) = negotiated.map_err(io::Error::from).and_then(|socket| socket) else { return Ok(()) };
    let allowance = Allowance::default();
    let old = socket.into_parts();
    let mut parts = FramedParts::new(Line::new(old.io, allowance.clone()), old.codec);
    (parts.read_buf, parts.write_buf) = (old.read_buf, old.write_buf);
    let mut socket = Framed::from_parts(parts);
    let startup = Arc::new(Startup::of(&shared.entry));
    loop {
        let is_greeting = matches!(
            socket.state(),
            PgWireConnectionState::AwaitingStartup | PgWireConnectionState::AuthenticationInProgress
        );
        allowance.set(if is_greeting { GREETING_BYTES } else { MESSAGE_BYTES });
        let next = match is_greeting {
            true => timeout_at(greeted_by, socket.next()).await.unwrap_or(None),
            false => socket.next().await,
        };
        let message = match next {
            None | Some(Ok(PgWireFrontendMessage::Terminate(_))) => return Ok(()),
            Some(message) => message.map_err(io::Error::other)?,
        };
        let waits_for_sync = message.is_extended_query();
        let answered = process_message(
            message,
            &mut socket,
            Arc::clone(&startup),
            Arc::clone(&shared.session),
            Arc::clone(&shared.session),
            Arc::new(pgwire::api::NoopHandler),
            Arc::clone(&shared.cancels),
        );
        if let Err(mut error) = answered.await {
            Errors.on_error(&socket, &mut error);
            process_error(&mut socket, error, waits_for_sync).await?;
        }
    }
}
