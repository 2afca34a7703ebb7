//! The command line: one file a command, each thin; one folder a group of commands.
//!
//! stdout holds only the answer; everything else goes to stderr. Exit status: 0 answered,
//! 1 failed, 2 wrong usage.

mod arguments;
#[cfg(feature = "query")]
mod ask;
#[cfg(not(feature = "query"))]
#[path = "ask_nothing.rs"]
mod ask;
mod daemon;
mod failure;
mod memory_options;
mod options;
mod shell;
mod upkeep;
mod vocabulary;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use failure::{Failure, Outcome};
use options::Options;

const EXAMPLES: &str = "\
Examples:
  emp-events collect                            drain the stream into data/events
  emp-events timeline job_123                   what happened to a job
  emp-events sql \"select service, count(*) from events group by 1\"
  emp-events --store data/sample perf           the sample store needs no Redis";

/// A local columnar event store with SQL, for people who debug distributed job systems.
#[derive(Parser)]
#[command(name = "emp-events", version, long_version = env!("EMP_EVENTS_VERSION"), after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Daemon(daemon::Command),
    #[command(flatten)]
    Ask(ask::Command),
    #[command(flatten)]
    Upkeep(upkeep::Command),
    #[command(flatten)]
    Shell(shell::Command),
}

impl Command {
    fn run(self, options: &Options) -> Outcome {
        match self {
            Self::Daemon(command) => command.run(options),
            Self::Ask(command) => command.run(options),
            Self::Upkeep(command) => command.run(options),
            Self::Shell(command) => command.run(options),
        }
    }
}

/// Reads the command line, runs the command, and reports what went wrong, in one line.
pub fn run() -> ExitCode {
    shell::complete_where_asked(|| ask::with_candidates(arguments::with_manners(Cli::command())));
    let mut command = arguments::with_manners(Cli::command());
    let parsed =
        command.try_get_matches_from_mut(arguments::words()).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = parsed.unwrap_or_else(|error| arguments::exit(&error, &command));
    let spoken = vocabulary::load(&cli.options);
    spoken.and_then(|()| cli.command.run(&cli.options)).unwrap_or_else(Failure::report)
}
