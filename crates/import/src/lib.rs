//! Import: events that did not come by the stream, from files into the store.
//!
//! Where Redis refuses events, clients write them into a spool, one JSON object a line. An
//! [`Importer`] takes such files, any others of events in the wire's names, and the logs of other
//! programs by a [`Format`], exactly once: the ID of an event is made of the line that it was read
//! from, so the store itself knows which lines it has, wherever and how often they stand in files.
//! It works beside a collector. `docs/format.md` says how the IDs are made.

mod buffer;
mod earlier;
mod from;
mod identity;
mod importer;
mod input;
mod occurrences;
mod pieces;
mod preview;
mod rows;
mod source;
mod spool;

use std::io;

use emp_store::StoreError;

pub use from::{Format, FormatError, PRESETS};
pub use importer::Importer;
pub use preview::{Preview, preview, preview_file};

/// What importing came to, in events and in lines that are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events that are in the store now.
    pub events: u64,
    /// Lines that are no events, kept in the quarantine.
    pub quarantined: u64,
    /// What an earlier import has taken, or another file has, too.
    pub already_there: u64,
    /// Those of them of which the hours are there no more: retention has taken them out.
    pub retired: u64,
    /// Last lines that have no end yet: left for another time.
    pub incomplete: u64,
}

/// Why lines were not imported. What was imported before stays, and is not taken again.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The files of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file that is read.
    #[error("cannot read it: {0}")]
    Read(#[from] io::Error),
    /// What it is cannot be read here, with a way out.
    #[error("{0}")]
    Foreign(&'static str),
    /// It is a Parquet file, and damaged, or packed in a way that is not known here.
    #[error("cannot read it as Parquet: {0}")]
    Parquet(String),
    /// Not one line of it is an event: nothing of it was taken.
    #[error("no event was found in its {lines}, and nothing of it was taken: line {line}: {reason}{hint}")]
    NothingUnderstood {
        /// How many lines were looked at, in words.
        lines: String,
        /// The number of the first of them.
        line: u64,
        /// Why that is no event.
        reason: String,
        /// Which format it may be of; empty where none is known.
        hint: String,
    },
}
