//! Hours that are in the bucket alone: the store's folder and its bucket are one.

use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};

use super::server::{Bucket, Fate};
use super::{archive, environment, few_hours, sealed, succeeds};
use crate::disk_faults::FaultyDisk;
use crate::support::{Redis, Store, emp_events, eventually, run};

fn here(bucket: &Bucket, store: &Path, words: &[&str]) -> Command {
    let mut command = emp_events();
    bucket.know(command.arg("--store").arg(store).args(words));
    command
}

pub const COUNT: [&str; 4] =
    ["sql", "--format", "csv", "select count(*), count(distinct id), sum(length(data)) from events"];

#[test]
fn what_is_proven_to_be_there_leaves_the_disk_and_is_part_of_the_store_as_before() {
    let (bucket, store, clock) = (Bucket::new("keeping"), few_hours(), FaultyDisk::make());
    let store = store.path().join("store");
    let url = bucket.url("p");
    let before = run(&mut here(&bucket, &store, &COUNT)).stdout;
    let files = sealed(&store);
    let release = || {
        let mut command = archive(&bucket, &store, &url);
        command.args(["--keep-local", "1s"]).envs(clock.environment(&store));
        run(&mut command)
    };
    let ended = release();
    succeeds(&ended);
    assert!(ended.stdout.ends_with("0 files are there alone now\n"), "the head is too young: {}", ended.stdout);
    clock.says("none 1000");
    // One that is not there as it is here stays, and all with it.
    let damaged = files.keys().next().unwrap();
    bucket.put(&format!("p/{damaged}"), &vec![0; files[damaged].len()]);
    let ended = release();
    assert!(ended.status == 1 && ended.stderr.contains("holds something else"), "{}", ended.stderr);
    bucket.put(&format!("p/{damaged}"), &files[damaged]);
    bucket.decide(|_, method, _| if method == "HEAD" { Fate::Refused(403, "AccessDenied") } else { Fate::Answered });
    assert_eq!(release().status, 1);
    assert_eq!(sealed(&store), files, "nothing goes that is not proven");
    bucket.heal();
    let ended = release();
    succeeds(&ended);
    assert!(ended.stdout.ends_with("3 files are there alone now\n"), "{}", ended.stdout);
    assert!(sealed(&store).is_empty());
    for _ in 0..2 {
        let ended = run(&mut here(&bucket, &store, &COUNT));
        assert_eq!(ended.stdout, before, "{}", ended.stderr);
    }
    // Hot and cold: an hour that is only here, those that are only there.
    succeeds(&run(emp_events()
        .args(["simulate", "--hours", "2", "--from", "2026-01-01T00:00:00Z", "--jobs-per-hour", "5", "--into"])
        .arg(&store)));
    let both = run(&mut here(&bucket, &store, &COUNT)).stdout;
    succeeds(&run(&mut archive(&bucket, &store, &url)));
    assert_eq!(run(&mut here(&bucket, &store, &COUNT)).stdout, both, "each event once, wherever it lies");
    assert_eq!(run(bucket.know(emp_events().arg("--store").arg(&url).args(COUNT))).stdout, both);
    // Without the bucket what lies here is not passed for all.
    bucket.decide(|_, _, _| Fate::Refused(403, "AccessDenied"));
    fs::remove_dir_all(bucket.cache()).unwrap();
    let ended = run(&mut here(&bucket, &store, &COUNT));
    assert!(ended.status == 1 && ended.stderr.contains("AccessDenied"), "{}", ended.stderr);
    let of_here = "select count(*) from events where ingested_at < '2026-01-02'";
    succeeds(&run(&mut here(&bucket, &store, &["sql", of_here])));
}

#[test]
fn a_collector_keeps_what_it_is_told_and_the_law_holds() {
    let (bucket, redis, clock) = (Bucket::new("keeps"), Redis::start(), FaultyDisk::make());
    let store = Store::of(&redis);
    redis.add(300, 1_000);
    succeeds(&run(&mut store.command(&["collect", "--once"])));
    let with_bucket = |words: &[&str]| {
        let mut command = store.command(words);
        run(bucket.know(&mut command))
    };
    let before = with_bucket(&COUNT).stdout;
    let mut environment = environment(&bucket);
    environment.extend(clock.environment(&store.path()));
    // Two hours later.
    clock.says("none 7200");
    let url = bucket.url("p");
    let collector = store.collect_with(&["--archive", &url, "--keep-local", "1s"], &environment);
    eventually("the hour is there", || bucket.objects("p").iter().any(|(name, _)| name == "_catalog/head"));
    clock.says("none 9000");
    collector.says("are in s3://keeps/p alone now");
    assert!(sealed(&store.path()).is_empty());
    redis.add(100, 1_000);
    eventually("it goes on", || redis.has_read_all() && redis.pending() == 0);
    assert_eq!(collector.stop(), 0);
    assert_ne!(with_bucket(&COUNT).stdout, before);
    let law = with_bucket(&["verify", "--law"]);
    assert!(law.status == 0 && law.stdout.contains("the law holds"), "{}{}", law.stdout, law.stderr);
    // Its hours are known to be stored by whoever reads the stream again.
    let again = store.collect_with(&["--archive", &url], &environment);
    again.says("reading emp:events");
    eventually("it is at work", || redis.has_read_all() && redis.pending() == 0);
    assert_eq!(again.stop(), 0);
    let ended = with_bucket(&["sql", "--format", "csv", "select count(*), count(distinct id) from events"]);
    assert_eq!(ended.stdout.lines().nth(1), Some("400,400"), "{}", ended.stderr);
}

