//! Questions to the sample store, each in a new process, in turn with DuckDB's answer.

use std::path::Path;

use super::milliseconds;
use super::peers::{files, in_turn, our_command, their_command};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/sample");
const RUNS: usize = 15;

/// In the SQL of both.
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
    let sample = Path::new(SAMPLE);
    for (name, query) in QUESTIONS {
        let mut ours = our_command(sample, &query.replace("EVENTS", "events"));
        let mut theirs = their_command(&query.replace("EVENTS", &files(sample)));
        let (ours, theirs) = in_turn(name, &mut ours, &mut theirs, RUNS);
        let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
        println!("| {name} | {} | {} | {ratio:.1} |", milliseconds(ours), milliseconds(theirs));
    }
}
