//! Questions to a store of a year and one of a week, each in a new process, in turn with DuckDB's
//! answer, which has to be the same.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::{emp_events, median, milliseconds};

const RUNS: usize = 5;

/// A store that is made once, and kept among what was built.
struct Store {
    name: &'static str,
    hours: u32,
    jobs_per_hour: u32,
}

/// 8,760 hours with 18 million events, and 168 hours with 13 million.
const STORES: [Store; 2] = [
    Store { name: "year", hours: 8_760, jobs_per_hour: 147 },
    Store { name: "week", hours: 168, jobs_per_hour: 5_520 },
];

/// A question in our SQL and in DuckDB's, each with the same columns of text and numbers.
struct Question {
    name: &'static str,
    stores: &'static [&'static str],
    ours: String,
    theirs: String,
}

/// Prints a row for each question and store.
pub fn run() {
    println!("\n## Questions to large stores, cold processes, medians of {RUNS}\n");
    println!("| question | store | emp-events, ms | DuckDB, ms | DuckDB / emp-events | peak, MB | DuckDB's, MB |");
    println!("|---|---|---:|---:|---:|---:|---:|");
    for store in &STORES {
        let folder = store.made();
        for question in questions(&folder).iter().filter(|question| question.stores.contains(&store.name)) {
            ask(store.name, &folder, question);
        }
    }
}

impl Store {
    fn made(&self) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench").join(self.name);
        let is_whole = folder.join("made");
        if !is_whole.exists() {
            let _ = std::fs::remove_dir_all(&folder);
            eprintln!("making the store of a {}", self.name);
            let mut simulate = emp_events();
            simulate.arg("simulate").arg("--into").arg(&folder).args(["--seed", "1"]);
            simulate.args(["--hours", &self.hours.to_string(), "--jobs-per-hour", &self.jobs_per_hour.to_string()]);
            assert!(simulate.status().unwrap().success());
            std::fs::write(is_whole, "").unwrap();
        }
        folder
    }
}

/// An hour of the middle, some job in it, its trace and its user; and when the last hour begins.
fn questions(folder: &Path) -> Vec<Question> {
    let pick = |sql: &str| rows(&mut our_command(folder, sql)).remove(0);
    let middle = "(select date from (select date, row_number() over (order by date) as n from events group by date) \
                  order by abs(n - 3) limit 1)";
    let sql = format!(
        "select job_id, trace_id, user_id from events \
         where date = {middle} and hour = '12' and event_type = 'job.created' and user_id is not null limit 1"
    );
    let picked = pick(&sql);
    let [job, trace, user] = picked.split(',').collect::<Vec<_>>()[..] else { panic!("{picked}") };
    let last = pick("select cast(max(timestamp) as bigint) - 3600000 from events");
    let year: &[&str] = &["year"];
    let both: &[&str] = &["year", "week"];
    let details = "service, event_type, epoch_ms(timestamp) as ms";
    let mut questions = Vec::new();
    let mut add = |name, stores, sql: String| {
        let ours = sql.replace("EVENTS", "events").replace("epoch_ms(timestamp)", "cast(timestamp as bigint)");
        let files = format!(
            "read_parquet('{}/date=*/hour=*/*.parquet', hive_partitioning = true, hive_types_autocast = false)",
            folder.display()
        );
        questions.push(Question { name, stores, ours, theirs: sql.replace("EVENTS", &files) });
    };
    add("`select 1`", year, "select 1".to_owned());
    add(
        "one job's events",
        year,
        format!("select id, {details} from EVENTS where job_id = '{job}' order by length(id), id"),
    );
    add(
        "one trace's events",
        year,
        format!("select id, {details} from EVENTS where trace_id = '{trace}' order by length(id), id"),
    );
    add(
        "one user's errors",
        year,
        format!(
            "select id, {details} from EVENTS where user_id = '{user}' and level = 'error' order by length(id), id"
        ),
    );
    add(
        "newest 20 errors",
        year,
        format!("select id, {details} from EVENTS where level = 'error' order by timestamp desc, id limit 20"),
    );
    add(
        "last hour's counts",
        year,
        format!(
            "select event_type, count(*) from EVENTS where timestamp >= to_timestamp({}) group by 1 order by 1",
            last.parse::<i64>().unwrap() / 1_000
        ),
    );
    add("`count(*)`", year, "select count(*) from EVENTS".to_owned());
    add(
        "`min` and `max` of `timestamp`",
        year,
        "select min(epoch_ms(timestamp)), max(epoch_ms(timestamp)) from EVENTS".to_owned(),
    );
    add("count per hour", year, "select date, hour, count(*) from EVENTS group by 1, 2 order by 1, 2".to_owned());
    add(
        "p95 per event type",
        both,
        "select event_type, round(quantile_cont(duration_ms, 0.95), 3) from EVENTS group by 1 order by 1".to_owned(),
    );
    add(
        "count per service and hour",
        both,
        "select service, date, hour, count(*) from EVENTS group by 1, 2, 3 order by 1, 2, 3".to_owned(),
    );
    add("handoffs over all jobs", both, HANDOFFS.to_owned());
    for question in &mut questions {
        // The catalog knows the times, and nothing about expressions of them.
        if question.name.starts_with("`min`") {
            question.ours =
                "select cast(min(timestamp) as bigint), cast(max(timestamp) as bigint) from events".to_owned();
        }
    }
    questions
}

