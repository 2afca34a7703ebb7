//! Questions that only the page asks: what its lists, its histogram and its box of facets are made of.

mod events;
mod export;
mod facets;
mod histogram;
mod law;
mod meta;
mod names;
mod resolve;

use clap::Subcommand;

pub(super) use events::entry_id;

use emp_query::Filter;

use crate::cli::ask::Asking;
use crate::cli::ask::answer::{AsOf, TimeRange};
use crate::cli::ask::filters::Filters;
use crate::cli::failure::{Failure, Outcome};

/// So far back events are counted where no range is given.
const DAY_MS: i64 = 24 * 3_600_000;

#[derive(Subcommand)]
pub(super) enum Own {
    Events(events::Events),
    Export(export::Export),
    Facets(facets::Facets),
    Histogram(histogram::Histogram),
    Law(law::Law),
    Meta(meta::Meta),
    Names(names::Names),
    Resolve(resolve::Resolve),
}

impl Own {
    /// By which they are asked.
    pub const NAMES: [&str; 8] = ["events", "export", "facets", "histogram", "law", "meta", "names", "resolve"];

    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        match self {
            Self::Events(command) => command.answer(asking).await,
            Self::Export(command) => command.answer(asking).await,
            Self::Facets(command) => command.answer(asking).await,
            Self::Histogram(command) => command.answer(asking).await,
            Self::Law(command) => command.answer(asking).await,
            Self::Meta(command) => command.answer(asking).await,
            Self::Names(command) => command.answer(asking).await,
            Self::Resolve(command) => command.answer(asking).await,
        }
    }
}

/// Which events are counted, and from when until when, ms since the epoch: of the last day where no range is given.
fn counted(
    asking: &Asking<'_>,
    (filters, range, as_of): (&Filters, &TimeRange, &AsOf),
    now_ms: i64,
) -> Result<(Filter, (i64, i64)), Failure> {
    let mut filter = filters.filter()?;
    let (since, until) = range.bounds(asking, as_of, now_ms)?;
    // The event of this very moment belongs to it.
    let until = until.unwrap_or(now_ms + 1);
    let since = since.unwrap_or(until - DAY_MS);
    (filter.since_ms, filter.until_ms) = (Some(since), Some(until));
    Ok((filter, (since, until)))
}
