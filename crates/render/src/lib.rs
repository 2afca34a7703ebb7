//! Answers made readable: tables for people, JSON, CSV and Markdown for programs and reports,
//! and the timeline of one job.
//!
//! Invariants:
//! - This room never queries and never looks at its surroundings: the width of the terminal,
//!   whether it shows colours, and the time zone come in as a [`Screen`].
//! - Whatever a table or a timeline shows went through [`text::visible`], so an event can
//!   neither break a line nor send an escape sequence to somebody's terminal.
//! - No line is wider than the screen.

mod anomalies;
mod answer;
mod cells;
mod changes;
mod columns;
mod correlation;
mod diagnosis;
mod event_lines;
mod grid;
mod machine;
mod markdown;
mod page;
mod paint;
mod parquet;
mod rows;
mod table;
mod tall;
mod text;
mod timeline;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

pub use anomalies::{write_anomalies, write_backtest};
pub use answer::{AnswerWriter, write_answer};
pub use changes::write_changes;
pub use correlation::{write_comparison, write_correlation, write_why_slow};
pub use diagnosis::{write_diagnosis, write_judged};
pub use event_lines::{EventLines, write_histogram};
pub use grid::fit_middle;
pub use jiff::tz::TimeZone;
pub use parquet::ParquetFile;
pub use text::{sentence, visible, visible_lines};
pub use timeline::{Times, write_job};

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Aligned columns, for a person at a terminal.
    #[default]
    Table,
    /// One JSON array of objects, one object a line.
    Json,
    /// One JSON object a line, without anything around them.
    Ndjson,
    /// Comma-separated values under a header.
    Csv,
    /// A Markdown table, for reports and issues.
    Markdown,
}

impl Format {
    /// Every format, in the order in which help texts list them.
    pub const ALL: [Self; 5] = [Self::Table, Self::Json, Self::Ndjson, Self::Csv, Self::Markdown];

    /// The name under which `--format` knows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Markdown => "markdown",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A format that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format `{0}`; there are table, json, ndjson, csv and markdown")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

/// What an answer is shown on. Only tables and timelines look at it.
#[derive(Debug, Clone)]
pub struct Screen {
    /// Characters a line. `None`: no limit, nothing is cut and nothing is hidden.
    pub width: Option<usize>,
    /// Whether escape sequences for colours may be written.
    pub color: bool,
    /// The zone in which times are shown.
    pub time_zone: TimeZone,
    /// At most this many rows of a table are shown: the first and the last half of them.
    /// `None`: all.
    pub rows_max: Option<usize>,
}

impl Screen {
    /// For output that is no terminal: no limits, no colours, times in UTC.
    pub fn plain() -> Self {
        Self { width: None, color: false, time_zone: TimeZone::UTC, rows_max: None }
    }
}

/// A moment, ms since the epoch, as the screen's zone shows it.
fn clock(screen: &Screen, time_ms: i64, format: &str) -> String {
    match Timestamp::from_millisecond(time_ms) {
        Ok(time) => time.to_zoned_datetime(screen.time_zone.clone()).strftime(format).to_string(),
        Err(_) => format!("{time_ms} ms"),
    }
}

#[cfg(test)]
mod tests;
