//! Questions to stores of two systems' years and of a week, each in a new process, in turn with DuckDB's
//! answer, which has to be the same.

use std::path::{Path, PathBuf};

use super::peers::{files, in_turn, our_command, rows, their_command};
use super::{emp_events, milliseconds, other_year, peak};

const RUNS: usize = 5;

/// A store that is made once, and kept among what was built.
struct Store {
    name: &'static str,
    hours: u32,
    made_by: MadeBy,
}

enum MadeBy {
    Simulate { jobs_per_hour: u32 },
    OtherYear,
}

/// 8,760 hours with 18 million events, as many with 8 million of another system, 168 hours with 13 million, and
/// 87,600 hours with 18 million.
const STORES: [Store; 4] = [
    Store { name: "year", hours: 8_760, made_by: MadeBy::Simulate { jobs_per_hour: 147 } },
    Store { name: "other year", hours: 8_760, made_by: MadeBy::OtherYear },
    Store { name: "week", hours: 168, made_by: MadeBy::Simulate { jobs_per_hour: 5_520 } },
    Store { name: "ten years", hours: 87_600, made_by: MadeBy::Simulate { jobs_per_hour: 15 } },
];

/// The folder of the store of that name.
pub fn made(name: &str) -> PathBuf {
    STORES.iter().find(|store| store.name == name).unwrap().made()
}

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
    for store in STORES.iter().filter(|store| store.name != "ten years") {
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
            match self.made_by {
                MadeBy::Simulate { jobs_per_hour } => {
                    let mut simulate = emp_events();
                    simulate.arg("simulate").arg("--into").arg(&folder).args(["--seed", "1"]);
                    simulate.args(["--hours", &self.hours.to_string(), "--jobs-per-hour", &jobs_per_hour.to_string()]);
                    assert!(simulate.status().unwrap().success());
                }
                MadeBy::OtherYear => other_year::make(&folder, self.hours.into()),
            }
            std::fs::write(is_whole, "").unwrap();
        }
        folder
    }
}

/// What is asked for by name.
struct Examples {
    job: String,
    trace: String,
    user: String,
    /// When the last hour begins, in seconds since the epoch.
    last_hour: i64,
}

impl Examples {
    /// Some job of an early day, its trace and its user.
    fn of(folder: &Path) -> Self {
        let pick = |sql: &str| rows(&mut our_command(folder, sql)).remove(0);
        let day = "(select date from (select date, row_number() over (order by date) as n from events group by date) \
                   order by abs(n - 3) limit 1)";
        let sql = format!(
            "select job_id, trace_id, user_id from events \
             where date = {day} and hour = '12' and event_type = 'job.created' and user_id is not null limit 1"
        );
        let picked = pick(&sql);
        let [job, trace, user] = picked.split(',').collect::<Vec<_>>()[..] else { panic!("{picked}") };
        let last_hour = pick("select cast(max(timestamp) as bigint) - 3600000 from events").parse::<i64>().unwrap();
        Self { job: job.to_owned(), trace: trace.to_owned(), user: user.to_owned(), last_hour: last_hour / 1_000 }
    }
}

const DETAILS: &str = "service, event_type, epoch_ms(timestamp) as ms";

fn mentioning(text: &str) -> String {
    format!("select id, {DETAILS} from EVENTS where data ilike '%{text}%' order by length(id), id")
}

