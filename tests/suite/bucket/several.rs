//! Several collectors, one bucket: each has a prefix, and the address above them is all of them.

use std::path::Path;

use super::server::Bucket;
use super::{archive, copy, few_hours, sample, sealed, succeeds};
use crate::support::{emp_events, run};

/// What both stores hold in one folder, which is asked as any other.
fn together(stores: &[&Path]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for store in stores {
        for entry in std::fs::read_dir(store).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let is_kept =
                name.starts_with("date=") || ["_quarantine", "_losses", "_dead_letters"].contains(&name.as_str());
            if is_kept && entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &folder.path().join("store").join(name));
            }
        }
    }
    folder
}

#[test]
fn stores_below_one_address_are_asked_as_one_and_each_event_counts_once() {
    let bucket = Bucket::new("several");
    let (sample, hours, copied) = (sample(), few_hours(), tempfile::tempdir().unwrap());
    let (one, other) = (sample.path().join("store"), hours.path().join("store"));
    // One that was copied, and has archived as well: its files are there twice.
    let twice = copied.path().join("store");
    copy(&other, &twice);
    for (store, prefix) in [(&one, "team/one"), (&other, "team/other"), (&twice, "team/twice")] {
        succeeds(&run(&mut archive(&bucket, store, &bucket.url(prefix))));
    }
    // Something else lies there, too.
    bucket.put("team/notes/readme.txt", b"hello");
    bucket.put("team/readme.txt", b"hello");
    let both = together(&[&one, &other]);
    let (folder, all) = (both.path().join("store"), bucket.url("team/"));
    let ask = |store: &str, words: &[&str]| {
        let mut command = emp_events();
        bucket.know(command.arg("--store").arg(store).args(words));
        run(&mut command)
    };
    let job = |store: &Path| {
        let sql = "select job_id from events where event_type = 'job.completed' order by ingested_at limit 1";
        let ended = run(emp_events().arg("--store").arg(store).args(["--format", "csv", "sql", sql]));
        ended.stdout.lines().nth(1).unwrap().to_owned()
    };
    let (first, second) = (job(&one), job(&other));
    let sql = |text| vec!["--format", "csv", "sql", text];
    let questions = [
        sql("select count(*), count(distinct id), min(timestamp), max(ingested_at) from events"),
        sql(
            "select service, level, count(*), sum(duration_ms) from events where data <> '' group by 1, 2 order by 1, 2",
        ),
        sql("select writer, count(*), sum(rows), sum(bytes) from files where kind = 'parquet' group by 1 order by 1"),
        sql("select date_trunc('day', timestamp) as day, count(*) from events group by 1 order by 1"),
        sql("select approx_quantile(duration_ms, 0.9) from events"),
        sql("select count(*) from events where data like '%connector%'"),
        sql("select count(*) from quarantine"),
        sql("select count(*) from losses"),
        sql("select count(*), sum(gap_ms) from transitions"),
        vec!["timeline", &first, "--format", "json"],
        vec!["timeline", &second, "--format", "json"],
        vec!["search", "--job-id", &second, "--format", "ndjson"],
        vec!["perf", "--format", "csv"],
        vec!["gaps", "--format", "csv"],
        vec!["workers", "--format", "csv"],
    ];
    for words in &questions {
        let (there, here) = (ask(&all, words), ask(folder.to_str().unwrap(), words));
        let plain = |text: &str| text.replace(all.trim_end_matches('/'), folder.to_str().unwrap());
        assert_eq!((there.status, here.status), (0, 0), "{words:?}: {}{}", there.stderr, here.stderr);
        assert_eq!(plain(&there.stdout), here.stdout, "{words:?}: {}", there.stderr);
    }
    // Each file says where it lies.
    let places =
        ask(&all, &sql("select distinct substr(path, 1, 24) as place from files where kind = 'parquet' order by 1"));
    let counted = places.stdout.lines().skip(1).count();
    assert!(places.stdout.contains("s3://several/team/one") && counted >= 2, "{}", places.stdout);
    assert_eq!(sealed(&one).len() + sealed(&other).len(), sealed(&folder).len());

    let none = ask(&bucket.url("nobody"), &sql("select 1 from events"));
    assert_eq!(none.status, 1, "{}", none.stderr);
    assert!(none.stderr.contains("nobody"), "{}", none.stderr);
}

