//! What a collector does for its store, and what can be done by hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::{Redis, Store, beside, eventually};

/// How many events other engines see.
const SEALED: &str = "select coalesce(sum(rows), 0) from files where kind = 'parquet'";

/// Every sealed file of a store.
fn sealed_files(store: &Store) -> Vec<PathBuf> {
    let folders = |folder: PathBuf, prefix: &'static str| {
        let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        entries.filter(move |path| path.file_name().unwrap().to_string_lossy().starts_with(prefix)).collect::<Vec<_>>()
    };
    let hours = folders(store.path(), "date=").into_iter().flat_map(|date| folders(date, "hour="));
    hours.flat_map(|hour| folders(hour, "")).collect()
}

#[test]
fn seal_makes_the_journal_visible_to_other_engines() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    // With a collector at work, which is asked to do it.
    let collector = store.collect(&[]);
    redis.add(7, 100);
    eventually("they are stored", || store.events() == 7);
    assert_eq!(store.number(SEALED), 0);
    assert_eq!(store.output(&["seal"]), "the collector has sealed what it had\n");
    assert_eq!(store.number(SEALED), 7);
    redis.add(5, 100);
    eventually("they are stored", || store.events() == 12);
    collector.crash();
    // Without one.
    assert_eq!(store.output(&["seal"]).lines().last(), Some("sealed 5 events"));
    assert_eq!(store.output(&["seal"]), "nothing to seal: all events are in sealed files\n");
    assert_eq!(store.number(SEALED), 12);
    assert_eq!(store.events(), 12);
}

#[test]
fn verify_checks_the_files_and_the_law() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(10, 100);
    store.output(&["collect", "--once"]);
    redis.add(300, 100);
    store.output(&["collect", "--once"]);
    redis.command::<String>("XADD emp:events * no event");
    redis.add(1, 1_000);
    assert!(!store.output(&["verify"]).contains("the law"), "an address alone asks for nothing");
    let said = store.output(&["verify", "--law"]);
    let (files, law) = said.split_once("\n\n").unwrap();
    assert!(files.ends_with("110 events: all is sound"), "{said}");
    let expected = "         312  added to the stream
         110  stored
         200  lost
           2  unread
           0  unaccounted for: the law holds
";
    assert_eq!(law, expected);
    // Events that are gone, from the journal, too, are missed.
    fs::remove_file(&sealed_files(&store)[0]).unwrap();
    fs::remove_dir_all(store.path().join("_journal")).unwrap();
    let ended = store.run(&["verify", "--law"]);
    assert_eq!(ended.status, 1);
    assert!(ended.stdout.contains("THE LAW IS BROKEN, entries are missing"), "{}", ended.stdout);
}

#[test]
fn verify_finds_damage_and_repairs_it() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(10, 100);
    store.output(&["collect", "--once"]);
    let file = sealed_files(&store).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    bytes[50] ^= 4;
    fs::write(&file, bytes).unwrap();
    let ended = store.run(&["verify"]);
    assert_eq!(ended.status, 1);
    assert!(ended.stdout.contains("(partition): its checksum does not hold"), "{}", ended.stdout);
    // The segment it was sealed from is still there for a while.
    let said = store.output(&["verify", "--repair"]);
    assert!(said.contains("moved to the quarantine"), "{said}");
    assert_eq!(store.events(), 10);
    assert!(store.output(&["verify", "--format", "json"]).contains("\"findings\":[]"));
}

#[test]
fn compact_and_retain_say_what_they_did() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let path = store.path();
    let into = path.to_str().unwrap();
    store.output(&[
        "simulate",
        "--into",
        into,
        "--hours",
        "3",
        "--jobs-per-hour",
        "4",
        "--from",
        "2025-09-27T00:00:00Z",
    ]);
    let events = store.events();
    assert!(store.output(&["compact"]).starts_with("0 files with 0 events became 0;"));
    let said = store.output(&["retain", "--bytes", "1", "--dry-run"]);
    assert!(said.starts_with("3 hours with 3 files and "), "{said}");
    assert!(said.ends_with(" would go, from 2025-09-27 00:00 to 2025-09-27 02:59 UTC\n"), "{said}");
    assert_eq!(store.events(), events);
    // All of it is older than a day: that may as well be the clock.
    let ended = store.run(&["retain", "--age", "1d"]);
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.contains("the clock says"), "{}", ended.stderr);
    assert!(ended.stderr.contains("add --even-if-odd"), "{}", ended.stderr);
    assert_eq!(store.events(), events);
    store.output(&["retain", "--age", "1d", "--even-if-odd"]);
    assert_eq!((store.events(), sealed_files(&store).len()), (0, 0));
    let ended = store.run(&["retain"]);
    assert_eq!(ended.status, 2, "{}", ended.stderr);
}

