//! Faults that meet more than one request: a file in parts, hours that leave the disk, keys that expire, a bucket that is
//! away for hours, two stores at one prefix.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use super::keeping::COUNT;
use super::server::{Bucket, Fate};
use super::{archive, archived, copy, environment, few_hours, sample, sealed, succeeds};
use crate::disk_faults::FaultyDisk;
use crate::support::{Ended, Redis, Store, emp_events, eventually, run};

/// A store with one hour, whose file goes in three parts.
fn large_hour() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (mut lines, mut random) = (String::new(), 1_u64);
    for number in 0..170 {
        // Letters that cannot be packed.
        let bytes: String = (0..90_000)
            .map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                char::from(b'?' + (random >> 58) as u8)
            })
            .filter(|letter| *letter != '\\')
            .collect();
        let minute = number % 60;
        writeln!(
            lines,
            r#"{{"timestamp":"2026-01-05T03:{minute:02}:00Z","service":"a","eventType":"x.y","data":{{"n":{number},"bytes":"{bytes}"}}}}"#
        )
        .unwrap();
    }
    let file = folder.path().join("large.ndjson");
    fs::write(&file, lines).unwrap();
    succeeds(&run(emp_events().arg("--store").arg(folder.path().join("store")).arg("import").arg(&file)));
    folder
}

/// What a store puts there, where nothing goes wrong but what `decide` says of each request for that file.
fn decide_of_file(bucket: &Bucket, decide: impl Fn(usize, &str) -> Fate + Send + Sync + 'static) {
    let count = AtomicUsize::new(0);
    bucket.decide(move |_, method, object| {
        if object.contains("/date=") { decide(count.fetch_add(1, SeqCst) + 1, method) } else { Fate::Answered }
    });
}

#[test]
fn a_file_in_parts_is_there_once_whatever_request_it_is_killed_at() {
    let (bucket, folder) = (Bucket::new("parts"), large_hour());
    let original = folder.path().join("store");
    let expected = sealed(&original);
    assert!(expected.values().all(|bytes| bytes.len() > 10 << 20), "three parts");
    for fate in [Fate::KilledBefore, Fate::KilledAfter] {
        for at in 1.. {
            let prefix = format!("{fate:?}-{at}");
            let (store, url) = (folder.path().join(&prefix), bucket.url(&prefix));
            copy(&original, &store);
            decide_of_file(&bucket, move |number, _| if number == at { fate } else { Fate::Answered });
            let mut command = archive(&bucket, &store, &url);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            bucket.may_kill(child.id());
            let was_killed = child.wait().unwrap().code().is_none();
            bucket.heal();
            // Parts of which nothing has come are no object: nobody reads them.
            assert!(archived(&bucket, &prefix).into_iter().all(|(name, bytes)| expected[&name] == bytes));
            succeeds(&run(&mut archive(&bucket, &store, &url)));
            assert_eq!(archived(&bucket, &prefix), expected, "killed at request {at}");
            let verified = run(bucket.know(emp_events().arg("--store").arg(&url).arg("verify")));
            assert_eq!(verified.status, 0, "killed at request {at}: {}", verified.stdout);
            fs::remove_dir_all(&store).unwrap();
            if !was_killed {
                assert_eq!(at, 7, "a look, a beginning, three parts and an end");
                break;
            }
        }
    }
}

#[test]
fn a_file_in_parts_is_there_once_whatever_answer_is_lost() {
    let (bucket, folder) = (Bucket::new("lost-parts"), large_hour());
    let original = folder.path().join("store");
    let expected = sealed(&original);
    for fate in [Fate::Unanswered, Fate::Unheard, Fate::Refused(500, "InternalError"), Fate::Refused(503, "SlowDown")] {
        for at in 1..=6 {
            let prefix = format!("{fate:?}-{at}").replace(['(', ')', '"', ',', ' '], "");
            let (store, url) = (folder.path().join(&prefix), bucket.url(&prefix));
            copy(&original, &store);
            decide_of_file(&bucket, move |number, _| if number == at { fate } else { Fate::Answered });
            // Where it gives up, it says of what, and goes on when it is asked again.
            let ended = (0..3).map(|_| run(&mut archive(&bucket, &store, &url))).find(|ended| {
                assert!(ended.status == 0 || ended.stderr.contains(&url), "{prefix}: {}", ended.stderr);
                ended.status == 0
            });
            assert!(ended.is_some(), "{prefix}: it never ended");
            assert_eq!(archived(&bucket, &prefix), expected, "{prefix}");
            fs::remove_dir_all(&store).unwrap();
        }
    }
    // What somebody else has put there is not written over, though parts would be.
    let name = expected.keys().next().unwrap();
    bucket.heal();
    bucket.put(&format!("foreign/{name}"), b"somebody's own");
    let ended = run(&mut archive(&bucket, &original, &bucket.url("foreign")));
    assert!(ended.status == 1 && ended.stderr.contains("holds something else"), "{}", ended.stderr);
    assert_eq!(archived(&bucket, "foreign")[name], b"somebody's own");
}

