//! Questions to a store in a bucket.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::server::{Asked, Bucket, Fate, depth};
use super::{archive, few_hours, sample, succeeds};
use crate::support::{Ended, emp_events, eventually, run};

fn ask(bucket: &Bucket, url: &str, words: &[&str]) -> Command {
    let mut command = emp_events();
    bucket.know(command.arg("--store").arg(url).args(words));
    command
}

fn answer(bucket: &Bucket, url: &str, words: &[&str]) -> Ended {
    run(&mut ask(bucket, url, words))
}

/// Two jobs that the sample has, of which the second one came much later.
fn jobs(store: &Path) -> [String; 2] {
    let sql = "select job_id from events where event_type = 'job.completed' order by ingested_at";
    let ended = run(emp_events().arg("--store").arg(store).args(["--format", "csv", "sql", sql]));
    let jobs: Vec<&str> = ended.stdout.lines().skip(1).collect();
    [jobs[jobs.len() / 4], jobs[jobs.len() * 3 / 4]].map(str::to_owned)
}

#[test]
fn a_bucket_answers_as_the_folder_does_and_only_reads() {
    let (bucket, store) = (Bucket::new("answers"), sample());
    let store = store.path().join("store");
    let url = bucket.url("p");
    succeeds(&run(&mut archive(&bucket, &store, &url)));
    bucket.take_asked();
    let [job, other] = jobs(&store);
    let sql = |text| vec!["sql", "--format", "csv", text];
    let questions = [
        sql("select count(*), count(distinct id), min(timestamp), max(ingested_at) from events"),
        sql("select service, level, count(*), sum(duration_ms) from events group by 1, 2 order by 1, 2"),
        sql("select date, hour, count(*) from events group by 1, 2 order by 1, 2"),
        sql("select count(*) from events where data like '%connector%'"),
        sql("select * from losses"),
        sql("select count(*) from quarantine"),
        sql("select kind, writer, first_id, rows, bytes from files order by first_id"),
        vec!["timeline", &job],
        vec!["timeline", &other, "--format", "json"],
        vec!["diagnose", &job, "--format", "json"],
        vec!["correlate", &job, "--format", "json"],
        vec!["search", "--job-id", &other, "--format", "ndjson"],
        vec!["search", "--level", "error", "--last", "6h", "--limit", "20", "--format", "ndjson"],
        vec!["search", "--text", "comfyui", "--limit", "5", "--format", "ndjson"],
        vec!["perf", "--format", "csv"],
        vec!["gaps", "--format", "csv"],
        vec!["handoffs", "--format", "csv"],
        vec!["anomalies", "--format", "json"],
        vec!["changes", "--last", "6h", "--format", "json"],
        vec!["workers", "--format", "csv"],
        vec!["report", "--format", "markdown"],
        vec!["top"],
    ];
    for words in questions {
        let folder = store.to_str().unwrap();
        let (theirs, ours) = (answer(&bucket, &url, &words), run(emp_events().arg("--store").arg(folder).args(&words)));
        let plain = |text: &str| text.replace(&url, folder);
        assert_eq!(plain(&theirs.stdout), ours.stdout, "{words:?}: {}", theirs.stderr);
        assert_eq!((plain(&theirs.stderr), theirs.status), (ours.stderr, ours.status), "{words:?}");
    }
    assert!(bucket.take_asked().iter().all(|asked| asked.method == "GET"), "read rights are enough");
    let files = answer(&bucket, &url, &["sql", "--format", "csv", "select min(path) from files"]);
    assert!(files.stdout.contains("s3://answers/p/date=2025-"), "{}", files.stdout);
}

fn shown(asked: &[Asked]) -> String {
    let line = |asked: &Asked| {
        let (began, ended) = (asked.began.as_millis(), asked.ended.as_millis());
        format!("{:>6} {:>6} {} {} {}\n", began, ended, asked.method, asked.object, asked.bytes)
    };
    asked.iter().map(line).collect()
}

/// Each request takes half a second, so that what is asked at the same time is told from what waits, on a busy machine, too.
#[test]
fn a_question_costs_few_requests_and_its_repetition_one() {
    let (bucket, store) = (Bucket::new("requests"), sample());
    let store = store.path().join("store");
    let url = bucket.url("p");
    succeeds(&run(&mut archive(&bucket, &store, &url)));
    let [job, other] = jobs(&store);
    let now = "2025-10-30T00:00:00Z";
    bucket.delay(Duration::from_millis(500));
    let costs = |words: &[&str], requests: usize, deep: usize| {
        bucket.take_asked();
        let ended = answer(&bucket, &url, words);
        succeeds(&ended);
        let asked = bucket.take_asked();
        assert!(asked.len() <= requests, "{words:?}: {} requests\n{}", asked.len(), shown(&asked));
        assert!(depth(&asked) <= deep, "{words:?}: {} deep\n{}", depth(&asked), shown(&asked));
    };
    costs(&["timeline", &job, "--now", now], 25, 4);
    costs(&["timeline", &other, "--now", now], 7, 3);
    costs(&["timeline", &other, "--now", now], 1, 1);
    costs(&["timeline", &job, "--now", now], 1, 1);
    costs(&["sql", "select count(*) from events"], 1, 1);
    costs(&["sql", "select date_trunc('day', timestamp), count(*) from events group by 1"], 3, 3);
    costs(&["sql", "select date_trunc('day', timestamp), count(*) from events group by 1"], 1, 1);
    fs::remove_dir_all(bucket.cache()).unwrap();
    costs(&["sql", "select count(*) from events"], 3, 2);
}

