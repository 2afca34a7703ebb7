//! How fast the product is as a whole: cold processes on the sample store beside DuckDB, the
//! drain of a backlog beside what teams write otherwise, and a steady load. Ratios count, not seconds:
//! both sides run in turn on the same machine.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark that cannot go on should say where")]

mod drain;
mod forward;
mod investigations;
mod other_year;
mod peak;
mod peers;
mod producers;
mod questions;
mod redis;
mod steady;
mod stores;
mod tail;

use std::process::{Child, Command};
use std::time::Duration;

fn main() {
    // `cargo test` also runs benchmarks, to see that they build.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    // `cargo bench --bench whole -- drain` runs that part alone.
    let parts: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    if is_wanted("questions") {
        questions::run();
        stores::run();
    }
    if is_wanted("investigations") {
        investigations::run();
    }
    let folder = tempfile::tempdir().unwrap();
    let _server = redis::start(folder.path());
    if is_wanted("drain") {
        drain::run(folder.path());
    }
    if is_wanted("forward") {
        forward::measure(folder.path());
    }
    if is_wanted("producers") {
        producers::run();
    }
    if is_wanted("tail") {
        tail::run(folder.path());
    }
    if is_wanted("steady") {
        steady::run(folder.path());
    }
}

/// The binary, free of what the caller's own environment sets.
fn emp_events() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emp-events"));
    for variable in ["EMP_EVENTS_LOG", "EMP_EVENTS_STREAM", "EMP_EVENTS_STORE", "NODE_ENV", "REDIS_URL"] {
        command.env_remove(variable);
    }
    command
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1_000.0)
}

/// A process that ends with the benchmark.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
