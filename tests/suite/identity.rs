//! A consumer is one store, whatever it is called, and wherever it lies.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use emp_store::{Layout, StoreWriter};

use crate::support::{Redis, Store, eventually, run};

/// Copies a folder, as an operator does.
fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
}

/// Gives entries to a consumer that stores none of them, as one does that dies between read and commit.
fn read_and_die(redis: &Redis, consumer: &str, entries: usize) {
    let read = format!("XREADGROUP GROUP emp-collector {consumer} COUNT {entries} STREAMS emp:events >");
    redis.command::<redis::Value>(&read);
}

fn law_holds(store: &Store) {
    let said = store.output(&["verify", "--law"]);
    assert!(said.contains("the law holds"), "{said}");
}

#[test]
fn two_stores_under_one_name_are_two_consumers() {
    let redis = Redis::start();
    let (here, there) = (Store::of(&redis), Store::of(&redis));
    let collectors = [here.collect(&["--consumer", "collector"]), there.collect(&["--consumer", "collector"])];
    eventually("both are there", || {
        redis.add(20, 10_000);
        here.events() > 0 && there.events() > 0
    });
    eventually("all is stored", || here.events() + there.events() == redis.added() && redis.pending() == 0);
    let mut expected = [here.consumer("collector"), there.consumer("collector")];
    expected.sort();
    assert_eq!(redis.consumers(), expected);
    collectors.into_iter().for_each(|collector| assert_eq!(collector.stop(), 0));
    law_holds(&here);
    law_holds(&there);
}

#[test]
fn a_copy_is_another_store_and_leaves_the_entries_of_the_living_alone() {
    let redis = Redis::start();
    let (original, copied) = (Store::of(&redis), Store::of(&redis));
    redis.add(30, 100);
    let collector = original.collect(&["--consumer", "c1"]);
    eventually("they are stored", || original.events() == 30);
    copy(&original.path(), &copied.path());
    let ended = copied.run(&["collect", "--once", "--consumer", "c1"]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("{} is alive, so ", original.consumer("c1"))), "{}", ended.stderr);
    assert!(!ended.stderr.contains("the stream was reset"), "{}", ended.stderr);
    assert_ne!(original.consumer("c1"), copied.consumer("c1"));
    redis.add(10, 100);
    eventually("the original goes on", || original.events() == 40);
    assert_eq!(collector.stop(), 0);
    // Nor do they share a consumer when they take turns.
    redis.add(10, 100);
    copied.output(&["collect", "--once", "--consumer", "c1"]);
    redis.add(10, 100);
    original.output(&["collect", "--once", "--consumer", "c1"]);
    assert_eq!((copied.events(), original.events()), (30 + 10, 40 + 10));
    law_holds(&original);
}

#[test]
fn a_store_that_was_moved_to_another_disk_goes_on_where_it_was() {
    let redis = Redis::start();
    let (before, after) = (Store::of(&redis), Store::of(&redis));
    redis.add(10, 100);
    before.output(&["collect", "--once", "--consumer", "c1"]);
    let former = before.consumer("c1");
    redis.add(10, 100);
    read_and_die(&redis, &former, 4);
    copy(&before.path(), &after.path());
    fs::remove_dir_all(before.path()).unwrap();
    let ended = after.run(&["collect", "--once", "--consumer", "c1"]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert!(!ended.stderr.contains("the stream was reset"), "{}", ended.stderr);
    after.assert_accounts_for(20);
    assert_eq!((redis.pending(), redis.consumers()), (0, vec![after.consumer("c1")]));
    law_holds(&after);
    // Where it lies is known from then on.
    let own = after.consumer("c1");
    after.output(&["collect", "--once", "--consumer", "c1"]);
    assert_eq!(after.consumer("c1"), own);
}

#[test]
fn a_store_from_before_there_were_ids_goes_on_with_what_was_pending() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    // As the collector named c1 left it: ten entries acknowledged, four pending.
    redis.command::<()>("XGROUP CREATE emp:events emp-collector 0 MKSTREAM");
    redis.add(14, 100);
    let layout = Layout::new(store.path());
    let mut writer = StoreWriter::open(&layout, "c1").unwrap();
    writer.begin_at(0).unwrap();
    drop(writer);
    fs::remove_file(store.path().join("_journal/identity")).unwrap();
    fs::write(store.path().join("_journal/lock"), "\ndevice 1 inode 2\n").unwrap();
    redis.command::<i64>("HSET emp:events:accounts:emp-collector base 0 begun 0 lost 0 acknowledged:c1 0");
    read_and_die(&redis, "c1", 4);
    store.output(&["collect", "--once", "--consumer", "c1"]);
    store.assert_accounts_for(14);
    assert_eq!((redis.pending(), redis.consumers()), (0, vec![store.consumer("c1")]));
    assert_eq!(store.number("select count(distinct writer) from files"), 2);
    law_holds(&store);
}

/// An image of a whole disk looks as the disk itself: of two, the second one says so and ends.
#[test]
fn a_second_collector_of_the_same_identity_says_so_and_ends() {
    let redis = Redis::start();
    let (first, second) = (Store::of(&redis), Store::of(&redis));
    let collector = first.collect(&["--consumer", "c1"]);
    redis.add(10, 100);
    eventually("they are stored", || first.events() == 10);
    copy(&first.path(), &second.path());
    let identity = second.path().join("_journal/identity");
    let lock = fs::metadata(second.path().join("_journal/lock")).unwrap();
    let lines = fs::read_to_string(&identity).unwrap();
    let above = lines.lines().filter(|line| !line.starts_with("checksum "));
    let image = above.map(|line| match line.split_once(' ') {
        Some(("place", _)) => format!("place device {} inode {}\n", lock.dev(), lock.ino()),
        // An image of the day before.
        Some(("session", _)) => "session 7\n".to_owned(),
        _ => format!("{line}\n"),
    });
    let image: String = image.collect();
    let mut checksum = flate2::Crc::new();
    checksum.update(image.as_bytes());
    fs::write(&identity, format!("{image}checksum {:08x}\n", checksum.sum())).unwrap();
    assert_eq!(first.consumer("c1"), second.consumer("c1"));
    let ended = second.run(&["collect", "--consumer", "c1"]);
    assert_eq!(ended.status, 1);
    let said = format!("another collector is alive as `{}`", first.consumer("c1"));
    assert!(ended.stderr.contains(&said) && ended.stderr.contains("_journal/identity"), "{}", ended.stderr);
    redis.add(10, 100);
    eventually("the first one goes on", || first.events() == 20);
    // Were both given the very same state, the one that was there before notices, and ends.
    let session =
        format!("HSET emp:events:accounts:emp-collector session:{} 7", first.consumer("").trim_start_matches('-'));
    redis.command::<i64>(&session);
    redis.add(10, 100);
    collector.says(&format!("another collector reads as `{}` now", first.consumer("c1")));
    assert_eq!(collector.ended(), 1);
    assert_eq!(first.events(), 20, "what it was given meanwhile is not its own to store");
}

#[test]
fn health_asks_for_the_name_that_the_collector_has() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(3, 100);
    run(store.command(&["collect", "--once"]).env("EMP_EVENTS_CONSUMER", "collector"));
    let consumer = store.consumer("collector");
    assert_eq!(redis.consumers(), std::slice::from_ref(&consumer));
    redis.command::<i64>(&format!("HSET emp:events:accounts:emp-collector trouble:{consumer} disk-full"));
    let said = store.run(&["health", "--format", "json"]).stdout;
    assert!(said.contains("the collector has stopped taking entries: disk-full"), "{said}");
}
