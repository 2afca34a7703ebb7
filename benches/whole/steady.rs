//! A steady load: how much memory the collector takes, and how soon an event can be asked for.

use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::{Server, emp_events, milliseconds, peak, redis};

const STREAM: &str = "emp:events";
const EVENTS_PER_SECOND: usize = 20_000;
/// 2025-09-27 14:00 UTC.
const HOUR_MS: u64 = 1_758_981_600_000;
/// How many events are looked for.
const SAMPLES: usize = 200;

/// Seconds of full speed: `EMP_EVENTS_BENCH_SECONDS`.
fn seconds() -> u64 {
    std::env::var("EMP_EVENTS_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60)
}

pub fn run(folder: &Path) {
    println!("\n## A collector at work\n");
    latency(&folder.join("latency"));
    memory(&folder.join("memory"));
    compaction(&folder.join("compaction"));
}

fn collector(store: &Path, more: &[&str]) -> Server {
    let mut command = emp_events();
    command.arg("--redis").arg(redis::url()).arg("--store").arg(store).arg("collect").args(more);
    Server(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// Adds events at that pace until told to stop; `0`: as fast as Redis takes them.
fn load(pace: usize, is_over: &AtomicBool) -> usize {
    const BURST: usize = 200;
    let mut connection = redis::connection();
    let begun = Instant::now();
    let mut added = 0;
    while !is_over.load(Relaxed) {
        let mut pipeline = ::redis::pipe();
        for number in added..added + BURST {
            let add = pipeline.cmd("XADD").arg(STREAM).arg("MAXLEN").arg("~").arg(10_000).arg("*");
            add.arg("service").arg("worker").arg("eventType").arg("job.progress_updated");
            add.arg("jobId").arg(format!("job_{:08x}", number / 12)).arg("traceId").arg(format!("{number:032x}"));
            add.arg("data").arg(redis::DATA).ignore();
        }
        pipeline.query::<()>(&mut connection).unwrap();
        added += BURST;
        if let Some(due) = Duration::from_secs(1).checked_mul(added as u32).filter(|_| pace > 0) {
            std::thread::sleep((due / pace as u32).saturating_sub(begun.elapsed()));
        }
    }
    added
}

/// From XADD until a new `sql` process shows the event.
fn latency(store: &Path) {
    redis::command(&["DEL", STREAM]);
    let _collector = collector(store, &[]);
    let is_over = AtomicBool::new(false);
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        scope.spawn(|| load(EVENTS_PER_SECOND, &is_over));
        std::thread::sleep(Duration::from_secs(2));
        let times = (0..SAMPLES).map(|_| until_visible(store)).collect();
        is_over.store(true, Relaxed);
        times
    });
    times.sort_unstable();
    let at = |share: f64| milliseconds(times[((times.len() - 1) as f64 * share) as usize]);
    println!(
        "From XADD to visible in a new `sql` process, at {EVENTS_PER_SECOND} events/s, {SAMPLES} samples: \
         median {} ms, p99 {} ms, longest {} ms.",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

fn until_visible(store: &Path) -> Duration {
    let mut connection = redis::connection();
    let mut add = ::redis::cmd("XADD");
    add.arg(STREAM).arg("*").arg("service").arg("probe").arg("eventType").arg("probe.sent");
    let begun = Instant::now();
    let id: String = add.query(&mut connection).unwrap();
    let query = format!("select count(*) from events where id = '{id}'");
    loop {
        let mut command = emp_events();
        let output = command.arg("--store").arg(store).args(["--format", "csv", "sql", &query]).output().unwrap();
        if output.stdout.ends_with(b"\n1\n") {
            return begun.elapsed();
        }
    }
}

/// The peak at full speed, with seals, and with a backlog taken over from a dead collector.
fn memory(store: &Path) {
    redis::command(&["DEL", STREAM]);
    let is_over = AtomicBool::new(false);
    let (peak_kb, added) = std::thread::scope(|scope| {
        let load = scope.spawn(|| load(0, &is_over));
        let mut first = collector(store, &["--consumer", "first", "--seal-every", "10s"]);
        std::thread::sleep(Duration::from_secs(seconds() / 2));
        let before = peak::of(&first.0).unwrap_or(0);
        // kill -9: what it had read and its journal go to the other one.
        kill(&mut first.0);
        let second = collector(store, &["--consumer", "second", "--seal-every", "10s"]);
        std::thread::sleep(Duration::from_secs(seconds() / 2));
        is_over.store(true, Relaxed);
        let added = load.join().unwrap();
        (peak::of(&second.0).unwrap_or(0).max(before), added)
    });
    println!(
        "\nPeak memory at full speed for {} s ({} entries/s), sealing every 10 s, killed halfway and taken over by \
         another: {:.1} MB.",
        seconds(),
        added as u64 / seconds(),
        peak_kb as f64 / 1_024.0
    );
}

/// The peak of putting an hour of a million events together.
fn compaction(store: &Path) {
    const EVENTS: usize = 1_000_000;
    const PARTS: usize = 8;
    redis::command(&["DEL", STREAM]);
    for part in 0..PARTS {
        // One an ms, in an hour that is over.
        let numbers = part * EVENTS / PARTS..(part + 1) * EVENTS / PARTS;
        redis::fill(STREAM, numbers, |number| format!("{}-0", HOUR_MS + number as u64));
        let mut command = emp_events();
        command.arg("--redis").arg(redis::url()).arg("--store").arg(store).args(["collect", "--once"]);
        assert!(command.output().unwrap().status.success());
    }
    let mut command = emp_events();
    let begun = Instant::now();
    let (_, peak_kb) = peak::run(command.arg("--store").arg(store).arg("compact"));
    println!(
        "\nPeak memory of `compact` over {EVENTS} events in {PARTS} files: {:.1} MB, in {:.1} s.",
        peak_kb as f64 / 1_024.0,
        begun.elapsed().as_secs_f64()
    );
}

fn kill(process: &mut Child) {
    process.kill().unwrap();
    process.wait().unwrap();
}