#[test]
fn whatever_request_a_collector_is_killed_at_while_hours_leave_its_disk_each_event_is_there() {
    let (bucket, folder, clock) = (Bucket::new("leaving"), few_hours(), FaultyDisk::make());
    let redis = Redis::start();
    let original = folder.path().join("store");
    let url = bucket.url("p");
    succeeds(&run(&mut archive(&bucket, &original, &url)));
    let count = |store: &Path| run(bucket.know(emp_events().arg("--store").arg(store).args(COUNT))).stdout;
    let (before, files) = (count(&original), sealed(&original));
    clock.says("none 4000");
    for fate in [Fate::KilledBefore, Fate::KilledAfter] {
        for at in 1.. {
            let store = Store::of(&redis);
            copy(&original, &store.path());
            let collect = || {
                let mut command = store.command(&["collect", "--once", "--archive", &url, "--keep-local", "1s"]);
                command.envs(environment(&bucket)).envs(clock.environment(&store.path()));
                command
            };
            bucket.take_asked();
            bucket.decide(move |number, _, _| if number == at { fate } else { Fate::Answered });
            let mut child = collect().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            bucket.may_kill(child.id());
            let was_killed = child.wait().unwrap().code().is_none();
            bucket.heal();
            assert!(bucket.take_asked().iter().all(|asked| asked.method != "PUT"), "it only looks");
            assert_eq!(count(&store.path()), before, "killed at request {at}");
            let left = sealed(&store.path());
            assert!(left.iter().all(|(name, bytes)| files[name] == *bytes), "killed at request {at}");
            succeeds(&run(&mut collect()));
            assert!(sealed(&store.path()).is_empty(), "killed at request {at}");
            assert_eq!(count(&store.path()), before, "killed at request {at}, and gone on");
            assert_eq!(archived(&bucket, "p"), files);
            if !was_killed {
                assert!(at > 4, "looking at three files takes more than {at} requests");
                break;
            }
        }
    }
}

/// A program that prints what is in a file beside it as its credentials.
struct Keys(PathBuf);

