//! What the API answers: the questions of the command line, by the code that answers them there.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use clap::error::ErrorKind;
use clap::{FromArgMatches, Subcommand, ValueEnum as _};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;

use emp_findings::{Carried, carry, command};
use emp_query::QueryError;
use emp_serve::{Answers, Asked, Followed, Kind, Questions, Refusal, Reply};
use emp_system::is_closed_pipe;
use emp_usage::Way;

use super::description::described;
use super::follow::follow;
use super::jaeger::Jaeger;
use super::own::Own;
use super::words::{Words, words_of};
use crate::cli::arguments::{first_line, with_manners};
use crate::cli::ask::{Asking, Command as Ask, is_wrong_usage, query_error};
use crate::cli::failure::{Failure, Missing, Outcome};
use crate::cli::options::{FormatOption, Options, time_zone};
use crate::cli::upkeep::Health;

/// What can be asked by a request; what changes something, has no end or is for a terminal cannot.
const ASKED: [&str; 16] = [
    "anomalies",
    "changes",
    "check-names",
    "correlate",
    "diagnose",
    "gaps",
    "handoffs",
    "health",
    "perf",
    "query",
    "report",
    "search",
    "sql",
    "timeline",
    "why-slow",
    "workers",
];

/// A job as one file.
const EXPORT: &str = "export";
/// What is answered by a file for a person, as it is made at a shell.
const IN_FILES: [&str; 2] = ["report", EXPORT];

/// The form of an answer that only a file has.
const PARQUET: &str = "parquet";

/// This very program, even where another one has been put in its place since.
pub(super) static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let of_linux = Path::new("/proc/self/exe");
    let elsewhere = || std::env::current_exe().unwrap_or_else(|_| PathBuf::from("emp-events"));
    if of_linux.exists() { of_linux.to_owned() } else { elsewhere() }
});

#[derive(Subcommand)]
enum Question {
    #[command(flatten)]
    Ask(Ask),
    Health(Health),
    #[command(flatten)]
    Own(Own),
    #[command(flatten)]
    Jaeger(Jaeger),
}

impl Question {
    async fn answer(self, asking: &Asking<'_>, as_parquet: bool) -> Outcome {
        match self {
            Self::Ask(Ask::Sql(command)) if as_parquet => command.answer_as_parquet(asking).await,
            Self::Ask(command) => command.answer(asking).await,
            Self::Health(command) => command.answer(asking).await,
            Self::Own(command) => command.answer(asking).await,
            Self::Jaeger(command) => command.answer(asking).await,
        }
    }
}

/// The questions about one store.
pub(in crate::cli::ask) struct OfStore {
    options: Options,
    /// On which they are answered.
    runtime: Runtime,
    commands: clap::Command,
    /// The words of a command line that answers one question in a process of its own.
    words: Vec<OsString>,
}

/// A question that was understood.
struct Understood {
    question: Question,
    options: Options,
    as_parquet: bool,
    rows_max: Option<usize>,
}

impl OfStore {
    pub fn new(options: Options, runtime: Runtime, words: Vec<OsString>) -> Self {
        let commands = clap::Command::new("emp-events").disable_help_flag(true).disable_help_subcommand(true);
        let mut commands = with_manners(Question::augment_subcommands(commands));
        commands.build();
        Self { options, runtime, commands, words }
    }

    /// The command of that name, if it can be asked.
    fn command(&self, name: &str) -> Option<&clap::Command> {
        let is_asked = ASKED.contains(&name) || Own::has_subcommand(name) || Jaeger::has_subcommand(name);
        self.commands.get_subcommands().find(|command| is_asked && command.get_name() == name)
    }

