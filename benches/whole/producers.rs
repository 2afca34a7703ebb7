//! What the clients cost the services that emit: a call, and memory while Redis is away. Rust's in this process;
//! the TypeScript client's own benchmark prints its tables itself.

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use emp_events_client::{EventClient, EventClientBuilder, Stats};
use serde_json::{Value, json};

use super::redis;

const STREAM: &str = "emp:producers";
const CALLS: usize = 100_000;
/// Calls one after the other between two looks at the clock, which itself takes some 30 ns.
const BATCH: usize = 100;
const PAUSES: usize = 200;
const PAUSE: Duration = Duration::from_millis(10);
const NOBODY: &str = "redis://127.0.0.1:1";
/// The load that the memory is measured at, for a minute.
const EVENTS_PER_SECOND: u64 = 10_000;

/// Prints the tables of both clients.
pub fn run() {
    // First, as long as nothing was freed that it could use again.
    memory();
    calls();
    sustained();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/typescript");
    println!("\n## The TypeScript client\n");
    let ended = Command::new("npm").args(["run", "--silent", "bench"]).current_dir(folder).status().unwrap();
    assert!(ended.success(), "npm run bench in {folder}");
}

fn client(url: &str) -> EventClientBuilder {
    EventClient::builder("bench").url(url).stream(STREAM).rate_limit(0, 0)
}

fn flat(client: &EventClient) {
    client.event("job.progress_updated").job_id("job-123").field("progress", 40).field("step", "upscale").emit();
}

fn nested() -> Value {
    json!({"progress": 40, "step": "upscale", "queue": {"name": "default", "depth": 12}})
}

fn calls() {
    println!("\n## What a call of the Rust client costs, ns, {CALLS} calls each\n");
    println!("| call | p50 | p99 | p99.9 | in hundreds: p50 | p99 | goal: p99 |");
    println!("|---|---:|---:|---:|---:|---:|---:|");
    let url = redis::url();
    let roomy = || client(&url).queue(2 * CALLS, 1 << 30).build().unwrap();
    row("an event without data", &roomy(), |client| client.event("job.progress_updated").emit());
    row("with an id and two fields", &roomy(), flat);
    row("with `json!` of five values, nested", &roomy(), |client| {
        client.event("job.progress_updated").job_id("job-123").worker_id("worker-1").data(nested()).emit();
    });
    row("that `json!` alone, no event", &roomy(), |_| _ = black_box(nested()));
    row("Redis away, the queue full", &client(NOBODY).queue(100, 1 << 20).build().unwrap(), flat);
    row("above the rate limit", &client(&url).rate_limit(1, 1).build().unwrap(), flat);
}

fn row(what: &str, client: &EventClient, call: impl Fn(&EventClient)) {
    let settle = || _ = client.flush(Duration::from_secs(5));
    call(client);
    settle();
    let singly = times(CALLS, || call(client));
    settle();
    let in_batches = times(CALLS / BATCH, || (0..BATCH).for_each(|_| call(client)));
    client.close(Duration::from_secs(5));
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| at(&singly, share));
    let [batch_p50, batch_p99] = [0.5, 0.99].map(|share| at(&in_batches, share) / BATCH as u128);
    println!("| {what} | {p50} | {p99} | {p999} | {batch_p50} | {batch_p99} | 1000 |");
}

/// How long each took, in ns, the shortest first. A service does other things between its events: after as many
/// as are sent at once there is a pause.
fn times(count: usize, run: impl Fn()) -> Vec<u128> {
    let time = |number: usize| {
        if number.is_multiple_of(count / PAUSES) {
            std::thread::sleep(PAUSE);
        }
        let begun = Instant::now();
        run();
        begun.elapsed().as_nanos()
    };
    let mut times: Vec<u128> = (0..count).map(time).collect();
    times.sort_unstable();
    times
}

fn at(sorted: &[u128], share: f64) -> u128 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

/// As fast as Redis takes it: waits wherever the queue is nearly full.
fn sustained() {
    let client = client(&redis::url()).build().unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        match client.stats().queued {
            ..9_000 => (0..500).for_each(|_| flat(&client)),
            _ => std::thread::sleep(Duration::from_micros(200)),
        }
    }
    client.flush(Duration::from_secs(20));
    let rate = client.stats().sent as f64 / begun.elapsed().as_secs_f64();
    println!("\nSustained by one client of the Rust crate: {rate:.0} events/s, {} dropped.", client.stats().dropped);
    client.close(Duration::from_secs(5));
}

fn memory() {
    const TURN: Duration = Duration::from_millis(10);
    let client = client(NOBODY).build().unwrap();
    let before = own_memory_kb();
    let begun = Instant::now();
    let mut emitted = 0;
    while begun.elapsed() < Duration::from_secs(60) {
        let due = begun.elapsed().as_millis() as u64 * EVENTS_PER_SECOND / 1_000;
        (emitted..due).for_each(|_| flat(&client));
        emitted = due;
        std::thread::sleep(TURN);
    }
    let grown = own_memory_kb().saturating_sub(before);
    let Stats { emitted, queued, dropped, .. } = client.stats();
    println!(
        "\nA minute without Redis at {EVENTS_PER_SECOND} events/s: memory grows by {grown} kB; of {emitted} events"
    );
    println!("{queued} wait and {dropped} were dropped.");
    client.close(Duration::ZERO);
}

fn own_memory_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
