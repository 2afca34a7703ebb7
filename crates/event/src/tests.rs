use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

const ID: EntryId = EntryId::new(1_758_981_600_000, 3);

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

/// A well-formed entry of the least fields, with `more` behind them.
fn entry(more: &[(&str, &str)]) -> Fields {
    let mut all = vec![("timestamp", "1758981599990"), ("service", "worker"), ("eventType", "job.claimed")];
    all.extend_from_slice(more);
    fields(&all)
}

#[track_caller]
fn decoded(fields: &Fields) -> Event<'_> {
    decode(ID, fields).expect("the entry is an event")
}

#[track_caller]
fn rejected(fields: &Fields) -> String {
    decode(ID, fields).expect_err("the entry is no event").to_string()
}

#[test]
fn reads_every_field_of_the_contract() {
    let entry = entry(&[
        ("traceId", "t1"),
        ("jobId", "j1"),
        ("workerId", "w1"),
        ("machineId", "m1"),
        ("userId", "u1"),
        ("level", "error"),
        ("data", r#"{"a": 1}"#),
    ]);
    let event = decoded(&entry);
    assert_eq!(event.timestamp, 1_758_981_599_990);
    assert_eq!((event.service.as_ref(), event.event_type.as_ref()), ("worker", "job.claimed"));
    assert_eq!(event.level, Level::Error);
    let ids = [&event.trace_id, &event.job_id, &event.worker_id, &event.machine_id, &event.user_id];
    assert_eq!(ids.map(|id| id.as_deref().unwrap()), ["t1", "j1", "w1", "m1", "u1"]);
    assert_eq!(event.data, r#"{"a": 1}"#);
}

#[test]
fn what_is_missing_has_its_default() {
    let entry = entry(&[]);
    let event = decoded(&entry);
    assert_eq!((event.level, event.data.as_ref(), event.duration_ms), (Level::Info, "{}", None));
    assert_eq!(event.job_id, None);
}

#[test]
fn the_whole_event_may_be_one_json_text() {
    let json = r#"{"timestamp":1758981599990,"service":"api-server","eventType":"job.created",
        "jobId":42,"level":"WARN","data":{"jobType":"image"},"host":"h1"}"#;
    let entry = fields(&[("event", json)]);
    let event = decoded(&entry);
    assert_eq!((event.timestamp, event.level), (1_758_981_599_990, Level::Warn));
    assert_eq!(event.job_id.as_deref(), Some("42"));
    assert_eq!(event.data, r#"{"jobType":"image","host":"h1"}"#);
}

#[test]
fn a_field_named_event_beside_a_service_is_a_field_like_any_other() {
    let entry = entry(&[("event", "click")]);
    assert_eq!(decoded(&entry).data, r#"{"event":"click"}"#);
}

#[test]
fn ids_inside_data_fill_those_that_are_missing() {
    let entry = entry(&[
        ("workerId", "outer"),
        ("data", r#"{"workerId":"inner","jobId":"j\u0031","machineId":"","userId":7,"traceId":null}"#),
    ]);
    let event = decoded(&entry);
    assert_eq!(event.worker_id.as_deref(), Some("outer"));
    assert_eq!(event.job_id.as_deref(), Some("j1"));
    assert_eq!(event.user_id.as_deref(), Some("7"));
    assert_eq!((event.machine_id, event.trace_id), (None, None));
}

#[test]
fn duration_is_durationms_else_the_first_key_that_names_one() {
    let cases = [
        (r#"{"processingTimeMs":5,"durationMs":7.5}"#, Some(7.5)),
        (r#"{"claimTimeMs":"soon","responseTimeMs":12,"queueLatencyMs":3}"#, Some(12.0)),
        (r#"{"queueLatencyMs":3,"totalDurationMs":4}"#, Some(3.0)),
        (r#"{"durationMs":"7","waitTimeMs":1}"#, Some(1.0)),
        (r#"{"durationMs":1e999}"#, None),
        (r#"{"timems":1,"durationMS":2,"nested":{"durationMs":3}}"#, None),
    ];
    for (data, expected) in cases {
        let entry = entry(&[("data", data)]);
        assert_eq!(decoded(&entry).duration_ms, expected, "{data}");
    }
}

#[test]
fn a_bad_timestamp_is_marked_and_the_arrival_stands_in() {
    let cases = [
        (Some("yesterday"), r#"{"a":1,"_badTimestamp":"yesterday"}"#),
        (Some("2025-09-27T13:59:59.990"), r#"{"a":1,"_badTimestamp":"2025-09-27T13:59:59.990"}"#),
        (Some("99999999999999999"), r#"{"a":1,"_badTimestamp":"99999999999999999"}"#),
        (None, r#"{"a":1,"_badTimestamp":""}"#),
    ];
    for (timestamp, data) in cases {
        let mut pairs = vec![("service", "s"), ("eventType", "e"), ("data", r#"{"a":1}"#)];
        pairs.extend(timestamp.map(|text| ("timestamp", text)));
        let entry = fields(&pairs);
        let event = decoded(&entry);
        assert_eq!((event.timestamp, event.data.as_ref()), (1_758_981_600_000, data));
    }
}

#[test]
fn an_unknown_level_is_info_and_marked() {
    let entry = entry(&[("level", "loud")]);
    let event = decoded(&entry);
    assert_eq!((event.level, event.data.as_ref()), (Level::Info, r#"{"_badLevel":"loud"}"#));
}

#[test]
fn times_in_any_usual_form_are_one_time() {
    for text in ["1758981599990", "1758981599990.5", "1758981599.990", "2025-09-27T13:59:59.990Z", "1758981599990123"] {
        let entry = fields(&[("timestamp", text), ("service", "s"), ("eventType", "e")]);
        assert_eq!((decoded(&entry).timestamp, decoded(&entry).data.as_ref()), (1_758_981_599_990, "{}"), "{text}");
    }
}

#[test]
fn levels_of_other_loggers_are_understood_and_a_missing_one_follows_the_type() {
    let levels = [("FATAL", Level::Error), ("critical", Level::Error), ("60", Level::Error), ("err", Level::Error)];
    let others = [("Warning", Level::Warn), ("40", Level::Warn), ("trace", Level::Debug), ("10", Level::Debug)];
    for (text, level) in levels.into_iter().chain(others) {
        let entry = entry(&[("level", text)]);
        assert_eq!((decoded(&entry).level, decoded(&entry).data.as_ref()), (level, "{}"), "{text}");
    }
    let types = [("api.error", Level::Error), ("job.creation_failed", Level::Error), ("job.timed_out", Level::Error)];
    for (event_type, level) in types.into_iter().chain([("job.failedover", Level::Info), ("error.shown", Level::Info)])
    {
        let entry = fields(&[("timestamp", "1"), ("service", "s"), ("eventType", event_type)]);
        assert_eq!(decoded(&entry).level, level, "{event_type}");
    }
}

#[test]
fn unknown_fields_are_kept_inside_data_and_displace_nothing() {
    let entry = entry(&[("data", r#"{"host":"a"} "#), ("host", "b"), ("host", "c"), ("q\"", "1")]);
    assert_eq!(decoded(&entry).data, r#"{"host":"a","_host":"b","__host":"c","q\"":"1"}"#);
}

#[test]
fn what_is_no_event_says_why() {
    let cases = [
        (fields(&[("eventType", "e")]), "the field `service` is missing"),
        (fields(&[("service", "s"), ("eventType", "")]), "the field `eventType` is missing"),
        (fields(&[]), "the field `service` is missing"),
        (entry(&[("data", "[1]")]), "the field `data` is not a JSON object: invalid type: sequence"),
        (entry(&[("data", r#"{"a":"#)]), "the field `data` is not a JSON object: EOF"),
        (fields(&[("event", "{]")]), "the field `event` is not a JSON object: key must be a string"),
        (vec![(b"service".to_vec(), vec![0xff])], "the field `service` is not UTF-8"),
    ];
    for (entry, reason) in cases {
        let found = rejected(&entry);
        assert!(found.starts_with(reason), "{found}");
    }
    let far = decode(EntryId::new(u64::MAX, 0), &entry(&[])).map(|event| event.id);
    assert_eq!(far, Err(Rejection::IdOutOfRange));
}

#[test]
fn what_is_no_event_is_kept_whole() {
    let entry: Fields = vec![
        (b"a".to_vec(), b"1".to_vec()),
        (b"b".to_vec(), vec![0xff, 0]),
        (b"a".to_vec(), b"2".to_vec()),
        (b"a".to_vec(), b"3".to_vec()),
        (vec![0xfe], b"".to_vec()),
    ];
    assert_eq!(fields_as_json(&entry), r#"{"a":["1","2","3"],"b":{"base64":"/wA="},"base64:/g==":""}"#);
}

#[test]
fn what_is_nested_too_deeply_is_kept_as_its_text() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let deepest = format!(r#"{{"a":{},"b":1}}"#, nested(127));
    assert_eq!(decoded(&entry(&[("data", &deepest)])).data, deepest);
    let deeper = format!(r#"{{"a":{},"b":1}}"#, nested(100_000));
    let entry = entry(&[("data", &deeper)]);
    let data = &decoded(&entry).data;
    assert!(data.ends_with(r#","b":1,"_mended":"nested too deeply"}"#) && data.contains(&nested(100_000 - 127)));
    assert_eq!(read_json::<serde_json::Value>(data).unwrap()["b"], 1);
}

#[test]
fn json_that_some_readers_refuse_is_mended_in_that_value_alone_and_marked() {
    let cases = [
        (r#"{"a":"x\ud83d","b":1}"#, "{\"a\":\"x\u{fffd}\",\"b\":1,\"_mended\":\"half a character\"}"),
        (r#"{"\udc00":"\\ud83d \ufffd"}"#, "{\"\u{fffd}\":\"\\\\ud83d \\ufffd\",\"_mended\":\"half a character\"}"),
        (r#"{"a":[-1e400,1e308,2]}"#, r#"{"a":["-1e400",1e308,2],"_mended":"a number out of range"}"#),
        (r#"{"\ud83d":1E999}"#, "{\"\u{fffd}\":\"1E999\",\"_mended\":\"half a character, a number out of range\"}"),
    ];
    for (data, expected) in cases {
        let entry = entry(&[("data", data)]);
        assert_eq!(decoded(&entry).data, expected);
        let whole = format!(r#"{{"timestamp":1,"service":"s","eventType":"e","data":{data}}}"#);
        assert_eq!(decoded(&fields(&[("event", &whole)])).data, expected);
    }
    let untouched =
        [r#"{"a":"\ud83d\ude00"}"#, r#"{"a":"1e400 \\ud83d"}"#, r#"{ "a":1e-400, "b": 123456789012345678901234 }"#];
    for data in untouched {
        assert_eq!(decoded(&entry(&[("data", data)])).data, data);
    }
}

#[test]
fn the_last_of_equal_keys_counts() {
    let entry = entry(&[("data", r#"{"jobId":"a","aTimeMs":1,"jobId":"b","aTimeMs":"soon","bTimeMs":2,"bTimeMs":3}"#)]);
    let event = decoded(&entry);
    assert_eq!((event.job_id.as_deref(), event.duration_ms), (Some("b"), Some(3.0)));
    let whole = r#"{"service":"a","service":"s","eventType":"e","timestamp":1,"timestamp":2}"#;
    let entry = fields(&[("event", whole)]);
    let event = decoded(&entry);
    assert_eq!((event.service.as_ref(), event.timestamp, event.data.as_ref()), ("s", 2, "{}"));
    let many: String = (0..40).map(|n| format!(r#""k{n}":1,"k{}":{n},"#, n % 20)).collect();
    let many = format!("{{{}}}", many.trim_end_matches(','));
    let Members(members) = Members::parse(&many).unwrap();
    let last = |n: usize| members[n].1.get().parse::<usize>().unwrap();
    assert_eq!((members.len(), last(0), last(19), last(39)), (40, 20, 39, 1));
}

#[test]
fn json_is_plain_to_all_readers_or_made_so() {
    let cases = [
        (r#"{"a": 1, "b":[{"c":1,"c":2}]}"#, r#"{"a": 1, "b":[{"c":1,"c":2}]}"#),
        (r#"{"a":{"b":1,"b":2},"c":1.50}"#, r#"{"a":{"b":2},"c":1.50}"#),
        ("no JSON", "no JSON"),
        (r#"{"a":"\ud83d","#, "{\"a\":\"\u{fffd}\","),
    ];
    for (json, expected) in cases {
        assert_eq!(plain_json(json), expected);
    }
    assert_eq!(read_json::<serde_json::Value>(r#"{"a":1e999}"#).unwrap(), serde_json::json!({"a": "1e999"}));
}

#[test]
fn entry_ids_sort_by_arrival_and_parse_only_what_redis_writes() {
    assert!(EntryId::new(5, 10) > EntryId::new(5, 9));
    assert_eq!("5-10".parse(), Ok(EntryId::new(5, 10)));
    for text in ["", "5", "-", "5-", "+5-1", "5-1-2", "5-x", "99999999999999999999-0"] {
        assert!(text.parse::<EntryId>().is_err(), "{text}");
    }
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    let known = "timestamp|service|eventType|traceId|jobId|workerId|machineId|userId|level|data|event";
    prop_oneof![4 => known.prop_map(String::into_bytes), 1 => vec(any::<u8>(), 0..6)]
}

fn any_value() -> impl Strategy<Value = Vec<u8>> {
    let jsonish = r#"[\[\]{}":,0-9a-z \\]{0,40}"#;
    prop_oneof![vec(any::<u8>(), 0..40), jsonish.prop_map(String::into_bytes), any_data().prop_map(String::into_bytes)]
}

/// A JSON object with keys that mean something here and keys that don't.
fn any_data() -> impl Strategy<Value = String> {
    let key = prop_oneof!["jobId|traceId|durationMs|claimTimeMs|host|_host|service|data|timestamp", "\\PC{0,6}"];
    let value = prop_oneof![
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        "\\PC{0,8}".prop_map(serde_json::Value::from),
        Just(serde_json::json!({"nested": [1, null]})),
    ];
    vec((key, value), 0..6).prop_map(|members| serde_json::Value::Object(members.into_iter().collect()).to_string())
}

/// Fields that make an event, in any order, with surprises between them.
fn any_event_fields() -> impl Strategy<Value = Fields> {
    let text = || "\\PC{1,8}".prop_map(String::into_bytes);
    let surprises = vec(("jobId|traceId|userId|level|host|timestamp|event", text()), 0..5);
    let timestamp = prop_oneof![any::<i64>().prop_map(|ms| ms.to_string()), Just("never".to_owned())];
    (text(), text(), timestamp, any_data(), surprises).prop_flat_map(|(service, event_type, timestamp, data, more)| {
        let mut all: Fields = vec![
            (b"service".to_vec(), service),
            (b"eventType".to_vec(), event_type),
            (b"timestamp".to_vec(), timestamp.into_bytes()),
            (b"data".to_vec(), data.into_bytes()),
        ];
        all.extend(more.into_iter().map(|(name, value)| (name.into_bytes(), value)));
        Just(all).prop_shuffle()
    })
}

proptest! {
    #[test]
    fn any_bytes_give_an_event_or_a_reason(fields in vec((any_name(), any_value()), 0..8), ms: u64, seq: u64) {
        match decode(EntryId::new(ms, seq), &fields) {
            Ok(event) => {
                prop_assert!(!event.service.is_empty() && !event.event_type.is_empty());
                prop_assert!(serde_json::from_str::<serde_json::Map<_, _>>(&event.data).is_ok() || event.data.len() > 64);
                prop_assert!((TIMESTAMP_MS_MIN..=TIMESTAMP_MS_MAX).contains(&event.timestamp));
            }
            Err(rejection) => prop_assert!(!rejection.to_string().is_empty()),
        }
    }

    #[test]
    fn encode_then_decode_is_the_identity_in_both_forms(entry in any_event_fields()) {
        let event = decode(ID, &entry).expect("made of valid fields");
        let draft = Draft::from(&event);

        let fields = draft.fields();
        prop_assert_eq!(&decode(ID, &fields).expect("our own encoding"), &event);

        let json = [("event", draft.json().expect("data is JSON"))];
        prop_assert_eq!(&decode(ID, &json).expect("our own encoding"), &event);
    }

    #[test]
    fn entry_ids_survive_their_text(ms: u64, seq: u64) {
        let id = EntryId::new(ms, seq);
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }
}
