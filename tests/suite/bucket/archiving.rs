//! Putting closed hours into a bucket, whatever happens on the way.

use std::fs;
use std::process::Stdio;

use super::server::{Bucket, Fate};
use super::{archive, archived, copy, environment, few_hours, sample, sealed, succeeds};
use crate::support::{Redis, Store, emp_events, eventually, run};

#[test]
fn each_hour_is_put_once_and_the_next_time_nothing_is() {
    let (bucket, store) = (Bucket::new("put-once"), sample());
    let store = store.path().join("store");
    let url = bucket.url("a/b");
    let ended = run(archive(&bucket, &store, &url).arg("--dry-run"));
    succeeds(&ended);
    assert!(
        ended.stdout.starts_with("48 files, ") && ended.stdout.contains("would go to s3://put-once/a/b"),
        "{}",
        ended.stdout
    );
    assert!(bucket.objects("a/b").is_empty(), "nothing is put by asking");
    let ended = run(&mut archive(&bucket, &store, &url));
    succeeds(&ended);
    assert!(ended.stdout.starts_with("put 48 files with 43211 events, "), "{}", ended.stdout);
    assert_eq!(archived(&bucket, "a/b"), sealed(&store));
    bucket.take_asked();
    let ended = run(bucket.know(emp_events().arg("--store").arg(&store).args(["archive", "--format", "json"])));
    succeeds(&ended);
    let said: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&said["put"]["files"], &said["there"]["events"]), (&0.into(), &43_211.into()), "{said}");
    assert!(bucket.take_asked().iter().all(|asked| asked.method != "PUT"));
}

#[test]
fn whatever_request_it_is_killed_at_the_next_one_goes_on() {
    let (bucket, store) = (Bucket::new("killed"), few_hours());
    let original = store.path().join("store");
    let expected = sealed(&original);
    for fate in [Fate::KilledBefore, Fate::KilledAfter] {
        for at in 1.. {
            let prefix = format!("{fate:?}-{at}");
            let store = store.path().join(&prefix);
            copy(&original, &store);
            bucket.decide(move |number, _, _| if number == at { fate } else { Fate::Answered });
            let mut command = archive(&bucket, &store, &bucket.url(&prefix));
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            bucket.may_kill(child.id());
            let was_killed = child.wait().unwrap().code().is_none();
            bucket.heal();
            // It tells of what is there by its head alone: files that were put, and not committed, are no events yet.
            let ended = run(&mut archive(&bucket, &store, &bucket.url(&prefix)));
            succeeds(&ended);
            assert_eq!(archived(&bucket, &prefix), expected, "killed at request {at}");
            let ended = run(&mut archive(&bucket, &store, &bucket.url(&prefix)));
            assert!(ended.stdout.starts_with("put 0 files"), "{}", ended.stdout);
            fs::remove_dir_all(&store).unwrap();
            if !was_killed {
                assert!(at > 8, "an upload takes more than {at} requests");
                break;
            }
        }
    }
}

#[test]
fn answers_that_are_lost_and_servers_that_hiccup_change_nothing() {
    let (bucket, store) = (Bucket::new("hiccups"), few_hours());
    let original = store.path().join("store");
    for (name, fate) in [
        ("unanswered", Fate::Unanswered),
        ("unheard", Fate::Unheard),
        ("internal", Fate::Refused(500, "InternalError")),
        ("slow-down", Fate::Refused(503, "SlowDown")),
        ("conflict", Fate::Refused(409, "ConditionalRequestConflict")),
        ("cut", Fate::Cut(10)),
    ] {
        let store = store.path().join(name);
        copy(&original, &store);
        // A server is in conflict about creates alone.
        let meets = move |method: &str| name != "conflict" || method == "PUT";
        bucket.decide(move |number, method, _| if number % 3 == 0 && meets(method) { fate } else { Fate::Answered });
        // Where it gives up, it says why, and goes on when it is asked again.
        let ended = (0..20).map(|_| run(&mut archive(&bucket, &store, &bucket.url(name)))).find(|ended| {
            assert!(ended.status == 0 || ended.stderr.contains(&bucket.url(name)), "{name}: {}", ended.stderr);
            ended.status == 0
        });
        assert!(ended.is_some(), "{name}: it never ended");
        bucket.heal();
        succeeds(&run(&mut archive(&bucket, &store, &bucket.url(name))));
        assert_eq!(archived(&bucket, name), sealed(&store), "{name}");
    }
}

#[test]
fn two_stores_that_claim_one_prefix_are_told_apart() {
    let (bucket, first, second) = (Bucket::new("claimed"), few_hours(), sample());
    let (first, second) = (first.path().join("store"), second.path().join("store"));
    let url = bucket.url("p");
    succeeds(&run(&mut archive(&bucket, &first, &url)));
    let before = bucket.objects("p");
    let ended = run(&mut archive(&bucket, &second, &url));
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.contains("s3://claimed/p belongs to another store"), "{}", ended.stderr);
    // A copy of the first one has its id, and not its place.
    let copied = first.with_file_name("copy");
    copy(&first, &copied);
    assert_eq!(bucket.objects("p"), before, "nothing was written");
    let more = run(emp_events()
        .args(["simulate", "--hours", "2", "--from", "2026-01-01T00:00:00Z", "--jobs-per-hour", "5", "--into"])
        .arg(&copied));
    succeeds(&more);
    succeeds(&run(&mut archive(&bucket, &copied, &url)));
    let ended = run(&mut archive(&bucket, &first, &url));
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.contains("somebody else has written to s3://claimed/p"), "{}", ended.stderr);
}

