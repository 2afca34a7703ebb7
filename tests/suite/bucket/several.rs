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
