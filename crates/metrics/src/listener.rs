use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::debug;

use super::Text;

/// Connections at once: one scraper, a second one, and a person who looks.
const CONNECTIONS: usize = 4;
/// Of the head of a request.
const HEAD_BYTES: usize = 8 << 10;
/// How long a request and its answer may take, each.
const TIME: Duration = Duration::from_secs(5);
/// How long to wait where no connection can be taken, as where all descriptors are in use.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Nobody can listen there.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address}: {source}; choose another address with --metrics-listen")]
pub struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

/// What is told, as it is now.
pub trait Told: Send + Sync {
    /// All of it.
    fn now(&self) -> Pin<Box<dyn Future<Output = Text> + Send + '_>>;
}

/// Answers `GET /metrics` and `GET /healthz`, and nothing else.
pub struct Listener(TcpListener);

impl Listener {
    /// Begins to listen.
    ///
    /// # Errors
    /// [`ListenError`], as where another program listens there.
    pub async fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        let listener = TcpListener::bind(address).await;
        listener.map(Self).map_err(|source| ListenError { address, source })
    }

    /// Where it listens: a port of 0 has become one that was free.
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.local_addr().ok()
    }

    /// Answers for ever.
    pub async fn run(self, told: Arc<dyn Told>) {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok((stream, _)) = self.0.accept().await else {
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                continue;
            };
            // One too many is closed at once, so that nobody waits in vain.
            let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
            let told = Arc::clone(&told);
            tokio::spawn(async move {
                if let Err(error) = answer(stream, told.as_ref()).await {
                    debug!("nobody was told of the metrics: {error}");
                }
                drop(place);
            });
        }
    }
}

/// One request, and its answer; then the connection ends.
async fn answer(mut stream: TcpStream, told: &dyn Told) -> io::Result<()> {
    let Some(line) = timeout(TIME, request_line(&mut stream)).await?? else { return Ok(()) };
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.split('?').next().unwrap_or_default();
    let (status, content_type, body) = match (method, path) {
        ("GET" | "HEAD", "/metrics") => ("200 OK", Text::CONTENT_TYPE, told.now().await.into_string()),
        ("GET" | "HEAD", "/healthz") => ("200 OK", "text/plain", "ok\n".to_owned()),
        ("GET" | "HEAD", _) => ("404 Not Found", "text/plain", "there are /metrics and /healthz\n".to_owned()),
        _ => ("405 Method Not Allowed", "text/plain", "GET alone\n".to_owned()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    );
    let body = if method == "HEAD" { "" } else { &body };
    timeout(TIME, async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        stream.shutdown().await
    })
    .await?
}

/// The first line of a request whose head has come whole; `None` where it never does, or is too long.
async fn request_line(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = Vec::with_capacity(1 << 10);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() >= HEAD_BYTES || stream.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Ok(Some(String::from_utf8_lossy(line).into_owned()))
}
