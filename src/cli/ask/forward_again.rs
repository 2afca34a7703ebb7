//! `forward --from-store`: a part of the store, sent once more.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use super::answer::{AsOf, TimeRange, engine, now_ms, runtime};
use crate::cli::daemon::tell;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::Options;
use emp_forward::{Settings, send_again};
use emp_query::{Engine, Filter};
use emp_store::events_of;

/// How often a terminal is told how far it is.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// The exit status of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

#[derive(Debug, Args)]
pub(crate) struct FromStore {
    /// Send events of the store, whether they were sent before or not
    #[arg(long, conflicts_with_all = ["once", "replay_dead_letters"])]
    from_store: bool,
    /// Only print what would be sent
    #[arg(long, requires = "from_store")]
    dry_run: bool,
    /// Only events for which this SQL condition holds
    #[arg(long = "where", value_name = "SQL", requires = "from_store")]
    condition: Option<String>,
    #[command(flatten)]
    range: TimeRange,
}

impl FromStore {
    /// Sends them, where that was asked for.
    pub fn run(&self, options: &Options, settings: &Settings) -> Option<Outcome> {
        self.from_store.then(|| self.send_or_stop(options, settings))
    }

    fn send_or_stop(&self, options: &Options, settings: &Settings) -> Outcome {
        options.start_log();
        runtime()?.block_on(async {
            tokio::select! {
                done = self.send(options, settings) => done,
                _ = tokio::signal::ctrl_c() => {
                    eprintln!("emp-events: stopped; what was sent so far is sent");
                    Ok(ExitCode::from(INTERRUPTED))
                }
            }
        })
    }

    async fn send(&self, options: &Options, settings: &Settings) -> Outcome {
        let engine = engine(options)?;
        let condition = self.sql_condition(options, &engine)?;
        let shows_progress = !self.dry_run && std::io::stderr().is_terminal();
        let total = if shows_progress { count(&engine, &condition).await? } else { 0 };
        let columns = "id, timestamp, service, event_type, level, trace_id, job_id, worker_id, machine_id, user_id, duration_ms, data";
        let sql = format!("select {columns} from events where {condition} order by ingested_at, length(id), id");
        let mut answer = engine.sql(&sql).await?;
        let mut again = send_again(&options.folder_layout()?, settings)?;
        let (mut read, mut told) = (0_u64, Instant::now());
        while let Some(batch) = answer.next().await? {
            for event in events_of(&batch, Path::new("the answer"))? {
                if !settings.sieve.keeps(&event) {
                    continue;
                }
                if self.dry_run {
                    let Some(time) = jiff::Timestamp::from_millisecond(event.timestamp).ok() else { continue };
                    let line = json!({"id": event.id.to_string(), "timestamp": time.to_string(),
                        "service": event.service, "event_type": event.event_type});
                    writeln!(std::io::stdout(), "{line}")?;
                } else {
                    again.send(event).await?;
                }
                read += 1;
                if shows_progress && told.elapsed() >= TELL_EVERY {
                    told = Instant::now();
                    eprint!("\r{}", bar(again.counts().sent, total));
                }
            }
        }
        if self.dry_run {
            eprintln!("{read} events would be sent to {}", settings.target.shown());
            return Ok(ExitCode::SUCCESS);
        }
        let counts = again.finish().await?;
        tell(&counts);
        Ok(if counts.dead + counts.refused > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn sql_condition(&self, options: &Options, engine: &Engine) -> Result<String, Failure> {
        let mut filter = Filter::default();
        (filter.since_ms, filter.until_ms) = self.range.bounds(options, &AsOf::default(), now_ms(options, engine)?)?;
        let range = filter.sql();
        Ok(match &self.condition {
            Some(condition) => format!("({range}) and ({condition})"),
            None => range,
        })
    }
}

async fn count(engine: &Engine, condition: &str) -> Result<u64, Failure> {
    use arrow::array::AsArray as _;
    let batches = engine.sql(&format!("select count(*) from events where {condition}")).await?.batches().await?;
    let count = batches.first().map(|batch| batch.column(0).as_primitive::<arrow::datatypes::Int64Type>().value(0));
    Ok(count.unwrap_or(0).max(0).unsigned_abs())
}

fn bar(done: u64, total: u64) -> String {
    const WIDTH: u64 = 30;
    let filled = (done * WIDTH).checked_div(total).unwrap_or(WIDTH).min(WIDTH);
    let bar: String = (0..WIDTH).map(|at| if at < filled { '█' } else { '░' }).collect();
    format!("{bar} {done} of {total}")
}
