//! One law over several stores of one stream, wherever they lie.

use std::fs;

use serde_json::Value;

use super::server::Bucket;
use super::{copy, environment, sealed, succeeds};
use crate::disk_faults::FaultyDisk;
use crate::support::{Ended, Redis, Store, emp_events, eventually, run};

fn law(bucket: &Bucket, redis: &Redis, stores: &[&str]) -> (Ended, Value) {
    let mut command = emp_events();
    for store in stores {
        command.args(["--store", store]);
    }
    command.args(["--redis", &redis.url(), "--format", "json", "verify", "--law"]);
    let ended = run(bucket.know(&mut command));
    let answer = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}{}", ended.stdout, ended.stderr));
    (ended, answer)
}

/// Two hours later: hours that are over go to the bucket.
fn put_all(bucket: &Bucket, store: &Store, prefix: &str, clock: &FaultyDisk) {
    let mut environment = environment(bucket);
    environment.extend(clock.environment(&store.path()));
    let collector = store.collect_with(&["--archive", &bucket.url(prefix)], &environment);
    eventually("its hours are there", || bucket.objects(prefix).iter().any(|(name, _)| name == "_catalog/head"));
    assert_eq!(collector.stop(), 0);
}

#[test]
fn stores_of_one_stream_keep_one_law_and_the_one_that_breaks_it_is_named() {
    let (bucket, redis, clock) = (Bucket::new("law"), Redis::start(), FaultyDisk::make());
    let (one, other) = (Store::of(&redis), Store::of(&redis));
    redis.add(300, 1_000);
    succeeds(&run(&mut one.command(&["collect", "--once"])));
    redis.add(200, 1_000);
    // What is in a journal counts as well.
    let collector = other.collect(&[]);
    eventually("it has read all", || redis.has_read_all() && redis.pending() == 0);
    collector.crash();
    redis.add(10, 1_000);
    let [here, there] = [one.path(), other.path()].map(|path| path.to_str().unwrap().to_owned());
    let sql = ["--store", &here, "--store", &there, "sql", "--format", "csv", "select count(*) from events"];
    assert_eq!(run(emp_events().args(sql)).stdout.lines().nth(1), Some("500"));

    let (ended, all) = law(&bucket, &redis, &[&here, &there]);
    assert_eq!(ended.status, 0, "{all}");
    let sum = &all["law"];
    assert_eq!(sum["added"], 510, "{all}");
    assert_eq!((&sum["stored"], &sum["unread"], &sum["elsewhere"]), (&500.into(), &10.into(), &0.into()), "{all}");
    let stored: Vec<u64> =
        all["stores"].as_array().unwrap().iter().map(|one| one["stored"].as_u64().unwrap()).collect();
    assert_eq!(stored, [300, 200]);
    // A copy of one of them adds nothing.
    let copied = tempfile::tempdir().unwrap();
    let twice = copied.path().join("store");
    copy(&one.path(), &twice);
    let (ended, all) = law(&bucket, &redis, &[&here, &there, twice.to_str().unwrap()]);
    assert_eq!(
        (ended.status, &all["law"]["stored"], &all["stores"][2]["others"]),
        (0, &500.into(), &300.into()),
        "{all}"
    );

    // Both in one bucket, once their hours are over and sealed.
    succeeds(&run(&mut other.command(&["collect", "--once"])));
    clock.says("none 7200");
    for (store, prefix) in [(&one, "team/one"), (&other, "team/other")] {
        put_all(&bucket, store, prefix, &clock);
    }
    let below = bucket.url("team");
    let (ended, all) = law(&bucket, &redis, &[&below]);
    assert_eq!((ended.status, &all["law"]["holds"], &all["law"]["stored"]), (0, &true.into(), &510.into()), "{all}");
    // The folder and its bucket are one store.
    let (ended, all) = law(&bucket, &redis, &[&below, &here]);
    assert_eq!((ended.status, &all["law"]["stored"]), (0, &510.into()), "{all}");
    // What was stored since is not there yet.
    redis.add(5, 1_000);
    succeeds(&run(&mut other.command(&["collect", "--once"])));
    let (ended, all) = law(&bucket, &redis, &[&below]);
    assert_eq!((ended.status, &all["stores"][1]["to_come"]), (0, &5.into()), "{all}");
    let text = ["--store", &below, "--redis", &redis.url(), "verify", "--law"];
    let text = run(bucket.know(emp_events().args(text)));
    assert!(text.status == 0 && text.stdout.contains("not in the bucket yet"), "{}{}", text.stdout, text.stderr);

    // A file that is gone from one of them.
    let (name, _) = sealed(&one.path()).pop_first().unwrap();
    fs::remove_file(one.path().join(name)).unwrap();
    let (ended, all) = law(&bucket, &redis, &[&here, &there]);
    assert_eq!((ended.status, &all["law"]["holds"]), (1, &false.into()), "{all}");
    assert_eq!((&all["stores"][0]["holds"], &all["stores"][1]["holds"]), (&false.into(), &true.into()), "{all}");
    let text = ["--store", &here, "--store", &there, "--redis", &redis.url(), "verify", "--law"];
    let text = run(emp_events().args(text));
    assert!(text.status == 1 && text.stdout.contains("THIS STORE BREAKS THE LAW"), "{}{}", text.stdout, text.stderr);
}