impl Keys {
    fn in_home_of(bucket: &Bucket) -> Self {
        let aws = bucket.home().join(".aws");
        fs::create_dir_all(&aws).unwrap();
        let program = aws.join("keys.sh");
        fs::write(&program, "#!/bin/sh\ncat \"$0.json\"\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(aws.join("config"), format!("[default]\ncredential_process = {}\n", program.display())).unwrap();
        Self(aws.join("keys.sh.json"))
    }

    fn are(&self, key: &str, expires: Option<&str>) {
        let mut text = serde_json::json!({ "Version": 1, "AccessKeyId": key, "SecretAccessKey": "x" });
        text["SessionToken"] = "t".into();
        if let Some(expires) = expires {
            text["Expiration"] = expires.into();
        }
        let new = self.0.with_extension("new");
        fs::write(&new, text.to_string()).unwrap();
        assert!(Command::new("mv").arg(new).arg(&self.0).status().unwrap().success());
    }
}

fn with_process(command: &mut Command) -> Ended {
    run(command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY"))
}

#[test]
fn keys_that_expire_in_the_middle_are_asked_for_again() {
    let (bucket, folder) = (Arc::new(Bucket::new("expiring")), sample());
    let store = folder.path().join("store");
    let keys = Keys::in_home_of(&bucket);
    // They say when they expire, which is soon: at the twentieth request there are others, and those that were under way
    // then have come long before the first are believed no more.
    let soon = (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(2)).to_string();
    keys.are("first", Some(&soon));
    let (line, program, then) = (Arc::downgrade(&bucket), keys.0.clone(), soon.clone());
    bucket.decide(move |number, _, _| {
        match number {
            20 => Keys(program.clone()).are("second", Some(&then)),
            40 => line.upgrade().into_iter().for_each(|line| line.expire("first")),
            _ => {}
        }
        Fate::Answered
    });
    succeeds(&with_process(&mut archive(&bucket, &store, &bucket.url("p"))));
    assert_eq!(archived(&bucket, "p"), sealed(&store));

    // They expire, and did not say so: that is said, and with others it goes on where it was.
    let second = folder.path().join("second");
    copy(&file_of_sample(), &second);
    keys.are("third", None);
    let line = Arc::downgrade(&bucket);
    bucket.decide(move |number, _, _| {
        if number == 20 {
            line.upgrade().into_iter().for_each(|line| line.expire("third"));
        }
        Fate::Answered
    });
    let ended = with_process(&mut archive(&bucket, &second, &bucket.url("q")));
    assert!(ended.status == 1 && ended.stderr.contains("the credentials have expired"), "{}", ended.stderr);
    let half = archived(&bucket, "q").len();
    assert!((1..48).contains(&half), "{half}");
    keys.are("fourth", None);
    succeeds(&with_process(&mut archive(&bucket, &second, &bucket.url("q"))));
    assert_eq!(archived(&bucket, "q"), sealed(&second));
}

fn file_of_sample() -> PathBuf {
    crate::support::file("data/sample")
}

#[test]
fn a_bucket_that_is_away_for_hours_delays_nothing_and_has_all_of_them_in_the_end() {
    let (bucket, redis, clock) = (Bucket::new("away"), Redis::start(), FaultyDisk::make());
    let store = Store::of(&redis);
    let url = bucket.url("p");
    let mut environment = environment(&bucket);
    environment.extend(clock.environment(&store.path()));
    bucket.decide(|_, _, _| Fate::Unheard);
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let collector = store.collect_with(&["--archive", &url, "--keep-local", "1s"], &environment);
    for hour in 0..5 {
        clock.says(&format!("none {}", hour * 3_600));
        for number in 0..20 {
            let id = format!("{}-{number}", now_ms + hour * 3_600_000);
            let job = format!("job_{hour}_{number}");
            redis.command::<String>(&format!("XADD emp:events {id} service worker eventType job.claimed jobId {job}"));
        }
        eventually("all is acknowledged while the bucket is away", || redis.has_read_all() && redis.pending() == 0);
    }
    assert_eq!(store.events(), 100);
    assert!(bucket.objects("p").is_empty());
    collector.says("hours wait to be archived");
    // It is started again, after which nobody needs the journal any more of what is sealed.
    clock.says(&format!("none {}", 5 * 3_600 + 1_800));
    assert_eq!(collector.stop(), 0);
    let collector = store.collect_with(&["--archive", &url, "--keep-local", "1s"], &environment);
    collector.says("hours wait to be archived");
    bucket.heal();
    let count = ["sql", "--format", "csv", "select count(*), count(distinct id) from events"];
    let has_all = |ended: Ended| ended.stdout.lines().nth(1) == Some("100,100");
    eventually("the bucket has all", || has_all(run(bucket.know(emp_events().args(["--store", &url]).args(count)))));
    let peak_kb = collector.peak_kb();
    assert!(peak_kb < 30 << 10, "{peak_kb} kB");
    assert_eq!(collector.stop(), 0);
    assert!(has_all(run(bucket.know(&mut store.command(&count)))));
}

/// Both see that nobody is there, and then both go on: whatever the server knows of conditions, one of them has the prefix
/// in the end, the other one is told, and has lost nothing.
fn two_claim_one_prefix(bucket: &Bucket) {
    let folders = [few_hours(), sample()];
    let stores = folders.each_ref().map(|folder| folder.path().join("store"));
    let files = stores.each_ref().map(|store| sealed(store));
    let url = bucket.url("p");
    let looked = AtomicUsize::new(0);
    bucket.decide(move |_, method, object| {
        // The first look, and the one before the head is put, each answered once both have asked.
        if method == "GET" && object.ends_with("_catalog/head") {
            let number = looked.fetch_add(1, SeqCst) + 1;
            let both = number.next_multiple_of(2);
            eventually("both look", || both > 4 || looked.load(SeqCst) >= both);
        }
        Fate::Answered
    });
    let ended = std::thread::scope(|scope| {
        let each = stores.each_ref().map(|store| scope.spawn(|| run(&mut archive(bucket, store, &bucket.url("p")))));
        each.map(|thread| thread.join().unwrap())
    });
    bucket.heal();
    assert!(ended.iter().any(|ended| ended.status == 0), "{ended:?}");
    let clock = FaultyDisk::make();
    clock.says("none 1000");
    let again = stores
        .each_ref()
        .map(|store| run(archive(bucket, store, &url).args(["--keep-local", "1s"]).envs(clock.environment(store))));
    let winner = again.iter().position(|ended| ended.status == 0).unwrap_or_else(|| panic!("{again:?}"));
    let loser = 1 - winner;
    assert!(again[loser].status == 1 && again[loser].stderr.contains("belongs to another store"), "{again:?}");
    assert_eq!(sealed(&stores[loser]), files[loser], "what the loser has stays where it is");
    let there = archived(bucket, "p");
    assert!(files[winner].iter().all(|(name, bytes)| there[name] == *bytes));
    let count = |store: &str| run(bucket.know(emp_events().args(["--store", store]).args(COUNT))).stdout;
    assert_eq!(count(&url), count(stores[winner].to_str().unwrap()), "one store, and nothing of the other");
    // A prefix of its own takes all of it.
    succeeds(&run(&mut archive(bucket, &stores[loser], &bucket.url("q"))));
    assert_eq!(archived(bucket, "q"), files[loser]);
}

#[test]
fn of_two_stores_that_claim_a_prefix_at_the_same_time_one_has_it() {
    two_claim_one_prefix(&Bucket::new("two-claim"));
}

#[test]
fn and_so_it_is_where_the_server_knows_no_conditions() {
    let bucket = Bucket::new("two-claim-all");
    bucket.forget_conditions();
    two_claim_one_prefix(&bucket);
}
