//! What holds on the system's Redis holds on other servers, too: the same tests once more, by this very program. And
//! a server that is too old is told from one that is away.

use std::process::Command;

use crate::support::{REDIS_SERVER, Redis, Store, run};

/// The tests of reading, of accounting, and of all that may happen to Redis and to the collector.
const SUITES: [&str; 11] = [
    "accounting::",
    "addresses::",
    "collecting::",
    "crashes::",
    "fail_over::",
    "faults::",
    "forwarding::full_redis::",
    "full_redis::",
    "large_entries::",
    "permissions::",
    "tls::whichever_server_is_behind_a_line_over_tls_",
];

#[track_caller]
fn the_suites_pass_on(server: &str) {
    let mut tests = Command::new(std::env::current_exe().unwrap());
    // Names that end alike.
    tests.args(SUITES).args(["--skip", "disk_faults::", "--skip", "forwarding::faults::"]);
    let ended = run(tests.env(REDIS_SERVER, server));
    assert_eq!(ended.status, 0, "on {server}:\n{}\n{}", ended.stdout, ended.stderr);
    for suite in SUITES {
        assert!(ended.stdout.contains(&format!("test {suite}")), "{suite} has no test:\n{}", ended.stdout);
    }
}

#[test]
fn redis_8_is_read_as_redis_7_is() {
    the_suites_pass_on("redis-server-8");
}

#[test]
fn valkey_9_is_read_as_redis_7_is() {
    the_suites_pass_on("valkey-server-9");
}

#[test]
fn redis_6_is_refused_in_one_sentence_that_says_why() {
    let redis = Redis::start_program("redis-server-6");
    let store = Store::of(&redis);
    let key = [("DASH0_API_KEY", "key"), ("DASH0_OTEL_ENDPOINT", "http://127.0.0.1:1")];
    let commands: [&[&str]; 4] = [&["collect"], &["collect", "--once"], &["forward", "--once"], &["verify", "--law"]];
    // With a stream, and with none yet.
    for _ in 0..2 {
        for words in commands {
            let ended = run(store.command(words).envs(key));
            let said = ended.stderr.lines().last().unwrap_or_default();
            assert_eq!(ended.status, 1, "{words:?}: {}", ended.stderr);
            assert!(said.contains("is too old: it does not count the entries added to a stream"), "{words:?}: {said}");
            assert!(said.ends_with("Redis 7 or Valkey is needed"), "{words:?}: {said}");
        }
        let health = store.run(&["health", "--color", "never"]);
        assert_eq!(health.status, 1);
        assert_eq!(health.stdout.matches("is too old").count(), 1, "{}", health.stdout);
        assert!(!health.stdout.contains("behind"), "nothing else is said of it: {}", health.stdout);
        redis.add(5, 100);
    }
    let groups: Vec<redis::Value> = redis.command("XINFO GROUPS emp:events");
    assert!(groups.is_empty(), "nothing is left behind");
}
