//! What is wrong, and what is unusual: the commands that a person waits for, each in a new process, on
//! the store of a year.

use std::process::Stdio;
use std::time::Instant;

use super::peers::{files, our_command, rows, their_command};
use super::stores::year;
use super::{emp_events, median, milliseconds, peak};

const RUNS: usize = 9;

/// Prints a row for each command.
pub fn run() {
    let folder = year();
    let day = "date = '2026-03-01' and hour = '12'";
    let job = format!("select job_id from events where {day} and event_type = 'job.created' limit 1");
    let job = rows(&mut our_command(&folder, &job)).remove(0);
    println!("\n## Investigations of the year, cold processes, medians of {RUNS}\n");
    println!("| command | ms | goal, ms | peak, MB |");
    println!("|---|---:|---:|---:|");
    let commands: [(&[&str], u32); 7] = [
        (&["diagnose", &job], 150),
        (&["timeline", &job, "--format", "table"], 150),
        (&["correlate", &job], 150),
        (&["perf", "--last", "1h"], 500),
        (&["anomalies"], 500),
        (&["diagnose", "--all", "--last", "1h"], 500),
        (&["why-slow", "--last", "6h"], 500),
    ];
    for (words, goal) in commands {
        let mut command = emp_events();
        command.arg("--store").arg(&folder).args(words).stdout(Stdio::null());
        let time = timed(&mut command);
        let shown = words.iter().map(|word| if *word == job { "JOB" } else { word }).collect::<Vec<_>>().join(" ");
        println!("| `{shown}` | {} | {goal} | {} |", milliseconds(time), peak::of_ended_mb(&command));
    }
    let theirs = format!(
        "select event_type, count(*), quantile_cont(duration_ms, 0.95) from {} \
         where timestamp >= (select max(timestamp) from {0}) - interval 1 hour group by 1",
        files(&folder)
    );
    let theirs = timed(their_command(&theirs).stdout(Stdio::null()));
    println!("\nDuckDB takes {} ms for the counts and p95 of the last hour by event type.", milliseconds(theirs));
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
