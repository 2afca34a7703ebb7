//! Which jobs were heard of about a moment, among very many.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use emp_job::History;

/// Time is looked at in steps of this.
const STEP_MS: i64 = 30 * 60_000;
/// Of a job that was heard of for more steps than that, each look goes through the others of its kind.
const STEPS_MAX: i64 = 48;

/// Jobs by when they were heard of.
#[derive(Debug, Default)]
pub(super) struct About {
    by_step: HashMap<i64, Vec<Arc<str>>>,
    long: Vec<Arc<str>>,
}

impl About {
    pub fn of(histories: &BTreeMap<Arc<str>, History>) -> Self {
        let mut about = Self::default();
        for (job, history) in histories {
            let (first, last) = (step(history.start_ms()), step(history.last().happened_ms()));
            if last - first > STEPS_MAX {
                about.long.push(job.clone());
                continue;
            }
            (first..=last).for_each(|step| about.by_step.entry(step).or_default().push(job.clone()));
        }
        about
    }

    /// All that were heard of between two moments, by name, and some that were heard of nearby.
    pub fn jobs(&self, from_ms: i64, until_ms: i64) -> BTreeSet<&str> {
        let of_steps = (step(from_ms)..=step(until_ms)).filter_map(|step| self.by_step.get(&step)).flatten();
        of_steps.chain(&self.long).map(|job| &**job).collect()
    }
}

fn step(ms: i64) -> i64 {
    ms.div_euclid(STEP_MS)
}
