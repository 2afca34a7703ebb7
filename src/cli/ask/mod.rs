//! Commands that answer questions, by SQL over the store.

mod anomalies;
mod answer;
mod asking;
mod candidates;
mod changes;
mod check_events;
mod check_names;
mod correlate;
mod diagnose;
mod end_signals;
mod export;
mod filters;
mod forward_again;
mod gaps;
mod handoffs;
mod json;
mod mcp;
mod options;
mod perf;
mod query;
mod report;
mod search;
mod serve;
#[cfg(feature = "workers")]
mod spreading;
mod sql;
mod tail;
mod timeline;
mod top;
mod watch;
mod whole_file;
mod why_slow;
#[cfg(feature = "workers")]
mod worker;
mod workers;

use clap::Subcommand;

use emp_investigate::InvestigationError;
use emp_query::QueryError;
use emp_query::QueryError::{BadInteger, BadMoment, MissingParameter, UnknownParameter, UnknownQuery};
use emp_usage::Way;

pub(super) use answer::{AsOf, runtime};
pub(super) use asking::Asking;
pub(super) use candidates::with_candidates;
pub(super) use check_events::{as_shown, check_events, check_events_at_shell};
pub(super) use forward_again::FromStore;
pub(super) use options::AskOptions;

use super::failure::{Failure, Outcome};
use super::options::Options;

/// Questions.
#[derive(Subcommand)]
pub(super) enum Command {
    Sql(sql::Sql),
    Query(query::Query),
    Diagnose(diagnose::Diagnose),
    Anomalies(anomalies::Anomalies),
    Search(search::Search),
    #[command(visible_alias = "stream")]
    Tail(tail::Tail),
    Timeline(timeline::Timeline),
    Gaps(gaps::Gaps),
    Handoffs(handoffs::Handoffs),
    Correlate(correlate::Correlate),
    Perf(perf::Perf),
    Changes(changes::Changes),
    WhySlow(why_slow::WhySlow),
    Workers(workers::Workers),
    Report(report::Report),
    Top(top::Top),
    CheckNames(check_names::CheckNames),
    Serve(serve::Serve),
    Watch(watch::Watch),
    Mcp(mcp::Mcp),
    #[cfg(feature = "workers")]
    Worker(worker::Worker),
}

impl Command {
    /// Asked at a shell.
    pub fn run(self, options: &Options) -> Outcome {
        if let Some(kind) = self.kind() {
            emp_usage::count(kind, Way::Shell);
        }
        let ended = self.run_it(options);
        #[cfg(feature = "workers")]
        spreading::tell_shares();
        ended
    }

    fn run_it(self, options: &Options) -> Outcome {
        // What is missing on the command line is told before anything is looked at.
        #[cfg(feature = "workers")]
        options.asking.workers.others()?;
        match self {
            Self::Sql(command) => command.run(options),
            Self::Tail(command) => command.run(options),
            Self::Top(command) => command.run(options),
            Self::Serve(command) => command.run(options),
            Self::Watch(command) => command.run(options),
            Self::Mcp(command) => command.run(options),
            #[cfg(feature = "workers")]
            Self::Worker(command) => command.run(options),
            question => runtime()?.block_on(question.answer(&Asking::at_shell(options))),
        }
    }

    /// What is counted as asked: by the name of the command; nothing of what asks on behalf of others.
    fn kind(&self) -> Option<&'static str> {
        Some(match self {
            Self::Sql(_) => "sql",
            Self::Query(_) => "query",
            Self::Diagnose(command) if command.is_about_all() => "needs-a-look",
            Self::Diagnose(_) => "diagnose",
            Self::Anomalies(_) => "anomalies",
            Self::Search(_) => "search",
            Self::Tail(_) => "tail",
            Self::Timeline(_) => "timeline",
            Self::Gaps(_) => "gaps",
            Self::Handoffs(_) => "handoffs",
            Self::Correlate(_) => "correlate",
            Self::Perf(_) => "perf",
            Self::Changes(_) => "changes",
            Self::WhySlow(_) => "why-slow",
            Self::Workers(_) => "workers",
            Self::Report(_) => "report",
            Self::Top(_) => "top",
            Self::CheckNames(_) => "check-names",
            Self::Serve(_) | Self::Watch(_) | Self::Mcp(_) => return None,
            #[cfg(feature = "workers")]
            Self::Worker(_) => return None,
        })
    }

    /// Answers a question that has an end.
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        match self {
            Self::Sql(command) => command.answer(asking).await,
            Self::Query(command) => command.answer(asking).await,
            Self::Diagnose(command) => command.answer(asking).await,
            Self::Anomalies(command) => command.answer(asking).await,
            Self::Search(command) => command.answer(asking).await,
            Self::Timeline(command) => command.answer(asking).await,
            Self::Gaps(command) => command.answer(asking).await,
            Self::Handoffs(command) => command.answer(asking).await,
            Self::Correlate(command) => command.answer(asking).await,
            Self::Perf(command) => command.answer(asking).await,
            Self::Changes(command) => command.answer(asking).await,
            Self::WhySlow(command) => command.answer(asking).await,
            Self::Workers(command) => command.answer(asking).await,
            Self::Report(command) => command.answer(asking).await,
            Self::CheckNames(command) => command.answer(asking).await,
            Self::Tail(_) | Self::Top(_) | Self::Serve(_) | Self::Watch(_) | Self::Mcp(_) => {
                Err(Failure::Usage("what goes on without an end is run at a shell".to_owned()))
            }
            #[cfg(feature = "workers")]
            Self::Worker(_) => Err(Failure::Usage("a worker is started at a shell".to_owned())),
        }
    }
}

/// Was it the asking that was wrong, not the answering?
pub(super) fn is_wrong_usage(error: &anyhow::Error) -> bool {
    matches!(
        query_error(error),
        Some(
            BadInteger { .. }
                | BadMoment { .. }
                | MissingParameter { .. }
                | UnknownParameter { .. }
                | UnknownQuery { .. }
        )
    )
}

/// What went wrong with a question, whoever asked it.
fn query_error(error: &anyhow::Error) -> Option<&QueryError> {
    let of_investigation = || match error.downcast_ref() {
        Some(InvestigationError::Query(error)) => Some(error),
        _ => None,
    };
    error.downcast_ref().or_else(of_investigation)
}
