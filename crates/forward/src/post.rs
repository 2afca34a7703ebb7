//! One request to the receiver.

use std::sync::{Arc, Mutex, PoisonError};

use flate2::{Compress, Compression, FlushCompress, Status};
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};

use super::ForwardError;
use super::answer::{Answer, Reply};
use super::seams::Receiver;
use super::settings::{CONNECT_TIMEOUT, Target, is_this_machine};

/// An answer is no longer than that, by the OTLP specification.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Logs,
    Spans,
}

impl Signal {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Spans => "spans",
        }
    }
}

/// Sends requests over connections that are kept.
#[derive(Debug, Clone)]
pub(super) struct Client {
    /// For logs, and for spans.
    http: [reqwest::Client; 2],
    target: Target,
    gzip: Arc<Mutex<Gzip>>,
}

impl Client {
    pub fn new(target: &Target) -> Result<Self, ForwardError> {
        // An earlier client of this process may have done so.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        if target.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        for (name, value) in &target.headers.0 {
            // The settings have been checked.
            if let (Ok(name), Ok(mut value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        let logs = http_client(target, &target.logs_url, &headers)?;
        let is_alike = is_this_machine(&target.logs_url) == is_this_machine(&target.traces_url);
        let spans = if is_alike { logs.clone() } else { http_client(target, &target.traces_url, &headers)? };
        Ok(Self { http: [logs, spans], target: target.clone(), gzip: Arc::new(Mutex::new(Gzip::new())) })
    }

    fn gzipped(&self, body: &[u8]) -> Vec<u8> {
        // Whatever it was left in, the next body begins anew.
        self.gzip.lock().unwrap_or_else(PoisonError::into_inner).compress(body)
    }
}

impl Receiver for Client {
    /// Never fails: what goes wrong is a [`Reply`].
    async fn post(&self, signal: Signal, body: &[u8]) -> Reply {
        let ([logs, spans], Target { logs_url, traces_url, .. }) = (&self.http, &self.target);
        let (http, url) = match signal {
            Signal::Logs => (logs, logs_url),
            Signal::Spans => (spans, traces_url),
        };
        let body = if self.target.gzip { self.gzipped(body) } else { body.to_vec() };
        let response = match http.post(url).body(body).send().await {
            Ok(response) => response,
            Err(error) => return Reply::Later { after: None, why: described(&error) },
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (content_type, retry_after) = (header(CONTENT_TYPE), header(RETRY_AFTER));
        match text_of(response).await {
            Ok(body) => Answer { status, content_type, retry_after, body: &body }.understood(signal),
            Err(why) => Reply::Later { after: None, why },
        }
    }
}

/// A client for that address. What is on this machine is asked directly, whatever proxies the environment names:
/// they would get to read the events and the key.
fn http_client(target: &Target, url: &str, headers: &HeaderMap) -> Result<reqwest::Client, ForwardError> {
    let builder = reqwest::Client::builder()
        .default_headers(headers.clone())
        .user_agent(concat!("emp-events/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT.min(target.timeout))
        .timeout(target.timeout)
        // Elsewhere the key has no business.
        .redirect(reqwest::redirect::Policy::none())
        .http1_only()
        .tcp_nodelay(true);
    let builder = if is_this_machine(url) { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| ForwardError::Client(described(&error)))
}

/// Compresses bodies one after the other, in the same 260 KB each time.
#[derive(Debug)]
struct Gzip(Compress);

impl Gzip {
    /// Of zlib's largest window. Levels above the first make a body smaller by little, and take twice the time.
    fn new() -> Self {
        const WINDOW_BITS: u8 = 15;
        Self(Compress::new_gzip(Compression::fast(), WINDOW_BITS))
    }

    fn compress(&mut self, body: &[u8]) -> Vec<u8> {
        self.0.reset();
        let mut packed = Vec::with_capacity(body.len() / 4 + 64);
        while let Some(rest) = body.get(self.0.total_in() as usize..) {
            // Into memory: it cannot fail, but may run out of room.
            if matches!(self.0.compress_vec(rest, &mut packed, FlushCompress::Finish), Ok(Status::StreamEnd)) {
                break;
            }
            packed.reserve(body.len() / 4 + 64);
        }
        packed
    }
}

async fn text_of(mut response: Response) -> Result<Vec<u8>, String> {
    let mut answer = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if answer.len() + chunk.len() > ANSWER_BYTES_MAX => {
                return Err(format!("the answer is longer than {ANSWER_BYTES_MAX} bytes"));
            }
            Ok(Some(chunk)) => answer.extend_from_slice(&chunk),
            Ok(None) => return Ok(answer),
            Err(error) => return Err(described(&error)),
        }
    }
}

/// A fault with what caused it; without the address, which may hold a password.
fn described(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let what = if error.is_connect() { "cannot connect" } else { "the connection broke" };
    format!("{what} ({deepest})")
}
