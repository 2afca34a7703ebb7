//! What the query engine does not know by itself about a store of events.

mod counts;
mod newest_first;

pub(super) use counts::CountsFromCatalog;
pub(super) use newest_first::with_newest_first;
