use clap::{Args, ValueEnum};

use super::answer::{AsOf, TimeRange, ask_by_clocks, clocks, parameter};
use super::asking::Asking;
use crate::cli::failure::Outcome;

/// Find the longest silences inside jobs: between which events, which services, how long
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events gaps --last 1h
  emp-events gaps --last 1d --by class
  emp-events gaps --job-id job_123 --min-gap 1s")]
pub(crate) struct Gaps {
    /// Only this job
    #[arg(long, value_name = "ID")]
    job_id: Option<String>,
    #[command(flatten)]
    range: TimeRange,
    #[command(flatten)]
    as_of: AsOf,
    /// Each gap, or all of a class (between the same events) in a row: how many, p50, p95, the worst job
    #[arg(long, value_enum, default_value = "gap")]
    by: By,
    /// Silences from this length on [default: 5s]
    #[arg(long, value_name = "DURATION")]
    min_gap: Option<String>,
    /// By the producers' clocks as they are, also where one is proven to be wrong
    #[arg(long)]
    raw_clocks: bool,
    /// Read each event, so that the quantiles of more than a million of them are exact, too
    #[arg(long)]
    exact: bool,
    /// Rows at most [default: 20]
    #[arg(long, value_name = "ROWS")]
    limit: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    Gap,
    Class,
}

impl Gaps {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let own = [parameter("min_gap", self.min_gap), parameter("limit", self.limit), clocks(self.raw_clocks)];
        let parameters = self.range.parameters(asking, &self.as_of)?.into_iter().chain(own).collect();
        let query = match self.by {
            By::Gap => "gaps",
            By::Class => "gap-classes",
        };
        ask_by_clocks(asking, &self.as_of, query, self.job_id, (parameters, self.exact)).await
    }
}
