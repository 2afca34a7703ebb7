//! Records and spans grouped by the service that they come from, as OTLP wants them.
//!
//! Each record is encoded as soon as it is made, and its memory is free for the next: to build the
//! whole request first and then to encode it took 1.4 times as long. Requests for logs and for
//! spans have the same shape and the same tags, down to the records themselves.

use std::collections::HashMap;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, message};

use super::attributes::key_value;
use super::data::cut;
use super::record::record;
use super::{OwnedEvent, ServiceSpan};

/// `resource_logs`, `resource_spans`.
const IN_REQUEST: u32 = 1;
/// `resource`, before [`SCOPE_GROUP`].
const RESOURCE: u32 = 1;
/// `scope_logs`, `scope_spans`.
const SCOPE_GROUP: u32 = 2;
/// `scope`, before [`RECORD`].
const SCOPE: u32 = 1;
/// `log_records`, `spans`.
const RECORD: u32 = 2;

/// The body of a POST to `/v1/logs` for these events: protobuf, not compressed.
pub fn encode_logs(events: &[OwnedEvent]) -> Vec<u8> {
    let mut groups = Groups::default();
    for event in events {
        groups.add(&event.service, &record(event));
    }
    groups.request()
}

/// The body of a POST to `/v1/traces` for these spans: protobuf, not compressed.
pub fn encode_spans(spans: &[ServiceSpan]) -> Vec<u8> {
    let mut groups = Groups::default();
    for span in spans {
        groups.add(&span.service, &span.span);
    }
    groups.request()
}

/// The encoded records of each service, services in the order in which they first appear.
#[derive(Default)]
struct Groups<'a> {
    places: HashMap<&'a str, usize>,
    groups: Vec<(&'a str, Vec<u8>)>,
}

impl<'a> Groups<'a> {
    fn add(&mut self, service: &'a str, record: &impl Message) {
        let place = *self.places.entry(service).or_insert(self.groups.len());
        if place == self.groups.len() {
            self.groups.push((service, Vec::new()));
        }
        message::encode(RECORD, record, &mut self.groups[place].1);
    }

    fn request(self) -> Vec<u8> {
        let mut scope = Vec::new();
        message::encode(SCOPE, &emp_events(), &mut scope);
        let bytes: usize = self.groups.iter().map(|(service, records)| records.len() + service.len() + 128).sum();
        let mut request = Vec::with_capacity(bytes);
        for (service, records) in self.groups {
            let mut head = Vec::new();
            message::encode(RESOURCE, &resource(service), &mut head);
            begin(SCOPE_GROUP, scope.len() + records.len(), &mut head);
            begin(IN_REQUEST, head.len() + scope.len() + records.len(), &mut request);
            for part in [&head, &scope, &records] {
                request.extend_from_slice(part);
            }
        }
        request
    }
}

/// Begins a message of so many bytes within another one.
fn begin(tag: u32, bytes: usize, out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(bytes as u64, out);
}

fn resource(service: &str) -> Resource {
    let name = Value::StringValue(cut(service).0.into_owned());
    let attributes = vec![key_value("service.name".to_owned(), name)];
    Resource { attributes, ..Resource::default() }
}

fn emp_events() -> InstrumentationScope {
    InstrumentationScope {
        name: "emp-events".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}
