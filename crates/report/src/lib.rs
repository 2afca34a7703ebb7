//! How a system did over a range of time, as one page: for a browser, or as Markdown for a pull
//! request. And one job as one page, to keep.
//!
//! Invariants:
//! - The page needs nothing but itself: no script, no font, no picture from anywhere.
//! - The same store as of the same moment gives the same page, byte for byte: nothing in it depends
//!   on when, where or how often it is made.
//! - Whatever an event says went through [`emp_render::visible`] and is escaped.

mod axis;
mod charts;
mod completeness;
mod data;
mod gather;
mod html;
mod job;
mod lives;
mod markdown;
mod tables;

pub use charts::ChartError;
pub use data::{QuestionError, Report, ReportQuestion};
pub use job::JobPage;
