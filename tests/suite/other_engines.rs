//! The partitions as another engine reads them.

use std::path::Path;
use std::process::Command;

use crate::support::{Redis, Store, eventually};

/// What DuckDB answers about the partitions of a store, one line a row.
fn duckdb(store: &Path, query: &str) -> String {
    let program = "import duckdb, sys\nfor row in duckdb.sql(sys.argv[1]).fetchall(): print(*row)";
    let events = format!("read_parquet('{}/date=*/hour=*/*.parquet', hive_partitioning = true)", store.display());
    let output = Command::new("python3").args(["-c", program, &query.replace("EVENTS", &events)]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "DuckDB (make test installs it): {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_redis_added_under_load_is_what_sql_and_duckdb_count() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let collector = store.collect(&[]);
    collector.says("reading emp:events");
    // Fewer than the stream keeps: none is lost, however slow the collector is.
    let said = store.output(&["simulate", "--rate", "2000", "--for", "4s"]);
    let added = redis.added();
    assert!(said.starts_with(&format!("{added} events of ")), "{said}");
    eventually("all is stored", || store.events() == added);
    store.assert_accounts_for(added);
    assert_eq!(collector.stop(), 0);
    store.assert_accounts_for(added);
    let counted = duckdb(&store.path(), "select count(*), count(distinct id) from EVENTS");
    assert_eq!(counted, format!("{added} {added}\n"));
}

#[test]
fn duckdb_sees_the_types_and_values_that_we_see() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
    let types = duckdb(&sample, "select column_name, column_type from (describe select * from EVENTS)");
    insta::assert_snapshot!(types, @"
    id VARCHAR
    timestamp TIMESTAMP WITH TIME ZONE
    ingested_at TIMESTAMP WITH TIME ZONE
    service VARCHAR
    event_type VARCHAR
    level VARCHAR
    trace_id VARCHAR
    job_id VARCHAR
    worker_id VARCHAR
    machine_id VARCHAR
    user_id VARCHAR
    duration_ms DOUBLE
    data VARCHAR
    date DATE
    hour VARCHAR
    ");
    let sums = "select service, count(*), count(distinct job_id), coalesce(sum(duration_ms), 0)::bigint
        from EVENTS group by 1 order by 1";
    let theirs = duckdb(&sample, sums);
    let mut ours = crate::support::emp_events();
    ours.arg("--store").arg(&sample).args(["--format", "csv", "sql", &sums.replace("EVENTS", "events")]);
    let ours = crate::support::run(&mut ours);
    let ours: String = ours.stdout.lines().skip(1).map(|line| line.replace(',', " ") + "\n").collect();
    assert_eq!(ours, theirs);
}