#[test]
fn what_is_cached_is_checked_and_bounded() {
    let (bucket, store) = (Bucket::new("cached"), sample());
    let store = store.path().join("store");
    let url = bucket.url("p");
    succeeds(&run(&mut archive(&bucket, &store, &url)));
    let sum = ["sql", "--format", "csv", "select count(*), sum(length(data)), max(id) from events"];
    let right = run(emp_events().arg("--store").arg(&store).args(sum));
    let files = || {
        let caches = fs::read_dir(bucket.cache()).unwrap().map(|entry| entry.unwrap().path());
        let kinds = caches.flat_map(|cache| ["files", "objects", "blocks"].map(|kind| cache.join(kind)));
        let entries =
            kinds.flat_map(|kind| fs::read_dir(kind).into_iter().flatten().map(|entry| entry.unwrap().path()));
        entries.collect::<Vec<_>>()
    };
    assert_eq!(answer(&bucket, &url, &sum).stdout, right.stdout);
    assert!(files().len() > 48);
    for (number, path) in files().iter().enumerate() {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        match number % 3 {
            0 => bytes[middle] ^= 1,
            1 => bytes.truncate(middle),
            _ => bytes.clear(),
        }
        fs::write(path, bytes).unwrap();
    }
    assert_eq!(answer(&bucket, &url, &sum).stdout, right.stdout, "what is damaged is fetched again");
    let limit = 400_000;
    let ended = run(ask(&bucket, &url, &sum).env("EMP_EVENTS_CACHE_BYTES", limit.to_string()));
    assert_eq!(ended.stdout, right.stdout);
    fs::remove_dir_all(bucket.cache()).unwrap();
    let ended = run(ask(&bucket, &url, &sum).env("EMP_EVENTS_CACHE_BYTES", limit.to_string()));
    assert_eq!(ended.stdout, right.stdout);
    let bytes: u64 = files().iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(bytes <= limit + limit / 2, "{bytes}");
}

#[test]
fn answers_that_come_damaged_or_not_at_all_are_asked_for_again() {
    let (bucket, store) = (Bucket::new("damaged"), sample());
    let store = store.path().join("store");
    let url = bucket.url("p");
    succeeds(&run(&mut archive(&bucket, &store, &url)));
    let sum = ["sql", "--format", "csv", "select count(*), sum(length(data)) from events"];
    let right = run(emp_events().arg("--store").arg(&store).args(sum));
    for fate in [Fate::Cut(100), Fate::Refused(503, "SlowDown"), Fate::Refused(500, "InternalError"), Fate::Unheard] {
        bucket.decide(move |number, _, _| if number % 5 == 0 { fate } else { Fate::Answered });
        let ended = answer(&bucket, &url, &sum);
        assert_eq!(ended.stdout, right.stdout, "{fate:?}: {}", ended.stderr);
        fs::remove_dir_all(bucket.cache()).unwrap();
    }
    // What never comes is said, and nothing is answered without it.
    bucket.decide(
        |_, _, object| if object.ends_with(".parquet") { Fate::Refused(403, "AccessDenied") } else { Fate::Answered },
    );
    let ended = answer(&bucket, &url, &sum);
    assert_eq!((ended.status, ended.stdout.as_str()), (1, ""));
    assert!(ended.stderr.contains(".parquet is refused: AccessDenied"), "{}", ended.stderr);
    // A file that the head lists, and that is gone.
    bucket.heal();
    fs::remove_dir_all(bucket.cache()).unwrap();
    bucket.decide(
        |_, _, object| if object.ends_with(".parquet") { Fate::Refused(404, "NoSuchKey") } else { Fate::Answered },
    );
    let ended = answer(&bucket, &url, &sum);
    assert_eq!((ended.status, ended.stdout.as_str()), (1, ""));
    assert!(ended.stderr.contains(".parquet"), "{}", ended.stderr);
}

