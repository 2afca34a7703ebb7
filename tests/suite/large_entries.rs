//! Large entries over a slow line: each byte counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::proxy::{self, Line};
use crate::support::{Redis, Store, eventually};

/// A line that takes its time for each byte to the client, and counts them.
struct Slow {
    bytes_per_second: usize,
    carried: Arc<AtomicUsize>,
}

impl Line for Slow {
    fn to_client(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.carried.fetch_add(bytes.len(), Relaxed);
        std::thread::sleep(Duration::from_secs(bytes.len() as u64) / self.bytes_per_second as u32);
        bytes
    }
}

/// Adds an event with so many bytes of text; about how many bytes it is.
fn add(redis: &Redis, bytes: usize) -> usize {
    let data = format!(r#"{{"text":"{}"}}"#, "x".repeat(bytes));
    let mut add = redis::cmd("XADD");
    add.arg("emp:events").arg("*").arg("service").arg("worker").arg("eventType").arg("job.completed");
    add.arg("data").arg(&data).query::<()>(&mut redis.connection()).unwrap();
    bytes + 200
}

/// Small ones, for which a thousand are asked for at once, then large ones, then one of each in turn.
fn sizes() -> impl Iterator<Item = usize> {
    const LARGE: usize = 2 << 20;
    let small = (0..2_000).map(|_| 1);
    let in_turn = (0..10).flat_map(|_| [1, 100, 10_000, 1 << 20]);
    small.chain([LARGE; 4]).chain(in_turn).chain([1, LARGE, 1])
}

#[test]
fn entries_of_every_size_get_through_a_slow_line_about_once() {
    let redis = Redis::start();
    let carried = Arc::new(AtomicUsize::new(0));
    let line = Slow { bytes_per_second: 10 << 20, carried: Arc::clone(&carried) };
    let store = Store::at(proxy::before(redis.port(), line));
    let (count, bytes) = sizes().fold((0, 0), |(count, bytes), size| (count + 1, bytes + add(&redis, size)));
    let collector = store.collect(&[]);
    eventually("all is stored", || store.path().exists() && redis.has_read_all() && redis.pending() == 0);
    let peak_kb = collector.peak_kb();
    let log = collector.log();
    assert_eq!(collector.stop(), 0);
    assert!(!log.contains("trying again"), "it never has to start over: {log}");
    assert!(peak_kb <= 64 << 10, "{peak_kb} kB");
    store.assert_accounts_for(count);
    let carried = carried.load(Relaxed);
    assert!(carried <= 2 * bytes, "{carried} bytes were sent for {bytes}");
}
