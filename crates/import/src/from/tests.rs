use serde_json::{Value, json};

use super::*;

#[track_caller]
fn events(format: &str, line: &str) -> Vec<Value> {
    let records = Format::named(format).unwrap().records(line).unwrap();
    records.iter().map(|record| serde_json::from_str(record).unwrap()).collect()
}

#[test]
fn every_preset_is_understood_and_named_in_the_error() {
    for (name, _) in PRESETS {
        Format::named(name).unwrap();
    }
    let said = Format::named("log4j").unwrap_err().to_string();
    assert!(said.starts_with("`log4j` is no format: use one of pino, winston"), "{said}");
    assert!(Format::named("missing.toml").unwrap_err().to_string().contains("cannot read the format missing.toml"));
}

#[test]
fn otlp_gives_an_event_for_each_record() {
    let line = json!({"resourceLogs": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "worker"}}]},
        "scopeLogs": [{"logRecords": [
            {"timeUnixNano": "1758981600123456789", "severityNumber": 17, "body": {"stringValue": "out of memory"},
             "attributes": [{"key": "job.id", "value": {"stringValue": "j1"}}, {"key": "n", "value": {"intValue": "3"}}],
             "traceId": "0af7651916cd43dd8448eb211c80319c"},
            {"timeUnixNano": "0", "observedTimeUnixNano": "1758981600124000000", "severityText": "INFO",
             "eventName": "job.done", "body": {"kvlistValue": {"values": [{"key": "a", "value": {"boolValue": true}}]}}},
        ]}],
    }]});
    let events = events("otlp-json", &line.to_string());
    assert_eq!(
        events[0],
        json!({"timestamp": "1758981600123456789", "service": "worker", "eventType": "log.error", "level": "error",
               "traceId": "0af7651916cd43dd8448eb211c80319c", "jobId": "j1",
               "data": {"message": "out of memory", "n": 3}})
    );
    assert_eq!((&events[1]["timestamp"], &events[1]["eventType"]), (&json!("1758981600124000000"), &json!("job.done")));
}

#[test]
fn bullmqs_stream_is_read_as_redis_prints_it() {
    let line = r#"["1758981600123-0",["event","failed","jobId","7","failedReason","boom","prev","active"]]"#;
    assert_eq!(
        events("bullmq", line),
        [json!({"timestamp": 1_758_981_600_123_i64, "service": "bullmq", "eventType": "job.failed", "jobId": "7",
                "data": {"error": "boom", "failedReason": "boom", "prev": "active"}})]
    );
}

#[test]
fn journald_has_its_own_levels_and_times() {
    let line = r#"{"__REALTIME_TIMESTAMP":"1758981600123456","PRIORITY":"3","SYSLOG_IDENTIFIER":"api",
        "_HOSTNAME":"h1","MESSAGE":"boom","__CURSOR":"s=1","_PID":"7"}"#;
    assert_eq!(
        events("journald", line),
        [json!({"timestamp": "1758981600123456", "service": "api", "eventType": "log.error", "level": "error",
                "machineId": "h1", "data": {"message": "boom", "_PID": "7"}})]
    );
}

#[test]
fn ecs_is_read_nested_and_with_dots() {
    let nested = r#"{"@timestamp":"2025-09-27T14:00:00.123Z","log":{"level":"warn"},"service":{"name":"api"},"message":"slow",
        "trace":{"id":"t1"},"event":{"action":"job.slow"}}"#;
    let dotted = r#"{"@timestamp":"2025-09-27T14:00:00.123Z","log.level":"warn","service.name":"api","message":"slow",
        "trace.id":"t1","event.action":"job.slow"}"#;
    let expected = json!({"timestamp": "2025-09-27T14:00:00.123Z", "service": "api", "eventType": "job.slow",
        "level": "warn", "traceId": "t1", "data": {"message": "slow"}});
    assert_eq!((events("ecs", nested), events("ecs", dotted)), (vec![expected.clone()], vec![expected]));
}

#[test]
fn a_file_says_what_members_are_called_and_a_mistake_in_it_is_told() {
    let mapping = Mapping::parse(
        "time = ['when']\ntime_zone = 'Europe/Berlin'\nmessage = ['text']\nservice = ['unit']\n[default]\nevent_type = 'app.{level}'",
    )
    .unwrap();
    let event: Value = serde_json::from_str(
        &mapping.records(r#"{"when":"2025-09-27 16:00:00,123","text":"hi","unit":"cron"}"#).unwrap()[0],
    )
    .unwrap();
    let expected = json!({"timestamp": 1_758_981_600_123_i64, "service": "cron", "eventType": "app.info",
        "data": {"message": "hi"}});
    assert_eq!(event, expected);
    for (toml, said) in [
        ("tme = ['a']", "unknown field `tme`"),
        ("time_zone = 'Mars'", "time_zone"),
        ("[levels]\nhttp = 'loud'", "`loud` is none of"),
    ] {
        let error = Mapping::parse(toml).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
    let nothing = mapping.records(r#"{"a":1}"#).unwrap_err();
    assert!(nothing.starts_with("the line has neither a time"), "{nothing}");
}
