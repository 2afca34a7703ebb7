use clap::Args;

use super::answer::{AsOf, TimeRange, ask_by_clocks, clocks, parameter};
use super::asking::Asking;
use crate::cli::failure::Outcome;

/// Show how long jobs take from one service to the next
///
/// A handoff is two consecutive events of one job from two services, by clocks that are put right where they are
/// proven to be wrong; handoffs that still seem to go back in time are counted as skewed and left out of the rest.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events handoffs --last 1d
  emp-events handoffs --job-id job_123")]
pub(crate) struct Handoffs {
    /// Only this job
    #[arg(long, value_name = "ID")]
    job_id: Option<String>,
    #[command(flatten)]
    range: TimeRange,
    #[command(flatten)]
    as_of: AsOf,
    /// By the producers' clocks as they are, also where one is proven to be wrong
    #[arg(long)]
    raw_clocks: bool,
    /// Read each event, so that the quantiles of more than a million of them are exact, too
    #[arg(long)]
    exact: bool,
    /// Rows at most [default: 50]
    #[arg(long, value_name = "ROWS")]
    limit: Option<String>,
}

impl Handoffs {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let own = [parameter("limit", self.limit), clocks(self.raw_clocks)];
        let parameters = self.range.parameters(asking, &self.as_of)?.into_iter().chain(own).collect();
        ask_by_clocks(asking, &self.as_of, "handoffs", self.job_id, (parameters, self.exact)).await
    }
}
