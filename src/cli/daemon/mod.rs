//! Commands that go on until they are stopped.

mod collect;
mod forward;
mod metrics;

use clap::Subcommand;

#[cfg(feature = "query")]
pub(super) use forward::tell;

use super::failure::Outcome;
use super::options::Options;

/// Daemons.
#[derive(Subcommand)]
pub(super) enum Command {
    Collect(collect::Collect),
    Forward(forward::Forward),
}

impl Command {
    pub fn run(self, options: &Options) -> Outcome {
        match self {
            Self::Collect(command) => command.run(options),
            Self::Forward(command) => command.run(options),
        }
    }
}