/// What a collector has read stands in the journal for some minutes after it is sealed.
#[test]
fn what_is_too_old_goes_though_the_journal_still_has_it() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let (old, event) = (1_758_931_200_000_i64, ["service", "worker", "eventType", "job.created"]);
    for hour in 0..3 {
        let id = format!("{}-0", old + hour * 3_600_000);
        redis::cmd("XADD").arg("emp:events").arg(id).arg(&event).query::<()>(&mut redis.connection()).unwrap();
    }
    store.output(&["collect", "--once"]);
    let dry = store.run(&["retain", "--age", "1d", "--even-if-odd", "--dry-run"]);
    assert!(dry.stdout.starts_with("0 hours"), "{}", dry.stdout);
    assert!(dry.stderr.contains("the journal still has events of 2025-09-27 00:00 UTC"), "{}", dry.stderr);
    let said = store.output(&["retain", "--age", "1d", "--even-if-odd"]);
    assert!(said.starts_with("3 hours with ") && said.contains(" are gone, from 2025-09-27 00:00"), "{said}");
    assert_eq!((store.events(), sealed_files(&store).len()), (0, 0));
    assert_eq!(store.run(&["verify"]).status, 0);
}

#[test]
fn a_damaged_file_costs_itself_only() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let path = store.path();
    let into = path.to_str().unwrap();
    let hours = ["--hours", "5", "--jobs-per-hour", "4", "--from", "2025-09-27T00:00:00Z"];
    store.output(&[["simulate", "--into", into].as_slice(), &hours].concat());
    let mut files = sealed_files(&store);
    files.sort();
    fs::write(&files[1], "PAR1 no more").unwrap();
    let bytes = fs::metadata(&files[4]).unwrap().len();
    let ended = store.run(&["retain", "--bytes", &bytes.to_string()]);
    assert_eq!(ended.status, 1);
    assert!(ended.stdout.starts_with("4 hours with 3 files and "), "{}", ended.stdout);
    assert!(ended.stderr.contains(&files[1].display().to_string()), "{}", ended.stderr);
    assert_eq!(sealed_files(&store), files[4..]);
}

#[test]
fn a_collector_removes_what_is_too_old_by_itself() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let path = store.path();
    let into = path.to_str().unwrap();
    store.output(&[
        "simulate",
        "--into",
        into,
        "--hours",
        "2",
        "--jobs-per-hour",
        "4",
        "--from",
        "2025-09-27T00:00:00Z",
    ]);
    let old = sealed_files(&store);
    redis.add(3, 100);
    store.output(&["collect", "--once"]);
    let collector = store.collect(&["--retain", "1d"]);
    collector.says("removed 2 files");
    eventually("only the new events are left", || store.events() == 3);
    assert_eq!(collector.stop(), 0);
    assert!(old.len() == 2 && old.iter().all(|file| file.exists()), "what went stays for queries at work: {old:?}");
}

#[test]
fn another_collector_goes_on_with_the_journal_and_the_pending_entries() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let first = store.collect(&["--consumer", "first"]);
    redis.add(20, 1_000);
    eventually("they are stored", || store.events() == 20);
    let second = store.collect(&["--consumer", "second"]);
    second.says("standing by");
    // Read and not yet committed when the first one dies.
    first.signal("STOP");
    let consumer = store.consumer("first");
    let read = |count: usize| format!("XREADGROUP GROUP emp-collector {consumer} COUNT {count} STREAMS emp:events >");
    redis.command::<redis::Value>(&read(1));
    redis.add(10, 1_000);
    redis.command::<redis::Value>(&read(4));
    first.crash();
    eventually("the second one has them all", || store.events() == 30);
    store.assert_accounts_for(30);
    eventually("it acknowledges them", || redis.pending() == 0);
    assert_eq!(store.number("select count(distinct writer) from files"), 2);
    assert_eq!(second.stop(), 0);
    store.output(&["verify", "--law"]);
}

