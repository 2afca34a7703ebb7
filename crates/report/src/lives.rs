//! How long the jobs of a range were heard of.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use emp_investigate::{EVENTS_READ_MAX, InvestigationError, Rows, has_many_events};
use emp_query::{Engine, HAPPENED_MS, JobFigures, happened_within};
use emp_statistics::quantile;

/// So many of the longest are kept by name.
pub(super) const JOBS_MAX: usize = 5;

/// From the first to the last that was heard of each job, and which were the longest: of one pass, as to put all
/// events together by job is what a report waits for.
#[derive(Debug, Default)]
pub(super) struct Lives {
    ms: Vec<f64>,
    /// Where very many events are of the range, what is kept of files tells in place of all that follows.
    figures: Option<JobFigures>,
    /// The shortest of the longest first; of equal ones the last name.
    longest: BinaryHeap<(Reverse<i64>, String)>,
}

/// The question for them, from the first moment of a range to before the last, ms since the epoch.
pub(super) fn lives_sql((since_ms, until_ms): (i64, i64)) -> String {
    format!(
        "select job_id, max({HAPPENED_MS}) - min({HAPPENED_MS}) as ms from events \
         where job_id is not null and {} group by job_id",
        happened_within(since_ms, until_ms)
    )
}

impl Lives {
    pub async fn of(engine: &Engine, range: (i64, i64)) -> Result<Self, InvestigationError> {
        let mut lives = Self::default();
        if has_many_events(engine, Some(range.0), Some(range.1), EVENTS_READ_MAX)? {
            lives.figures = engine.job_figures(Some(range.0), Some(range.1)).await?;
            if lives.figures.is_some() {
                return Ok(lives);
            }
        }
        let mut answer = engine.sql_within(&lives_sql(range), Some(range.0), Some(range.1)).await?;
        while let Some(batch) = answer.next().await? {
            Rows(vec![batch]).map(|row| {
                let ms = row.integer("ms")?;
                lives.ms.push(ms as f64);
                let is_long = |(Reverse(shortest), _): &(Reverse<i64>, String)| ms >= *shortest;
                if lives.longest.len() < JOBS_MAX || lives.longest.peek().is_some_and(is_long) {
                    lives.longest.push((Reverse(ms), row.text("job_id")?));
                    if lives.longest.len() > JOBS_MAX {
                        lives.longest.pop();
                    }
                }
                Ok(())
            })?;
        }
        Ok(lives)
    }

    /// The longest, in that order.
    pub fn take_longest(&mut self) -> Vec<String> {
        if let Some(figures) = &mut self.figures {
            return std::mem::take(&mut figures.longest);
        }
        std::mem::take(&mut self.longest).into_sorted_vec().into_iter().map(|(_, job_id)| job_id).collect()
    }

    /// How many jobs.
    pub fn jobs(&self) -> i64 {
        let jobs = self.figures.as_ref().map(|figures| i64::try_from(figures.jobs).unwrap_or(i64::MAX));
        jobs.unwrap_or(self.ms.len() as i64)
    }

    /// That share of the jobs was heard of for no longer, in ms; within 1 % where there are very many events.
    pub fn quantile(&mut self, share: f64) -> Option<f64> {
        if let Some(figures) = &self.figures {
            return figures.quantile(share);
        }
        quantile(&mut self.ms, share)
    }
}
