//! What a call costs, and how many events a second reach Redis:
//! `REDIS_URL=redis://127.0.0.1:6379 cargo run --release --example cost`.
//!
//! It writes to the stream `emp:events:cost` and leaves it there, trimmed.

use std::hint::black_box;
use std::time::{Duration, Instant};

use emp_events_client::EventClient;
use serde_json::{Value, json};

const CALLS: usize = 100_000;
const BATCH: usize = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = || EventClient::builder("cost").stream("emp:events:cost").rate_limit(0, 0).queue(200_000, 1 << 30);
    println!("an empty measurement costs {} ns at the median", percentile(&mut singly(|| {}), 0.5));

    let bare = |client: &EventClient| client.event("job.progress_updated").emit();
    let flat = |client: &EventClient| {
        client.event("job.progress_updated").job_id("job-123").field("progress", 40).field("step", "upscale").emit();
    };
    let macros = |client: &EventClient| {
        let data = json!({"progress": 40, "step": "upscale", "queue": {"name": "default", "depth": 12}});
        client.event("job.progress_updated").job_id("job-123").worker_id("worker-1").data(data).emit();
    };
    report("no data", &client().build()?, bare);
    report("an id and two fields", &client().build()?, flat);
    report("json! of five values, nested", &client().build()?, macros);
    println!("json! of five values alone, without a client:");
    print_times(&mut singly(|| {
        let data: Value = json!({"progress": 40, "step": "upscale", "queue": {"name": "default", "depth": 12}});
        black_box(data);
    }));

    let full = EventClient::builder("cost").url("redis://127.0.0.1:1").rate_limit(0, 0).queue(100, 1 << 20).build()?;
    report("Redis away, the queue full", &full, flat);
    let limited = EventClient::builder("cost").stream("emp:events:cost").rate_limit(1, 1).build()?;
    report("over the rate limit", &limited, flat);
    sustain(&client().queue(10_000, 8 << 20).build()?, flat);
    Ok(())
}

fn report(what: &str, client: &EventClient, call: impl Fn(&EventClient)) {
    println!("{what}:");
    call(client);
    client.flush(Duration::from_secs(5));
    print_times(&mut singly(|| call(client)));
    client.flush(Duration::from_secs(20));
    let mut batches: Vec<u64> = (0..CALLS / BATCH)
        .map(|_| {
            let began = Instant::now();
            (0..BATCH).for_each(|_| call(client));
            began.elapsed().as_nanos() as u64 / BATCH as u64
        })
        .collect();
    println!(
        "  in batches of {BATCH}: p50 {} ns, p99 {} ns",
        percentile(&mut batches, 0.5),
        percentile(&mut batches, 0.99)
    );
    client.close(Duration::from_secs(20));
}

fn singly(call: impl Fn()) -> Vec<u64> {
    let time = || {
        let began = Instant::now();
        call();
        began.elapsed().as_nanos() as u64
    };
    (0..CALLS).map(|_| time()).collect()
}

fn print_times(times: &mut [u64]) {
    let [half, most, nearly_all] = [0.5, 0.99, 0.999].map(|share| percentile(times, share));
    println!("  singly: p50 {half} ns, p99 {most} ns, p99.9 {nearly_all} ns");
}

fn percentile(times: &mut [u64], share: f64) -> u64 {
    times.sort_unstable();
    times[((times.len() - 1) as f64 * share) as usize]
}

/// Emits as fast as Redis takes it, by waiting wherever the queue is nearly full.
fn sustain(client: &EventClient, call: impl Fn(&EventClient)) {
    let began = Instant::now();
    let mut calls = 0_u64;
    while began.elapsed() < Duration::from_secs(5) {
        if client.stats().queued < 9_000 {
            (0..500).for_each(|_| call(client));
            calls += 500;
        } else {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    client.flush(Duration::from_secs(20));
    let rate = client.stats().sent as f64 / began.elapsed().as_secs_f64();
    println!("sustained: {rate:.0} events/s; {calls} calls, {:?}", client.stats());
}
