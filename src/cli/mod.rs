//! The command line: one file a command, each thin.
//!
//! stdout holds only the answer; everything else goes to stderr. Exit status: 0 answered,
//! 1 failed, 2 wrong usage.

mod collect;
mod emit;
mod failure;
mod health;
mod options;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;
use options::Options;

const EXAMPLES: &str = "\
Examples:
  emp-events collect                            drain the stream into data/events
  emp-events timeline job_123                   what happened to a job
  emp-events sql \"select service, count(*) from events group by 1\"
  emp-events --store data/sample perf           the sample store needs no Redis";

/// A local columnar event store with SQL, for people who debug distributed job systems.
#[derive(Parser)]
#[command(name = "emp-events", version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Collect(collect::Collect),
    Health(health::Health),
    Emit(emit::Emit),
}

/// Reads the command line, runs the command, and reports what went wrong, in one line.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Collect(command) => command.run(&cli.options),
        Command::Health(command) => command.run(&cli.options),
        Command::Emit(command) => command.run(&cli.options),
    };
    result.unwrap_or_else(Failure::report)
}