/// How long ago the hour of a file began.
fn began_ago(file: &str) -> SignedDuration {
    let [date, hour, ..] = file.split('/').collect::<Vec<_>>()[..] else { panic!("{file}") };
    let (date, hour) = (date.strip_prefix("date=").unwrap(), hour.strip_prefix("hour=").unwrap());
    Timestamp::now().duration_since(format!("{date}T{hour}:00:00Z").parse().unwrap())
}

#[test]
fn what_is_taken_out_of_the_bucket_goes_an_hour_after_no_head_lists_it() {
    let (bucket, store, clock) = (Bucket::new("retaining"), few_hours(), FaultyDisk::make());
    let store = store.path().join("store");
    let url = bucket.url("p");
    succeeds(&run(&mut archive(&bucket, &store, &url)));
    let files = sealed(&store);
    let count = || run(bucket.know(emp_events().arg("--store").arg(&url).args(COUNT))).stdout;
    let all = count();
    let retain =
        |age: &str| run(archive(&bucket, &store, &url).args(["--retain", age]).envs(clock.environment(&store)));
    // What is there is of hours that are over, be it since a few seconds.
    let ended = retain("1s");
    assert!(ended.status == 1 && ended.stderr.contains("nothing would be left of 3 files"), "{}", ended.stderr);
    assert_eq!(count(), all);
    // The first of three hours, wherever in an hour, or between two, the test runs.
    let half_an_hour_less = began_ago(files.keys().next().unwrap()) - SignedDuration::from_mins(90);
    let ended = retain(&format!("{}m", half_an_hour_less.as_mins()));
    succeeds(&ended);
    assert!(ended.stdout.contains("1 files, ") && ended.stdout.contains("are taken out"), "{}", ended.stdout);
    assert_ne!(count(), all);
    assert_eq!(super::archived(&bucket, "p"), files, "who has read the older head goes on");
    let verified = run(bucket.know(emp_events().arg("--store").arg(&url).arg("verify")));
    assert!(verified.status == 0 && verified.stdout.contains("all is sound"), "{}{}", verified.stdout, verified.stderr);
    clock.says("none 4000");
    let more = ["simulate", "--hours", "1", "--from", "2026-01-01T00:00:00Z", "--jobs-per-hour", "5", "--into"];
    succeeds(&run(emp_events().args(more).arg(&store)));
    // An hour that is older than what is kept is not put there; the two others and no more are left.
    succeeds(&retain("5h"));
    let left = super::archived(&bucket, "p");
    assert!(left.len() == 2 && files.keys().skip(1).eq(left.keys()), "{:?}", left.keys());
}

#[test]
fn verify_finds_what_is_wrong_in_a_bucket() {
    let (bucket, store) = (Bucket::new("verified"), few_hours());
    let store = store.path().join("store");
    let url = bucket.url("p");
    succeeds(&run(&mut archive(&bucket, &store, &url)));
    let verify = || run(bucket.know(emp_events().arg("--store").arg(&url).arg("verify")));
    let ended = verify();
    assert!(ended.status == 0 && ended.stdout.contains("all is sound"), "{}{}", ended.stdout, ended.stderr);
    for (name, bytes) in bucket.objects("p").into_iter().filter(|(name, _)| name != "_catalog/head") {
        let mut damaged = bytes.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        bucket.put(&format!("p/{name}"), &damaged);
        let ended = verify();
        // Without what is known about the files there is nothing else to read.
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(ended.status == 1 && said.contains(&format!("{url}/{name}")), "{name}: {said}");
        bucket.put(&format!("p/{name}"), &bytes);
    }
    bucket.put("p/date=2026-01-01/hour=00/x_1-0_2-0.parquet", b"left over");
    bucket.put("p/_catalog/0.part", b"left over");
    let ended = verify();
    assert!(ended.status == 1 && ended.stdout.contains("the head does not list it"), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("p/_catalog/0.part") && ended.stdout.contains("nothing refers to it"),
        "{}",
        ended.stdout
    );
}
