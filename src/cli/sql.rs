use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;

use clap::Args;

use super::answer::ask;
use super::export::export;
use super::failure::{Failure, Outcome};
use super::options::Options;

/// Ask the store in SQL
///
/// Reads sealed hours and journal together, each event once. The tables are events, losses,
/// quarantine and files; `describe events` names their columns. Nothing can be changed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events sql \"select * from events where job_id='job_123' order by timestamp\"
  emp-events sql \"select data->>'connectorType' as connector, count(*) from events group by 1\"
  emp-events sql --format csv \"select service, count(*) from events group by 1\" > services.csv
  emp-events sql -o errors.parquet \"select * from events where level='error'\"
  emp-events sql < query.sql")]
pub(super) struct Sql {
    /// One statement; read from stdin where it is missing
    query: Option<String>,
    /// Write the answer to a file, of the kind that its name ends in: .parquet, .csv, .ndjson,
    /// .json, .md
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Sql {
    pub fn run(self, options: &Options) -> Outcome {
        let query = self.query.map_or_else(from_stdin, Ok)?;
        match self.output {
            Some(path) => export(options, &query, &path),
            None => ask(options, async |engine| engine.sql(&query).await),
        }
    }
}

fn from_stdin() -> Result<String, Failure> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        let usage = "give a query, as in `emp-events sql \"select count(*) from events\"`, or pipe one in";
        return Err(Failure::Usage(usage.to_owned()));
    }
    let mut query = String::new();
    stdin.read_to_string(&mut query)?;
    Ok(query)
}
