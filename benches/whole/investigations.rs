//! What is wrong, and what is unusual: the commands that a person waits for, each in a new process, on
//! stores of two systems' years, and of ten.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use super::peers::{files, our_command, rows, their_command};
use super::stores::made;
use super::{emp_events, median, milliseconds, peak};

const RUNS: usize = 9;

/// Prints a row for each command and year, and what one job of ten years takes.
pub fn run() {
    println!("\n## Investigations of the year, cold processes, medians of {RUNS}\n");
    println!("| command | store | ms | goal, ms | peak, MB |");
    println!("|---|---|---:|---:|---:|");
    let [year, other_year, ten_years] = ["year", "other year", "ten years"].map(|name| (name, made(name)));
    for store in [&year, &other_year] {
        let job = &some_job(&store.1);
        let commands: [(&[&str], u32); 16] = [
            (&["diagnose", job], 150),
            (&["timeline", job, "--format", "table"], 150),
            (&["correlate", job], 150),
            (&["perf", "--last", "1h"], 500),
            (&["perf"], 100),
            (&["gaps"], 150),
            (&["gaps", "--by", "class"], 150),
            (&["handoffs"], 150),
            (&["anomalies"], 200),
            (&["diagnose", "--all", "--last", "1h"], 500),
            (&["why-slow", "--last", "6h"], 500),
            (&["why-slow", "--last", "7d"], 1_000),
            (&["changes", "--last", "30d"], 1_000),
            (&["search", "--text", "nothing of the kind"], 100),
            (&["report", "--last", "30d", "--output", "-"], 1_000),
            (&["report", "--last", "365d", "--output", "-"], 3_000),
        ];
        commands.iter().for_each(|(words, goal)| ask(store, words, job, *goal));
    }
    let job = &some_job(&ten_years.1);
    ask(&ten_years, &["timeline", job, "--format", "table"], job, 80);
    let theirs = format!(
        "select event_type, count(*), quantile_cont(duration_ms, 0.95) from {} \
         where timestamp >= (select max(timestamp) from {0}) - interval 1 hour group by 1",
        files(&year.1)
    );
    let theirs = timed(their_command(&theirs).stdout(Stdio::null()));
    println!("\nDuckDB takes {} ms for the counts and p95 of the last hour by event type.", milliseconds(theirs));
}

/// One that was begun in the middle of some day.
fn some_job(store: &Path) -> String {
    let sql = "select job_id from events where event_type = 'job.created' and hour = '12' and date = \
               (select max(date) from events where date < '2026-03-02') limit 1";
    rows(&mut our_command(store, sql)).remove(0)
}

fn ask((name, folder): &(&str, PathBuf), words: &[&str], job: &str, goal: u32) {
    let mut command = emp_events();
    command.arg("--store").arg(folder).args(words).stdout(Stdio::null()).stderr(Stdio::null());
    let time = timed(&mut command);
    let shown = words.iter().map(|word| if *word == job { "JOB" } else { word }).collect::<Vec<_>>().join(" ");
    println!("| `{shown}` | {name} | {} | {goal} | {} |", milliseconds(time), peak::of_ended_mb(&command));
}

fn timed(command: &mut std::process::Command) -> std::time::Duration {
    let times = (0..=RUNS).map(|_| {
        let begun = Instant::now();
        assert!(command.status().unwrap().success(), "{command:?}");
        begun.elapsed()
    });
    // The first time is not counted: what is typical may have to be learned first.
    median(times.skip(1).collect())
}
