//! What was sent, as the tests look at it.

use std::collections::BTreeMap;
use std::time::Instant;

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message as _;

/// A request as it came, its body unpacked.
#[derive(Debug, Clone)]
pub struct Taken {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    pub at: Instant,
}

/// A log record and the service that it belongs to.
#[derive(Debug, Clone)]
pub struct Record {
    pub service: String,
    pub attributes: BTreeMap<String, String>,
    pub log: LogRecord,
}

/// A span and the service that it belongs to.
#[derive(Debug, Clone)]
pub struct Span {
    pub service: String,
    pub attributes: BTreeMap<String, String>,
    pub span: opentelemetry_proto::tonic::trace::v1::Span,
}

impl Taken {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The log records in it; none in a request of another kind.
    pub fn records(&self) -> Vec<Record> {
        if !self.path.ends_with("/v1/logs") {
            return Vec::new();
        }
        let request = ExportLogsServiceRequest::decode(self.body.as_slice()).expect("a request with logs");
        let mut records = Vec::new();
        for resource in request.resource_logs {
            let service = service_of(resource.resource.map(|resource| resource.attributes).unwrap_or_default());
            for log in resource.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
                records.push(Record { service: service.clone(), attributes: texts(&log.attributes), log });
            }
        }
        records
    }

    /// The spans in it.
    pub fn spans(&self) -> Vec<Span> {
        if !self.path.ends_with("/v1/traces") {
            return Vec::new();
        }
        let request = ExportTraceServiceRequest::decode(self.body.as_slice()).expect("a request with spans");
        let mut spans = Vec::new();
        for resource in request.resource_spans {
            let service = service_of(resource.resource.map(|resource| resource.attributes).unwrap_or_default());
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                spans.push(Span { service: service.clone(), attributes: texts(&span.attributes), span });
            }
        }
        spans
    }

    /// Does it hold the event of that job?
    pub fn holds(&self, job: &str) -> bool {
        self.records().iter().any(|record| record.job() == job)
    }
}

impl Record {
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    pub fn job(&self) -> &str {
        self.attribute("job.id")
    }

    /// By which a receiver knows one that it has.
    pub fn uid(&self) -> &str {
        self.attribute("log.record.uid")
    }
}

fn service_of(attributes: Vec<KeyValue>) -> String {
    texts(&attributes).remove("service.name").unwrap_or_default()
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let all: BTreeMap<String, String> =
        attributes.iter().map(|one| (one.key.clone(), text(one.value.as_ref()))).collect();
    assert_eq!(all.len(), attributes.len(), "no attribute is there twice");
    all
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        None => String::new(),
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => value.to_string(),
        Some(other) => format!("{other:?}"),
    }
}

/// The body of an answer that says that so many were not taken.
pub fn partial_success(path: &str, rejected: i64, reason: &str) -> Vec<u8> {
    let error_message = reason.to_owned();
    if path.ends_with("/v1/traces") {
        let partial = ExportTracePartialSuccess { rejected_spans: rejected, error_message };
        return ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    }
    let partial = ExportLogsPartialSuccess { rejected_log_records: rejected, error_message };
    ExportLogsServiceResponse { partial_success: Some(partial) }.encode_to_vec()
}