#[test]
fn new_hours_are_seen_by_the_next_question() {
    let (bucket, store) = (Bucket::new("new-hours"), few_hours());
    let store = store.path().join("store");
    let url = bucket.url("p");
    let count = || {
        let ended =
            answer(&bucket, &url, &["sql", "--format", "csv", "select count(*), count(distinct id) from events"]);
        succeeds(&ended);
        ended.stdout
    };
    let here = || {
        run(emp_events().arg("--store").arg(&store).args([
            "sql",
            "--format",
            "csv",
            "select count(*), count(distinct id) from events",
        ]))
        .stdout
    };
    succeeds(&run(&mut archive(&bucket, &store, &url)));
    assert_eq!(count(), here());
    for from in ["2026-03-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-02-01T10:00:00Z", "2026-03-01T02:00:00Z"] {
        succeeds(&run(emp_events()
            .args(["simulate", "--hours", "2", "--from", from, "--jobs-per-hour", "5", "--into"])
            .arg(&store)));
        succeeds(&run(&mut archive(&bucket, &store, &url)));
        assert_eq!(count(), here(), "after {from}");
    }
    // Late lines lie beside what was archived, which stays as it is.
    let lines = store.with_file_name("late.ndjson");
    let line = |number: u32| {
        format!(
            "{{\"timestamp\":\"2026-01-01T00:10:{number:02}Z\",\"service\":\"late\",\"eventType\":\"job.created\",\"data\":{{}}}}\n"
        )
    };
    for some in [0..5, 3..9] {
        fs::write(&lines, some.map(line).collect::<String>()).unwrap();
        succeeds(&run(emp_events().arg("--store").arg(&store).arg("import").arg(&lines)));
        let before = super::archived(&bucket, "p");
        succeeds(&run(&mut archive(&bucket, &store, &url)));
        let after = super::archived(&bucket, "p");
        assert!(before.iter().all(|(name, bytes)| after.get(name) == Some(bytes)), "nothing is ever written again");
        assert!(after.len() > before.len());
        succeeds(&run(emp_events().arg("--store").arg(&store).arg("compact")));
        assert_eq!(count(), here());
    }
    let late = answer(&bucket, &url, &["sql", "--format", "csv", "select count(*) from events where service = 'late'"]);
    assert_eq!(late.stdout.lines().nth(1), Some("9"));
}

#[test]
fn what_is_no_store_in_a_bucket_is_said() {
    let bucket = Bucket::new("no-store");
    let cases: [(&str, &[&str], i32, &str); 5] = [
        ("s3://no-store/p", &["sql", "select 1 from events"], 1, "there is no store at s3://no-store/p"),
        ("s3://", &["perf"], 1, "it names no bucket"),
        ("gs://b/p", &["perf"], 1, "no credentials for gs://b/p: neither GOOGLE_APPLICATION_CREDENTIALS"),
        ("az://c/p", &["perf"], 1, "no credentials for az://c/p: neither AZURE_STORAGE_ACCOUNT_KEY"),
        ("s3://no-store/p", &["compact"], 2, "this command needs that store's folder"),
    ];
    for (url, words, status, said) in cases {
        let ended = answer(&bucket, url, words);
        assert_eq!(ended.status, status, "{url} {words:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{url} {words:?}: {}", ended.stderr);
    }
    bucket.decide(|_, _, _| Fate::Unheard);
    let ended = answer(&bucket, "s3://no-store/p", &["perf"]);
    assert!(ended.status == 1 && ended.stderr.contains("does not answer"), "{}", ended.stderr);
    eventually("it has asked", || !bucket.take_asked().is_empty());
}

#[test]
fn other_engines_count_there_what_we_count() {
    let (bucket, store) = (Bucket::new("engines"), sample());
    let store = store.path().join("store");
    succeeds(&run(&mut archive(&bucket, &store, &bucket.url("p"))));
    let [job, _] = jobs(&store);
    let ours = format!("select count(*), count(distinct id), count(*) filter (where job_id = '{job}') from events");
    let ours = answer(&bucket, &bucket.url("p"), &["sql", "--format", "csv", &ours]);
    let ours = ours.stdout.lines().nth(1).unwrap().replace(',', " ");
    for engine in ["polars", "pyarrow", "clickhouse"] {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/bucket/ask_engine.py");
        let mut asked = Command::new("python3");
        let ended = run(asked.args([script, engine, &bucket.server(), "engines/p", &job]));
        assert_eq!(ended.status, 0, "{engine} (make test installs it): {}", ended.stderr);
        assert_eq!(ended.stdout.trim(), ours, "{engine}");
    }
}

/// What is typical, and what hours contribute, goes to the bucket with the hours, and comes from there.
#[test]
fn what_is_derived_of_many_events_is_fetched_and_not_derived_anew() {
    let (bucket, store) = (Bucket::new("derived"), sample());
    let store = store.path().join("store");
    let url = bucket.url("p");
    let [job, _] = jobs(&store);
    let by_type = "select event_type, count(*) from events group by 1 order by 1";
    for words in [["diagnose", job.as_str()], ["sql", by_type]] {
        succeeds(&run(emp_events().arg("--store").arg(&store).args(words)));
    }
    succeeds(&run(&mut archive(&bucket, &store, &url)));
    bucket.take_asked();
    succeeds(&answer(&bucket, &url, &["diagnose", &job]));
    succeeds(&answer(&bucket, &url, &["sql", by_type]));
    let asked = bucket.take_asked();
    for kind in [".typical", ".rollups"] {
        let fetched = asked.iter().filter(|one| one.method == "GET" && one.object.ends_with(kind)).count();
        assert_eq!(fetched, 1, "{kind}: {:?}", asked.iter().map(|one| &one.object).collect::<Vec<_>>());
    }
}
