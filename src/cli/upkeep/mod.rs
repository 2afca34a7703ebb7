//! Commands that look after the store, and that put events into the stream.

mod archive;
mod compact;
mod emit;
mod health;
mod health_forwarding;
mod import;
mod import_preview;
mod retain;
mod seal;
mod simulate;
mod verify;

use clap::Subcommand;

#[cfg(feature = "query")]
pub(super) use health::Health;
#[cfg(feature = "query")]
pub(super) use verify::law_as_json;

use super::failure::Outcome;
use super::options::Options;

/// Upkeep.
#[derive(Subcommand)]
pub(super) enum Command {
    Health(health::Health),
    Emit(emit::Emit),
    Simulate(simulate::Simulate),
    Import(import::Import),
    Archive(archive::Archive),
    Seal(seal::Seal),
    Compact(compact::Compact),
    Retain(retain::Retain),
    Verify(verify::Verify),
}

impl Command {
    pub fn run(self, options: &Options) -> Outcome {
        match self {
            Self::Health(command) => command.run(options),
            Self::Emit(command) => command.run(options),
            Self::Simulate(command) => command.run(options),
            Self::Import(command) => command.run(options),
            Self::Archive(command) => command.run(options),
            Self::Seal(command) => command.run(options),
            Self::Compact(command) => command.run(options),
            Self::Retain(command) => command.run(options),
            Self::Verify(command) => command.run(options),
        }
    }
}
