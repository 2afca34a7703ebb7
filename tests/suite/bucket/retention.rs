//! A collector's retention is that of its store, and the bucket is a part of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use jiff::Timestamp;

use super::server::{Bucket, Fate};
use super::{archive, archived, environment, few_hours, sealed, succeeds};
use crate::disk_faults::FaultyDisk;
use crate::support::{Redis, Store, emp_events, eventually, run};

const COUNT: [&str; 4] =
    ["sql", "--format", "csv", "select count(*), count(distinct id), sum(length(data)) from events"];

/// How many minutes ago the first of these hours began, half an hour into the second: what is older than that goes, and of
/// three hours that is the first, whenever the test runs.
fn all_but_the_first(name: &str) -> String {
    let (date, hour) = (&name["date=".len()..][..10], &name["date=2025-01-01/hour=".len()..][..2]);
    let began: Timestamp = format!("{date}T{hour}:00:00Z").parse().unwrap();
    format!("{}m", (Timestamp::now().as_second() - began.as_second()) / 60 - 90)
}

#[test]
fn what_a_collector_keeps_no_longer_goes_from_the_bucket_too() {
    let (bucket, redis, clock) = (Bucket::new("retention"), Redis::start(), FaultyDisk::make());
    let store = Store::of(&redis);
    let simulate = ["simulate", "--hours", "3", "--jobs-per-hour", "20", "--into"];
    succeeds(&run(emp_events().args(simulate).arg(store.path())));
    let (files, url) = (sealed(&store.path()), bucket.url("p"));
    let mut environment = environment(&bucket);
    environment.extend(clock.environment(&store.path()));
    let collector = store.collect_with(&["--archive", &url, "--keep-local", "1s"], &environment);
    eventually("all hours are there", || archived(&bucket, "p").len() == 3);
    clock.says("none 1000");
    collector.says("are in s3://retention/p alone now");
    assert_eq!(collector.stop(), 0);
    let count = || run(bucket.know(emp_events().arg("--store").arg(&url).args(COUNT))).stdout;
    let all = count();
    let age = all_but_the_first(files.keys().next().unwrap());
    let collector = store.collect_with(&["--archive", &url, "--keep-local", "1s", "--retain", &age], &environment);
    collector.says("1 files are taken out of s3://retention/p");
    assert_ne!(count(), all);
    assert_eq!(archived(&bucket, "p"), files, "who has read the older head goes on");
    let with_archive = run(bucket.know(&mut store.command(&COUNT))).stdout;
    assert_eq!(with_archive, count(), "the folder and its bucket are one");
    // An hour later they go, and nothing else; that the next hours are too old by then is another matter.
    assert_eq!(collector.stop(), 0);
    clock.says("none 5000");
    let collector = store.collect_with(&["--archive", &url, "--retain", "1000d"], &environment);
    eventually("its objects go", || archived(&bucket, "p").len() == 2);
    assert_eq!(collector.stop(), 0);
    assert!(files.keys().skip(1).eq(archived(&bucket, "p").keys()));
    let verified = run(bucket.know(emp_events().arg("--store").arg(&url).arg("verify")));
    assert!(verified.status == 0 && verified.stdout.contains("all is sound"), "{}{}", verified.stdout, verified.stderr);
}

/// What a reader answers that had read the head before a retention, and got no file until all of these were done: the
/// moments, in seconds from now, and the age. Also what was answered before, and is afterwards.
fn answers_around(name: &str, retentions: &dyn Fn(&str) -> Vec<(u64, String)>) -> [String; 3] {
    let (bucket, store, clock) = (Bucket::new(name), few_hours(), FaultyDisk::make());
    let store = store.path().join("store");
    let url = bucket.url("p");
    succeeds(&run(&mut archive(&bucket, &store, &url)));
    let steps = retentions(&all_but_the_first(sealed(&store).keys().next().unwrap()));
    let count = || run(bucket.know(emp_events().arg("--store").arg(&url).args(COUNT))).stdout;
    let before = count();
    // The same bucket by another line, on which files do not come until they may.
    let slow = Bucket::new(name);
    let (is_waiting, may_go) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (waiting, go) = (Arc::clone(&is_waiting), Arc::clone(&may_go));
    slow.decide(move |_, _, object| {
        if object.ends_with(".parquet") {
            waiting.store(true, SeqCst);
            while !go.load(SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Fate::Answered
    });
    let answer = std::thread::scope(|scope| {
        let reader = scope.spawn(|| run(slow.know(emp_events().arg("--store").arg(&url).args(COUNT))));
        eventually("the reader waits for a file", || is_waiting.load(SeqCst));
        let retained = steps.iter().map(|(seconds, age)| {
            clock.says(&format!("none {seconds}"));
            let mut command = archive(&bucket, &store, &url);
            run(command.args(["--retain", age]).envs(clock.environment(&store)))
        });
        let retained: Vec<_> = retained.collect();
        may_go.store(true, SeqCst);
        retained.iter().for_each(succeeds);
        reader.join().unwrap()
    });
    succeeds(&answer);
    [before, answer.stdout, count()]
}

#[test]
fn a_reader_that_started_before_a_retention_answers_right() {
    let [before, answer, after] = answers_around("readers", &|age| vec![(0, age.to_owned())]);
    assert_eq!(answer, before, "its files are there for an hour");
    assert_ne!(after, before);
    let gone = |age: &str| vec![(0, age.to_owned()), (4000, "1000d".to_owned())];
    let [before, answer, after] = answers_around("late-readers", &gone);
    assert_eq!(answer, after, "whose files are gone asks anew");
    assert_ne!(after, before);
}
