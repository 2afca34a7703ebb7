//! Trace and span ids: 16 and 8 bytes, never all zero.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed, xxh3_128};

use emp_event::EntryId;

/// A trace id that OTLP takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId {
    /// The id: never all zero.
    pub bytes: [u8; 16],
    /// Did the text hold these bytes? Else they are a hash of it.
    pub is_given: bool,
    /// The span that caused what is told of, as a traceparent names it: never all zero.
    pub parent: Option<[u8; 8]>,
}

/// The trace id that a text stands for, always the same one: of 32 hex digits, a UUID or a
/// traceparent (`00-<32>-<16>-<2>`) the bytes that are written there, else a hash.
pub fn trace_id(text: &str) -> TraceId {
    given(text.as_bytes()).unwrap_or_else(|| made(text))
}

/// The trace id of a job none of whose events names one.
pub fn trace_id_of_job(job_id: &str) -> TraceId {
    made(job_id)
}

/// The id of the span that covers a whole job.
pub fn root_span_id(job_id: &str) -> [u8; 8] {
    never_zero(xxh3_64(job_id.as_bytes()).to_be_bytes())
}

/// The id of the span of that name within a job that this event opened, or alone tells of.
pub fn span_id(job_id: &str, name: &str, event: EntryId) -> [u8; 8] {
    let place = xxh3_64_with_seed(name.as_bytes(), xxh3_64(job_id.as_bytes()));
    let of_ms = xxh3_64_with_seed(&event.ms.to_be_bytes(), place);
    never_zero(xxh3_64_with_seed(&event.seq.to_be_bytes(), of_ms).to_be_bytes())
}

fn made(text: &str) -> TraceId {
    TraceId { bytes: never_zero(xxh3_128(text.as_bytes()).to_be_bytes()), is_given: false, parent: None }
}

fn given(text: &[u8]) -> Option<TraceId> {
    let (bytes, parent) = match text.len() {
        32 => (hex(text)?, None),
        36 => (uuid(text)?, None),
        55 => traceparent(text)?,
        _ => return None,
    };
    (bytes != [0; 16]).then_some(TraceId { bytes, is_given: true, parent })
}

fn uuid(text: &[u8]) -> Option<[u8; 16]> {
    let mut digits = [0; 32];
    let mut written = 0;
    for (index, byte) in text.iter().enumerate() {
        if matches!(index, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
        } else {
            *digits.get_mut(written)? = *byte;
            written += 1;
        }
    }
    hex(&digits)
}

fn traceparent(text: &[u8]) -> Option<([u8; 16], Option<[u8; 8]>)> {
    let mut parts = text.split(|byte| *byte == b'-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version != b"00" || parts.next().is_some() {
        return None;
    }
    hex::<1>(flags)?;
    Some((hex(trace)?, Some(hex(parent)?).filter(|id| *id != [0; 8])))
}

/// Exactly so many bytes, as hex digits in any case.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

fn never_zero<const N: usize>(mut bytes: [u8; N]) -> [u8; N] {
    if bytes == [0; N] {
        bytes[N - 1] = 1;
    }
    bytes
}
