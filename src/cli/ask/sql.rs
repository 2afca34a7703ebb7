use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use emp_prompt::Prompt;
use emp_render::Format;

use super::answer::{AsOf, ask, ask_in, engine_in, format, runtime, screen};
use super::export::export;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::Options;

/// Ask the store in SQL
///
/// Reads sealed hours and journal together, each event once. The tables are events, transitions (each event with
/// the one before it in its job), losses, quarantine, dead_letters and files; `describe events` names their columns.
/// Nothing can be changed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events sql \"select * from events where job_id='job_123' order by timestamp\"
  emp-events sql \"select data->>'connectorType' as connector, count(*) from events group by 1\"
  emp-events sql --format csv \"select service, count(*) from events group by 1\" > services.csv
  emp-events sql -o errors.parquet \"select * from events where level='error'\"
  emp-events sql --wrap \"select * from events where level='error' limit 3\"
  emp-events sql < query.sql
  emp-events sql                                 a prompt, on a terminal")]
pub(crate) struct Sql {
    /// One statement; read from stdin where it is missing, or asked for at a prompt
    query: Option<String>,
    /// Write the answer to a file, of the kind that its name ends in: .parquet, .csv, .ndjson,
    /// .json, .md
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show each row upright, a column a line, and every text as a whole
    #[arg(long, conflicts_with_all = ["output", "format"])]
    wrap: bool,
    #[command(flatten)]
    as_of: AsOf,
}

impl Sql {
    pub fn run(self, options: &Options) -> Outcome {
        let query = match self.query {
            Some(query) => query,
            None if std::io::stdin().is_terminal() && self.output.is_none() => return prompt(options),
            None => from_stdin()?,
        };
        match self.output {
            Some(path) => export(options, &self.as_of, &query, &path),
            None if self.wrap => ask_in(options, &self.as_of, true, async |engine| engine.sql(&query).await),
            None => ask(options, &self.as_of, async |engine| engine.sql(&query).await),
        }
    }
}

fn prompt(options: &Options) -> Outcome {
    let runtime = runtime()?;
    let screen = screen(options)?;
    let height = terminal_size::terminal_size().map_or(usize::MAX, |(_, height)| usize::from(height.0));
    let zone = screen.time_zone.clone();
    let open = || engine_in(options, zone.clone());
    let store = options.store.display().to_string();
    Prompt { open: &open, screen, height, format: options.format.map_or(Format::Table, |_| format(options)), store }
        .run(&runtime)?;
    Ok(ExitCode::SUCCESS)
}

fn from_stdin() -> Result<String, Failure> {
    let mut query = String::new();
    std::io::stdin().read_to_string(&mut query)?;
    Ok(query)
}
