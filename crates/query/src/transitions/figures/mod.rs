//! Questions about the steps of very many jobs, from what is kept of files, and only the ends of a range from events.
//!
//! A file whose steps, and those of all files with which it shares jobs, lie in the range tells by what is kept of it;
//! all others are read, with those with which they share jobs. A job that is in very many files makes none of them
//! neighbours: it is gone through by itself. So counts, sums and the longest are exact, and quantiles within 1 %.

mod answer;
mod errors;
mod long_jobs;
mod reading;
mod split;
mod tally;

use std::cmp::Reverse;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::error::Result;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

use emp_catalog::SealedFiles;
use emp_job::Offsets;
use emp_rollup::{Bins, GAP_MS, JobRollups};
use emp_system::{all_threads, for_each_share, share};

use super::walk::Transition;
use crate::background::in_background;
use crate::canned::{CannedQuery, Values, canned_queries};
use crate::engine::Engine;
use crate::view::{View, lock};
use crate::{Answer, QueryError};
pub use errors::ErrorFigures;
use split::{Split, rollups_of};
use tally::{Longest, Range, Tally};

/// How long the jobs of a range were heard of.
#[derive(Debug, Clone, Default)]
pub struct JobFigures {
    /// How many jobs.
    pub jobs: u64,
    /// The longest that were heard of, longest first.
    pub longest: Vec<String>,
    lives: Bins,
}

impl JobFigures {
    /// That share of the jobs was heard of for no longer, in ms, within 1 %.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        self.lives.quantile(share)
    }
}

/// What is kept of the jobs of one look at the store: several questions go by it.
#[derive(Debug)]
pub(crate) struct Known {
    view: Arc<View>,
    files: Arc<SealedFiles>,
    rollups: Arc<JobRollups>,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Gaps,
    GapClasses,
    Handoffs,
}

impl Engine {
    /// How long the jobs of a range were heard of, ms since the epoch, by what is kept of files; `None` where that is not
    /// known.
    ///
    /// # Errors
    /// As [`Engine::sql`].
    pub async fn job_figures(
        &self,
        since_ms: Option<i64>,
        until_ms: Option<i64>,
    ) -> Result<Option<JobFigures>, QueryError> {
        let tally = self.split(Range { since_ms, until_ms }, all).await?;
        Ok(tally.map(|tally| JobFigures {
            jobs: tally.jobs,
            lives: tally.lives,
            longest: tally.longest_lives.into_sorted().into_iter().map(|(_, Reverse(job))| job.into()).collect(),
        }))
    }

    /// The errors of a range by what they say, ms since the epoch, by what is kept of files; `None` where that is not known.
    ///
    /// # Errors
    /// As [`Engine::sql`].
    pub async fn error_figures(&self, since_ms: i64, until_ms: i64) -> Result<Option<Vec<ErrorFigures>>, QueryError> {
        let range = Range { since_ms: Some(since_ms), until_ms: Some(until_ms) };
        self.split(range, |split| Ok(ErrorFigures::of(split.errors()?, &split.texts))).await
    }

    /// The answer to one of the project's own queries about the steps of jobs – `gaps`, `gap-classes`, `handoffs` – by what
    /// is kept of files: that to `gaps` is the same, in those to the others quantiles are within 1 %. `None` where it does not
    /// tell: of another query, of one job, by clocks as they are, of silences that are shorter than a gap, or where no more
    /// than `events` may have arrived in the range, which are read as soon.
    ///
    /// # Errors
    /// As [`Engine::canned`].
    pub async fn canned_from_files(
        &self,
        query: &CannedQuery,
        given: &[(String, String)],
        events: u64,
    ) -> Result<Option<Answer>, QueryError> {
        let question = match query.name.as_str() {
            "gaps" => Question::Gaps,
            "gap-classes" => Question::GapClasses,
            "handoffs" => Question::Handoffs,
            _ => return Ok(None),
        };
        let is_own = canned_queries(None)?.iter().any(|own| own == query);
        let values = query.bind(given, &self.clock)?;
        let values = Values(&values);
        let min_gap_ms = values.number("min_gap").unwrap_or(GAP_MS);
        let can_tell = match question {
            Question::Gaps => min_gap_ms >= GAP_MS,
            Question::GapClasses => min_gap_ms == GAP_MS,
            Question::Handoffs => true,
        };
        if !is_own || !can_tell || values.text("job_id").is_some() || values.text("clocks") == Some("raw") {
            return Ok(None);
        }
        let range = Range { since_ms: values.moment_ms("since"), until_ms: values.moment_ms("until") };
        if self.arrived_at_most(range.since_ms.unwrap_or(i64::MIN), range.until_ms.unwrap_or(i64::MAX))? <= events {
            return Ok(None);
        }
        let limit = values.number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(0);
        let batch = self
            .split(range, move |split| match question {
                Question::Gaps => answer::gaps(&longest_gaps(split, min_gap_ms, limit)?),
                Question::GapClasses => answer::gap_classes(&all(split)?, &split.texts, limit),
                Question::Handoffs => answer::handoffs(&all(split)?, &split.texts, limit),
            })
            .await?;
        Ok(batch.map(|batch| self.answer_of(batch)))
    }