#[test]
fn a_foreign_object_in_the_place_of_a_file_is_never_written_over() {
    let (bucket, store) = (Bucket::new("foreign"), few_hours());
    let store = store.path().join("store");
    let name = sealed(&store).into_keys().next().unwrap();
    bucket.put(&format!("p/{name}"), b"somebody's own");
    let ended = run(&mut archive(&bucket, &store, &bucket.url("p")));
    assert_eq!(ended.status, 1);
    assert!(
        ended.stderr.contains(&format!("s3://foreign/p/{name} is there, and holds something else")),
        "{}",
        ended.stderr
    );
    assert_eq!(archived(&bucket, "p")[&name], b"somebody's own");
}

#[test]
fn where_there_are_no_credentials_it_says_so_at_once() {
    let (bucket, store) = (Bucket::new("credentials"), few_hours());
    let store = store.path().join("store");
    let url = bucket.url("p");
    let without = || {
        let mut command = archive(&bucket, &store, &url);
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        command
    };
    let ended = run(&mut without());
    assert_eq!(ended.status, 1);
    assert!(
        ended.stderr.contains("no credentials for s3://credentials/p: neither AWS_ACCESS_KEY_ID"),
        "{}",
        ended.stderr
    );
    assert!(bucket.take_asked().is_empty(), "it asks nobody");
    let aws = bucket.home().join(".aws");
    fs::create_dir(&aws).unwrap();
    fs::write(aws.join("config"), "[profile team]\nregion = eu-central-1\nsso_session = x\n").unwrap();
    let ended = run(without().env("AWS_PROFILE", "team"));
    assert!(ended.stderr.contains("aws configure export-credentials --profile team"), "{}", ended.stderr);
    let keys = aws.join("keys");
    fs::write(&keys, "echo '{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"b\"}'\n").unwrap();
    let process = format!("[profile team]\ncredential_process = sh {}\n", keys.display());
    fs::write(aws.join("config"), process).unwrap();
    succeeds(&run(without().env("AWS_PROFILE", "team")));
    fs::write(&keys, "echo no >&2; exit 3\n").unwrap();
    let ended = run(without().env("AWS_PROFILE", "team"));
    assert!(ended.status == 1 && ended.stderr.contains("credential_process of the profile team"), "{}", ended.stderr);
    fs::write(aws.join("credentials"), "[default]\naws_access_key_id = a\naws_secret_access_key = b\n").unwrap();
    succeeds(&run(&mut without()));
}

#[test]
fn what_the_server_says_is_said() {
    let (bucket, store) = (Bucket::new("said"), few_hours());
    let store = store.path().join("store");
    for (status, code, words) in [
        (403, "AccessDenied", "is refused: AccessDenied"),
        (403, "RequestTimeTooSkewed", "this machine's clock is more than 15 minutes off"),
        (400, "ExpiredToken", "the credentials have expired"),
        (404, "NoSuchBucket", "there is no bucket `said`"),
    ] {
        bucket.decide(move |_, _, _| Fate::Refused(status, code));
        let ended = run(&mut archive(&bucket, &store, &bucket.url("p")));
        assert!(ended.status == 1 && ended.stderr.contains(words), "{code}: {}", ended.stderr);
    }
}

/// A store of hours that are over, beside a Redis with events of today.
fn store_with_hours(redis: &Redis) -> Store {
    let store = Store::of(redis);
    succeeds(&run(emp_events()
        .args(["simulate", "--hours", "3", "--jobs-per-hour", "20", "--into"])
        .arg(store.path())));
    store
}

#[test]
fn a_collector_puts_hours_there_and_waits_out_a_bucket_that_vanishes() {
    let (bucket, redis) = (Bucket::new("vanishes"), Redis::start());
    let store = store_with_hours(&redis);
    bucket.decide(|_, _, _| Fate::Unheard);
    let url = bucket.url("p");
    let collector = store.collect_with(&["--archive", &url], &environment(&bucket));
    collector.says("hours wait to be archived: s3://vanishes/p/_catalog/head does not answer");
    redis.add(500, 1_000);
    eventually("all is acknowledged while the bucket is away", || redis.has_read_all() && redis.pending() == 0);
    assert!(bucket.objects("p").is_empty());
    bucket.heal();
    collector.says("takes hours again");
    eventually("the hours are there", || archived(&bucket, "p") == sealed(&store.path()));
    let health = store.run(&["health", "--format", "json"]);
    assert!(health.stdout.contains("s3://vanishes/p has every hour that is over"), "{}", health.stdout);
    let peak_kb = collector.peak_kb();
    assert!(peak_kb < 30 << 10, "{peak_kb} kB");
    assert_eq!(collector.stop(), 0);
}

#[test]
fn health_tells_what_waits_and_why() {
    let (bucket, redis) = (Bucket::new("waits"), Redis::start());
    let store = store_with_hours(&redis);
    let url = bucket.url("p");
    succeeds(&run(bucket.know(&mut store.command(&["archive", "--to", &url]))));
    succeeds(&run(emp_events()
        .args(["simulate", "--hours", "2", "--from", "2026-01-01T00:00:00Z", "--jobs-per-hour", "5", "--into"])
        .arg(store.path())));
    let health = store.run(&["health", "--format", "json"]);
    assert!(health.stdout.contains("wait to be put into s3://waits/p; the oldest is of "), "{}", health.stdout);
    bucket.decide(|_, _, _| Fate::Refused(403, "AccessDenied"));
    let collector = store.collect_with(&["--archive", &url], &environment(&bucket));
    collector.says("AccessDenied");
    eventually("health tells the last error", || {
        store.run(&["health", "--format", "json"]).stdout.contains("it fails for ")
    });
    assert_eq!(collector.stop(), 0);
}
