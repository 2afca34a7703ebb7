use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use super::assets::Assets;
use super::guard::Hosts;
use super::limits::Limits;
use super::listener::{Line, Listener, acceptor};
use super::looks::Looks;
use super::metrics::{Lasting, Metrics};
use super::routes::{Shared, routes};
use super::{Aside, Questions, Settings};

/// How long the head of a request may take, and a connection may be silent between two.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// How long a handshake may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Of a request's head, and of what is written before a reader takes it.
const BUFFER_BYTES: usize = 64 << 10;
/// How long what is being answered may take to its end once the server is to end.
const ENDING_TIME: Duration = Duration::from_secs(5);
/// How long to wait where no connection can be taken, as where all descriptors are in use.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Whoever is one connection too many hears so.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Nobody can listen there.
    #[error("cannot listen at {place}: {source}; choose another place with --listen or --socket")]
    Listen {
        /// Where.
        place: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("{} cannot be used for TLS: {detail}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
}

/// A server that listens.
pub struct Server {
    listener: Listener,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    end: watch::Sender<bool>,
}

impl Server {
    /// Begins to listen.
    ///
    /// # Errors
    /// [`ServeError`] where that cannot be.
    pub async fn start(settings: Settings, questions: Arc<dyn Questions>) -> Result<Self, ServeError> {
        let tls = settings.tls.as_ref().map(|tls| acceptor(tls, b"http/1.1")).transpose()?;
        let listener = Listener::bind(&settings.place).await?;
        let address = listener.address();
        let limits = Arc::new(Limits::usual(settings.time_limit));
        let cookie =
            address.map_or_else(|| "emp-events".to_owned(), |address| format!("emp-events-{}", address.port()));
        let (end, ending) = watch::channel(false);
        let streams = Arc::new(Semaphore::new(limits.streams));
        let shared = Shared {
            questions,
            turns: Arc::new(Semaphore::new(limits.questions)),
            limits,
            assets: Assets::new(settings.assets, &settings.base_path),
            hosts: Hosts::new(address, &settings.allowed_hosts),
            base_path: settings.base_path,
            scheme: if tls.is_some() { "https" } else { "http" },
            token: settings.token,
            metrics_token: settings.metrics_token,
            cookie,
            metrics: Arc::new(Metrics::default()),
            looks: Looks::default(),
            streams,
            ending,
        };
        Ok(Self { listener, tls, shared: Arc::new(shared), end })
    }

    /// The address of the page, as a browser on this host takes it; `None` at a socket.
    pub fn url(&self) -> Option<String> {
        let mut address = self.listener.address()?;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        Some(format!("{}://{address}{}/", self.shared.scheme, self.shared.base_path))
    }

    /// Lets questions that come another way be answered in turn with those that come over HTTP.
    pub fn aside(&self) -> Aside {
        Aside::of(&self.shared)
    }

    /// Answers until `ended`, and what is being answered then.
    pub async fn run(self, ended: impl Future<Output = ()>) {
        let Self { listener, tls, shared, end } = self;
        let routes = routes(Arc::clone(&shared));
        let room = Arc::new(Semaphore::new(shared.limits.connections));
        let mut connections = JoinSet::new();
        let mut ended = pin!(ended);
        loop {
            let line = tokio::select! {
                () = &mut ended => break,
                Some(_) = connections.join_next() => continue,
                line = listener.accept() => line,
            };
            let Ok(mut line) = line else {
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                continue;
            };
            let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
                shared.metrics.refused_connection();
                // It is small enough for any buffer; who does not take it is not waited for.
                let _ = tokio::time::timeout(ACCEPT_AGAIN_AFTER, line.write_all(TOO_MANY)).await;
                continue;
            };
            let (tls, routes, ending) = (tls.clone(), routes.clone(), shared.ending.clone());
            let lasting = shared.metrics.connected();
            connections.spawn(async move {
                talk(line, tls, routes, ending, lasting).await;
                drop(place);
            });
        }
        drop(listener);
        let _ = end.send(true);
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(ENDING_TIME, all).await;
    }
}

/// One connection, from its first request to its last.
async fn talk(
    line: Box<dyn Line>,
    tls: Option<TlsAcceptor>,
    routes: Router,
    ending: watch::Receiver<bool>,
    _lasting: Lasting,
) {
    match tls {
        None => answer(line, routes, ending).await,
        Some(tls) => match tokio::time::timeout(HANDSHAKE_TIME, tls.accept(line)).await {
            Ok(Ok(line)) => answer(Box::new(line), routes, ending).await,
            Ok(Err(error)) => debug!("no TLS: {error}"),
            Err(_) => debug!("no TLS: the handshake took too long"),
        },
    }
}

async fn answer(line: Box<dyn Line>, routes: Router, mut ending: watch::Receiver<bool>) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(BUFFER_BYTES);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(line), TowerToHyperService::new(routes)));
    let is_ending = async {
        let _ = ending.wait_for(|is_ending| *is_ending).await;
    };
    tokio::select! {
        ended = connection.as_mut() => return said(ended),
        () = is_ending => {}
    }
    connection.as_mut().graceful_shutdown();
    said(connection.await);
}

/// That somebody has gone is nothing to be told of.
fn said(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        debug!("a connection ended early: {error}");
    }
}