#[test]
fn what_a_collector_elsewhere_left_is_adopted_on_demand() {
    let redis = Redis::start();
    let (here, elsewhere) = (Store::of(&redis), Store::of(&redis));
    here.output(&["collect", "--once", "--consumer", "here"]);
    elsewhere.output(&["collect", "--once", "--consumer", "gone"]);
    redis.add(10, 1_000);
    let gone = elsewhere.consumer("gone");
    let read = format!("XREADGROUP GROUP emp-collector {gone} COUNT 6 STREAMS emp:events >");
    redis.command::<redis::Value>(&read);
    here.output(&["collect", "--once", "--consumer", "here"]);
    assert_eq!((here.events(), redis.pending()), (4, 6), "left alone");
    let ended = here.run(&["collect", "--once", "--consumer", "here", "--adopt", "nobody"]);
    assert_eq!(ended.status, 1);
    let known = format!("no consumer `nobody` to adopt; it has {gone}, {}", here.consumer("here"));
    assert!(ended.stderr.contains(&known), "{}", ended.stderr);
    // As long as it asks for entries it is alive, even if there are none.
    let ask = format!("XREADGROUP GROUP emp-collector {gone} COUNT 1 STREAMS emp:events 0");
    let ended = beside(
        Duration::from_millis(50),
        || drop(redis.command::<redis::Value>(&ask)),
        || here.run(&["collect", "--once", "--consumer", "here", "--adopt", &gone]),
    );
    assert!(ended.stderr.contains(&format!("consumer `{gone}` is alive")), "{}", ended.stderr);
    eventually("it has been silent for so long that health tells how to take over", || {
        here.run(&["--format", "json", "health"]).stdout.contains(&format!("emp-events collect --adopt {gone}"))
    });
    here.output(&["collect", "--once", "--consumer", "here", "--adopt", &gone]);
    assert_eq!((here.events(), redis.pending()), (10, 0));
    here.assert_accounts_for(10);
    // What was adopted is not taken from its store for good, should that come back.
    assert_eq!(redis.consumers(), [here.consumer("here")]);
    assert!(here.output(&["verify", "--law"]).contains("the law holds"));
    elsewhere.output(&["collect", "--once", "--consumer", "gone"]);
    redis.add(5, 1_000);
    redis.command::<redis::Value>(&read);
    here.output(&["collect", "--once", "--consumer", "here"]);
    assert_eq!(redis.pending(), 5);
}

/// Changes one bit in the middle of a file.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn no_damaged_file_keeps_a_collector_from_collecting_or_a_question_from_its_answer() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let into = store.path();
    let hours = ["--hours", "3", "--jobs-per-hour", "4", "--from", "2025-09-27T00:00:00Z"];
    store.output(&[&["simulate", "--into", into.to_str().unwrap()], &hours[..]].concat());
    redis.add(20, 1_000);
    store.output(&["collect", "--once"]);
    redis.add(30, 10);
    redis.command::<String>("XADD emp:events * no event");
    store.output(&["collect", "--once"]);
    store.output(&["retain", "--age", "1d"]);
    let mut stored = store.events();
    assert_eq!(stored, 30);
    for folder in ["_losses", "_quarantine", "_retired"] {
        let file = fs::read_dir(store.path().join(folder)).unwrap().next().unwrap().unwrap().path();
        damage(&file);
        redis.add(3, 1_000);
        let ended = store.run(&["collect", "--once"]);
        assert_eq!(ended.status, 0, "{folder}: {}", ended.stderr);
        stored += 3;
        assert_eq!(store.events(), stored, "{folder}");
    }
    // What was lost is recorded once more; what was damaged is what the law lacks.
    assert_eq!(store.number("select sum(lost) from losses"), 20);
    let said = store.run(&["verify", "--law"]).stdout;
    assert!(said.contains("0  unaccounted for: the law holds"), "{said}");
    // The footers are read where a group begins anew.
    let of_first = "from files where kind = 'parquet' order by first_id limit 1";
    let first = store.output(&["sql", "--format", "csv", &format!("select path {of_first}")]);
    let rows = store.number(&format!("select rows {of_first}"));
    fs::File::options().write(true).open(first.lines().nth(1).unwrap()).unwrap().set_len(100).unwrap();
    redis.command::<i64>("XGROUP DESTROY emp:events emp-collector");
    redis.add(3, 1_000);
    let ended = store.run(&["collect", "--once"]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("is damaged") && ended.stderr.contains("what it holds is not counted"));
    // It costs itself only; nothing, where its segment is still in the journal and is sealed once more.
    let events = store.events();
    assert!([stored + 3, stored + 3 - rows].contains(&events), "{events} of {stored} and 3");
}
