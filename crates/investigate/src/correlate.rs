//! What belongs to a job beside its own events.

use std::collections::BTreeMap;

use emp_findings::{Correlation, Evidence, Moment, OtherJob, SameError, SameWorker, command};
use emp_job::{History, JobEvent, error_text, fingerprint};
use emp_query::literal;

use super::investigation::{Investigation, InvestigationError};

/// Events of a trace that are shown.
const TRACE_MAX: usize = 50;
/// Other jobs that are shown.
const JOBS_MAX: usize = 20;

impl Investigation<'_> {
    /// What happened in connection with a job; `None` where the store has no event of it.
    ///
    /// # Errors
    /// As [`Investigation::open`].
    pub async fn correlate(&self, job_id: &str) -> Result<Option<Correlation>, InvestigationError> {
        let Some(history) = self.steps(job_id).await? else { return Ok(None) };
        let around = self.surroundings(&history).await?;
        let trace = self.trace_of(&history).await?;
        let window = (history.start_ms(), history.last().happened_ms());
        let is_then = |event: &&JobEvent| (window.0..=window.1).contains(&event.happened_ms());
        let same_worker = history.holder().map(|worker| {
            let events: Vec<&JobEvent> = around.worker(worker).filter(is_then).collect();
            let own = events.iter().filter(|event| event.job_id.as_deref() != Some(job_id));
            let own = own.filter(|event| event.job_id.is_none() || event.is_failure()).take(JOBS_MAX);
            SameWorker {
                worker_id: worker.to_owned(),
                jobs: others(events.iter().copied(), job_id),
                events: own.map(|event| Evidence::new(event, note_of(event))).collect(),
            }
        });
        let error = history.events().iter().rev().filter(|event| event.is_failure());
        let error = error.filter_map(|event| Some((event.happened_ms(), error_text(&event.data)?))).next();
        let same_error = error.map(|(ms, text)| {
            let error = fingerprint(&text);
            let same: Vec<&JobEvent> = around.same_errors(&error, ms).collect();
            let mut workers = BTreeMap::new();
            for event in &same {
                if event.job_id.as_deref() != Some(job_id) {
                    let worker = event.worker_id.as_deref().unwrap_or(&event.service);
                    *workers.entry(worker.to_owned()).or_default() += 1;
                }
            }
            SameError { jobs: others(same.into_iter(), job_id), error, workers }
        });
        let mut next = vec![command(&["diagnose", job_id])];
        let other = same_error.as_ref().and_then(|same| same.jobs.first());
        next.extend(other.map(|other| command(&["timeline", job_id, "--compare", &other.job_id])));
        next.extend(history.last().trace_id.as_ref().map(|trace| command(&["timeline", "--trace", trace])));
        let notes = super::judge::skews(&history);
        let window = [Moment(window.0), Moment(window.1)];
        Ok(Some(Correlation { job_id: job_id.to_owned(), window, trace, same_worker, same_error, notes, next }))
    }

    /// The events of a trace, in the order in which they happened.
    ///
    /// # Errors
    /// As [`Investigation::open`].
    pub async fn trace(&self, trace_id: &str) -> Result<Option<History>, InvestigationError> {
        let events = self.events(&format!("trace_id = {}", literal(trace_id)), usize::MAX).await?;
        Ok(History::new(events, self.now_ms()))
    }

    async fn trace_of(&self, history: &History) -> Result<Vec<Evidence>, InvestigationError> {
        let job = &history.events()[0].job_id;
        let Some(trace_id) = history.events().iter().find_map(|event| event.trace_id.as_deref()) else {
            return Ok(Vec::new());
        };
        let Some(trace) = self.trace(trace_id).await? else { return Ok(Vec::new()) };
        let others = trace.events().iter().filter(|event| event.job_id != *job).take(TRACE_MAX);
        Ok(others.map(|event| Evidence::new(event, note_of(event))).collect())
    }
}

fn note_of(event: &JobEvent) -> String {
    let error = error_text(&event.data).filter(|_| event.is_failure());
    error.unwrap_or_else(|| format!("{} of {}", event.level, event.producer()))
}

/// The jobs of these events but for one, those with the most errors first.
fn others<'a>(events: impl Iterator<Item = &'a JobEvent>, but: &str) -> Vec<OtherJob> {
    let mut jobs: BTreeMap<&str, OtherJob> = BTreeMap::new();
    for event in events {
        let Some(job_id) = event.job_id.as_deref().filter(|job_id| *job_id != but) else { continue };
        let job = jobs.entry(job_id).or_insert_with(|| OtherJob {
            job_id: job_id.to_owned(),
            events: 0,
            errors: 0,
            last_event: String::new(),
        });
        job.events += 1;
        job.errors += usize::from(event.is_error());
        job.last_event = event.event_type.to_string();
    }
    let mut jobs: Vec<OtherJob> = jobs.into_values().collect();
    jobs.sort_by_key(|job| std::cmp::Reverse(job.errors));
    jobs.truncate(JOBS_MAX);
    jobs
}