const HANDOFFS: &str = "with steps as (\
    select job_id, lag(service) over job as from_service, service as to_service, \
    epoch_ms(timestamp) - lag(epoch_ms(timestamp)) over job as ms from EVENTS where job_id is not null \
    window job as (partition by job_id order by ingested_at, length(id), id)) \
    select from_service, to_service, count(*), round(quantile_cont(ms, 0.95) filter (where ms >= 0), 1), max(ms) \
    from steps where from_service <> to_service group by 1, 2 order by 1, 2";

fn ask(store: &str, folder: &Path, question: &Question) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // The first time is not counted: a question about ids may make the index first.
    for run in 0..=RUNS {
        let (our_time, our_rows) = timed(&mut our_command(folder, &question.ours));
        let (their_time, their_rows) = timed(&mut their_command(&question.theirs));
        assert_eq!(our_rows, their_rows, "{}", question.name);
        if run > 0 {
            ours.push(our_time);
            theirs.push(their_time);
        }
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "| {} | {store} | {} | {} | {:.1} | {} | {} |",
        question.name,
        milliseconds(ours),
        milliseconds(theirs),
        theirs.as_secs_f64() / ours.as_secs_f64(),
        peak_mb(&our_command(folder, &question.ours)),
        peak_mb(&their_command(&question.theirs)),
    );
}

fn our_command(folder: &Path, query: &str) -> Command {
    let mut command = emp_events();
    command.arg("--store").arg(folder).args(["--format", "csv", "sql", query]);
    command
}

fn their_command(query: &str) -> Command {
    let program = "import csv, duckdb, sys\n\
                   duckdb.sql('set enable_progress_bar = false')\n\
                   print('-')\n\
                   csv.writer(sys.stdout, lineterminator='\\n').writerows(duckdb.sql(sys.argv[1]).fetchall())";
    let mut command = Command::new("python3");
    command.args(["-c", program, query]);
    command
}

fn timed(command: &mut Command) -> (Duration, Vec<String>) {
    let begun = Instant::now();
    let rows = rows(command);
    (begun.elapsed(), rows)
}

/// The lines after the header, numbers spelt alike.
fn rows(command: &mut Command) -> Vec<String> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let cell = |cell: &str| match cell.parse::<f64>() {
        Ok(number) if cell.contains('.') => number.to_string(),
        _ => cell.to_owned(),
    };
    text.lines().skip(1).map(|line| line.split(',').map(cell).collect::<Vec<_>>().join(",")).collect()
}

/// The most memory that the process had at once, as the system says after its end.
fn peak_mb(command: &Command) -> u64 {
    let program = "import resource, subprocess, sys\n\
                   subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n\
                   print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let mut measured = Command::new("python3");
    measured.args(["-c", program]).arg(command.get_program()).args(command.get_args());
    let output = measured.output().unwrap();
    assert!(output.status.success(), "{command:?}");
    // In KiB on Linux.
    String::from_utf8(output.stdout).unwrap().trim().parse::<u64>().unwrap() * 1_024 / 1_000_000
}
