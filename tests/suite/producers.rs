//! Events from the clients of this project to the answers of the store.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use emp_events_client::EventClient;
use serde_json::{Value, json};

use crate::support::{Lines, Persistence, Redis, Store, eventually, file, run, typescript_client, without_settings};

/// Node on a file of the project, with Redis' address.
fn node(path: &str, redis: &Redis) -> Command {
    let mut command = Command::new("node");
    without_settings(&mut command);
    command.arg(file(path)).env("REDIS_URL", redis.url());
    command
}

/// The types of a job's events and when they happened, in the order in which `timeline` shows them.
fn timeline(store: &Store, job: &str) -> Vec<(String, String)> {
    let said = store.output(&["timeline", job, "--format", "ndjson"]);
    let lines = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
    lines.map(|line| (text(&line, "event_type"), text(&line, "timestamp"))).collect()
}

#[test]
fn the_timeline_shows_the_life_of_the_examples_jobs() {
    typescript_client();
    let redis = Redis::start();
    let store = Store::of(&redis);
    let collector = store.collect(&[]);
    let ended = run(node("clients/typescript/examples/run.mjs", &redis).args(["--jobs", "3"]));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    eventually("all is stored", || store.events() == redis.added());
    assert_eq!(collector.stop(), 0);

    let jobs = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let jobs: Vec<String> = jobs.map(|job| job["jobId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(jobs.len(), 3);
    let an_hour_later = (SystemTime::now() + Duration::from_secs(3_600)).duration_since(UNIX_EPOCH).unwrap();
    let an_hour_later = an_hour_later.as_secs().to_string();
    for job in &jobs {
        let life = timeline(&store, job);
        assert!(life.is_sorted_by_key(|(_, moment)| moment), "{life:?}");
        let moment = |event_type: &str| &life.iter().find(|(other, _)| other == event_type).expect(event_type).1;
        let [claimed, started] = ["job.claimed", "connector.processing_started"];
        let milestones = ["job.created", "job.queued", claimed, started, "job.progress_updated", "job.completed"];
        // Those of one millisecond and two services stand as they arrived.
        assert!(milestones.map(moment).is_sorted(), "{life:?}");
        for event_type in ["webhook.delivering", "webhook.delivered"] {
            assert_eq!(life.iter().filter(|(other, _)| other == event_type).count(), 1, "{life:?}");
        }
        let shown = store.output(&["timeline", job, "--format", "table"]);
        for service in ["api-server", "worker", "webhook-service"] {
            assert!(shown.contains(service), "{shown}");
        }
        // An hour later, too: whoever waited for it was told.
        for now in [&[][..], &["--now", &an_hour_later]] {
            let said = store.output(&[&["diagnose", job, "--format", "json"], now].concat());
            let diagnosis: Value = serde_json::from_str(&said).unwrap();
            assert_eq!(diagnosis["verdict"], "done", "{diagnosis}");
        }
    }
    // Its exit status says that the example keeps to the naming standard.
    store.output(&["check-names"]);
}

#[test]
fn the_spools_of_both_clients_are_imported_once() {
    const EVENTS: usize = 250;
    let client = typescript_client();
    let mut redis = Redis::start();
    let store = Store::of(&redis);
    redis.stop();
    let spool = tempfile::tempdir().unwrap();

    let rust = EventClient::builder("rust-service").url(redis.url()).spool_dir(spool.path());
    let rust = rust.queue(EVENTS, 1 << 20).build().unwrap();
    for number in 0..EVENTS {
        rust.job_event(format!("job_{number}"), "job.claimed").data(json!({"number": number})).emit();
    }
    // Once Redis is given up, a queue that is nearly full goes there, and what is left when it is closed.
    eventually("the queue goes to the spool", || rust.stats().spooled > 0);
    rust.close(Duration::from_secs(1));
    eventually("all of it is in the spool", || rust.stats().spooled == EVENTS as u64);

    let script = "const [client, count] = process.argv.slice(1);
        const { EventClient } = await import(client);
        const events = new EventClient('node-service');
        for (let number = 0; number < count; number += 1) events.jobEvent(`job_${number}`, 'job.claimed', { number });
        await events.close(300);
        process.stdout.write(String(events.stats().spooled));";
    let mut node = Command::new("node");
    node.args(["--input-type=module", "--eval", script]).arg(client).arg(EVENTS.to_string());
    let ended = run(node.env("REDIS_URL", redis.url()).env("EMP_EVENTS_SPOOL", spool.path()));
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), (EVENTS.to_string().as_str(), ""));

    for expected in [2 * EVENTS, 0] {
        assert_eq!(import(&store, spool.path()), expected as u64);
    }
    for service in ["rust-service", "node-service"] {
        let each_once = format!(
            "select count(distinct job_id) from events where service = '{service}' and event_type = 'job.claimed'
             and job_id = concat('job_', data->>'number')"
        );
        assert_eq!(store.number(&each_once), EVENTS as u64);
    }
    assert_eq!(store.events(), 2 * EVENTS as u64);
}

