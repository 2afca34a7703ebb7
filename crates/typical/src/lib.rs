//! What is typical for each kind of job and each worker: the baselines that a job is judged by.
//!
//! [`Typical`] holds, per kind of job, how long each step takes from one event to the next, how long
//! spans and whole jobs last, and which events its completed jobs have; and per worker how far apart
//! its events are. It is walked together from the events in order of arrival, kept per week in a
//! small file beside the index, and brought up to date as hours are sealed. It can be deleted at any
//! time: what is missing is walked anew.

mod names;
mod read;
mod saved;
mod sketch;
mod table;
mod walk;

pub use saved::{FILE_NAME, Learning, bring_up_to_date, newest, together, typical_at};
pub use sketch::Sketch;
pub use table::Typical;

#[cfg(test)]
mod tests;
