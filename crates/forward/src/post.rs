//! One request to the receiver, and what its answer means.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flate2::{Compress, Compression, FlushCompress, Status};
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::ForwardError;
use super::settings::{CONNECT_TIMEOUT, Target};

/// An answer is no longer than that, by the OTLP specification.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// So much of what a receiver says is shown.
const DETAIL_CHARACTERS_MAX: usize = 300;
/// Nobody makes us wait longer than that.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(15 * 60);

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

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// It was taken, but for so many records.
    Accepted { refused: u64, message: String },
    /// Try again, not before that time is over where it says so.
    Later { after: Option<Duration>, why: String },
    /// Something is wrong with the receiver, or with what it was sent: it cannot tell.
    Broken { why: String },
    /// The receiver does not know us, or there is none: a person has to change something.
    Denied { why: String },
    /// Send less at once.
    TooLarge,
    /// Something in it will never be taken.
    Rejected { why: String },
}

/// Sends requests over connections that are kept.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
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
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!("emp-events/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT.min(target.timeout))
            .timeout(target.timeout)
            // Elsewhere the key has no business.
            .redirect(reqwest::redirect::Policy::none())
            .http1_only()
            .tcp_nodelay(true)
            .build()
            .map_err(|error| ForwardError::Client(described(&error)))?;
        Ok(Self { http, target: target.clone(), gzip: Arc::new(Mutex::new(Gzip::new())) })
    }

    /// Posts one body. Never fails: what goes wrong is a [`Reply`].
    pub async fn post(&self, signal: Signal, body: &[u8]) -> Reply {
        let url = match signal {
            Signal::Logs => &self.target.logs_url,
            Signal::Spans => &self.target.traces_url,
        };
        let body = if self.target.gzip { self.gzipped(body) } else { body.to_vec() };
        let response = match self.http.post(url).body(body).send().await {
            Ok(response) => response,
            Err(error) => return Reply::Later { after: None, why: described(&error) },
        };
        let (status, after) = (response.status(), retry_after(&response));
        match text_of(response).await {
            Ok(answer) => understood(signal, status, after, &answer),
            Err(why) => Reply::Later { after, why },
        }
    }

    fn gzipped(&self, body: &[u8]) -> Vec<u8> {
        // Whatever it was left in, the next body begins anew.
        self.gzip.lock().unwrap_or_else(PoisonError::into_inner).compress(body)
    }
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

/// The rules of OTLP over HTTP: <https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>.
fn understood(signal: Signal, status: StatusCode, after: Option<Duration>, answer: &[u8]) -> Reply {
    let why = || format!("{status}: {}", detail_of(answer));
    match status.as_u16() {
        200..=299 => accepted(signal, answer),
        429 | 502 | 503 | 504 => Reply::Later { after, why: why() },
        413 => Reply::TooLarge,
        500..=599 => Reply::Broken { why: why() },
        // A redirection is the sign of a wrong address.
        300..=399 | 401 | 403 | 404 | 405 | 407 => Reply::Denied { why: why() },
        _ => Reply::Rejected { why: why() },
    }
}

fn accepted(signal: Signal, answer: &[u8]) -> Reply {
    let partial = match signal {
        Signal::Logs => ExportLogsServiceResponse::decode(answer)
            .ok()
            .and_then(|answer| answer.partial_success)
            .map(|partial| (partial.rejected_log_records, partial.error_message)),
        Signal::Spans => ExportTraceServiceResponse::decode(answer)
            .ok()
            .and_then(|answer| answer.partial_success)
            .map(|partial| (partial.rejected_spans, partial.error_message)),
    };
    // An answer that is no protobuf says no more than its status.
    let (refused, message) = partial.unwrap_or_default();
    Reply::Accepted { refused: refused.max(0).unsigned_abs(), message: shortened(&message) }
}

/// What the receiver says: a `google.rpc.Status`, whose message is field 2, or text.
fn detail_of(answer: &[u8]) -> String {
    #[derive(Clone, PartialEq, prost::Message)]
    struct RpcStatus {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(string, tag = "2")]
        message: String,
    }
    match RpcStatus::decode(answer) {
        Ok(status) if !status.message.is_empty() => shortened(&status.message),
        _ => shortened(&String::from_utf8_lossy(answer)),
    }
}

/// One line, not too long.
fn shortened(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(DETAIL_CHARACTERS_MAX).collect();
    line.trim().to_owned()
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

/// Seconds, or a date.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default()
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}
