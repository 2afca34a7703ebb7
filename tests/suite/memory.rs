//! Memory: of Redis, which is watched before it is full, and the collector's own, which is bounded by bytes.

use crate::proxy::{self, Line};
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

/// Adds so many events of half a megabyte.
fn add_large(redis: &Redis, events: usize) {
    let data = format!(r#"{{"text":"{}"}}"#, "x".repeat(512 << 10));
    let mut connection = redis.connection();
    for _ in 0..events {
        let mut add = redis::cmd("XADD");
        add.arg("emp:events").arg("*").arg("service").arg("worker").arg("eventType").arg("job.completed");
        add.arg("data").arg(&data).query::<()>(&mut connection).unwrap();
    }
}

/// Redis sends whatever was asked for: entries that are large after a thousand small ones were asked for, too.
#[test]
fn large_entries_take_the_collector_no_more_memory_than_small_ones() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    add_large(&redis, 200);
    redis.add(3_000, 10_000);
    add_large(&redis, 200);
    redis.add(100, 10_000);
    let collector = store.collect(&[]);
    eventually("all is stored", || store.path().exists() && redis.has_read_all() && redis.pending() == 0);
    let peak_kb = collector.peak_kb();
    assert!(peak_kb <= 64 << 10, "{peak_kb} kB");
    assert_eq!(collector.stop(), 0);
    store.assert_accounts_for(3_500);
    assert!(store.output(&["verify", "--law"]).contains("the law holds"));
}

/// A line that breaks after so many bytes, every time.
struct ShortLived;

impl Line for ShortLived {
    fn breaks_after(&self) -> usize {
        8 << 20
    }
}

/// What gets through is kept, and not asked for again: else it would never end.
#[test]
fn large_entries_get_through_a_line_that_breaks_again_and_again() {
    let redis = Redis::start();
    add_large(&redis, 40);
    let store = Store::at(proxy::before(redis.port(), ShortLived));
    let collector = store.collect(&[]);
    eventually("all is stored", || store.path().exists() && redis.has_read_all() && redis.pending() == 0);
    drop(collector);
    store.assert_accounts_for(40);
}
