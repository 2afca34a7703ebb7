//! The tables that a query sees.

mod events;
mod records;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;

pub(super) use events::{Events, times};
pub(super) use records::{DeadLetterRecords, Files, Losses, Quarantine, Records};

use super::transitions::{self, Transitions};
use super::view::Source;

/// Every table by its name.
pub(super) fn all(source: &Arc<Source>) -> [(&'static str, Arc<dyn TableProvider>); 7] {
    [
        ("dead_letters", Arc::new(Records::<DeadLetterRecords>::new(source))),
        ("events", Arc::new(Events::new(source))),
        ("files", Arc::new(Records::<Files>::new(source))),
        ("losses", Arc::new(Records::<Losses>::new(source))),
        ("quarantine", Arc::new(Records::<Quarantine>::new(source))),
        ("transitions", Arc::new(Transitions::new(source))),
        ("raw_transitions", Arc::new(Transitions::raw(source))),
    ]
}

/// The columns of `events`.
pub(super) fn all_columns() -> SchemaRef {
    events::schema()
}

/// Their names.
pub(super) const NAMES: [&str; 7] =
    ["events", "transitions", "files", "losses", "quarantine", "dead_letters", "raw_transitions"];

/// The names of all their columns.
pub(super) fn column_names() -> Vec<String> {
    let schemas: [SchemaRef; 6] = [
        events::schema(),
        transitions::schema(),
        records::schema::<Files>(),
        records::schema::<Losses>(),
        records::schema::<Quarantine>(),
        records::schema::<DeadLetterRecords>(),
    ];
    schemas.iter().flat_map(|schema| schema.fields().iter().map(|field| field.name().clone())).collect()
}
