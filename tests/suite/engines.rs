//! The partitions as other engines read them: the same counts and sums by each as by us, of the
//! sample and of a store with a catalog, a journal and several writers beside.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::support::{Ended, emp_events, run};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/sample");

/// Thirty hours, with some more of another writer, all sealed; the journal and the catalog are there.
static SIMULATED: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    let load = ["--hours", "30", "--jobs-per-hour", "40", "--seed", "7"];
    let made = run(emp_events().args(["simulate", "--into"]).arg(folder.path()).args(load));
    assert_eq!(made.status, 0, "{}", made.stderr);
    // As a second collector would have left it: its own file beside, in the same hours.
    let other = TempDir::new().unwrap();
    let load = ["--hours", "30", "--jobs-per-hour", "5", "--seed", "8"];
    let made = run(emp_events().args(["simulate", "--into"]).arg(other.path()).args(load));
    assert_eq!(made.status, 0, "{}", made.stderr);
    for (hour, name) in parquet_files(other.path()) {
        let renamed = name.replacen("simulate_", "second_", 1);
        std::fs::copy(other.path().join(&hour).join(name), folder.path().join(&hour).join(renamed)).unwrap();
    }
    assert_eq!(run(emp_events().arg("--store").arg(folder.path()).arg("seal")).status, 0);
    assert!(folder.path().join("_index").is_dir() && folder.path().join("_journal").is_dir());
    folder
});

/// Every sealed file: its folders, and its name.
fn parquet_files(store: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for date in folders(store) {
        for hour in folders(&store.join(&date)) {
            let place = PathBuf::from(&date).join(hour);
            let names = std::fs::read_dir(store.join(&place)).unwrap();
            files.extend(names.map(|name| (place.clone(), name.unwrap().file_name().into_string().unwrap())));
        }
    }
    files
}

fn folders(of: &Path) -> Vec<String> {
    let names = std::fs::read_dir(of).unwrap().map(|name| name.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains('=')).collect()
}

fn sql(store: &Path, query: &str) -> Vec<String> {
    let answer = run(emp_events().arg("--store").arg(store).args(["--format", "csv", "sql", query]));
    assert_eq!(answer.status, 0, "{}", answer.stderr);
    answer.stdout.lines().skip(1).map(|line| line.replace(',', " ")).collect()
}

/// The facts of a store by us, in the words of the scripts in `engines/`.
fn our_facts(store: &Path, job: &str) -> String {
    let one_job = format!("id from events where job_id = '{job}' order by id");
    let facts = [
        ("rows", "count(*) from events"),
        ("without job", "count(*) - count(job_id) from events"),
        ("duration_ms", "cast(sum(duration_ms) as decimal(20, 3)) from events"),
        ("data", "sum(length(data)) from events"),
        ("timestamp", "cast(min(timestamp) as bigint), cast(max(timestamp) as bigint) from events"),
        ("ingested_at", "cast(min(ingested_at) as bigint), cast(max(ingested_at) as bigint) from events"),
        ("service", "service, count(*) from events group by 1 order by 1"),
        ("hour", "date, hour, count(*) from events group by 1, 2 order by 1, 2"),
        ("job", &one_job),
    ];
    let lines = facts.iter().flat_map(|(name, query)| {
        sql(store, &format!("select {query}")).into_iter().map(move |row| format!("{name} {row}\n"))
    });
    lines.collect()
}

#[track_caller]
fn assert_agrees(engine: &str) {
    for store in [Path::new(SAMPLE), SIMULATED.path()] {
        let job = sql(store, "select max(job_id) from events").remove(0);
        let script = format!("{}/tests/suite/engines/ask_{engine}.py", env!("CARGO_MANIFEST_DIR"));
        let asked: Ended = Command::new("python3").arg(script).arg(store).arg(&job).output().unwrap().into();
        assert_eq!(asked.status, 0, "{engine} (make test installs it): {}", asked.stderr);
        let ours = our_facts(store, &job);
        assert!(ours.lines().count() > 40, "{ours}");
        assert_eq!(asked.stdout, ours, "{engine} on the left, of {}", store.display());
    }
}

#[test]
fn duckdb_agrees() {
    assert_agrees("duckdb");
}

#[test]
fn polars_agrees() {
    assert_agrees("polars");
}

#[test]
fn pandas_agrees() {
    assert_agrees("pandas");
}

#[test]
fn clickhouse_agrees() {
    assert_agrees("clickhouse");
}

#[test]
fn spark_agrees() {
    assert_agrees("spark");
}

#[test]
fn a_partition_that_was_copied_elsewhere_is_a_store() {
    let copy = TempDir::new().unwrap();
    let (hour, name) = parquet_files(Path::new(SAMPLE)).into_iter().min().unwrap();
    std::fs::create_dir_all(copy.path().join(&hour)).unwrap();
    std::fs::copy(Path::new(SAMPLE).join(&hour).join(&name), copy.path().join(&hour).join(&name)).unwrap();
    let whole = sql(
        Path::new(SAMPLE),
        "select count(*), count(distinct id) from events group by date, hour \
                                        order by date, hour limit 1",
    );
    assert_eq!(sql(copy.path(), "select count(*), count(distinct id) from events"), whole);
}
