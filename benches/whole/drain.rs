//! A backlog drained by this collector, and by what teams write otherwise.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{emp_events, peak, redis};

const STREAM: &str = "emp:events";

/// Entries in the backlog: `EMP_EVENTS_BENCH_ENTRIES`.
fn entries() -> usize {
    std::env::var("EMP_EVENTS_BENCH_ENTRIES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000)
}

/// A reader's best time, and the most memory it used, in kB.
#[derive(Clone, Copy)]
struct Best {
    time: Duration,
    peak_kb: u64,
}

impl Best {
    const NONE: Self = Self { time: Duration::MAX, peak_kb: 0 };

    fn take(&mut self, (time, peak_kb): (Duration, u64)) {
        self.time = self.time.min(time);
        self.peak_kb = self.peak_kb.max(peak_kb);
    }
}

const RUNS: usize = 3;

/// Prints one row for each reader.
pub fn run(folder: &Path) {
    let entries = entries();
    redis::fill(STREAM, 0..entries, |_| "*".to_owned());
    let [mut bare, mut python, mut node, mut ours] = [Best::NONE; 4];
    for run in 0..RUNS {
        bare.take((redis::read_and_throw_away(STREAM), 0));
        python.take(other(entries, &["python3"], "collector.py", &folder.join(format!("python-{run}"))));
        node.take(other(entries, &["node"], "collector.js", &folder.join(format!("node-{run}"))));
        ours.take(drain(entries, &folder.join(format!("store-{run}"))));
    }
    redis::command(&["DEL", STREAM]);
    println!("\n## A backlog of {entries} entries of about 340 bytes, best of {RUNS}\n");
    println!("| reader | entries/s | of the bare socket | peak memory, MB |");
    println!("|---|---:|---:|---:|");
    let pace = |best: &Best| entries as f64 / best.time.as_secs_f64();
    for (name, best) in [
        ("XREADGROUP over a bare socket, thrown away", &bare),
        ("Python: hiredis, pyarrow, Parquet without fsync", &python),
        ("Node: ioredis, JSON lines without fsync", &node),
        ("`emp-events collect --once`: durable, exactly once, sealed", &ours),
    ] {
        let memory = if best.peak_kb == 0 { "–".to_owned() } else { format!("{:.1}", best.peak_kb as f64 / 1_024.0) };
        println!("| {name} | {:.0} | {:.2} | {memory} |", pace(best), pace(best) / pace(&bare));
    }
    println!("\n{:.2} times the faster of Python and Node.", pace(&ours) / pace(&python).max(pace(&node)));
}

/// Runs one of the programs in `collectors/`, which print what they took and their peak memory.
fn other(entries: usize, program: &[&str], script: &str, folder: &Path) -> (Duration, u64) {
    std::fs::create_dir_all(folder).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/whole/collectors").join(script);
    let begun = Instant::now();
    let mut command = Command::new(program[0]);
    let output = command.arg(script).args([&redis::url(), STREAM, "bench"]).arg(folder).output().unwrap();
    let elapsed = begun.elapsed();
    let said = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    let (taken, peak_kb) = said.trim().split_once(' ').unwrap_or_else(|| panic!("{error}"));
    assert_eq!(taken.parse(), Ok(entries));
    redis::command(&["XGROUP", "DESTROY", STREAM, "bench"]);
    std::fs::remove_dir_all(folder).unwrap();
    (elapsed, peak_kb.parse().unwrap())
}

fn drain(entries: usize, store: &Path) -> (Duration, u64) {
    let mut command = emp_events();
    command.arg("--redis").arg(redis::url()).arg("--store").arg(store).args(["collect", "--once"]);
    let begun = Instant::now();
    let (said, peak_kb) = peak::run(&mut command);
    let elapsed = begun.elapsed();
    assert!(said.contains(&format!("stored {entries} events")), "{said}");
    redis::command(&["XGROUP", "DESTROY", STREAM, "emp-collector"]);
    std::fs::remove_dir_all(store).unwrap();
    (elapsed, peak_kb)
}
