"""Decodes OTLP requests by the OpenTelemetry project's own package: decode.py FILE.logs FILE.traces …

Prints a line of JSON for each log record and span. A request in which anything is unknown to that
package ends it.
"""

import json
import sys
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def decode(kind, body):
    request = kind.FromString(body)
    request.DiscardUnknownFields()
    assert request.ByteSize() == len(body), "the request holds fields that OTLP does not have"
    return request


def value_of(value):
    which = value.WhichOneof("value")
    if which == "array_value":
        return [value_of(item) for item in value.array_value.values]
    if which == "kvlist_value":
        return attributes_of(value.kvlist_value.values)
    if which == "bytes_value":
        return value.bytes_value.hex()
    return getattr(value, which) if which else None


def attributes_of(attributes):
    return {attribute.key: value_of(attribute.value) for attribute in attributes}


def log(service, record):
    return {
        "kind": "log",
        "service": service,
        "event_name": record.event_name,
        "severity_number": record.severity_number,
        "severity_text": record.severity_text,
        "time_unix_nano": record.time_unix_nano,
        "observed_time_unix_nano": record.observed_time_unix_nano,
        "trace_id": record.trace_id.hex(),
        "span_id": record.span_id.hex(),
        "body": value_of(record.body),
        "attributes": attributes_of(record.attributes),
    }


def span(service, span):
    return {
        "kind": "span",
        "service": service,
        "name": span.name,
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex(),
        "start_time_unix_nano": span.start_time_unix_nano,
        "end_time_unix_nano": span.end_time_unix_nano,
        "status": span.status.code,
        "attributes": attributes_of(span.attributes),
    }


def items(path):
    body = Path(path).read_bytes()
    if path.endswith(".logs"):
        for resource in decode(ExportLogsServiceRequest, body).resource_logs:
            service = attributes_of(resource.resource.attributes).get("service.name")
            yield from (log(service, record) for scope in resource.scope_logs for record in scope.log_records)
    else:
        for resource in decode(ExportTraceServiceRequest, body).resource_spans:
            service = attributes_of(resource.resource.attributes).get("service.name")
            yield from (span(service, item) for scope in resource.scope_spans for item in scope.spans)


for path in sys.argv[1:]:
    for item in items(path):
        print(json.dumps(item, ensure_ascii=False))