    /// Under its own name, and without what every question takes.
    fn in_words(&self, asked: &Asked) -> Result<(Words, Vec<(String, String)>), Refusal> {
        let mut asked = asked.clone();
        if asked.name == "needs-a-look" {
            asked.name = "diagnose".to_owned();
            asked.parameters.push(("all".to_owned(), "true".to_owned()));
        }
        let is_list = asked.name == "query" && !asked.parameters.iter().any(|(name, _)| name == "name");
        let is_sql = asked.name == "sql";
        let is_of_all = |name: &str| ["format", "tz"].contains(&name) || (is_sql && name == "limit");
        let (of_all, own) = asked.parameters.into_iter().partition(|(name, _)| is_of_all(name));
        asked.parameters = own;
        let unknown = || {
            Refusal::new(
                Kind::NotFound,
                format!("there is no question `{}`; /api/v1/openapi.json lists them", asked.name),
            )
        };
        let command = self.command(&asked.name).ok_or_else(unknown)?;
        let words = words_of(command, &asked)?;
        Ok((if is_list { words.and("--list") } else { words }, of_all))
    }

    fn understand(&self, asked: &Asked) -> Result<Understood, Refusal> {
        let (words, of_all) = self.in_words(asked)?;
        let matches = self.commands.clone().try_get_matches_from(words.for_parser());
        let question =
            matches.and_then(|matches| Question::from_arg_matches(&matches)).map_err(|error| misunderstood(&error))?;
        let mut understood = Understood { question, options: self.options.clone(), as_parquet: false, rows_max: None };
        understood.options.format = Some(FormatOption::Json);
        if IN_FILES.contains(&asked.name.as_str()) {
            understood.options.format = None;
        }
        for (name, value) in &of_all {
            let refused = |message: String| Refusal::new(Kind::Usage, format!("{name}: {message}"));
            match name.as_str() {
                "format" if value == PARQUET && asked.name == "sql" => understood.as_parquet = true,
                "format" if asked.name == EXPORT => return Err(refused("the file is HTML".to_owned())),
                "format" => understood.options.format = Some(format(value).map_err(refused)?),
                "limit" => {
                    let rows = value.parse().map_err(|_| refused(format!("`{value}` is no number of rows")))?;
                    understood.rows_max = Some(rows);
                }
                _ => understood.options.tz = Some(time_zone(value).map_err(refused)?),
            }
        }
        Ok(understood)
    }
}

impl Answers for OfStore {
    fn program(&self) -> Command {
        let mut program = Command::new(&*PROGRAM);
        program.arg0("emp-events").args(&self.words);
        program
    }

    fn answer(&self, asked: &Asked, reply: &mut Reply) -> Result<(), Refusal> {
        let Understood { question, options, as_parquet, rows_max } = self.understand(asked)?;
        say_form(asked, &options, as_parquet, reply);
        if let Some(rows_max) = rows_max {
            reply.limit_rows(rows_max);
        }
        let over = reply.over();
        self.runtime.block_on(async {
            let asking = Asking::by_program(&options, reply);
            tokio::select! {
                biased;
                refusal = over => Err(refusal),
                outcome = question.answer(&asking, as_parquet) => outcome.map(|_| ()).map_err(|failure| refusal(failure, &asked.name)),
            }
        })
    }
}

impl Questions for OfStore {
    fn was_asked(&self, asked: &Asked, is_from_page: bool) {
        // What only a page asks for, such as the next rows of a list, is part of another question.
        if ASKED.contains(&asked.name.as_str()) || asked.name == "needs-a-look" {
            emp_usage::count(&asked.name, if is_from_page { Way::Page } else { Way::Api });
        }
    }

    fn command_line(&self, asked: &Asked, now_ms: Option<i64>) -> Option<String> {
        if Own::has_subcommand(&asked.name) || Jaeger::has_subcommand(&asked.name) {
            return None;
        }
        let (words, of_all) = self.in_words(asked).ok()?;
        let zone = of_all.iter().find(|(name, _)| name == "tz").into_iter();
        let zone = zone.flat_map(|(_, zone)| ["--tz", zone.as_str()]);
        let is_said = asked.parameters.iter().any(|(name, _)| name == "now");
        carry(Carried { stores: self.options.named_stores(), now_ms: now_ms.filter(|_| !is_said) });
        Some(command(&words.for_person().chain(zone).collect::<Vec<_>>()))
    }

