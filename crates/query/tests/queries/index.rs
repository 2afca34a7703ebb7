//! The catalog and the index of ids make answers faster, and never other: deleted, cut, garbled,
//! out of date, of another store.

use std::fs;
use std::path::PathBuf;

use emp_event::Level;
use emp_store::Layout;

use crate::support::*;

/// More hours than are looked into without an index.
const HOURS: i64 = 40;

/// Two jobs an hour, each of which goes on in the next; a service and a kind of event of few hours.
fn store_of_hours(prefix: &str) -> TestStore {
    let store = TestStore::new();
    store.sealed(&events(prefix, 0..HOURS));
    store
}

fn events(prefix: &str, hours: std::ops::Range<i64>) -> Vec<TestEvent> {
    let mut events = Vec::new();
    for hour in hours {
        let service = if hour == 7 { "webhook-service" } else { "worker" };
        let at = hour * HOUR;
        events.push(event(at, service, "job.created", &format!("{prefix}{hour}")));
        events.push(event(at + 1, "worker", "job.progress_updated", &format!("{prefix}{}", hour - 1)));
        let level = if hour % 9 == 0 { Level::Error } else { Level::Info };
        events.push(event(at + 2, service, "job.completed", "").level(level).user(&format!("u{}", hour % 3)));
    }
    events
}

/// What happens to the bytes of a file.
type Damage = fn(&[u8]) -> Vec<u8>;

const QUESTIONS: [&str; 16] = [
    "select id, service from events where job_id = 'j7' order by id",
    "select count(*) from events where job_id = 'nobody'",
    "select job_id, count(*) from events where job_id in ('j3', 'j20', 'j38', 'nobody') group by 1 order by 1",
    "select id from events where job_id = 'j12' or user_id = 'u2' order by id",
    "select id from events where job_id = 'j12' and hour = '03' order by id",
    "select id from events where user_id = 'u0' and level = 'error' order by id",
    "select count(*) from events where service = 'webhook-service'",
    "select count(*), min(timestamp), max(timestamp), min(ingested_at) from events",
    "select date, hour, count(*) from events group by 1, 2 order by 1, 2",
    "select date, count(*) from events where hour < '05' group by 1 order by 1",
    "select count(*) from events where date = '2025-09-28'",
    "select distinct date from events order by 1",
    "select id from events where level = 'error' order by timestamp desc limit 3",
    "select id from events order by timestamp limit 2",
    "select count(*) from events where timestamp >= '2025-09-28T20:00:00Z'",
    "select e.id from events e join (values ('j5'), ('j31')) wanted(job) on e.job_id = wanted.job order by 1",
];

fn answers(store: &TestStore) -> Vec<String> {
    QUESTIONS.iter().map(|sql| store.ask(sql)).collect()
}

/// Without anything known.
fn truth(store: &TestStore) -> Vec<String> {
    let answers = QUESTIONS.iter().map(|sql| {
        forget(&store.layout);
        store.ask(sql)
    });
    answers.collect()
}

fn forget(layout: &Layout) {
    let _ = fs::remove_dir_all(layout.index());
}

