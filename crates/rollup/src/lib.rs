//! What each sealed hour contributes to questions about many: how often each event type of each service and level
//! came, and how long it took, by the hour in which it happened.
//!
//! A file never changes once it is sealed, so neither does what it contributes. That is derived once, beside the
//! index, in a file for each day, and can be deleted at any time: what is missing is derived anew. A file is known by
//! what the catalog takes it for, so one that was replaced contributes what it holds now.

mod arrivals;
mod bins;
mod brief;
mod compared;
mod day_names;
mod days;
mod derive;
mod jobs;
mod kept;
mod names;
mod part;
mod sharing;
mod sketch;
mod steps;
mod totals;

pub use arrivals::{Arrivals, Minute, Producer};
pub use bins::Bins;
pub use compared::{
    Clocks, Compared, ComparedRows, ErrorsRow, Hashes, JobsRow, Slots, TypeRow, WorkRow, hash_of_job, middle_of_step,
};
pub use days::Progress;
pub use jobs::JobRollups;
pub use kept::{Rollups, bring_up_to_date};
pub use part::{date_of_file, file_name, together};
pub use sharing::job_number;
pub use sketch::{DROPPED_BITS, Sketch, each_bin, middle_of};
pub use steps::{
    ErrorRow, GAP_MS, GapRow, HandoffRow, LONGEST_GAPS, LONGEST_LIVES, LivesRow, LongEvent, LongJob, NO_NAME, Spread,
    StepRows, Steps,
};
pub use totals::Totals;

use serde::{Deserialize, Serialize};

/// Milliseconds of an hour.
pub const HOUR_MS: i64 = 3_600_000;
/// An event type, a service and a level.
pub const NAMES: [&str; 3] = ["event_type", "service", "level"];

/// Events of one type, service and level that happened in one hour, by their `timestamp`, in one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The hour's first ms since the epoch.
    pub hour_ms: i64,
    /// The event type, the service and the level, where they have one: numbers in [`Rollups::texts`].
    pub names: [Option<u32>; NAMES.len()],
    /// How many.
    pub events: u64,
    /// When the first of them happened, ms since the epoch.
    pub first_ms: i64,
    /// When the last did.
    pub last_ms: i64,
    /// How long those took that say so; `None` where none does.
    pub durations: Option<Durations>,
}

/// How long events took, by their `duration_ms`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "brief::BriefDurations", into = "brief::BriefDurations")]
pub struct Durations {
    /// How many say so.
    pub count: u64,
    /// All together, in ms.
    pub sum_ms: f64,
    /// The shortest.
    pub least_ms: f64,
    /// The longest.
    pub greatest_ms: f64,
    /// How they are spread.
    pub sketch: Sketch,
}

#[cfg(test)]
mod tests;
