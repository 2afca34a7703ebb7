//! An event as a log record.

use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};

use super::attributes::Attributes;
use super::data::{cut, line};
use super::ids::{root_span_id, trace_id};
use super::{OwnedEvent, nanoseconds};
use emp_event::{Level, Members};

/// Dash0's quota for a log record.
const ATTRIBUTES_MAX: usize = 16;
/// Where producers put what a person would read first.
const MESSAGE_KEYS: [&str; 4] = ["message", "error", "errorMessage", "error_message"];

/// The log record of an event.
pub fn record(event: &OwnedEvent) -> LogRecord {
    let members = Members::parse(&event.data).ok();
    let body = body(event, members.as_ref());
    let mut attributes = Attributes::new(ATTRIBUTES_MAX);
    attributes.text("log.record.uid", &event.id.to_string());
    attributes.ids(event);
    let trace = event.trace_id.as_deref().map(trace_id);
    if trace.is_some_and(|trace| !trace.is_given) {
        attributes.text_if("trace.original_id", event.trace_id.as_deref());
    }
    let span_id = trace.and_then(|trace| match trace.parent {
        Some(parent) => Some(parent),
        None => event.job_id.as_deref().map(root_span_id),
    });
    let (severity, severity_text) = severity(event.level);
    LogRecord {
        time_unix_nano: nanoseconds(event.timestamp),
        observed_time_unix_nano: event.id.ms.saturating_mul(1_000_000),
        severity_number: severity.into(),
        severity_text: severity_text.to_owned(),
        body: Some(AnyValue { value: Some(Value::StringValue(body)) }),
        attributes: attributes.finish(event, members),
        dropped_attributes_count: 0,
        flags: 0,
        trace_id: trace.map_or_else(Vec::new, |trace| trace.bytes.to_vec()),
        span_id: span_id.map_or_else(Vec::new, |id| id.to_vec()),
        event_name: event.event_type.as_ref().to_owned(),
    }
}

fn body(event: &OwnedEvent, members: Option<&Members<'_>>) -> String {
    match members.and_then(|members| line(members, &MESSAGE_KEYS)) {
        Some(line) => [event.event_type.as_ref(), ": ", &cut(&line).0].concat(),
        None => event.event_type.as_ref().to_owned(),
    }
}

const fn severity(level: Level) -> (SeverityNumber, &'static str) {
    match level {
        Level::Debug => (SeverityNumber::Debug, "DEBUG"),
        Level::Info => (SeverityNumber::Info, "INFO"),
        Level::Warn => (SeverityNumber::Warn, "WARN"),
        Level::Error => (SeverityNumber::Error, "ERROR"),
    }
}