/// The files of the index.
fn index_files(store: &TestStore) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(store.layout.index()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The files of the index, with what they hold.
fn index_contents(store: &TestStore) -> Vec<(PathBuf, Vec<u8>)> {
    index_files(store).into_iter().map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

/// The files of the index that hold ids.
fn runs(store: &TestStore) -> Vec<PathBuf> {
    let is_run = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "run");
    index_files(store).into_iter().filter(is_run).collect()
}

/// Nothing but these files, under their names, is the store's index.
fn put_index(store: &TestStore, files: &[(PathBuf, Vec<u8>)]) {
    forget(&store.layout);
    fs::create_dir(store.layout.index()).unwrap();
    for (path, bytes) in files {
        fs::write(store.layout.index().join(path.file_name().unwrap()), bytes).unwrap();
    }
}

/// How many files a query reads, the running ones that it skips left out.
fn files_read(store: &TestStore, sql: &str) -> u64 {
    let plan = store.ask(&format!("explain analyze {sql}"));
    let metric = |name: &str| -> u64 {
        let found = plan.split(&format!("{name}=")).nth(1);
        found.map_or(0, |rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap())
    };
    metric("files_opened") - metric("files_skipped_while_running")
}

#[test]
fn the_first_question_is_answered_as_the_next_ones_are() {
    let store = store_of_hours("j");
    let truth = truth(&store);
    assert!(truth.iter().all(|answer| !answer.is_empty()));
    assert_eq!(answers(&store), truth);
    assert_eq!(answers(&store), truth);
}

#[test]
fn a_question_reads_only_the_files_that_hold_what_it_asks_for() {
    let store = store_of_hours("j");
    answers(&store);
    let read = |sql| files_read(&store, sql);
    assert_eq!(read("select * from events where job_id = 'j7'"), 2);
    assert_eq!(read("select * from events where job_id = 'nobody'"), 0);
    assert_eq!(read("select * from events where job_id in ('j3', 'j20')"), 4);
    assert_eq!(read("select * from events where job_id = 'j12' or job_id = 'j30'"), 4);
    assert_eq!(read("select * from events where job_id = 'j12' or user_id = 'u2'"), 15);
    assert_eq!(read("select * from events where user_id = 'u1' and level = 'error'"), 0);
    assert_eq!(read("select * from events where level = 'error' and (job_id = 'j3' or user_id = 'u0')"), 5);
    assert_eq!(read("select * from events where service = 'webhook-service'"), 1);
    assert_eq!(read("select * from events where level <> 'error' and service = 'nobody'"), 0);
    assert_eq!(read("select * from events where timestamp >= '2025-09-29T04:00:00Z'"), 2);
}

#[test]
fn joins_and_limits_skip_files_while_they_run() {
    let store = store_of_hours("j");
    answers(&store);
    let read = |sql| files_read(&store, sql);
    let join = "select e.id from events e join (values ('j5'), ('j31')) wanted(job) on e.job_id = wanted.job";
    assert_eq!(read(join), 4);
    let newest = "select id from events where level = 'error' order by timestamp desc limit 1";
    assert!(read(newest) <= 3, "{}", read(newest));
    let oldest = "select id from events order by timestamp limit 1";
    assert!(read(oldest) <= 3, "{}", read(oldest));
}

#[test]
fn counts_are_answered_without_a_scan() {
    let store = store_of_hours("j");
    store.journal(&events("j", HOURS..HOURS + 1));
    for sql in [
        "select count(*) from events",
        "select max(timestamp) from events e",
        "select date, hour, count(*) from events group by date, hour",
        "select count(*), min(ingested_at) from events where date = '2025-09-28'",
        "select date || 'T' || hour, count(*) as n from events group by 1 having count(*) > 1 order by n",
    ] {
        let plan = store.ask(&format!("explain {sql}"));
        assert!(!plan.contains("file_type=parquet"), "{plan}");
    }
    assert_eq!(store.ask("select count(*) from events"), "123");
    assert_eq!(store.ask("select count(*) from events where date = '2000-01-01'"), "0");
    assert_eq!(store.ask("select max(timestamp) from events where date = '2000-01-01'"), "null");
    assert_eq!(store.ask("select count(*) from events where job_id = 'j1'"), "2");
    assert_eq!(store.ask("select count(job_id), count(distinct hour) from events"), "82 | 24");
}

#[test]
fn counts_by_grouping_sets_are_those_of_a_scan() {
    let store = store_of_hours("j");
    for grouping in [
        "rollup(date, hour)",
        "cube(date, hour)",
        "grouping sets ((date), (hour), ())",
        "grouping sets ((date, hour))",
        "date, rollup(hour)",
    ] {
        let ask = |table: &str| {
            store.ask(&format!(
                "select date, hour, count(*), max(timestamp) from {table} group by {grouping} order by 1, 2, 3"
            ))
        };
        // A filter that is always true but not about hours has the events themselves counted.
        assert_eq!(ask("events"), ask("(select * from events where service <> '')"), "{grouping}");
    }
}

#[test]
fn a_damaged_index_changes_no_answer() {
    let store = store_of_hours("j");
    let truth = truth(&store);
    answers(&store);
    let intact = index_contents(&store);
    assert!(intact.len() >= 2, "{intact:?}");
    let damages: [Damage; 6] = [
        |_| Vec::new(),
        |bytes| bytes[..bytes.len() / 2].to_vec(),
        |bytes| bytes[..bytes.len() - 1].to_vec(),
        |bytes| bytes.iter().map(|byte| !byte).collect(),
        // Of a newer version.
        |bytes| [b"EMPCAT9\nEMPIDS9\n".as_slice(), &bytes[8..]].concat(),
        |bytes| vec![0; bytes.len()],
    ];
    for damaged in 0..intact.len() {
        for damage in damages {
            for (path, bytes) in &intact {
                fs::write(path, bytes).unwrap();
            }
            fs::write(&intact[damaged].0, damage(&intact[damaged].1)).unwrap();
            assert_eq!(answers(&store), truth, "{}", intact[damaged].0.display());
        }
        fs::remove_file(&intact[damaged].0).unwrap();
        assert_eq!(answers(&store), truth, "without {}", intact[damaged].0.display());
    }
}

#[test]
fn each_flipped_byte_of_the_ids_is_noticed() {
    let store = store_of_hours("j");
    let truth = store.ask(QUESTIONS[0]);
    let run = runs(&store).remove(0);
    let bytes = fs::read(&run).unwrap();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        fs::write(&run, flipped).unwrap();
        assert_eq!(store.ask(QUESTIONS[0]), truth, "byte {at}");
        assert_eq!(store.ask(QUESTIONS[1]), "0", "byte {at}");
    }
}

