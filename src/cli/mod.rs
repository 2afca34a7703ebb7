//! The command line: one file a command, each thin.
//!
//! stdout holds only the answer; everything else goes to stderr. Exit status: 0 answered,
//! 1 failed, 2 wrong usage.

#[cfg(feature = "query")]
mod anomalies;
#[cfg(feature = "query")]
mod answer;
#[cfg(feature = "query")]
mod check_names;
mod collect;
mod compact;
#[cfg(feature = "query")]
mod correlate;
#[cfg(feature = "query")]
mod diagnose;
mod emit;
#[cfg(feature = "query")]
mod export;
mod failure;
#[cfg(feature = "query")]
mod filters;
mod forward;
#[cfg(feature = "query")]
mod forward_again;
#[cfg(feature = "query")]
mod gaps;
#[cfg(feature = "query")]
mod handoffs;
mod health;
mod health_forwarding;
mod import;
mod memory_options;
mod options;
#[cfg(feature = "query")]
mod perf;
#[cfg(feature = "query")]
mod query;
#[cfg(feature = "query")]
mod report;
mod retain;
mod seal;
#[cfg(feature = "query")]
mod search;
mod simulate;
mod sizes;
#[cfg(feature = "query")]
mod sql;
#[cfg(feature = "query")]
mod tail;
#[cfg(feature = "query")]
mod timeline;
#[cfg(feature = "query")]
mod top;
mod verify;
#[cfg(feature = "query")]
mod why_slow;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    Forward(forward::Forward),
    #[cfg(feature = "query")]
    Sql(sql::Sql),
    #[cfg(feature = "query")]
    Query(query::Query),
    #[cfg(feature = "query")]
    Diagnose(diagnose::Diagnose),
    #[cfg(feature = "query")]
    Anomalies(anomalies::Anomalies),
    #[cfg(feature = "query")]
    Search(search::Search),
    #[cfg(feature = "query")]
    #[command(visible_alias = "stream")]
    Tail(tail::Tail),
    #[cfg(feature = "query")]
    Timeline(timeline::Timeline),
    #[cfg(feature = "query")]
    Gaps(gaps::Gaps),
    #[cfg(feature = "query")]
    Handoffs(handoffs::Handoffs),
    #[cfg(feature = "query")]
    Correlate(correlate::Correlate),
    #[cfg(feature = "query")]
    Perf(perf::Perf),
    #[cfg(feature = "query")]
    WhySlow(why_slow::WhySlow),
    #[cfg(feature = "query")]
    Report(report::Report),
    #[cfg(feature = "query")]
    Top(top::Top),
    #[cfg(feature = "query")]
    CheckNames(check_names::CheckNames),
    Health(health::Health),
    Emit(emit::Emit),
    Simulate(simulate::Simulate),
    Import(import::Import),
    Seal(seal::Seal),
    Compact(compact::Compact),
    Retain(retain::Retain),
    Verify(verify::Verify),
}

impl Command {
    fn run(self, options: &Options) -> Outcome {
        match self {
            Self::Collect(command) => command.run(options),
            Self::Forward(command) => command.run(options),
            #[cfg(feature = "query")]
            Self::Sql(command) => command.run(options),
            #[cfg(feature = "query")]
            Self::Query(command) => command.run(options),
            #[cfg(feature = "query")]
            Self::Diagnose(command) => command.run(options),
            #[cfg(feature = "query")]
            Self::Anomalies(command) => command.run(options),
            #[cfg(feature = "query")]
            Self::Search(command) => command.run(options),
            #[cfg(feature = "query")]
            Self::Tail(command) => command.run(options),
            #[cfg(feature = "query")]
            Self::Timeline(command) => command.run(options),
            #[cfg(feature = "query")]
            Self::Gaps(command) => command.run(options),
            #[cfg(feature = "query")]
            Self::Handoffs(command) => command.run(options),
            #[cfg(feature = "query")]
            Self::Correlate(command) => command.run(options),
            #[cfg(feature = "query")]
            Self::Perf(command) => command.run(options),
            #[cfg(feature = "query")]
            Self::WhySlow(command) => command.run(options),
            #[cfg(feature = "query")]
            Self::Report(command) => command.run(options),
            #[cfg(feature = "query")]
            Self::Top(command) => command.run(options),
            #[cfg(feature = "query")]
            Self::CheckNames(command) => command.run(options),
            Self::Health(command) => command.run(options),
            Self::Emit(command) => command.run(options),
            Self::Simulate(command) => command.run(options),
            Self::Import(command) => command.run(options),
            Self::Seal(command) => command.run(options),
            Self::Compact(command) => command.run(options),
            Self::Retain(command) => command.run(options),
            Self::Verify(command) => command.run(options),
        }
    }
}

/// Reads the command line, runs the command, and reports what went wrong, in one line.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    cli.command.run(&cli.options).unwrap_or_else(Failure::report)
}
