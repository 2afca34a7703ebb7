//! An answer of any size into a file.

use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::answer::{AsOf, runtime};
use super::asking::Asking;
use super::whole_file::{WholeFile, failed, folder_of};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::Options;
use emp_prompt::clear;
use emp_query::Answer;
use emp_render::{AnswerWriter, Format, ParquetFile};
use emp_store::Layout;
use emp_units as units;

/// How often a terminal is told how far it is.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// The exit status of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// What kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Parquet,
    Text(Format),
}

impl Kind {
    fn of(path: &Path, asking: &Asking<'_>) -> Result<Self, Failure> {
        let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        let kind = match ending.as_deref() {
            Some("parquet") => return Ok(Self::Parquet),
            Some("csv") => Format::Csv,
            Some("ndjson" | "jsonl") => Format::Ndjson,
            Some("json") => Format::Json,
            Some("md") => Format::Markdown,
            _ if asking.format.is_some() => asking.format(),
            _ => {
                let path = path.display();
                return Err(Failure::Usage(format!(
                    "{path} does not end in .parquet, .csv, .ndjson, .json or .md; rename it, or give --format"
                )));
            }
        };
        Ok(Self::Text(if asking.format.is_some() { asking.format() } else { kind }))
    }
}

/// Asks the store, and writes the answer to `path`: under another name until it is whole.
pub(super) fn export(options: &Options, as_of: &AsOf, query: &str, path: &Path) -> Outcome {
    let asking = &Asking::at_shell(options);
    let kind = Kind::of(path, asking)?;
    refuse_store(options, path)?;
    let begun = Instant::now();
    let mut file = WholeFile::create(path)?;
    let written = runtime()?.block_on(async {
        tokio::select! {
            written = write((asking, as_of), query, kind, path, &mut file) => written.map(Some),
            _ = tokio::signal::ctrl_c() => Ok(None),
        }
    })?;
    clear();
    let Some(rows) = written else {
        eprintln!("emp-events: stopped; nothing was written to {}", path.display());
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let bytes = file.finish()?;
    eprintln!("{rows} rows, {} in {:.1} s: {}", units::bytes(bytes), begun.elapsed().as_secs_f64(), path.display());
    Ok(ExitCode::SUCCESS)
}

/// Writes all rows; how many there were.
async fn write(
    (asking, as_of): (&Asking<'_>, &AsOf),
    query: &str,
    kind: Kind,
    path: &Path,
    file: &mut WholeFile,
) -> Result<u64, Failure> {
    let engine = as_of.engine(asking)?;
    let mut answer = asking.watched(&engine, engine.sql(query)).await?;
    asking.warn(&answer.new_warnings());
    let failed = |error: io::Error| failed(path, &error);
    let mut out = BufWriter::new(file);
    let rows = match kind {
        Kind::Parquet => {
            let mut file = ParquetFile::new(&mut out, &answer.schema).map_err(failed)?;
            let rows = each_batch(&mut answer, |batch| file.write(batch).map_err(failed)).await?;
            file.finish().map_err(failed)?;
            rows
        }
        Kind::Text(format) => {
            let screen = asking.screen();
            let mut writer = AnswerWriter::new(&mut out, format, &screen, answer.schema.clone());
            let rows = each_batch(&mut answer, |batch| writer.write(batch).map_err(failed)).await?;
            writer.finish(None).map_err(failed)?;
            rows
        }
    };
    asking.warn(&answer.new_warnings());
    out.flush().map_err(failed)?;
    Ok(rows)
}

async fn each_batch(
    answer: &mut Answer,
    mut write: impl FnMut(&arrow::array::RecordBatch) -> Result<(), anyhow::Error>,
) -> Result<u64, Failure> {
    let (mut rows, mut told) = (0, Instant::now());
    let is_watched = io::stderr().is_terminal();
    while let Some(batch) = answer.next().await? {
        write(&batch)?;
        rows += batch.num_rows() as u64;
        if is_watched && told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            eprint!("\r{rows} rows");
        }
    }
    Ok(rows)
}

/// A file in the store would be taken for one of its own.
fn refuse_store(options: &Options, path: &Path) -> Result<(), Failure> {
    let Ok(folder) = folder_of(path).canonicalize() else { return Ok(()) };
    let is_in = |store: &Layout| store.root().canonicalize().is_ok_and(|store| folder.starts_with(store));
    match options.folders().into_iter().find(is_in) {
        Some(store) => Err(Failure::Usage(format!(
            "{} lies in the store {}; write the answer elsewhere",
            path.display(),
            store.root().display()
        ))),
        None => Ok(()),
    }
}