/// Folders and addresses in any mix: one is a folder, one lies in a bucket, one is a copy of the folder.
#[test]
fn folders_and_addresses_are_asked_as_one() {
    let bucket = Bucket::new("mixed");
    let (sample, hours, copied) = (sample(), few_hours(), tempfile::tempdir().unwrap());
    let (one, other, twice) = (sample.path().join("store"), hours.path().join("store"), copied.path().join("store"));
    copy(&other, &twice);
    succeeds(&run(&mut archive(&bucket, &one, &bucket.url("one"))));
    let both = together(&[&one, &other]);
    let folder = both.path().join("store");
    let there = bucket.url("one");
    let ask = |stores: &[&str], words: &[&str]| {
        let mut command = emp_events();
        for store in stores {
            command.args(["--store", store]);
        }
        run(bucket.know(command.args(words)))
    };
    let stores = [there.as_str(), other.to_str().unwrap(), twice.to_str().unwrap()];
    let sql = |text| vec!["--format", "csv", "sql", text];
    let job = "select job_id from events where event_type = 'job.completed' order by ingested_at desc limit 1";
    let job = ask(&[other.to_str().unwrap()], &sql(job)).stdout.lines().nth(1).unwrap().to_owned();
    let questions = [
        sql("select count(*), count(distinct id), min(timestamp), max(ingested_at), sum(length(data)) from events"),
        sql("select writer, count(*), sum(rows) from files where kind = 'parquet' group by 1 order by 1"),
        sql("select event_type, count(*) from events group by 1 order by 1"),
        sql("select count(*) from quarantine"),
        sql("select count(*) from losses"),
        sql("select count(*), sum(gap_ms) from transitions"),
        vec!["timeline", &job, "--format", "json"],
        vec!["search", "--text", "comfyui", "--format", "ndjson", "--limit", "3"],
        vec!["perf", "--format", "csv"],
        vec!["anomalies", "--format", "json"],
    ];
    let is_same = |stores: &[&str]| {
        for words in &questions {
            let (there, here) = (ask(stores, words), ask(&[folder.to_str().unwrap()], words));
            assert_eq!((there.status, here.status), (0, 0), "{words:?}: {}{}", there.stderr, here.stderr);
            // What is to be typed next names all of them.
            let named: Vec<String> = stores.iter().map(|store| format!("--store {store}")).collect();
            let named = there.stdout.replace(&named.join(" "), &format!("--store {}", folder.display()));
            assert_eq!(named, here.stdout, "{stores:?} {words:?}: {}", there.stderr);
        }
    };
    is_same(&stores);
    is_same(&[stores[2], stores[0]]);
    // An hour comes, and one goes that is in the copy alone.
    let more = ["simulate", "--hours", "1", "--from", "2026-01-01T00:00:00Z", "--jobs-per-hour", "5", "--into"];
    succeeds(&run(emp_events().args(more).arg(&twice)));
    let count = sql("select count(*), count(distinct id) from events");
    let (before, now) = (ask(&stores[..2], &count), ask(&stores, &count));
    assert_ne!(before.stdout, now.stdout, "what came since is seen");
    let places = ask(&stores, &sql("select distinct path from files where kind = 'parquet'")).stdout;
    for store in stores {
        assert!(places.contains(store), "{store}: {places}");
    }
}

#[test]
fn what_needs_one_folder_refuses_several_stores() {
    let (one, other) = (few_hours(), few_hours());
    let paths = [one.path().join("store"), other.path().join("store")];
    let before = [sealed(&paths[0]), sealed(&paths[1])];
    for words in [
        vec!["collect", "--once"],
        vec!["compact"],
        vec!["tail"],
        vec!["seal"],
        vec!["retain", "--age", "1s"],
        vec!["archive", "--to", "s3://b/p"],
        vec!["import", "/dev/null"],
        vec!["health"],
        vec!["verify", "--repair"],
    ] {
        let mut command = emp_events();
        command.arg("--store").arg(&paths[0]).arg("--store").arg(&paths[1]).args(&words);
        let ended = run(&mut command);
        assert_eq!(ended.status, 2, "{words:?}: {}{}", ended.stdout, ended.stderr);
        assert!(ended.stderr.contains("folder of one") && ended.stderr.lines().count() == 1, "{}", ended.stderr);
    }
    assert_eq!([sealed(&paths[0]), sealed(&paths[1])], before);
    let mut command = emp_events();
    command.arg("--store").arg(&paths[0]).args(["--store", "/nowhere/at/all", "perf"]);
    let ended = run(&mut command);
    assert!(ended.status == 1 && ended.stderr.contains("there is no store at /nowhere/at/all"), "{}", ended.stderr);
}

/// What is typical of each store is fetched with it, and is that of all where no job is known to two of them.
#[test]
fn what_is_typical_of_several_stores_is_fetched_and_not_learned_anew() {
    let bucket = Bucket::new("typical");
    let (sample, hours) = (sample(), tempfile::tempdir().unwrap());
    let (one, other) = (sample.path().join("store"), hours.path().join("store"));
    let simulate = ["simulate", "--hours", "12", "--from", "2025-09-27T12:00:00Z", "--jobs-per-hour", "10", "--into"];
    succeeds(&run(emp_events().args(simulate).arg(&other)));
    for (store, prefix) in [(&one, "team/one"), (&other, "team/other")] {
        let sql = "select job_id from events where event_type = 'job.completed' limit 1";
        let ended = run(emp_events().arg("--store").arg(store).args(["--format", "csv", "sql", sql]));
        let job = ended.stdout.lines().nth(1).unwrap().to_owned();
        // The collector learns it as hours are sealed; here a question does.
        succeeds(&run(emp_events().arg("--store").arg(store).args(["diagnose", &job])));
        succeeds(&run(&mut archive(&bucket, store, &bucket.url(prefix))));
    }
    let sql = "select job_id from events where event_type = 'job.completed' order by ingested_at limit 1";
    let ended = run(emp_events().arg("--store").arg(&one).args(["--format", "csv", "sql", sql]));
    let job = ended.stdout.lines().nth(1).unwrap().to_owned();
    let files = sealed(&one).len() + sealed(&other).len();
    bucket.take_asked();
    let ask = || {
        let mut command = emp_events();
        run(bucket.know(command.args(["--store", &bucket.url("team"), "diagnose", &job, "--format", "json"])))
    };
    succeeds(&ask());
    let asked = bucket.take_asked();
    let fetched = |ending: &str| asked.iter().filter(|one| one.object.ends_with(ending)).count();
    assert_eq!(fetched(".typical"), 2, "one of each store");
    assert!(fetched(".parquet") < files / 2, "{} of {files} files were read", fetched(".parquet"));
    succeeds(&ask());
    assert_eq!(bucket.take_asked().iter().filter(|one| one.object.ends_with(".parquet")).count(), 0);
}
