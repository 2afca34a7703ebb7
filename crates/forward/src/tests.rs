//! Settings and the sieve here; the forwarder on a simulated world, and what answers mean, beside.

mod crash_points;
mod simulated;
mod world;

use std::collections::HashMap;

use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use prost::Message as _;

use super::answer::{Answer, Reply};
use super::otlp::OwnedEvent;
use super::post::Signal;
use super::settings::{Asked, Target};
use super::sieve::{Sample, Sieve};
use emp_event::{EntryId, Event, Level};

fn resolve(endpoint: Option<&str>, variables: &[(&str, &str)]) -> Result<Target, String> {
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    let asked = Asked { endpoint: endpoint.map(str::to_owned), ..Asked::default() };
    Target::resolve(&asked, &|name| variables.get(name).map(|value| (*value).to_owned()))
        .map_err(|error| error.to_string())
}

#[test]
fn dash0s_own_variables_come_before_those_of_opentelemetry() {
    let both = [
        ("DASH0_OTEL_ENDPOINT", "https://ingress.eu.dash0.com/"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://elsewhere.example"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://logs.example/custom"),
    ];
    assert_eq!(resolve(None, &both).unwrap().logs_url, "https://ingress.eu.dash0.com/v1/logs");
    let target = resolve(None, &both[1..]).unwrap();
    assert_eq!(target.logs_url, "https://logs.example/custom");
    assert_eq!(target.traces_url, "https://elsewhere.example/v1/traces");
    assert_eq!(resolve(Some("https://given.example"), &both).unwrap().logs_url, "https://given.example/v1/logs");
}

#[test]
fn headers_are_decoded_and_the_key_is_never_shown() {
    let variables = [
        ("DASH0_OTEL_ENDPOINT", "https://ingress.eu.dash0.com"),
        ("DASH0_API_KEY", "auth_secret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "X-Team=a%20b,authorization=Bearer%20other"),
    ];
    let target = resolve(None, &variables).unwrap();
    let expected = [("x-team", "a b"), ("authorization", "Bearer auth_secret")];
    assert_eq!(target.headers.0, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert!(!format!("{target:?}").contains("secret"));
}

#[test]
fn what_is_not_encrypted_stays_on_this_machine() {
    for local in ["http://127.0.0.1:4318", "http://localhost:4318", "http://[::1]:4318"] {
        assert!(resolve(Some(local), &[]).is_ok(), "{local}");
    }
    for elsewhere in ["http://10.0.0.5:4318", "http://dash0.com", "http://127.0.0.1.example.com", "ftp://x", "dash0"] {
        assert!(resolve(Some(elsewhere), &[]).is_err(), "{elsewhere}");
    }
    let error = resolve(Some("http://user:hidden@10.0.0.5"), &[]).unwrap_err();
    assert!(!error.contains("hidden"), "{error}");
    assert!(resolve(None, &[]).unwrap_err().contains("DASH0_OTEL_ENDPOINT"));
}

/// An event with no more than it needs, which happened when it arrived.
pub(crate) fn bare_event(id: EntryId) -> OwnedEvent {
    Event {
        id,
        timestamp: i64::try_from(id.ms).unwrap(),
        service: "worker".into(),
        event_type: "job.claimed".into(),
        level: Level::Info,
        trace_id: None,
        job_id: None,
        worker_id: None,
        machine_id: None,
        user_id: None,
        duration_ms: None,
        data: "{}".into(),
    }
}

fn event(level: Level, event_type: &str, trace_id: &str) -> OwnedEvent {
    Event {
        event_type: event_type.to_owned().into(),
        level,
        trace_id: Some(trace_id.to_owned().into()),
        ..bare_event(EntryId::new(1, 0))
    }
}

#[test]
fn a_sample_keeps_traces_whole_and_every_error() {
    let samples = vec![Sample::parse("job.progress_*=0.25").unwrap()];
    let sieve = Sieve { min_level: Some(Level::Info), samples };
    let keeps = |level, event_type: &str, trace: usize| sieve.keeps(&event(level, event_type, &format!("t{trace}")));
    let kept: Vec<usize> = (0..4_000).filter(|trace| keeps(Level::Info, "job.progress_updated", *trace)).collect();
    assert!((900..1_100).contains(&kept.len()), "{}", kept.len());
    for trace in 0..100 {
        assert_eq!(kept.contains(&trace), keeps(Level::Warn, "job.progress_slow", trace));
        assert!(keeps(Level::Error, "job.progress_updated", trace));
        assert!(keeps(Level::Info, "job.created", trace));
        assert!(!keeps(Level::Debug, "job.created", trace));
    }
    for wrong in ["job.created", "=0.5", "job.created=2", "job.created=often"] {
        assert_eq!(Sample::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn the_address_of_a_signal_is_joined_as_an_address() {
    for (endpoint, logs, traces) in [
        ("https://h.example", "https://h.example/v1/logs", "https://h.example/v1/traces"),
        ("https://h.example/", "https://h.example/v1/logs", "https://h.example/v1/traces"),
        ("https://h.example/otlp//", "https://h.example/otlp/v1/logs", "https://h.example/otlp/v1/traces"),
        ("https://h.example/v1/logs", "https://h.example/v1/logs", "https://h.example/v1/traces"),
        ("https://h.example/a/v1/traces/", "https://h.example/a/v1/logs", "https://h.example/a/v1/traces"),
        (
            "https://h.example/otlp?tenant=a&b=/v1/logs",
            "https://h.example/otlp/v1/logs?tenant=a&b=/v1/logs",
            "https://h.example/otlp/v1/traces?tenant=a&b=/v1/logs",
        ),
        ("https://h.example/#part", "https://h.example/v1/logs", "https://h.example/v1/traces"),
    ] {
        let target = resolve(Some(endpoint), &[]).unwrap();
        assert_eq!((target.logs_url.as_str(), target.traces_url.as_str()), (logs, traces), "{endpoint}");
    }
    let error = resolve(Some("user:hidden@h.example"), &[]).unwrap_err();
    assert!(error.contains("no endpoint") && !error.contains("hidden"), "{error}");
}

fn answered(content_type: &str, body: &[u8]) -> Reply {
    let status = reqwest::StatusCode::OK;
    Answer { status, content_type, retry_after: "", body }.understood(Signal::Logs)
}

#[test]
fn a_success_counts_in_the_words_of_otlp_alone() {
    let accepted = |refused, message: &str| Reply::Accepted { refused, message: message.to_owned() };
    let partial = ExportLogsServiceResponse {
        partial_success: Some(ExportLogsPartialSuccess { rejected_log_records: 3, error_message: "no body".into() }),
    };
    assert_eq!(answered("application/x-protobuf", &partial.encode_to_vec()), accepted(3, "no body"));
    assert_eq!(answered("", &partial.encode_to_vec()), accepted(3, "no body"));
    let json = br#"{"partialSuccess":{"rejectedLogRecords":3,"errorMessage":"no body"}}"#;
    assert_eq!(answered("Application/JSON; charset=utf-8", json), accepted(3, "no body"));
    for (content_type, body) in [("", ""), ("text/html", " \r\n"), ("application/json", "{}"), ("", "{}")] {
        assert_eq!(answered(content_type, body.as_bytes()), accepted(0, ""), "{content_type}");
    }
    for (content_type, body) in [
        ("text/html", "<html>Sign in</html>"),
        ("", "<html>Sign in</html>"),
        ("text/plain", "ok"),
        ("application/json", "[]"),
        ("application/json", "<html>"),
        ("application/x-protobuf", "<html>"),
    ] {
        let reply = answered(content_type, body.as_bytes());
        assert!(matches!(reply, Reply::Foreign { .. }), "{content_type} {body}: {reply:?}");
    }
}
