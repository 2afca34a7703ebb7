use std::io::{self, IsTerminal as _, Read as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;

use emp_prompt::Prompt;
use emp_render::{Format, ParquetFile};

use super::answer::{AsOf, ask_in, engine_in, on_learning, runtime};
use super::asking::Asking;
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
    /// At a shell: a prompt, an answer, or a file.
    pub fn run(mut self, options: &Options) -> Outcome {
        if self.query.is_none() {
            if std::io::stdin().is_terminal() && self.output.is_none() {
                return prompt(options);
            }
            self.query = Some(from_stdin()?);
        }
        match (&self.output, &self.query) {
            (Some(path), Some(query)) => export(options, &self.as_of, query, path),
            _ => runtime()?.block_on(self.answer(&Asking::at_shell(options))),
        }
    }

    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let query = self.query.ok_or_else(|| Failure::Usage("there is no statement to answer".to_owned()))?;
        asking.is_in_sql(&query);
        ask_in(asking, &self.as_of, self.wrap, async |engine| engine.sql(&query).await).await
    }
}

impl Sql {
    /// The answer as a file of Parquet.
    pub async fn answer_as_parquet(self, asking: &Asking<'_>) -> Outcome {
        let query = self.query.unwrap_or_default();
        asking.is_in_sql(&query);
        let engine = self.as_of.engine(asking)?;
        let mut answer = engine.sql(&query).await?;
        let (mut out, written) = (asking, Written::default());
        let mut file = ParquetFile::new(written.clone(), &answer.schema)?;
        let mut rows = asking.rows_max().unwrap_or(usize::MAX);
        while let Some(batch) = answer.next().await? {
            let batch = batch.slice(0, batch.num_rows().min(rows));
            rows -= batch.num_rows();
            file.write(&batch)?;
            out.write_all(&written.take())?;
            if rows == 0 {
                break;
            }
        }
        asking.warn(&answer.new_warnings());
        out.write_all(&file.finish()?.take())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What has been written of a file and not been handed on.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn prompt(options: &Options) -> Outcome {
    let runtime = runtime()?;
    let screen = Asking::at_shell(options).screen();
    let height = terminal_size::terminal_size().map_or(usize::MAX, |(_, height)| usize::from(height.0));
    let zone = screen.time_zone.clone();
    let open = || engine_in(options, zone.clone(), on_learning());
    let store = options.shown_store();
    Prompt {
        open: &open,
        screen,
        height,
        format: options.format.map_or(Format::Table, |_| Asking::at_shell(options).format()),
        store,
    }
    .run(&runtime)?;
    Ok(ExitCode::SUCCESS)
}

fn from_stdin() -> Result<String, Failure> {
    let mut query = String::new();
    std::io::stdin().read_to_string(&mut query)?;
    Ok(query)
}
