use std::borrow::Cow;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use proptest::prelude::*;
use prost::Message as _;

use super::ids::trace_id;
use super::record::record;
use super::*;
use crate::tests::bare_event;
use emp_event::{EntryId, Level};

const MS: i64 = 1_758_981_600_000;
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// An event that happened and arrived so many ms after [`MS`].
fn event(after_ms: i64, event_type: &'static str, data: &str) -> OwnedEvent {
    OwnedEvent {
        event_type: Cow::Borrowed(event_type),
        data: Cow::Owned(data.to_owned()),
        ..bare_event(EntryId::new((MS + after_ms) as u64, 3))
    }
}

fn of_job(after_ms: i64, event_type: &'static str, data: &str) -> OwnedEvent {
    OwnedEvent { job_id: text("j1"), ..event(after_ms, event_type, data) }
}

fn text(text: &str) -> Option<Cow<'static, str>> {
    Some(Cow::Owned(text.to_owned()))
}

fn string(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

fn pairs(attributes: &[KeyValue]) -> Vec<(&str, &Value)> {
    let value = |pair: &'_ KeyValue| pair.value.as_ref().unwrap().value.is_some();
    assert!(attributes.iter().all(value));
    attributes.iter().map(|pair| (pair.key.as_str(), pair.value.as_ref().unwrap().value.as_ref().unwrap())).collect()
}

#[track_caller]
fn has(attributes: &[KeyValue], expected: &[(&str, Value)]) {
    let expected: Vec<(&str, &Value)> = expected.iter().map(|(key, value)| (*key, value)).collect();
    assert_eq!(pairs(attributes), expected);
}

fn body(record: &LogRecord) -> &str {
    match &record.body {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => text,
        other => panic!("the body is no text: {other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_record_has_every_field() {
    let record = record(&OwnedEvent {
        timestamp: MS - 10,
        level: Level::Error,
        trace_id: text(TRACE),
        job_id: text("j1"),
        worker_id: text("w1"),
        machine_id: text("m1"),
        user_id: text("u1"),
        duration_ms: Some(12.5),
        ..event(
            0,
            "job.failed",
            r#"{"workerId":"w1","jobId":"other","error":"out of\nmemory","tries":3,"share":0.5,"ok":false,"at":{"x":[1, 2]},"none":null}"#,
        )
    });
    assert_eq!(record.time_unix_nano, 1_758_981_599_990_000_000);
    assert_eq!(record.observed_time_unix_nano, 1_758_981_600_000_000_000);
    assert_eq!((record.severity_number, record.severity_text.as_str()), (17, "ERROR"));
    assert_eq!((record.event_name.as_str(), body(&record)), ("job.failed", "job.failed: out of"));
    assert_eq!(hex(&record.trace_id), TRACE);
    assert_eq!(record.span_id, ids::root_span_id("j1"));
    assert_eq!((record.flags, record.dropped_attributes_count), (0, 0));
    has(
        &record.attributes,
        &[
            ("log.record.uid", string("1758981600000-3")),
            ("job.id", string("j1")),
            ("worker.id", string("w1")),
            ("machine.id", string("m1")),
            ("user.id", string("u1")),
            ("duration_ms", Value::DoubleValue(12.5)),
            ("data.jobId", string("other")),
            ("data.error", string("out of\nmemory")),
            ("data.tries", Value::IntValue(3)),
            ("data.share", Value::DoubleValue(0.5)),
            ("data.ok", Value::BoolValue(false)),
            ("data.at", string(r#"{"x":[1, 2]}"#)),
        ],
    );
}

#[test]
fn a_record_of_little_says_little() {
    let record = record(&event(0, "pm2.ping", "{}"));
    assert_eq!((record.trace_id, record.span_id), (Vec::new(), Vec::new()));
    has(&record.attributes, &[("log.record.uid", string("1758981600000-3"))]);
}

#[test]
fn levels_have_their_numbers() {
    let severity = |level| {
        let record = record(&OwnedEvent { level, ..event(0, "a.b", "{}") });
        (record.severity_number, record.severity_text)
    };
    let expected = [(5, "DEBUG"), (9, "INFO"), (13, "WARN"), (17, "ERROR")];
    assert_eq!(Level::ALL.map(severity), expected.map(|(number, name)| (number, name.to_owned())));
}

#[test]
fn moments_that_otlp_cannot_say_become_the_nearest() {
    let time = |timestamp| record(&OwnedEvent { timestamp, ..event(0, "a.b", "{}") }).time_unix_nano;
    assert_eq!([time(-5), time(i64::MAX)], [0, u64::MAX]);
}

#[test]
fn the_body_has_the_message() {
    let body_of = |data: &str| body(&record(&event(0, "a.b", data))).to_owned();
    assert_eq!(body_of(r#"{"error":"e","message":" m "}"#), "a.b: m");
    assert_eq!(body_of(r#"{"errorMessage":"e\"1"}"#), "a.b: e\"1");
    assert_eq!(body_of(r#"{"error":{"code":5,"more":1}}"#), "a.b: 5");
    assert_eq!(body_of(r#"{"message":"","error":[1]}"#), "a.b");
}

#[test]
fn what_does_not_fit_goes_into_the_rest() {
    let data: Vec<String> = (0..20).map(|index| format!("\"k{index}\":{index}")).collect();
    let attributes = record(&event(0, "a.b", &format!("{{{}}}", data.join(",")))).attributes;
    let pairs = pairs(&attributes);
    assert_eq!((pairs.len(), pairs[14]), (16, ("data.k13", &Value::IntValue(13))));
    assert_eq!(pairs[15], ("data.rest", &string(r#"{"k14":14,"k15":15,"k16":16,"k17":17,"k18":18,"k19":19}"#)));
    let attributes = record(&event(0, "a.b", &format!("{{{}}}", data[..15].join(",")))).attributes;
    assert_eq!((attributes.len(), attributes[15].key.as_str()), (16, "data.k14"));
}

#[test]
fn the_last_of_equal_keys_is_sent() {
    let attributes = record(&event(0, "a.b", r#"{"a":1,"rest":2,"a":3}"#)).attributes;
    let expected = [("data.a", Value::IntValue(3)), ("data.rest", string(r#"{"rest":2}"#))];
    has(&attributes[1..], &expected);
}

#[test]
fn long_values_are_cut_and_marked() {
    let data = |chars: usize| format!(r#"{{"a":"{}"}}"#, "é".repeat(chars));
    let whole = record(&event(0, "a.b", &data(2_048))).attributes;
    has(&whole[1..], &[("data.a", string(&"é".repeat(2_048)))]);
    let cut = record(&event(0, "a.b", &data(2_049))).attributes;
    let text = format!("{}…", "é".repeat(2_047));
    has(&cut[1..], &[("data.a", string(&text)), ("emp.truncated", Value::BoolValue(true))]);
}

#[test]
fn the_mark_of_what_was_cut_counts_too() {
    let members: Vec<String> = (0..15).map(|index| format!("\"k{index}\":\"{}\"", "x".repeat(3_000))).collect();
    let attributes = record(&event(0, "a.b", &format!("{{{}}}", members.join(",")))).attributes;
    let keys: Vec<&str> = attributes[13..].iter().map(|pair| pair.key.as_str()).collect();
    assert_eq!(keys, ["data.k12", "data.rest", "emp.truncated"]);
}

#[test]
fn numbers_keep_their_digits() {
    let attributes =
        record(&event(0, "a.b", r#"{"a":9223372036854775807,"b":9223372036854775808,"c":1e400}"#)).attributes;
    let expected =
        [("data.a", Value::IntValue(i64::MAX)), ("data.b", string("9223372036854775808")), ("data.c", string("1e400"))];
    has(&attributes[1..], &expected);
}

#[test]
fn what_is_no_text_or_no_object_is_sent_as_it_is() {
    let attributes = record(&event(0, "a.b", r#"{"a":"\ud800"}"#)).attributes;
    has(&attributes[1..], &[("data.a", string(r#""\ud800""#))]);
    has(&record(&event(0, "a.b", "[1]")).attributes[1..], &[("data", string("[1]"))]);
}

#[test]
fn trace_ids_are_given_or_made() {
    let uuid = trace_id("0AF76519-16cd-43dd-8448-eb211c80319c");
    assert_eq!((hex(&uuid.bytes).as_str(), uuid.is_given, uuid.parent), (TRACE, true, None));
    assert_eq!(trace_id(TRACE), uuid);
    let parent = trace_id(TRACEPARENT);
    assert_eq!((parent.bytes, parent.parent.map(|id| hex(&id))), (uuid.bytes, Some("b7ad6b7169203331".into())));
    let zeros = "0".repeat(32);
    for made in ["", "t1", zeros.as_str(), "0af76519-16cd-43dd-8448+eb211c80319c", &TRACEPARENT.replace("00-", "ff-")] {
        let id = trace_id(made);
        assert!(!id.is_given && id.bytes != [0; 16] && id == trace_id(made), "{made}");
    }
    // Stable over releases: what was sent by an older one is recognised.
    assert_eq!(hex(&trace_id("t1").bytes), "a94d750d3a17fbe5c03234fac12ac33c");
}

#[test]
fn a_traceparent_names_the_span_and_a_made_id_keeps_its_text() {
    let of = |trace: &str| record(&OwnedEvent { trace_id: text(trace), ..of_job(0, "a.b", "{}") });
    assert_eq!(hex(&of(TRACEPARENT).span_id), "b7ad6b7169203331");
    let made = of("my trace");
    assert_eq!(made.trace_id, trace_id("my trace").bytes);
    has(&made.attributes[2..], &[("trace.original_id", string("my trace"))]);
}

#[test]
fn records_are_grouped_by_service() {
    let from = |service: &'static str, after| OwnedEvent { service: service.into(), ..event(after, "a.b", "{}") };
    let bytes = encode_logs(&[from("b", 0), from("a", 1), from("b", 2)]);
    let request = ExportLogsServiceRequest::decode(bytes.as_slice()).unwrap();
    let of_services = request.resource_logs.iter().map(|logs| {
        let scope = logs.scope_logs[0].scope.as_ref().unwrap();
        assert_eq!((scope.name.as_str(), scope.version.as_str()), ("emp-events", env!("CARGO_PKG_VERSION")));
        let resource = logs.resource.as_ref().unwrap();
        (resource.attributes[0].value.clone().unwrap().value.unwrap(), logs.scope_logs[0].log_records.len())
    });
    assert_eq!(of_services.collect::<Vec<_>>(), [(string("b"), 2), (string("a"), 1)]);
    assert!(encode_logs(&[]).is_empty());
}

fn a_job() -> Vec<OwnedEvent> {
    vec![
        OwnedEvent { service: "api".into(), trace_id: text(TRACEPARENT), ..of_job(0, "job.created", "{}") },
        of_job(100, "job.claimed", r#"{"attempt":2}"#),
        of_job(200, "connector.processing_started", "{}"),
        OwnedEvent { duration_ms: Some(50.5), ..of_job(400, "upload.completed", "{}") },
        OwnedEvent { level: Level::Error, ..of_job(900, "connector.processing_failed", r#"{"error":"broken"}"#) },
        of_job(1_000, "job.failed", r#"{"error":"gave up"}"#),
        of_job(1_100, "webhook.delivering", "{}"),
        of_job(1_200, "webhook.delivered", "{}"),
        of_job(1_300, "job.failed", "{}"),
    ]
}

#[test]
fn beginnings_and_ends_become_spans() {
    let spans = SpanJoiner::new(10).take(&a_job());
    let told: Vec<_> = spans
        .iter()
        .map(|ServiceSpan { service, span, .. }| {
            let since = |time: u64| (time - MS as u64 * 1_000_000) / 1_000;
            (service.as_str(), span.name.as_str(), since(span.start_time_unix_nano), since(span.end_time_unix_nano))
        })
        .collect();
    let expected = [
        ("worker", "upload", 349_500, 400_000),
        ("worker", "connector.processing", 200_000, 900_000),
        ("api", "job", 0, 1_000_000),
        ("worker", "webhook", 1_100_000, 1_200_000),
    ];
    assert_eq!(told, expected);
    let root = &spans[2].span;
    assert_eq!((hex(&root.parent_span_id).as_str(), root.kind), ("b7ad6b7169203331", 1));
    assert!(spans.iter().all(|span| hex(&span.span.trace_id) == TRACE && span.span.span_id.len() == 8));
    assert!([0, 1, 3].iter().all(|place| spans[*place].span.parent_span_id == root.span_id));
    let status = spans[1].span.status.as_ref().unwrap();
    assert_eq!((status.message.as_str(), status.code()), ("broken", StatusCode::Error));
    assert_eq!((spans[0].span.status.as_ref(), spans[1].event), (None, EntryId::new(MS as u64 + 900, 3)));
    let expected = [
        ("span.record.uid", string("1758981601000-3")),
        ("job.id", string("j1")),
        ("job.attempt", Value::IntValue(2)),
        ("emp.event_type", string("job.failed")),
        ("data.error", string("gave up")),
    ];
    has(&root.attributes, &expected);
}

/// Dash0 counts the same errors as every command here.
#[test]
fn a_span_has_an_error_where_the_event_that_ends_it_has_that_level() {
    let status = |event_type, level| {
        let end = OwnedEvent { level, duration_ms: Some(5.0), ..of_job(10, event_type, "{}") };
        SpanJoiner::new(10).take(&[end])[0].span.status.as_ref().map(|status| status.code())
    };
    assert_eq!(status("connector.processing_failed", Level::Error), Some(StatusCode::Error));
    assert_eq!(status("upload.completed", Level::Error), Some(StatusCode::Error));
    assert_eq!(status("webhook.delivery_failed", Level::Warn), None);
    assert_eq!(status("job.timed_out", Level::Info), None);
}

#[test]
fn batches_change_nothing_and_ids_are_stable() {
    let at_once = SpanJoiner::new(10).take(&a_job());
    let mut joiner = SpanJoiner::new(10);
    let one_by_one: Vec<_> = a_job().chunks(1).flat_map(|events| joiner.take(events)).collect();
    assert_eq!(one_by_one, at_once);
    let request = ExportTraceServiceRequest::decode(encode_spans(&at_once).as_slice()).unwrap();
    let count = |spans: &opentelemetry_proto::tonic::trace::v1::ResourceSpans| spans.scope_spans[0].spans.len();
    assert_eq!(request.resource_spans.iter().map(count).collect::<Vec<_>>(), [3, 1]);
    // All again, as after a fault: the same spans by their ids.
    let again = joiner.take(&a_job());
    let ids = |spans: &[ServiceSpan]| spans.iter().map(|span| span.span.span_id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&at_once));
}

#[test]
fn an_attempt_does_not_end_the_work_of_another() {
    let events = [
        of_job(0, "job.claimed", "{}"),
        of_job(1, "connector.processing_started", "{}"),
        of_job(2, "job.claimed", "{}"),
        of_job(3, "connector.processing_failed", "{}"),
    ];
    assert_eq!(SpanJoiner::new(10).take(&events), []);
}

#[test]
fn a_job_without_a_trace_has_one_of_its_own() {
    let late = OwnedEvent { trace_id: text(TRACE), ..of_job(30, "job.completed", "{}") };
    let events = [of_job(10, "a.started", "{}"), of_job(20, "a.finished", "{}"), late];
    let spans = SpanJoiner::new(10).take(&events);
    assert!(spans.iter().all(|span| span.span.trace_id == ids::trace_id_of_job("j1").bytes));
    let lone = OwnedEvent { duration_ms: Some(1_000.0), ..of_job(2_000, "job.completed", "{}") };
    let span = &SpanJoiner::new(10).take(&[lone])[0].span;
    assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 1_000_000_000);
}

#[test]
fn a_job_that_is_begun_again_ends_again() {
    let types = ["job.created", "job.failed", "job.retry_scheduled", "job.claimed", "job.completed", "job.completed"];
    let events: Vec<_> = types.iter().zip(0..).map(|(event_type, at)| of_job(at, event_type, "{}")).collect();
    let spans = SpanJoiner::new(10).take(&events);
    assert_eq!(spans.iter().map(|span| span.event.ms - MS as u64).collect::<Vec<_>>(), [1, 4]);
    assert_eq!(spans[0].span.span_id, spans[1].span.span_id);
}

#[test]
fn no_more_jobs_are_remembered_than_allowed() {
    let mut joiner = SpanJoiner::new(2);
    let of = |job: &str, event_type| OwnedEvent { job_id: text(job), ..event(0, event_type, "{}") };
    assert_eq!(joiner.take(&[of("1", "a.started"), of("2", "a.started"), of("3", "a.started")]), []);
    let spans = joiner.take(&[of("2", "a.completed"), of("3", "a.completed"), of("1", "a.completed")]);
    assert_eq!(spans.len(), 2);
}

#[test]
fn a_job_never_has_more_spans_than_a_trace_may() {
    let mut joiner = SpanJoiner::new(2);
    let pair = [of_job(0, "a.started", "{}"), of_job(0, "a.completed", "{}")];
    let sent: usize = (0..2_100).map(|_| joiner.take(&pair).len()).sum();
    let root = joiner.take(&[of_job(0, "job.completed", "{}")]);
    assert_eq!((sent, root.len()), (1_999, 1));
    assert!(pairs(&root[0].span.attributes).contains(&("emp.spans_left_out", &Value::IntValue(101))));
}

#[test]
fn signals_are_read_as_they_are_written() {
    assert!(Signals::ALL.iter().all(|signals| Signals::parse(signals.as_str()) == Some(*signals)));
    assert_eq!((Signals::parse("SPANS"), Signals::parse("metrics")), (Some(Signals::Spans), None));
}

/// JSON of any kind, some of it long.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,30}".prop_map(Into::into),
        (".{1,2}", 1_000_usize..3_000).prop_map(|(text, times)| text.repeat(times).into()),
    ];
    leaf.prop_recursive(3, 40, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            any_object(inner).prop_map(serde_json::Value::Object),
        ]
    })
}

fn any_object(
    value: impl Strategy<Value = serde_json::Value>,
) -> impl Strategy<Value = serde_json::Map<String, serde_json::Value>> {
    let key = prop_oneof![
        ".{0,12}",
        ".{250,260}",
        prop::sample::select(vec!["traceId", "jobId", "durationMs", "error", "message", "rest", "attempt"])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec((key, value), 0..40).prop_map(|members| members.into_iter().collect())
}

fn keeps_to_the_quotas(attributes: &[KeyValue], count_max: usize) -> Result<(), TestCaseError> {
    prop_assert!(attributes.len() <= count_max);
    let mut keys: Vec<&str> = attributes.iter().map(|pair| pair.key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    prop_assert_eq!(keys.len(), attributes.len());
    for (_, value) in pairs(attributes) {
        if let Value::StringValue(text) = value {
            prop_assert!(text.chars().count() <= 2_048);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_data_keeps_to_the_quotas(data in any_object(any_json()), trace in ".{0,60}", job in ".{0,4}") {
        let data = serde_json::Value::Object(data).to_string();
        let event = OwnedEvent {
            trace_id: text(&trace),
            worker_id: text(&trace),
            duration_ms: Some(1.0),
            job_id: text(&job),
            ..event(0, "job.failed", &data)
        };
        let record = record(&event);
        keeps_to_the_quotas(&record.attributes, 16)?;
        prop_assert_eq!((record.trace_id.len(), record.span_id.len()), (16, 8));
        let bytes = encode_logs(std::slice::from_ref(&event));
        prop_assert!(ExportLogsServiceRequest::decode(bytes.as_slice()).is_ok());
        let closing = OwnedEvent { event_type: "a.failed".into(), ..event.clone() };
        for span in SpanJoiner::new(2).take(&[closing, event]) {
            keeps_to_the_quotas(&span.span.attributes, 32)?;
        }
    }

    #[test]
    fn any_text_as_data_is_sent(data in ".*") {
        keeps_to_the_quotas(&record(&event(0, "a.b", &data)).attributes, 16)?;
    }
}
