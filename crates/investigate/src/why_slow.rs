//! What slow jobs have in common.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use emp_findings::{CulpritKind, Diagnosis, Moment, Trait, Verdict, WhySlow};
use emp_job::{History, Named, vocabulary};
use emp_query::moment_literal;
use emp_statistics::{benjamini_hochberg, fisher_more, quantile};

use super::investigation::{Investigation, InvestigationError};
use super::rows::Rows;
use super::speed::Slowness;
use super::surroundings::Surroundings;

/// A job is slow that takes so many times as long as half of the jobs of its kind.
const SLOW_FACTOR: f64 = 2.0;
const Q_MAX: f64 = 0.05;
/// What slow jobs share is named with them where that is as sure.
const SHARED_Q_MAX: f64 = 0.01;
/// Fewer slow jobs share something by chance.
const SHARING_MIN: usize = 3;
/// Fewer jobs of a kind tell nothing about what is slow.
const JOBS_MIN: usize = 5;
/// A key with more values than that is an id or a measure.
const VALUES_MAX: usize = 40;

impl Investigation<'_> {
    /// What the slow jobs that ended since `since_ms` have in common; with a condition in SQL, only jobs
    /// with an event for which it holds.
    ///
    /// # Errors
    /// As [`Investigation::open`], and what is wrong with the condition.
    pub async fn why_slow(&self, since_ms: i64, condition: Option<&str>) -> Result<WhySlow, InvestigationError> {
        // How slow somebody is, is told by the same events as everywhere.
        let (around, _) = self.around_range(since_ms).await?;
        let chosen = match condition {
            None => None,
            Some(condition) => {
                let sql = format!(
                    "select distinct job_id from events where ingested_at >= {} and ingested_at <= {} \
                     and job_id is not null and ({condition})",
                    moment_literal(since_ms),
                    moment_literal(self.now_ms())
                );
                let jobs = Rows::ask(self.engine(), &sql).await?.map(|row| row.text("job_id"))?;
                Some(jobs.into_iter().collect::<BTreeSet<String>>())
            }
        };
        let has_ended = |history: &History| history.terminal().is_some_and(|end| end.arrived_ms >= since_ms);
        let is_chosen = |job: &str| chosen.as_ref().is_none_or(|chosen| chosen.contains(job));
        let ended: Vec<&History> = around
            .histories()
            .filter(|(job, history)| is_chosen(job) && has_ended(history) && history.has_beginning())
            .map(|(_, history)| history)
            .collect();
        let slow = slow_ones(&ended);
        let window = [Moment(since_ms), Moment(self.now_ms())];
        let slow_jobs = slow.iter().filter(|is_slow| **is_slow).count();
        let mut traits = traits(&ended, &slow);
        for one in &mut traits {
            let kind = match one.key.as_str() {
                "worker_id" => CulpritKind::Worker,
                key if vocabulary().is_key(Named::Connector, key) => CulpritKind::Connector,
                key if vocabulary().is_key(Named::Queue, key) => CulpritKind::Queue,
                _ => continue,
            };
            one.speed = around.speeds(self.typical()).of_subject(kind, &one.value).map(Slowness::shown);
        }
        let jobs = ended.len();
        // To give back what a week's events took is a tenth of the time, for which nobody has to wait.
        std::thread::spawn(move || drop(around));
        Ok(WhySlow { window, jobs, slow: slow_jobs, traits })
    }
}

