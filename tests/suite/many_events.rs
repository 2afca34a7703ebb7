//! As many events as there may be: nothing that is counted depends on which of them are read first.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use serde_json::Value;

use crate::support::{emp_events, run};

/// 2025-09-27T00:00:00Z.
const BEGIN_MS: i64 = 1_758_931_200_000;
const HOUR_S: i64 = 3_600;
const LAST_S: i64 = 26 * HOUR_S;
/// When one of the services falls silent.
const SILENT_S: i64 = LAST_S - 15 * 60;
const EACH_SECOND: i64 = 12;

/// More than three million healthy events: three services that send twelve events a second each, for 26 hours.
fn write(path: &Path) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    for second in 0..LAST_S {
        for part in 0..EACH_SECOND {
            let ms = BEGIN_MS + second * 1_000 + part * 80;
            for (after, service, event_type, until) in [
                (0, "gate", "page.served", LAST_S),
                (7, "stock", "item.counted", LAST_S),
                (13, "till", "sale.rung", SILENT_S),
            ] {
                if second < until {
                    let at = ms + after;
                    writeln!(out, r#"{{"timestamp":{at},"service":"{service}","eventType":"{event_type}"}}"#).unwrap();
                }
            }
        }
    }
    out.flush().unwrap();
}

#[test]
fn no_number_of_events_raises_an_alarm_or_hides_one() {
    let folder = tempfile::tempdir().unwrap();
    let (store, file) = (folder.path().join("store"), folder.path().join("events.ndjson"));
    write(&file);
    let imported = run(emp_events().arg("--store").arg(&store).arg("import").arg(&file));
    assert_eq!(imported.status, 0, "{}", imported.stderr);
    let ask = |second: i64, words: &[&str]| {
        let now = (BEGIN_MS + second * 1_000).to_string();
        let ended = run(emp_events().arg("--store").arg(&store).args(words).args(["--now", &now, "--format", "json"]));
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        serde_json::from_str::<Value>(&ended.stdout).unwrap()
    };
    // While all is well nothing is told, and what has just fallen silent is told alone: the newest events are read.
    assert_eq!(ask(SILENT_S, &["anomalies"]), serde_json::json!([]));
    let found = ask(LAST_S, &["anomalies"]);
    let alerts: Vec<&Value> = found.as_array().unwrap().iter().filter(|one| one["severity"] == "alert").collect();
    assert!(
        alerts.len() == 1 && alerts[0]["kind"] == "silence" && alerts[0]["subject"]["service"] == "till",
        "{found:#}"
    );
    let backtest = ask(SILENT_S, &["anomalies", "--backtest", "--last", "1h", "--every", "30m"]);
    assert_eq!(backtest["alerts"], serde_json::json!([]), "{backtest:#}");
    // Every one is counted, of the hour and of all.
    let perf = |words: &[&str]| {
        let rows = ask(LAST_S, &[&["perf"], words].concat());
        let count = |row: &Value| row["count"].as_i64().unwrap();
        rows.as_array().unwrap().iter().map(count).sum::<i64>()
    };
    assert_eq!(perf(&[]), EACH_SECOND * (2 * LAST_S + SILENT_S));
    let now = (BEGIN_MS + SILENT_S * 1_000).to_string();
    let top = run(emp_events().arg("--store").arg(&store).args(["top", "--now", &now]));
    assert!(top.stdout.contains("events a minute: 2,160"), "{}", top.stdout);
}
