//! The head is made anew from what lies there.

use std::fs;
use std::path::Path;

use super::server::Bucket;
use super::{archive, archived, sample, sealed, succeeds};
use crate::support::{Ended, emp_events, run};

fn ask(bucket: &Bucket, url: &str, words: &[&str]) -> Ended {
    // Nothing that was fetched before helps.
    let _ = fs::remove_dir_all(bucket.cache());
    let mut command = emp_events();
    run(bucket.know(command.args(["--store", url]).args(words)))
}

fn rebuild(bucket: &Bucket, store: &Path, url: &str, more: &[&str]) -> Ended {
    run(archive(bucket, store, url).arg("--rebuild-head").args(more))
}

const QUESTIONS: [&[&str]; 8] = [
    &["sql", "--format", "csv", "select count(*), count(distinct id), sum(length(data)) from events"],
    &["sql", "--format", "csv", "select event_type, count(*), sum(duration_ms) from events group by 1 order by 1"],
    &["sql", "--format", "csv", "select count(*) from events where data like '%connector%'"],
    &["sql", "--format", "csv", "select count(*) from quarantine"],
    &["sql", "--format", "csv", "select count(*), sum(lost) from losses"],
    &["perf", "--format", "csv"],
    &["anomalies", "--format", "json"],
    &["search", "--text", "comfyui", "--format", "ndjson", "--limit", "3"],
];

/// What happened, how, whose folder makes the head anew, and with which further words.
type Harm<'a> = (&'static str, &'a dyn Fn(), &'a Path, &'a [&'a str]);

#[test]
fn a_head_that_was_lost_or_damaged_is_made_anew_and_every_answer_is_as_before() {
    let (bucket, store) = (Bucket::new("rebuilding"), sample());
    let store = store.path().join("store");
    let url = bucket.url("p");
    // What many events say is derived before, and not by each question.
    for words in QUESTIONS {
        run(emp_events().arg("--store").arg(&store).args(words));
    }
    succeeds(&run(&mut archive(&bucket, &store, &url)));
    let (files, head) = (
        archived(&bucket, "p"),
        bucket.objects("p").iter().find(|(name, _)| name == "_catalog/head").unwrap().1.clone(),
    );
    let answers = || QUESTIONS.map(|words| ask(&bucket, &url, words)).map(|ended| (ended.status, ended.stdout));
    let before = answers();
    assert!(before.iter().all(|(status, _)| *status == 0), "{before:?}");

    let refused = rebuild(&bucket, &store, &url, &[]);
    assert!(refused.status == 1 && refused.stderr.contains("is good"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--even-if-good"), "{}", refused.stderr);
    let mut damaged = head.clone();
    damaged[40] ^= 1;
    let elsewhere = tempfile::tempdir().unwrap();
    let empty = elsewhere.path().join("store");
    fs::create_dir(&empty).unwrap();
    let harm: [Harm<'_>; 4] = [
        ("lost", &|| bucket.remove("p/_catalog/head"), &store, &[]),
        ("damaged", &|| bucket.put("p/_catalog/head", &damaged), &store, &[]),
        ("good", &|| (), &store, &["--even-if-good"]),
        // The host of the store is gone for good.
        ("lost, with its store", &|| bucket.remove("p/_catalog/head"), &empty, &[]),
    ];
    for (what, harm, by, more) in harm {
        harm();
        if more.is_empty() {
            let ended = ask(&bucket, &url, QUESTIONS[0]);
            assert_eq!(ended.status, 1, "{what}: {}", ended.stdout);
        }
        let ended = rebuild(&bucket, by, &url, more);
        assert_eq!(ended.status, 0, "{what}: {}", ended.stderr);
        assert!(ended.stderr.contains("is made anew, of"), "{what}: {}", ended.stderr);
        assert_eq!(archived(&bucket, "p"), files, "{what}: no file is touched");
        bucket.take_asked();
        assert_eq!(answers(), before, "{what}");
        // Whole hours say what they contribute without their files.
        let asked = bucket.take_asked();
        let rollups = asked.iter().filter(|one| one.object.ends_with(".rollups")).count();
        assert!(rollups > 0, "{what}");
        let verified = ask(&bucket, &url, &["verify"]);
        assert!(
            verified.status == 0 && verified.stdout.contains("all is sound"),
            "{what}: {}{}",
            verified.stdout,
            verified.stderr
        );
    }
    // Who wrote there before is a stranger to that head.
    let ended = run(&mut archive(&bucket, &store, &url));
    assert!(ended.status == 1 && ended.stderr.contains("belongs to another store"), "{}", ended.stderr);
    succeeds(&run(archive(&bucket, &store, &url).arg("--take-over")));
    assert_eq!(sealed(&store), files);
}

#[test]
fn what_cannot_be_read_is_left_out_of_a_head_that_is_made_anew_and_said() {
    let (bucket, store) = (Bucket::new("left-out"), sample());
    let store = store.path().join("store");
    let url = bucket.url("p");
    succeeds(&run(&mut archive(&bucket, &store, &url)));
    let files = archived(&bucket, "p");
    let (name, bytes) = files.first_key_value().unwrap();
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    bucket.put(&format!("p/{name}"), &damaged);
    bucket.put("p/date=2025-01-01/hour=00/notes.txt", b"hello");
    bucket.remove("p/_catalog/head");
    let ended = rebuild(&bucket, &store, &url, &[]);
    assert_eq!(ended.status, 1, "{}", ended.stdout);
    for said in [format!("{url}/{name}"), "notes.txt".to_owned(), format!("of {} files", files.len() - 1)] {
        assert!(ended.stderr.contains(&said), "{said}: {}", ended.stderr);
    }
    let none = rebuild(&bucket, &store, &bucket.url("nothing"), &[]);
    assert!(none.status == 1 && none.stderr.contains("there is no store at s3://left-out/nothing"), "{}", none.stderr);
}
