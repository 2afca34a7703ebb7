use clap::Args;

use super::answer::{TimeRange, ask_canned, parameter};
use crate::cli::failure::Outcome;
use crate::cli::options::Options;

/// Show how long jobs take from one service to the next
///
/// A handoff is two consecutive events of one job from two services. Those that seem to go back
/// in time, because a host's clock is ahead, are counted as skewed and left out of the rest.
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
    /// Rows at most [default: 50]
    #[arg(long, value_name = "ROWS")]
    limit: Option<String>,
}

impl Handoffs {
    pub fn run(self, options: &Options) -> Outcome {
        let own = [parameter("job_id", self.job_id), parameter("limit", self.limit)];
        let parameters: Vec<_> = own.into_iter().chain(self.range.parameters()).flatten().collect();
        ask_canned(options, "handoffs", &parameters)
    }
}