fn questions(folder: &Path) -> Vec<Question> {
    let Examples { job, trace, user, last_hour } = Examples::of(folder);
    let year: &[&str] = &["year", "other year"];
    let both: &[&str] = &["year", "other year", "week"];
    let files = files(folder);
    let mut questions = Vec::new();
    let mut add = |name, stores, sql: String| {
        // A cast around the aggregate, since the catalog knows times and nothing about expressions of them.
        let ours = sql
            .replace("EVENTS", "events")
            .replace("min(epoch_ms(timestamp))", "cast(min(timestamp) as bigint)")
            .replace("max(epoch_ms(timestamp))", "cast(max(timestamp) as bigint)")
            .replace("epoch_ms(timestamp)", "cast(timestamp as bigint)");
        questions.push(Question { name, stores, ours, theirs: sql.replace("EVENTS", &files) });
    };
    add("`select 1`", year, "select 1".to_owned());
    add(
        "one job's events",
        year,
        format!("select id, {DETAILS} from EVENTS where job_id = '{job}' order by length(id), id"),
    );
    add(
        "one trace's events",
        year,
        format!("select id, {DETAILS} from EVENTS where trace_id = '{trace}' order by length(id), id"),
    );
    add(
        "one user's errors",
        year,
        format!(
            "select id, {DETAILS} from EVENTS where user_id = '{user}' and level = 'error' order by length(id), id"
        ),
    );
    add(
        "newest 20 errors",
        year,
        format!("select id, {DETAILS} from EVENTS where level = 'error' order by timestamp desc, id limit 20"),
    );
    add(
        "last hour's counts",
        year,
        format!(
            "select event_type, count(*) from EVENTS where timestamp >= to_timestamp({last_hour}) group by 1 order by 1"
        ),
    );
    add("a text that is nowhere", year, mentioning("nothing of the kind"));
    add("a text of a tenth of the hours", &["year"], mentioning("Unknown voice"));
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
    add("perf over all events", year, PERF.to_owned());
    // What goes from event to event of a job has a table of its own here.
    let mut add_walk = |name, stores, ours: &str, theirs: &str| {
        questions.push(Question { name, stores, ours: ours.to_owned(), theirs: theirs.replace("EVENTS", &files) });
    };
    add_walk("handoffs over all jobs", both, OUR_HANDOFFS, HANDOFFS);
    add_walk("gaps over all jobs", both, OUR_GAPS, GAPS);
    questions
}

const OUR_GAPS: &str = "select from_event, event_type, count(*), round(quantile_cont(gap_ms, 0.95), 1), max(gap_ms) \
    from raw_transitions where gap_ms >= 5000 group by 1, 2 order by 1, 2";

const OUR_HANDOFFS: &str = "select handed_by, service, count(*), \
    round(quantile_cont(handoff_ms, 0.95) filter (where handoff_ms >= 0), 1), max(handoff_ms) \
    from raw_transitions where handed_by is not null group by 1, 2 order by 1, 2";

const GAPS: &str = "with steps as (\
    select job_id, lag(event_type) over job as from_event, event_type as to_event, \
    epoch_ms(timestamp) - lag(epoch_ms(timestamp)) over job as ms from EVENTS where job_id is not null \
    window job as (partition by job_id order by timestamp, ingested_at, length(id), id)) \
    select from_event, to_event, count(*), round(quantile_cont(ms, 0.95), 1), max(ms) from steps where ms >= 5000 \
    group by 1, 2 order by 1, 2";

const PERF: &str = "select event_type, count(*), round(avg(duration_ms), 1), \
    round(quantile_cont(duration_ms, 0.5), 1), round(quantile_cont(duration_ms, 0.95), 1), \
    round(quantile_cont(duration_ms, 0.99), 1), round(max(duration_ms), 1), \
    count(*) filter (where level = 'error') from EVENTS group by 1 order by 1";

const HANDOFFS: &str = "with steps as (\
    select job_id, lag(service) over job as from_service, service as to_service, \
    epoch_ms(timestamp) - lag(epoch_ms(timestamp)) over job as ms from EVENTS where job_id is not null \
    window job as (partition by job_id order by ingested_at, length(id), id)) \
    select from_service, to_service, count(*), round(quantile_cont(ms, 0.95) filter (where ms >= 0), 1), max(ms) \
    from steps where from_service <> to_service group by 1, 2 order by 1, 2";

fn ask(store: &str, folder: &Path, question: &Question) {
    let (mut ours, mut theirs) = (our_command(folder, &question.ours), their_command(&question.theirs));
    let (our_time, their_time) = in_turn(question.name, &mut ours, &mut theirs, RUNS);
    println!(
        "| {} | {store} | {} | {} | {:.1} | {} | {} |",
        question.name,
        milliseconds(our_time),
        milliseconds(their_time),
        their_time.as_secs_f64() / our_time.as_secs_f64(),
        peak::of_ended_mb(&ours),
        peak::of_ended_mb(&theirs),
    );
}
