//! The collector at its daily work.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Redis, Store, eventually};

#[test]
fn once_drains_the_stream_seals_it_and_ends() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(2_500, 10_000);
    let ended = store.run(&["collect", "--once"]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("stored 2500 events, quarantined 0 entries, lost 0"), "{}", ended.stderr);
    store.assert_accounts_for(2_500);
    assert_eq!(redis.pending(), 0);
    assert_eq!(store.number("select sum(rows) from files where kind = 'parquet'"), 2_500, "all is sealed");
}

#[test]
fn the_first_line_says_what_it_reads_where_it_writes_and_how_to_stop_it() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let collector = store.collect(&["--consumer", "c1"]);
    collector.says("reading emp:events at 127.0.0.1:");
    let log = collector.log();
    let first = log.lines().next().unwrap();
    assert!(first.contains("as consumer c1 of group emp-collector, writing to /"), "{first}");
    assert!(first.ends_with("stop it with Ctrl-C or SIGTERM"), "{first}");
}

#[test]
fn an_event_is_seen_while_the_collector_runs_and_sealed_when_it_ends() {
    for signal in ["TERM", "INT"] {
        let redis = Redis::start();
        let store = Store::of(&redis);
        let collector = store.collect(&[]);
        collector.says("reading emp:events");
        let id = store.output(&["emit", "job.created", "--service", "api-server", "--job-id", "job_1"]);
        eventually("the event is seen", || store.events() == 1);
        assert_eq!(store.output(&["sql", "--format", "csv", "select id from events"]), format!("id\n{id}"));
        assert_eq!(store.output(&["sql", "--format", "csv", "select kind from files"]), "kind\njournal\n");
        collector.signal(signal);
        assert_eq!(collector.ended(), 0);
        assert_eq!(store.output(&["sql", "--format", "csv", "select kind from files"]), "kind\nparquet\n");
        store.assert_accounts_for(1);
    }
}

#[test]
fn what_is_no_event_is_kept_whole_counted_and_acknowledged() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(2, 100);
    redis.command::<String>("XADD emp:events * eventType job.created");
    let mut bytes = redis::cmd("XADD");
    bytes.arg("emp:events").arg("*").arg("service").arg(b"\xff\xfe".as_slice());
    bytes.query::<String>(&mut redis.connection()).unwrap();
    redis.command::<String>("XADD emp:events * service s eventType e data [1]");
    redis.add(1, 100);
    let ended = store.run(&["collect", "--once"]);
    assert!(ended.stderr.contains("stored 3 events, quarantined 3 entries, lost 0"), "{}", ended.stderr);
    assert_eq!(redis.pending(), 0);
    store.assert_accounts_for(6);
    let kept = store.output(&["sql", "--format", "csv", "select reason, entry from quarantine order by reason"]);
    insta::assert_snapshot!(kept, @r#"
    reason,entry
    "the field `data` is not a JSON object: invalid type: sequence, expected a JSON object at line 1 column 0","{""service"":""s"",""eventType"":""e"",""data"":""[1]""}"
    the field `service` is missing,"{""eventType"":""job.created""}"
    the field `service` is not UTF-8,"{""service"":{""base64"":""//4=""}}"
    "#);
}

#[test]
fn a_second_collector_stands_by_and_takes_over() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let first = store.collect(&[]);
    first.says("reading emp:events");
    redis.add(10, 100);
    eventually("the first stores", || store.events() == 10);
    let second = store.collect(&[]);
    second.says("a collector is at work on the store");
    first.crash();
    redis.add(10, 100);
    eventually("the second stores", || store.events() == 20);
    assert_eq!(second.stop(), 0);
    store.assert_accounts_for(20);
}

#[test]
fn sealing_every_so_often_shows_new_events_to_other_engines() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let _collector = store.collect(&["--seal-every", "1s"]);
    redis.add(10, 100);
    eventually("they are sealed", || {
        store.path().exists() && store.number("select coalesce(sum(rows), 0) from files where kind = 'parquet'") == 10
    });
    store.assert_accounts_for(10);
}

#[test]
fn the_development_log_has_one_json_line_an_event() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    store.output(&[
        "emit",
        "job.created",
        "--service",
        "api-server",
        "--job-id",
        "j1",
        "--data",
        r#"{"service":"x","n":1}"#,
    ]);
    let mut command = store.command(&["collect", "--once"]);
    command.env("NODE_ENV", "development");
    assert!(command.output().unwrap().status.success());
    let log = store.path().parent().unwrap().join("logs/telemetry-events.log");
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600, "for its owner alone, as the store");
    let line: serde_json::Value = serde_json::from_str(fs::read_to_string(log).unwrap().trim_end()).unwrap();
    assert_eq!(
        (&line["service"], &line["eventType"], &line["jobId"], &line["n"]),
        (&"api-server".into(), &"job.created".into(), &"j1".into(), &1.into())
    );
}

#[test]
fn a_development_log_that_cannot_be_written_costs_one_warning_and_no_event() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(5, 100);
    let ended = store.run(&["collect", "--once", "--log-events", "/proc/no/events.log"]);
    assert_eq!((ended.status, ended.stderr.matches("cannot write the event log").count()), (0, 1), "{}", ended.stderr);
    store.assert_accounts_for(5);
}

#[test]
fn health_says_why_entries_are_no_events_and_what_to_do() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let collector = store.collect(&[]);
    redis.add(200, 1_000);
    redis.command::<String>("XADD emp:events * no event");
    eventually("they are stored", || store.events() == 200 && redis.pending() == 0);
    eventually("one of two hundred is no trouble", || store.run(&["health"]).status == 0);
    // Microseconds for milliseconds: no lower ID is ever given out after it.
    redis.command::<String>("XADD emp:events 1758981600000000-0 service s eventType e");
    redis.add(5, 1_000);
    eventually("health tells of it", || store.run(&["health"]).stdout.contains("7 entries were no events"));
    let said = store.run(&["health"]);
    assert_eq!(said.status, 1);
    for part in
        ["(3.4 % of what came); 6 since ", "the stream's highest ID, 1758981600000000-5, is ", "redis-cli rename "]
    {
        assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
    }
    // The way out that it names.
    redis.command::<()>("RENAME emp:events emp:events:wrong-ids");
    redis.add(5, 1_000);
    eventually("events are stored again", || store.events() == 205);
    assert_eq!(collector.stop(), 0);
}

#[test]
fn an_event_that_is_emitted_by_hand_takes_no_other_out_of_the_stream() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(12_000, 100_000);
    store.output(&["emit", "job.created", "--service", "api-server"]);
    assert_eq!(redis.command::<u64>("XLEN emp:events"), 12_001);
}
