//! One question to us and to DuckDB, each time in a new process, in turn.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::{emp_events, median};

/// The question to a store, in our SQL.
pub fn our_command(store: &Path, query: &str) -> Command {
    let mut command = emp_events();
    command.arg("--store").arg(store).args(["--format", "csv", "sql", query]);
    command
}

/// The question in DuckDB's SQL, about [`files`].
pub fn their_command(query: &str) -> Command {
    let program = "import csv, duckdb, sys\n\
                   duckdb.sql('set enable_progress_bar = false')\n\
                   print('-')\n\
                   csv.writer(sys.stdout, lineterminator='\\n').writerows(duckdb.sql(sys.argv[1]).fetchall())";
    let mut command = Command::new("python3");
    command.args(["-c", program, query]);
    command
}

/// The events of a store, as DuckDB reads them.
pub fn files(store: &Path) -> String {
    format!(
        "read_parquet('{}/date=*/hour=*/*.parquet', hive_partitioning = true, hive_types_autocast = false)",
        store.display()
    )
}

/// The median times of both, of so many runs. The answers have to be the same each time.
pub fn in_turn(name: &str, ours: &mut Command, theirs: &mut Command, runs: usize) -> (Duration, Duration) {
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    // The first time is not counted: a question about ids may make the index first.
    for run in 0..=runs {
        let (our_time, our_rows) = timed(ours);
        let (their_time, their_rows) = timed(theirs);
        assert_eq!(our_rows, their_rows, "{name}");
        if run > 0 {
            our_times.push(our_time);
            their_times.push(their_time);
        }
    }
    (median(our_times), median(their_times))
}

/// The lines after the header, numbers spelt alike.
pub fn rows(command: &mut Command) -> Vec<String> {
    timed(command).1
}

fn timed(command: &mut Command) -> (Duration, Vec<String>) {
    let begun = Instant::now();
    let Output { stdout, stderr, status } = command.output().unwrap();
    let elapsed = begun.elapsed();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    let cell = |cell: &str| match cell.parse::<f64>() {
        Ok(number) if cell.contains('.') => number.to_string(),
        _ => cell.to_owned(),
    };
    let text = String::from_utf8(stdout).unwrap();
    let rows = text.lines().skip(1).map(|line| line.split(',').map(cell).collect::<Vec<_>>().join(","));
    (elapsed, rows.collect())
}