    fn answer_of(&self, batch: RecordBatch) -> Answer {
        let schema = batch.schema();
        let stream = RecordBatchStreamAdapter::new(schema, futures::stream::iter([Ok(batch)]));
        self.answer(Box::pin(stream))
    }

    /// Asks the files; `None` where they do not tell, or one cannot be read: then the events are asked, and whoever reads
    /// them says what is wrong.
    async fn split<T: Send + 'static>(
        &self,
        range: Range,
        ask: impl FnOnce(&Split<'_>) -> Result<T> + Send + 'static,
    ) -> Result<Option<T>, QueryError> {
        let clocks: Arc<Offsets> = self.offsets(range.since_ms, range.until_ms).await?;
        let view = self.source.view_or_failure()?;
        let (layout, on_learning) = (self.source.layout().clone(), Arc::clone(&self.source.on_learning));
        let known = Arc::clone(&self.job_rollups);
        let asked = move || {
            let mut known = lock(&known);
            let (files, rollups) = match known.take().filter(|known| Arc::ptr_eq(&known.view, &view)) {
                Some(known) => (known.files, known.rollups),
                None => {
                    let files = view.sealed();
                    let rollups = rollups_of((&view, &files, &layout), &on_learning)?;
                    (files, Arc::new(rollups))
                }
            };
            *known = Some(Known { view: Arc::clone(&view), files: Arc::clone(&files), rollups: Arc::clone(&rollups) });
            drop(known);
            let split = Split::of((&view, &files, &rollups), &clocks, range, &on_learning)?;
            view.usable(split.touched().collect());
            ask(&split).ok()
        };
        Ok(in_background(asked).await)
    }
}

/// What all steps of the range come to.
fn all(split: &Split<'_>) -> Result<Tally> {
    let told: Vec<_> = split.told().collect();
    let tallies = for_each_share(told.chunks(share(told.len(), all_threads())), |told| {
        let mut tally = Tally::default();
        told.iter().for_each(|steps| tally.add_steps(steps, &split.texts));
        tally
    });
    let mut all = Tally::default();
    tallies.into_iter().for_each(|tally| all.merge(tally));
    split.read_others(|_| false, &mut |job, steps, is_own| {
        let own = steps.iter().filter(|step| is_own(step.event.unit));
        own.for_each(|step| all.add(step, job, split.range));
        // It is of the file in which it was heard of last, as far as the range goes.
        let mut within = steps.iter().map(|step| step.event).filter(|event| split.range.holds(event.happened_ms));
        if let Some(first) = within.next() {
            let last = within.next_back().unwrap_or(first);
            if is_own(last.unit) {
                all.add_life(job, first.happened_ms, last.happened_ms);
            }
        }
    })?;
    Ok(all)
}

/// A gap: how long, when it began, and of which job, in the order of the answer; then the rest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Gap {
    gap_ms: i64,
    from_time_ms: Reverse<i64>,
    job: Reverse<Box<str>>,
    names: [Option<Arc<str>>; 4],
}

/// So many of the longest silences, of those that are so long at least.
fn longest_gaps(split: &Split<'_>, min_gap_ms: i64, limit: usize) -> Result<Vec<Gap>> {
    let mut known = Longest::new(limit);
    for steps in split.told() {
        steps.rows.longest_gaps.iter().filter(|gap_ms| **gap_ms >= min_gap_ms).for_each(|gap_ms| known.add(*gap_ms));
    }
    // There are as many as this long; so no other file has to be read for shorter ones.
    let least_ms = known.least().copied().unwrap_or(min_gap_ms);
    let may_have =
        |steps: &emp_rollup::Steps| steps.rows.longest_gaps.first().is_some_and(|longest| *longest >= least_ms);
    let mut found = Longest::new(limit);
    let range = split.range;
    split.read_others(may_have, &mut |job, steps, is_own| {
        for step in steps.iter().filter(|step| is_own(step.event.unit)) {
            let Some(gap) = gap(step, job, split).filter(|gap| gap.gap_ms >= least_ms) else { continue };
            let is_since =
                range.since_ms.is_none_or(|since_ms| step.from.is_some_and(|from| from.happened_ms >= since_ms));
            if is_since && range.until_ms.is_none_or(|until_ms| step.event.happened_ms < until_ms) {
                found.add(gap);
            }
        }
    })?;
    Ok(found.into_sorted())
}

fn gap(step: &Transition, job: &str, split: &Split<'_>) -> Option<Gap> {
    let from = step.from?;
    let numbers = [from.event_type, from.service, step.event.event_type, step.event.service];
    let name = |number: u32| (number != super::walk::NONE).then(|| split.texts.text(number));
    Some(Gap {
        gap_ms: step.gap_ms()?,
        from_time_ms: Reverse(from.timestamp_ms),
        job: Reverse(job.into()),
        names: numbers.map(name),
    })
}
