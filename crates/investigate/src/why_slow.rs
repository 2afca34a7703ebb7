//! What slow jobs have in common.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use emp_findings::{Moment, Trait, WhySlow};
use emp_job::History;
use emp_query::moment_literal;
use emp_statistics::{benjamini_hochberg, fisher_more, quantile};

use super::investigation::{Investigation, InvestigationError};
use super::surroundings::Surroundings;

/// A job is slow that takes so many times as long as half of the jobs of its kind.
const SLOW_FACTOR: f64 = 2.0;
const Q_MAX: f64 = 0.05;
/// Fewer jobs of a kind tell nothing about what is slow.
const JOBS_MIN: usize = 5;
/// A key with more values than that is an id or a measure.
const VALUES_MAX: usize = 40;
const EVENTS_MAX: usize = 1_000_000;

impl Investigation<'_> {
    /// What the slow jobs that ended since `since_ms` have in common; with a condition in SQL, only jobs
    /// with an event for which it holds.
    ///
    /// # Errors
    /// As [`Investigation::open`], and what is wrong with the condition.
    pub async fn why_slow(&self, since_ms: i64, condition: Option<&str>) -> Result<WhySlow, InvestigationError> {
        let range =
            format!("ingested_at >= {} and ingested_at <= {}", moment_literal(since_ms), moment_literal(self.now_ms()));
        let events = self.events(&range, EVENTS_MAX).await?;
        let chosen = match condition {
            None => None,
            Some(condition) => {
                let events = self.events(&format!("{range} and ({condition})"), EVENTS_MAX).await?;
                Some(events.into_iter().filter_map(|event| event.job_id).collect::<BTreeSet<String>>())
            }
        };
        let around = Surroundings::new(events, (since_ms, self.now_ms()), Vec::new(), self.now_ms());
        let is_chosen = |job: &str| chosen.as_ref().is_none_or(|chosen| chosen.contains(job));
        let ended: Vec<&History> = around
            .histories()
            .filter(|(job, history)| is_chosen(job) && history.terminal().is_some() && history.has_beginning())
            .map(|(_, history)| history)
            .collect();
        let slow = slow_ones(&ended);
        let window = [Moment(since_ms), Moment(self.now_ms())];
        let slow_jobs = slow.iter().filter(|is_slow| **is_slow).count();
        Ok(WhySlow { window, jobs: ended.len(), slow: slow_jobs, traits: traits(&ended, &slow) })
    }
}

fn slow_ones(ended: &[&History]) -> Vec<bool> {
    let lived = |history: &History| (history.end_ms() - history.start_ms()) as f64;
    let mut by_type: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    ended.iter().for_each(|history| by_type.entry(history.job_type()).or_default().push(lived(history)));
    let medians: BTreeMap<&str, f64> = by_type
        .into_iter()
        .filter(|(_, all)| all.len() >= JOBS_MIN)
        .filter_map(|(job_type, mut all)| Some((job_type, quantile(&mut all, 0.5)?)))
        .collect();
    let is_slow = |history: &&History| {
        medians.get(history.job_type()).is_some_and(|median| lived(history) >= SLOW_FACTOR * median)
    };
    ended.iter().map(is_slow).collect()
}

fn traits(ended: &[&History], slow: &[bool]) -> Vec<Trait> {
    let mut counts: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    for (history, is_slow) in ended.iter().zip(slow) {
        for having in values_of(history) {
            let (slow_with, with) = counts.entry(having).or_default();
            *slow_with += u64::from(*is_slow);
            *with += 1;
        }
    }
    let mut values: BTreeMap<String, usize> = BTreeMap::new();
    counts.keys().for_each(|(key, _)| *values.entry(key.clone()).or_default() += 1);
    counts.retain(|(key, _), _| values[key] <= VALUES_MAX);
    let (all, all_slow) = (ended.len() as u64, slow.iter().filter(|is_slow| **is_slow).count() as u64);
    let mut traits: Vec<Trait> = counts
        .into_iter()
        .filter(|(_, (_, with))| *with < all)
        .map(|((key, value), (slow_with, with))| {
            let (slow_without, without) = (all_slow - slow_with, all - with);
            let p = fisher_more(slow_with, with, slow_without, without);
            Trait { key, value, slow_with, with, slow_without, without, p, q: 1.0 }
        })
        .collect();
    let q_values = benjamini_hochberg(&traits.iter().map(|one| one.p).collect::<Vec<_>>());
    traits.iter_mut().zip(q_values).for_each(|(one, q)| one.q = q);
    traits.retain(|one| one.q <= Q_MAX);
    traits.sort_by(|a, b| a.p.total_cmp(&b.p));
    traits
}

/// Everything that a job may have in common with others.
fn values_of(history: &History) -> BTreeSet<(String, String)> {
    let mut values = BTreeSet::new();
    for event in history.events() {
        let ids = [("worker_id", &event.worker_id), ("machine_id", &event.machine_id), ("user_id", &event.user_id)];
        values.extend(ids.into_iter().filter_map(|(key, id)| Some((key.to_owned(), id.clone()?))));
        // Ids in `data` have been made columns.
        for (key, value) in event.data.iter().filter(|(key, _)| !key.ends_with("Id")) {
            match value {
                Value::String(text) if text.len() <= 60 => _ = values.insert((key.clone(), text.clone())),
                Value::Bool(is) => _ = values.insert((key.clone(), is.to_string())),
                _ => {}
            }
        }
    }
    let hour = Moment(history.start_ms()).time().strftime("%Y-%m-%d %H:00Z").to_string();
    values.insert(("hour".to_owned(), hour));
    values.insert(("attempts".to_owned(), history.attempts().to_string()));
    values
}
