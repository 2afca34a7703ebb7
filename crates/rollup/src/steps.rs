//! What a file contributes to questions about the steps of jobs.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::brief::{self, BriefSpread};
use super::day_names::{DayNames, NameHash};
use super::sketch::Sketch;

/// A silence from this length on is a gap, where nobody says otherwise.
pub const GAP_MS: i64 = 5_000;
/// Stands for a name that an event lacks.
pub const NO_NAME: u32 = u32::MAX;
/// So many of the longest are kept, of silences.
pub const LONGEST_GAPS: usize = 20;
/// The same of lives.
pub const LONGEST_LIVES: usize = 5;

/// What the steps of jobs in one file contribute: each event of a job with the one before it, wherever that is.
///
/// A step belongs to the file of its later event, and the life of a job to that of the event that happened last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Steps {
    /// Types of events and services, by their numbers in the rows.
    pub names: Vec<Box<str>>,
    /// What they contribute.
    pub rows: StepRows,
}

/// [`Steps`], with numbers for names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StepRows {
    /// When the first event happened that has to do with any of it, and the last, in ms since the epoch; `None` where
    /// there is none.
    pub times: Option<(i64, i64)>,
    /// The longest silences, longest first, in ms.
    #[serde(with = "brief::steps")]
    pub longest_gaps: Vec<i64>,
    /// Those from [`GAP_MS`] on, by the events and services on both sides.
    pub gaps: Vec<GapRow>,
    /// From one service to another.
    pub handoffs: Vec<HandoffRow>,
    /// How long jobs were heard of.
    pub lives: LivesRow,
    /// The file's own errors, by what they say.
    pub errors: Vec<ErrorRow>,
    /// Its events of jobs that are in very many files, which contribute to none of the others.
    pub long_jobs: Vec<LongJob>,
}

/// Events of a job that are kept as they are, in the order of their IDs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LongJob {
    /// The job's id.
    pub job: Box<str>,
    /// What is known of them.
    #[serde(with = "brief::events")]
    pub events: Vec<LongEvent>,
}

/// An event of such a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongEvent {
    /// When it happened by its producer's clock, ms since the epoch.
    pub timestamp_ms: i64,
    /// When it arrived, ms since the epoch, and which of that millisecond's entries it is: its ID.
    pub arrived: (i64, u64),
    /// What it is, and who sent it.
    pub names: [u32; 2],
}

/// Errors of one service and type that say the same but for ids and numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "brief::BriefErrors", into = "brief::BriefErrors")]
pub struct ErrorRow {
    /// Who sent them, what they are, and what they say.
    pub kind: [u32; 3],
    /// How many.
    pub events: u64,
    /// When the first happened by its producer's clock, and the last, in ms since the epoch.
    pub times: (i64, i64),
    /// How many in each hour since the epoch that has any.
    pub hours: Vec<(i64, u64)>,
    /// Of how many jobs that have events in no other file.
    pub alone: u64,
    /// Of which others, by their numbers, ascending.
    pub shared: Vec<u64>,
}

/// Silences between events of the same types and services.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GapRow {
    /// The event before, who sent it, the event after, and who sent that.
    pub class: [u32; 4],
    /// How many, how long, and the longest.
    pub spread: Spread,
}

/// Events that arrived after one of another service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HandoffRow {
    /// From which service to which.
    pub pair: [u32; 2],
    /// How many took no less than nothing, how long, and the longest.
    pub spread: Spread,
    /// How many came out below zero.
    pub skewed: u64,
}

/// Times of one kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "BriefSpread", into = "BriefSpread")]
pub struct Spread {
    /// How many.
    pub count: u64,
    /// All of them together, in ms.
    pub sum_ms: i64,
    /// The longest, with its job: of equal ones the first by name.
    pub longest: Option<(i64, Box<str>)>,
    /// How they are spread, as [`super::Bins`].
    pub sketch: Sketch,
}

/// How long jobs were heard of, from the first of their events to the last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LivesRow {
    /// How many jobs.
    pub count: u64,
    /// How their lives are spread.
    pub sketch: Sketch,
    /// The longest, with their jobs, longest first.
    pub longest: Vec<(i64, Box<str>)>,
}

/// As it is kept: names by their hashes, since the same ones come up in each hour, and ids of jobs by their numbers among
/// `jobs`, as one job is the longest in many ways.
#[derive(Serialize, Deserialize)]
struct Kept {
    names: Vec<NameHash>,
    jobs: Vec<brief::Id>,
    rows: StepRows,
}

impl Steps {
    /// In bytes, with the names by their hashes.
    pub(super) fn encode(&self, names: Vec<NameHash>) -> std::io::Result<Vec<u8>> {
        let (mut rows, mut jobs, mut numbers) = (self.rows.clone(), Vec::new(), HashMap::new());
        rows.each_job(&mut |job| {
            let number = *numbers.entry(job.clone()).or_insert_with(|| {
                jobs.push(brief::Id(job.clone()));
                jobs.len() - 1
            });
            *job = number.to_string().into();
        });
        postcard::to_stdvec(&Kept { names, jobs, rows }).map_err(std::io::Error::other)
    }

    /// `None` where it is none, or one of its names is not known.
    pub(super) fn decode(bytes: &[u8], names: &DayNames) -> Option<Self> {
        let mut kept: Kept = postcard::from_bytes(bytes).ok()?;
        let names: Option<Vec<Box<str>>> = kept.names.iter().map(|hash| names.name(*hash).map(Box::from)).collect();
        let names = names?;
        let mut are_known = true;
        kept.rows.each_job(&mut |job| {
            let known = job.parse::<usize>().ok().and_then(|number| kept.jobs.get(number));
            are_known &= known.is_some();
            known.into_iter().for_each(|known| job.clone_from(&known.0));
        });
        let all = names.len() as u32;
        let is_named = |numbers: &[u32]| numbers.iter().all(|number| *number < all || *number == NO_NAME);
        let are_named = kept.rows.gaps.iter().all(|row| is_named(&row.class))
            && kept.rows.handoffs.iter().all(|row| is_named(&row.pair))
            && kept.rows.errors.iter().all(|row| is_named(&row.kind))
            && kept.rows.long_jobs.iter().flat_map(|long| &long.events).all(|event| is_named(&event.names));
        (are_known && are_named).then_some(Self { names, rows: kept.rows })
    }
}

impl StepRows {
    /// Shows the id of each job that it names.
    fn each_job(&mut self, show: &mut dyn FnMut(&mut Box<str>)) {
        let gaps = self.gaps.iter_mut().filter_map(|row| row.spread.longest.as_mut());
        let handoffs = self.handoffs.iter_mut().filter_map(|row| row.spread.longest.as_mut());
        gaps.chain(handoffs).chain(&mut self.lives.longest).for_each(|(_, job)| show(job));
        self.long_jobs.iter_mut().for_each(|long| show(&mut long.job));
    }
}
