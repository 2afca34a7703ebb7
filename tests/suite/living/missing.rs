//! An answer of a store that lacks a part of its stream says so first.

use crate::support::{Redis, Store, eventually};

const ASKED: [&[&str]; 5] =
    [&["diagnose", "job_1"], &["diagnose", "--all"], &["anomalies"], &["timeline", "job_1"], &["workers"]];

#[test]
fn whoever_asks_a_store_without_a_collector_is_told_what_it_lacks() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let collector = store.collect(&[]);
    redis.add(20, 5_000);
    eventually("they are stored", || store.events() == 20);
    for words in ASKED {
        assert_eq!(store.run(words).stderr, "", "{words:?}: a collector keeps up");
    }
    assert_eq!(collector.stop(), 0);
    redis.add(1_745, 5_000);
    for words in ASKED {
        // Who asks does not wait long for Redis: on a busy machine it may not have said so yet.
        eventually("Redis says what the store lacks", || {
            let ended = store.run(words);
            let first = ended.stderr.lines().next().unwrap_or_default();
            assert!(first.contains("no collector is at work on this store"), "{words:?}: {}", ended.stderr);
            first.contains(": 1745 entries")
        });
    }
    // As of a moment of which the store knows all.
    let newest = store.number("select cast(max(ingested_at) as bigint) from events").to_string();
    for words in ASKED {
        assert_eq!(store.run(&[words, &["--now", &newest]].concat()).stderr, "", "{words:?}");
    }
    // A copy has no collector, and is not expected to.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    assert!(std::process::Command::new("cp").arg("-r").arg(store.path()).arg(&copy).status().unwrap().success());
    for words in ASKED {
        let mut command = store.command(words);
        let ended = crate::support::run(command.arg("--store").arg(&copy));
        assert_eq!(ended.stderr, "", "{words:?}");
    }
}
