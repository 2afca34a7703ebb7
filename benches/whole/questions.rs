//! Questions to the sample store, each in a new process, in turn with DuckDB's answer.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::{emp_events, median, milliseconds};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/sample");
const RUNS: usize = 15;

/// Each has one column of one row, so that the answers can be compared as text.
const QUESTIONS: [(&str, &str); 4] = [
    ("select 1", "select 1"),
    ("count", "select count(*) from EVENTS"),
    ("one job's events", "select count(*) from EVENTS where job_id = 'job_ed79husvrxkm'"),
    ("services", "select sum(n) from (select service, count(*) as n from EVENTS group by 1)"),
];

/// Prints one row for each question.
pub fn run() {
    println!("\n## Questions to the sample store, cold processes, medians of {RUNS}\n");
    println!("| question | emp-events, ms | DuckDB, ms | DuckDB / emp-events |");
    println!("|---|---:|---:|---:|");
    for (name, query) in QUESTIONS {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let (our_time, our_answer) = timed(&mut our_command(query));
            let (their_time, their_answer) = timed(&mut their_command(query));
            assert_eq!(our_answer, their_answer, "{name}");
            ours.push(our_time);
            theirs.push(their_time);
        }
        let (ours, theirs) = (median(ours), median(theirs));
        let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
        println!("| {name} | {} | {} | {ratio:.1} |", milliseconds(ours), milliseconds(theirs));
    }
}

fn our_command(query: &str) -> Command {
    let mut command = emp_events();
    command.args(["--store", SAMPLE, "--format", "csv", "sql", &query.replace("EVENTS", "events")]);
    command
}

fn their_command(query: &str) -> Command {
    let files = format!("read_parquet('{SAMPLE}/date=*/hour=*/*.parquet', hive_partitioning = true)");
    let program = "import duckdb, sys; print('-'); print(duckdb.sql(sys.argv[1]).fetchall()[0][0])";
    let mut command = Command::new("python3");
    command.args(["-c", program, &query.replace("EVENTS", &files)]);
    command
}

/// The time from start to end, and the last line.
fn timed(command: &mut Command) -> (Duration, String) {
    let begun = Instant::now();
    let Output { stdout, stderr, status } = command.output().unwrap();
    let elapsed = begun.elapsed();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    let stdout = String::from_utf8(stdout).unwrap();
    (elapsed, stdout.lines().last().unwrap_or_default().to_owned())
}