#[test]
fn an_index_that_is_out_of_date_changes_no_answer() {
    let store = store_of_hours("j");
    answers(&store);
    let old = index_contents(&store);
    // Files come, in hours old and new, and one goes.
    store.sealed(&events("new", HOURS..HOURS + 40));
    fs::remove_file(&store.parquet_files()[3]).unwrap();
    fs::remove_dir_all(store.layout.journal()).unwrap();
    let expected = truth(&store);
    put_index(&store, &old);
    assert_eq!(answers(&store), expected);
    assert_eq!(answers(&store), expected);
}

#[test]
fn a_file_that_was_replaced_in_place_is_read_anew() {
    let store = store_of_hours("j");
    answers(&store);
    let others = store_of_hours("k");
    for (ours, theirs) in store.parquet_files().iter().zip(others.parquet_files()) {
        assert_eq!(ours.file_name(), theirs.file_name());
        let length = fs::metadata(ours).unwrap().len();
        fs::copy(&theirs, ours).unwrap();
        assert_eq!(fs::metadata(ours).unwrap().len(), length, "of the same size, even");
    }
    assert_eq!(store.ask("select count(*) from events where job_id = 'j7'"), "0");
    assert_eq!(store.ask("select count(*) from events where job_id = 'k7'"), "2");
    assert_eq!(answers(&store), truth(&store));
}

#[test]
fn the_index_of_another_store_changes_no_answer() {
    let store = store_of_hours("j");
    let truth = truth(&store);
    let others = store_of_hours("k");
    answers(&others);
    put_index(&store, &index_contents(&others));
    assert_eq!(answers(&store), truth);
}

#[test]
fn a_copy_keeps_its_index() {
    let store = store_of_hours("j");
    let truth = answers(&store);
    let copy = TestStore::new();
    copy_folder(store.layout.root(), copy.layout.root());
    let before = runs(&copy);
    assert_eq!(answers(&copy), truth);
    assert_eq!(runs(&copy), before, "no ids were read again");
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy_folder(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

#[test]
fn where_no_index_can_be_kept_questions_are_answered_all_the_same() {
    let store = store_of_hours("j");
    let truth = truth(&store);
    forget(&store.layout);
    // A file stands where the folder should be.
    fs::write(store.layout.index(), "").unwrap();
    assert_eq!(answers(&store), truth);
}

/// By the index, and by the events where it does not know all files; with those of the journal.
#[test]
fn values_in_use_are_those_of_files_and_journal_whether_the_index_knows_them() {
    let store = store_of_hours("j");
    store.journal(&[event((HOURS + 1) * HOUR, "api-server", "job.cancelled", "late")]);
    let values = |column: &str| block_on(store.engine().newest_values(column)).unwrap();
    let all = || [values("service"), values("event_type"), values("level")];
    let read = all();
    assert_eq!(read[0], ["api-server", "webhook-service", "worker"]);
    assert_eq!(read[1], ["job.cancelled", "job.completed", "job.created", "job.progress_updated"]);
    assert_eq!(read[2], ["error", "info"]);
    // A question about an id brings the files into the index.
    store.ask("select count(*) from events where job_id = 'nobody'");
    assert_eq!(all(), read);
    fs::remove_dir_all(store.layout.index()).unwrap();
    assert_eq!(all(), read);
}
