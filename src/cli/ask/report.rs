use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use emp_render::TimeZone;
use emp_report::{Report as Content, ReportQuestion};
use emp_units as units;

use super::answer::{AsOf, TimeRange, moment};
use super::asking::Asking;
use super::whole_file::{WholeFile, failed};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::FormatOption;

/// Without a range the report is about the day that ends now.
const DAY_MS: i64 = 24 * 3_600_000;

/// Write a report about a range of time: rates, latencies, handoffs, slow jobs, gaps, errors
///
/// One HTML file that needs nothing else, or Markdown. The same store gives the same file, byte for byte.
/// Without a range it is about the 24 hours that end now, compared with those before. Times are of UTC,
/// unless --tz says otherwise.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events report                                    writes perf-report.html
  emp-events report --last 7d --against 14d -o week.html
  emp-events report --format markdown -o -             for a pull request")]
pub(crate) struct Report {
    #[command(flatten)]
    range: TimeRange,
    /// When the range begins that it is compared with [default: the one right before]
    #[arg(long, value_name = "TIME")]
    against: Option<String>,
    /// Where to: a file, or - for stdout [default: perf-report.html, perf-report.md]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    as_of: AsOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Html,
    Markdown,
}

impl Report {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let form = self.form(asking)?;
        let engine = asking.engine()?;
        let investigation = self.as_of.investigation_quietly(asking, &engine).await?;
        let question = self.question(asking, investigation.now_ms())?;
        let zone = asking.tz.clone().unwrap_or(TimeZone::UTC);
        let report = asking.watched(&engine, Content::gather(&investigation, question, zone)).await?;
        self.write(asking, form, &report)?;
        Ok(ExitCode::SUCCESS)
    }

    /// As `--format` says, else as the file's name does.
    fn form(&self, asking: &Asking<'_>) -> Result<Form, Failure> {
        let has_ending = |path: &Path| path.extension().is_some_and(|ending| ending == "md");
        match asking.format {
            Some(FormatOption::Markdown) => Ok(Form::Markdown),
            None if self.output.as_deref().is_some_and(has_ending) => Ok(Form::Markdown),
            None => Ok(Form::Html),
            Some(_) => Err(Failure::Usage("a report is HTML, or with --format markdown Markdown".to_owned())),
        }
    }

    fn question(&self, asking: &Asking<'_>, now_ms: i64) -> Result<ReportQuestion, Failure> {
        let (since, until) = self.range.bounds(asking, &self.as_of, now_ms)?;
        // The event of this very moment belongs to it.
        let until_ms = until.unwrap_or(now_ms + 1);
        let since_ms = since.unwrap_or(until_ms - DAY_MS);
        let before_ms = TimeRange::right_before(since_ms, until_ms, now_ms);
        let against = self.against.as_deref().map(|text| moment(asking, text, now_ms)).transpose()?;
        ReportQuestion::new(since_ms, until_ms, against.unwrap_or(before_ms))
            .map_err(|error| Failure::Usage(error.to_string()))
    }

    fn write(&self, asking: &Asking<'_>, form: Form, report: &Content) -> Result<(), Failure> {
        let usual = match form {
            _ if !asking.is_at_shell() => "-",
            Form::Html => "perf-report.html",
            Form::Markdown => "perf-report.md",
        };
        let path = self.output.clone().unwrap_or_else(|| PathBuf::from(usual));
        if path.as_os_str() == "-" {
            return Ok(write_to(form, report, &mut BufWriter::new(asking))?);
        }
        let mut file = WholeFile::create(&path)?;
        let mut out = BufWriter::new(&mut file);
        write_to(form, report, &mut out).and_then(|()| out.flush()).map_err(|error| failed(&path, &error))?;
        drop(out);
        let size = units::bytes(file.finish()?);
        let hint = if form == Form::Html && io::stderr().is_terminal() { "; open it in a browser" } else { "" };
        eprintln!("written to {} ({size}){hint}", path.display());
        Ok(())
    }
}

fn write_to(form: Form, report: &Content, out: &mut dyn Write) -> io::Result<()> {
    match form {
        Form::Html => report.write_html(out),
        Form::Markdown => report.write_markdown(out),
    }
}
