//! What an answer of the receiver means: <https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>.

use std::time::Duration;

use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use reqwest::StatusCode;
use serde_json::Value;

use super::post::Signal;

/// So much of what a receiver says is shown.
const DETAIL_CHARACTERS_MAX: usize = 300;
/// Nobody makes us wait longer than that.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(15 * 60);

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// It was taken, but for so many records.
    Accepted { refused: u64, message: String },
    /// Try again, not before that time is over where it says so.
    Later { after: Option<Duration>, why: String },
    /// Something is wrong with the receiver, or with what it was sent: it cannot tell.
    Broken { why: String },
    /// Success, in no words of OTLP: a page of some other server, which has taken nothing.
    Foreign { why: String },
    /// The receiver does not know us, or there is none: a person has to change something.
    Denied { why: String },
    /// Send less at once.
    TooLarge,
    /// Something in it will never be taken.
    Rejected { why: String },
}

/// An answer as it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub status: StatusCode,
    /// The headers `Content-Type` and `Retry-After`, empty where they are missing.
    pub content_type: &'a str,
    pub retry_after: &'a str,
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// What it means for the request.
    pub fn understood(&self, signal: Signal) -> Reply {
        let why = || format!("{}: {}", self.status, detail_of(self.body));
        match self.status.as_u16() {
            200..=299 => self.accepted(signal),
            429 | 502 | 503 | 504 => Reply::Later { after: retry_after(self.retry_after), why: why() },
            413 => Reply::TooLarge,
            500..=599 => Reply::Broken { why: why() },
            // A redirection is the sign of a wrong address.
            300..=399 | 401 | 403 | 404 | 405 | 407 => Reply::Denied { why: why() },
            _ => Reply::Rejected { why: why() },
        }
    }

    /// Of a success: the body is empty, or says in protobuf or in JSON what was left out. What answers in other
    /// words, such as the page of a proxy or of some other server, is no receiver.
    fn accepted(&self, signal: Signal) -> Reply {
        let media_type = self.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let partial = match media_type.as_str() {
            _ if self.body.iter().all(u8::is_ascii_whitespace) => Some((0, String::new())),
            "application/json" => partial_of_json(self.body),
            "application/x-protobuf" | "application/protobuf" => partial_of_protobuf(signal, self.body),
            // Nobody says what it is: it may be either.
            "" | "application/octet-stream" => {
                partial_of_json(self.body).or_else(|| partial_of_protobuf(signal, self.body))
            }
            _ => None,
        };
        match partial {
            Some((refused, message)) => {
                Reply::Accepted { refused: refused.max(0).unsigned_abs(), message: shortened(&message) }
            }
            None => {
                let kind = if media_type.is_empty() { "no kind of content" } else { media_type.as_str() };
                let detail = detail_of(self.body);
                Reply::Foreign { why: format!("{} with {kind}, which is no answer of OTLP: {detail}", self.status) }
            }
        }
    }
}

/// How many records were left out, and why.
fn partial_of_protobuf(signal: Signal, body: &[u8]) -> Option<(i64, String)> {
    let partial = match signal {
        Signal::Logs => {
            let partial = ExportLogsServiceResponse::decode(body).ok()?.partial_success;
            partial.map(|partial| (partial.rejected_log_records, partial.error_message))
        }
        Signal::Spans => {
            let partial = ExportTraceServiceResponse::decode(body).ok()?.partial_success;
            partial.map(|partial| (partial.rejected_spans, partial.error_message))
        }
    };
    Some(partial.unwrap_or_default())
}

/// The same in JSON, where protobuf's mapping writes an `int64` as a text.
fn partial_of_json(body: &[u8]) -> Option<(i64, String)> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let partial = answer.as_object()?.get("partialSuccess");
    let of = |name: &str| partial.and_then(|partial| partial.get(name));
    let refused = ["rejectedLogRecords", "rejectedSpans"].iter().find_map(|name| match of(name)? {
        Value::String(text) => text.parse().ok(),
        number => number.as_i64(),
    });
    let message = of("errorMessage").and_then(Value::as_str).unwrap_or_default();
    Some((refused.unwrap_or(0), message.to_owned()))
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

/// Seconds, or a date; `None` for anything else.
fn retry_after(text: &str) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default()
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}
