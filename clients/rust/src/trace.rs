//! The trace that events belong to, carried along with a task.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::random::random;

tokio::task_local! {
    static CURRENT: Trace;
}

/// An id that ties together what one request caused, in all services.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Trace(Arc<str>);

impl Trace {
    /// A new one: 32 hexadecimal digits.
    pub fn random() -> Self {
        Self(format!("{:016x}{:016x}", random(), random().max(1)).into())
    }

    /// Reads a W3C `traceparent`, or takes the text as the id itself. `None` where it is empty.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let id = from_traceparent(text).unwrap_or(text);
        (!id.is_empty()).then(|| Self(id.into()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A W3C `traceparent` for a call to another service, with a new span. `None` where the id is
    /// neither 32 hexadecimal digits nor a UUID.
    pub fn traceparent(&self) -> Option<String> {
        let id: String = self.0.chars().filter(|c| *c != '-').flat_map(char::to_lowercase).collect();
        if !is_hex_id(&id, 32) {
            return None;
        }
        let mut header = format!("00-{id}-");
        write!(header, "{:016x}-01", random().max(1)).ok()?;
        Some(header)
    }
}

impl std::fmt::Display for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Runs the future so that every event emitted in it belongs to the trace. A task that it spawns
/// starts outside: give it the trace too.
pub async fn with_trace<F: Future>(trace: Trace, future: F) -> F::Output {
    CURRENT.scope(trace, future).await
}

/// As [`with_trace`], for code that does not wait.
pub fn with_trace_sync<T>(trace: Trace, run: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(trace, run)
}

/// The trace of the surrounding [`with_trace`].
pub fn current_trace() -> Option<Trace> {
    CURRENT.try_with(Trace::clone).ok()
}

/// A `traceparent` for a call made within [`with_trace`].
pub fn traceparent() -> Option<String> {
    current_trace()?.traceparent()
}

/// The trace that a request's headers name by a valid `traceparent`.
pub fn trace_from_headers<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Trace> {
    let (_, value) = headers.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("traceparent"))?;
    Trace::read(from_traceparent(value.trim())?)
}

/// The trace id within `version-trace-span-flags`.
fn from_traceparent(text: &str) -> Option<&str> {
    let mut parts = text.split('-');
    let (version, id, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_version = is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
    (is_version && is_hex_id(id, 32) && is_hex_id(span, 16) && is_hex(flags, 2)).then_some(id)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// W3C forbids an id of zeros.
fn is_hex_id(text: &str, length: usize) -> bool {
    is_hex(text, length) && text.bytes().any(|byte| byte != b'0')
}
