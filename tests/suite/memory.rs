//! Redis' memory: the collector and `health` warn before it is full.

use crate::support::{Ended, Redis, Store, eventually, run};

const WARNING: &str = "a full Redis refuses events";

#[test]
fn a_stream_that_grows_too_large_is_said_and_when_that_is_over() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(3_000, 5_000);
    let collector = store.collect(&["--stream-warn", "100kB"]);
    collector.says("the stream takes ");
    collector.says(", more than 100.0 kB; raise maxmemory");
    redis.command::<i64>("XTRIM emp:events MAXLEN 10");
    collector.says("Redis' memory is within its limits again");
    assert_eq!(collector.stop(), 0);
}

#[test]
fn a_redis_that_is_nearly_full_is_said() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.command::<i64>("SETRANGE filler 30000000 x");
    redis.command::<String>("CONFIG SET maxmemory 36000000");
    let collector = store.collect(&[]);
    collector.says("of its 36.0 MB, more than 80 %; raise maxmemory");
    eventually("it collects all the same", || {
        redis.add(1, 100);
        store.events() > 0
    });
    let health = |limit: &str| -> Ended {
        run(store.command(&["health", "--format", "json"]).env("EMP_EVENTS_MEMORY_WARN", limit))
    };
    let ended = health("80%");
    assert_eq!(ended.status, 1);
    assert!(ended.stdout.contains(WARNING), "{}", ended.stdout);
    eventually("with other limits health is good", || {
        let ended = health("99%");
        ended.status == 0 && ended.stdout.contains("by the stream")
    });
    assert!(health("1MB").stdout.contains(", more than 1.0 MB"));
    let ended = health("lots");
    assert_eq!(ended.status, 2);
    assert!(ended.stderr.contains("expected a share such as 80%"), "{}", ended.stderr);
    assert_eq!(collector.stop(), 0);
}
