//! Errors put together by what they say.

/// Errors of one service and type with one fingerprint: their texts differ only in ids and numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorClass {
    /// Who sent them.
    pub service: String,
    /// What they are.
    pub event_type: String,
    /// The text of the first of them.
    pub example: String,
    /// How many.
    pub count: usize,
    /// Of how many jobs.
    pub jobs: usize,
    /// When the first one happened, ms since the epoch.
    pub first_ms: i64,
    /// When the last one did.
    pub last_ms: i64,
    /// How many in each of equal parts of the range.
    pub course: Vec<f64>,
}
