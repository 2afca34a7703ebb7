//! Events over time.

use serde::Serialize;

use crate::Moment;

/// One bucket of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// When it begins.
    pub from: Moment,
    /// Events in it.
    pub events: u64,
    /// Those of them that are errors.
    pub errors: u64,
}
