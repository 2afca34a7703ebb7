//! Commands that make the program at home in a shell.

mod completions;
mod man;

use clap::Subcommand;

pub(super) use completions::complete_where_asked;

use super::failure::Outcome;
use super::options::Options;

/// For the shell.
#[derive(Subcommand)]
pub(super) enum Command {
    Completions(completions::Completions),
    Man(man::Man),
}

impl Command {
    pub fn run(self, options: &Options) -> Outcome {
        match self {
            Self::Completions(command) => command.run(options),
            Self::Man(command) => command.run(options),
        }
    }
}
