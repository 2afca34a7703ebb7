//! Questions that only the page asks: what its lists, its histogram and its box of facets are made of.

mod events;
mod facets;
mod histogram;
mod meta;
mod resolve;

use clap::Subcommand;

pub(super) use events::entry_id;

use crate::cli::ask::Asking;
use crate::cli::failure::Outcome;

#[derive(Subcommand)]
pub(super) enum Own {
    Events(events::Events),
    Facets(facets::Facets),
    Histogram(histogram::Histogram),
    Meta(meta::Meta),
    Resolve(resolve::Resolve),
}

impl Own {
    /// By which they are asked.
    pub const NAMES: [&str; 5] = ["events", "facets", "histogram", "meta", "resolve"];

    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        match self {
            Self::Events(command) => command.answer(asking).await,
            Self::Facets(command) => command.answer(asking).await,
            Self::Histogram(command) => command.answer(asking).await,
            Self::Meta(command) => command.answer(asking).await,
            Self::Resolve(command) => command.answer(asking).await,
        }
    }
}
