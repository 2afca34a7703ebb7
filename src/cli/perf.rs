use clap::Args;

use super::answer::{TimeRange, ask_canned, parameter};
use super::failure::Outcome;
use super::options::Options;

/// Show, for each event type, how often it came, how long it took and how much of it failed
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events perf --last 1h
  emp-events perf --since yesterday --until today --format markdown")]
pub(super) struct Perf {
    #[command(flatten)]
    range: TimeRange,
    /// Rows at most [default: 50]
    #[arg(long, value_name = "ROWS")]
    limit: Option<String>,
}

impl Perf {
    pub fn run(self, options: &Options) -> Outcome {
        let parameters: Vec<_> =
            self.range.parameters().into_iter().chain([parameter("limit", self.limit)]).flatten().collect();
        ask_canned(options, "perf", &parameters)
    }
}