/// Imports every file of a spool; how many events were new.
fn import(store: &Store, spool: &Path) -> u64 {
    let files = std::fs::read_dir(spool).unwrap().map(|entry| entry.unwrap().path().to_str().unwrap().to_owned());
    let files: Vec<String> = files.collect();
    let words: Vec<&str> = ["import", "--format", "json"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let said: Value = serde_json::from_str(&store.output(&words)).unwrap();
    said["events"].as_u64().unwrap()
}

#[test]
fn the_counts_of_a_service_under_load_add_up_whatever_redis_does() {
    let client = typescript_client();
    let mut redis = Redis::start_with(Persistence::Full);
    let store = Store::of(&redis);
    let collector = store.collect(&[]);
    let spool = tempfile::tempdir().unwrap();
    let mut service = node("tests/suite/producers/service.mjs", &redis);
    service.arg(client).arg("1000").env("EMP_EVENTS_SPOOL", spool.path());
    let mut service = service.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let told = Lines::of(service.stdout.take().unwrap());
    let stats = || -> Option<Value> { Some(serde_json::from_str(&told.next()?).unwrap()) };
    // Waits until more of its events have gone there than now.
    let goes_on = |way: &str| {
        let count = || stats().expect("it goes on")[way].as_u64().unwrap();
        told.skip();
        let before = count();
        while count() == before {}
    };

    goes_on("sent");
    redis.stop();
    goes_on("spooled");
    redis.start_again();
    goes_on("sent");
    redis.signal("STOP");
    goes_on("spooled");
    redis.signal("CONT");
    goes_on("sent");
    let _: () = redis.command("CONFIG SET maxmemory 1");
    goes_on("spooled");
    let _: () = redis.command("CONFIG SET maxmemory 0");

    drop(service.stdin.take());
    let stats = std::iter::from_fn(stats).last().unwrap();
    assert!(service.wait().unwrap().success(), "{stats}");
    let count = |name: &str| stats[name].as_u64().unwrap();
    let ends = ["sent", "sampled", "dropped", "spooled", "queued"].map(count);
    assert_eq!(count("emitted"), ends.iter().sum::<u64>(), "{stats}");
    let [sent, sampled, _, spooled, queued] = ends;
    assert!(sampled > 0 && spooled > 0 && queued == 0, "{stats}");

    eventually("all is stored", || store.number("select count(*) from events") == redis.added());
    import(&store, spool.path());
    let collected = store.events();
    // Of a connection that was lost before the answer nobody knows.
    let unanswered = stats["reasons"]["unanswered"].as_u64().unwrap_or(0);
    assert!((sent + spooled..=sent + spooled + unanswered).contains(&collected), "{collected} stored; {stats}");
    let numbered = "from events where data->>'number' is not null";
    let twice = format!("select count(*) - count(distinct data->>'number') {numbered}");
    assert_eq!(store.number(&twice), 0, "no event is there twice");
    assert_eq!(collector.stop(), 0);
    store.assert_accounts_for(collected);
}
