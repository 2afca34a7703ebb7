//! Commands that answer questions, by SQL over the store.

mod anomalies;
mod answer;
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
mod options;
mod perf;
mod query;
mod report;
mod search;
mod sql;
mod tail;
mod timeline;
mod top;
mod whole_file;
mod why_slow;
mod workers;

use clap::Subcommand;

use emp_query::QueryError::{BadInteger, BadMoment, MissingParameter, UnknownParameter, UnknownQuery};

pub(super) use answer::AsOf;
pub(super) use candidates::with_candidates;
pub(super) use check_events::{as_shown, check_events};
pub(super) use forward_again::FromStore;
pub(super) use options::AskOptions;

use super::failure::Outcome;
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
}

impl Command {
    pub fn run(self, options: &Options) -> Outcome {
        match self {
            Self::Sql(command) => command.run(options),
            Self::Query(command) => command.run(options),
            Self::Diagnose(command) => command.run(options),
            Self::Anomalies(command) => command.run(options),
            Self::Search(command) => command.run(options),
            Self::Tail(command) => command.run(options),
            Self::Timeline(command) => command.run(options),
            Self::Gaps(command) => command.run(options),
            Self::Handoffs(command) => command.run(options),
            Self::Correlate(command) => command.run(options),
            Self::Perf(command) => command.run(options),
            Self::Changes(command) => command.run(options),
            Self::WhySlow(command) => command.run(options),
            Self::Workers(command) => command.run(options),
            Self::Report(command) => command.run(options),
            Self::Top(command) => command.run(options),
            Self::CheckNames(command) => command.run(options),
        }
    }
}

/// Was it the asking that was wrong, not the answering?
pub(super) fn is_wrong_usage(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(
            BadInteger { .. }
                | BadMoment { .. }
                | MissingParameter { .. }
                | UnknownParameter { .. }
                | UnknownQuery { .. }
        )
    )
}