    fn follow(&self, asked: &Asked) -> Result<Receiver<Followed>, Refusal> {
        follow(&self.options, &self.runtime, asked)
    }

    fn described(&self) -> Value {
        described(&self.commands, names())
    }
}

/// All that can be asked, by name.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ASKED.into_iter().chain(Own::NAMES)
}

/// Says what kind of text comes, and under which name it is kept.
fn say_form(asked: &Asked, options: &Options, as_parquet: bool, reply: &mut Reply) {
    match options.format {
        _ if as_parquet => {
            reply.is_of_type("application/vnd.apache.parquet");
            reply.is_file("answer.parquet");
        }
        None => {
            reply.is_of_type("text/html; charset=utf-8");
            let job = asked.parameters.iter().find(|(name, _)| asked.name == EXPORT && name == "job");
            let name = job.map_or_else(|| "perf-report".to_owned(), |(_, job)| file_name(job));
            reply.is_file(&format!("{name}.html"));
        }
        Some(FormatOption::Ndjson) => reply.is_of_type("application/x-ndjson"),
        Some(FormatOption::Csv) => reply.is_of_type("text/csv; charset=utf-8"),
        Some(FormatOption::Markdown) => {
            reply.is_of_type("text/markdown; charset=utf-8");
            if asked.name == "report" {
                reply.is_file("perf-report.md");
            }
        }
        Some(FormatOption::Json | FormatOption::Table) => {}
    }
}

/// An id as the name of a file, on whatever system.
fn file_name(id: &str) -> String {
    const LENGTH_MAX: usize = 100;
    let plain =
        |character: char| if character.is_ascii_alphanumeric() || "-_".contains(character) { character } else { '_' };
    id.chars().take(LENGTH_MAX).map(plain).collect()
}

/// The form that was asked for: any but that for a screen.
fn format(value: &str) -> Result<FormatOption, String> {
    let known = FormatOption::from_str(value, false).ok().filter(|format| *format != FormatOption::Table);
    known.ok_or_else(|| format!("`{value}` is none of json, ndjson, csv, markdown"))
}

/// What clap says of the words, as of parameters.
pub(super) fn misunderstood(error: &clap::Error) -> Refusal {
    let message = match error.kind() {
        ErrorKind::MissingRequiredArgument => {
            error.to_string().lines().take(2).map(str::trim).collect::<Vec<_>>().join(" ")
        }
        _ => first_line(error),
    };
    Refusal::new(Kind::Usage, message.trim_start_matches("error: ").to_owned())
}

pub(super) fn refusal(failure: Failure, question: &str) -> Refusal {
    let error = match failure {
        Failure::Usage(message) => return Refusal::new(Kind::Usage, message),
        Failure::Failed(error) => error,
    };
    let is_statement = ["query", "sql", "why-slow"].contains(&question);
    let kind = match query_error(&error) {
        _ if error.is::<Missing>() => Kind::NotFound,
        Some(QueryError::UnknownQuery { .. }) => Kind::NotFound,
        _ if is_wrong_usage(&error) => Kind::Usage,
        Some(QueryError::Exhausted { .. }) => Kind::AnswerTooLarge,
        Some(QueryError::NoStore { .. } | QueryError::Store(_) | QueryError::Unsettled { .. }) => Kind::Failed,
        Some(QueryError::Header { .. } | QueryError::UserQueries { .. }) => Kind::Failed,
        Some(QueryError::Failed(_)) if !is_statement => Kind::Failed,
        Some(_) => Kind::Usage,
        None if is_closed_pipe(error.as_ref()) => Kind::Busy,
        None => Kind::Failed,
    };
    Refusal::new(kind, error.to_string())
}
