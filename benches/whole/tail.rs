//! How soon `tail` shows an event: from before it is sent to when its line can be read.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::{Server, emp_events, median, milliseconds, redis};

const STREAM: &str = "emp:tail";
const EVENTS: usize = 200;
const PAUSE: Duration = Duration::from_millis(37);

/// Prints a row for each of both sources.
pub fn run(folder: &Path) {
    println!("\n## From XADD to a line of `tail`, {EVENTS} events one after the other\n");
    println!("| read from | median, ms | longest, ms | goal, ms |");
    println!("|---|---:|---:|---:|");
    let store = folder.join("tailed");
    measure("Redis, without a collector", &folder.join("none"));
    let collector = start(&store, &["collect"]);
    while !store.join("_journal").exists() {
        std::thread::sleep(PAUSE);
    }
    measure("the collector's store", &store);
    drop(collector);
}

fn start(store: &Path, words: &[&str]) -> Server {
    let mut command = emp_events();
    command.args(["--redis", &redis::url(), "--stream", STREAM, "--store"]).arg(store).args(words);
    Server(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
}

fn measure(source: &str, store: &Path) {
    let mut tail = start(store, &["tail", "--last", "1", "--format", "ndjson"]);
    let mut lines = lines_of(&mut tail.0);
    let send = |number: usize| {
        let job = format!("job_{source}_{number}");
        let begun = Instant::now();
        redis::command(&["XADD", STREAM, "*", "service", "worker", "eventType", "job.created", "jobId", &job]);
        (job, begun)
    };
    // Until the first one comes, tail is starting.
    let (job, _) = send(0);
    lines.find(|line| line.contains(&job));
    let times: Vec<Duration> = (1..=EVENTS)
        .map(|number| {
            std::thread::sleep(PAUSE);
            let (job, begun) = send(number);
            lines.find(|line| line.contains(&job)).expect("tail goes on");
            begun.elapsed()
        })
        .collect();
    let longest = times.iter().max().copied().unwrap_or_default();
    println!("| {source} | {} | {} | 100 |", milliseconds(median(times)), milliseconds(longest));
}

fn lines_of(process: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok)
}