/// What slow jobs that nobody is behind have in common: one line for each job that shares it with most of them.
pub(super) fn shared_traits(around: &Surroundings, unhealthy: &[Diagnosis]) -> BTreeMap<String, String> {
    let is_unexplained = |one: &&Diagnosis| {
        matches!(one.verdict, Verdict::DoneSlow | Verdict::RunningSlow) && one.culprit.kind == Some(CulpritKind::Job)
    };
    let slow: BTreeSet<&str> = unhealthy.iter().filter(is_unexplained).map(|one| one.job_id.as_str()).collect();
    if slow.len() < SHARING_MIN {
        return BTreeMap::new();
    }
    let (jobs, histories): (Vec<&str>, Vec<&History>) =
        around.histories().filter(|(job, history)| history.terminal().is_some() || slow.contains(job)).unzip();
    let flags: Vec<bool> = jobs.iter().map(|job| slow.contains(job)).collect();
    // When they ran, and how often they were tried, is no cause.
    let is_cause = |one: &&Trait| one.key != "hour" && one.key != "attempts";
    let of_most = |one: &Trait| one.q <= SHARED_Q_MAX && 2 * one.slow_with >= slow.len() as u64;
    let Some(common) = traits(&histories, &flags).into_iter().find(|one| is_cause(&one) && of_most(one)) else {
        return BTreeMap::new();
    };
    let key: Having<'_> = (common.key.as_str().into(), common.value.as_str().into());
    let sharing =
        jobs.iter().zip(&histories).filter(|(job, history)| slow.contains(*job) && values_of(history).contains(&key));
    let said = format!(
        "{}={}: {} of {} jobs with it, {} of {} others",
        common.key, common.value, common.slow_with, common.with, common.slow_without, common.without
    );
    sharing.map(|(job, _)| ((*job).to_owned(), said.clone())).collect()
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
    let mut counts: BTreeMap<Having<'_>, (u64, u64)> = BTreeMap::new();
    for (history, is_slow) in ended.iter().zip(slow) {
        for having in values_of(history) {
            let (slow_with, with) = counts.entry(having).or_default();
            *slow_with += u64::from(*is_slow);
            *with += 1;
        }
    }
    let mut values: BTreeMap<&str, usize> = BTreeMap::new();
    counts.keys().for_each(|(key, _)| *values.entry(key).or_default() += 1);
    let is_telling = |key: &str| values.get(key).is_some_and(|values| *values <= VALUES_MAX);
    let (all, all_slow) = (ended.len() as u64, slow.iter().filter(|is_slow| **is_slow).count() as u64);
    let mut traits: Vec<Trait> = counts
        .iter()
        .filter(|((key, _), (_, with))| is_telling(key) && *with < all)
        .map(|((key, value), &(slow_with, with))| {
            let (slow_without, without) = (all_slow - slow_with, all - with);
            let p = fisher_more(slow_with, with, slow_without, without);
            let [key, value] = [key, value].map(|text| text.clone().into_owned());
            Trait { key, value, slow_with, with, slow_without, without, p, q: 1.0, speed: None }
        })
        .collect();
    let q_values = benjamini_hochberg(&traits.iter().map(|one| one.p).collect::<Vec<_>>());
    traits.iter_mut().zip(q_values).for_each(|(one, q)| one.q = q);
    traits.retain(|one| one.q <= Q_MAX);
    traits.sort_by(|a, b| a.p.total_cmp(&b.p));
    traits
}

/// A key with its value.
type Having<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Everything that a job may have in common with others.
fn values_of(history: &History) -> BTreeSet<Having<'_>> {
    let mut values = BTreeSet::new();
    for event in history.events() {
        let ids = [("worker_id", &event.worker_id), ("machine_id", &event.machine_id), ("user_id", &event.user_id)];
        values.extend(ids.into_iter().filter_map(|(key, id)| Some((key.into(), id.as_deref()?.into()))));
        // Ids in `data` have been made columns.
        for (key, value) in event.data.iter().filter(|(key, _)| !key.ends_with("Id")) {
            match value {
                Value::String(text) if text.len() <= 60 => _ = values.insert((key.into(), text.as_str().into())),
                Value::Bool(is) => _ = values.insert((key.into(), if *is { "true" } else { "false" }.into())),
                _ => {}
            }
        }
    }
    let hour = Moment(history.start_ms()).time().strftime("%Y-%m-%d %H:00Z").to_string();
    values.insert(("hour".into(), hour.into()));
    values.insert(("attempts".into(), history.attempts().to_string().into()));
    values
}
