//! What is unusual now, compared with what is usual at this hour of the week.

use std::collections::{BTreeMap, HashMap, HashSet};

use emp_findings::{Anomalies, Anomaly, AnomalyKind, CulpritKind, Judged, Severity, Subject, Verdict};
use emp_job::{JobEvent, error_text, fingerprint};
use emp_query::moment_literal;
use emp_statistics::benjamini_hochberg;
use emp_units as units;

use super::detect::{self, Suspicion, Windows};
use super::frame::{self, Frame};
use super::investigation::{Investigation, InvestigationError};

/// Findings with a larger share of false ones are not shown.
const Q_MAX: f64 = 0.01;
const DAY_MS: i64 = 24 * 3_600_000;
const HOUR_MS: i64 = 3_600_000;
/// Why not all could be judged.
const NO_BASELINE: &str = "too few events to judge rates, latencies, error shares and silences: they need an hour of \
     earlier events, of the same hour of other days or of the last 24 hours";
/// An error that was not seen for that long is new.
const SEEN_MS: i64 = 7 * DAY_MS;
/// Rows of a baseline that are looked at.
const ROWS_MAX: usize = 3_000_000;

impl Investigation<'_> {
    /// What is unusual now.
    ///
    /// # Errors
    /// As [`Investigation::open`].
    pub async fn anomalies(&self) -> Result<Anomalies, InvestigationError> {
        let windows = Windows::at(self.now_ms());
        let frame = self.frame(&windows).await?;
        let mut found: Vec<Suspicion> = Vec::new();
        let base = detect::baseline(&frame, &windows);
        let lack = base.is_none().then(|| NO_BASELINE.to_owned());
        if let Some(base) = base {
            found.extend(detect::rates(&frame, &windows, &base));
            found.extend(detect::latencies(&frame, &windows, &base));
            found.extend(detect::error_shares(&frame, &windows, &base));
            found.extend(detect::silences(&frame, &windows, &base));
        }
        found.extend(detect::outliers(&frame, &windows));
        found.extend(detect::skews(&frame, &windows));
        let mut anomalies = significant(found, &windows);
        anomalies.extend(self.new_errors(&windows).await?);
        let judged = self.diagnose_all(self.now_ms() - HOUR_MS).await?;
        anomalies.extend(of_jobs(&judged, &windows));
        Ok(Anomalies { found: merged(anomalies), lack })
    }

    /// The last day, and the same hours of the days before.
    async fn frame(&self, windows: &Windows) -> Result<Frame, InvestigationError> {
        let mut ranges = vec![(windows.now_ms - DAY_MS - windows.length_ms, windows.now_ms)];
        for days in 2..=detect::BASE_DAYS {
            let (from_ms, until_ms) = windows.same_hours(days);
            if windows.is_same_class(from_ms) {
                ranges.push((from_ms, until_ms));
            }
        }
        let ranges = ranges.iter().map(|(from_ms, until_ms)| {
            format!("(ingested_at >= {} and ingested_at < {})", moment_literal(*from_ms), moment_literal(*until_ms))
        });
        let condition = ranges.collect::<Vec<_>>().join(" or ");
        let sql = format!("select {} from events where {condition} limit {ROWS_MAX}", frame::COLUMNS);
        Ok(Frame::new(&self.engine().sql(&sql).await?.batches().await?)?)
    }

    /// Errors that were not seen in the days before.
    async fn new_errors(&self, windows: &Windows) -> Result<Vec<Anomaly>, InvestigationError> {
        let condition = format!(
            "level = 'error' and ingested_at >= {} and ingested_at <= {}",
            moment_literal(windows.now_ms - SEEN_MS),
            moment_literal(windows.now_ms)
        );
        let mut known: HashSet<(String, String)> = HashSet::new();
        let mut new: BTreeMap<(String, String), Vec<JobEvent>> = BTreeMap::new();
        let mut oldest_ms = windows.now_ms;
        for event in self.events(&condition, usize::MAX).await? {
            oldest_ms = oldest_ms.min(event.arrived_ms);
            let Some(text) = error_text(&event.data) else { continue };
            let key = (event.service.clone(), fingerprint(&text));
            if event.arrived_ms < windows.begins_ms() {
                known.insert(key);
            } else {
                new.entry(key).or_default().push(event);
            }
        }
        // Without half a day of earlier errors no error can be called new.
        if windows.begins_ms() - oldest_ms < DAY_MS / 2 {
            return Ok(Vec::new());
        }
        new.retain(|key, _| !known.contains(key));
        Ok(new.into_iter().map(|(key, events)| new_error(key, &events, windows)).collect())
    }
}

fn new_error((service, _): (String, String), events: &[JobEvent], windows: &Windows) -> Anomaly {
    let jobs: HashSet<&str> = events.iter().filter_map(|event| event.job_id.as_deref()).collect();
    let text = events.first().and_then(|event| error_text(&event.data)).unwrap_or_default();
    let event_type = events.first().map(|event| event.event_type.clone());
    let is_alert = events.len() >= 3 && jobs.len() >= 2;
    Anomaly {
        kind: AnomalyKind::NewError,
        severity: if is_alert { Severity::Alert } else { Severity::Note },
        subject: Subject { service: Some(service), event_type, ..Subject::default() },
        value: events.len() as f64,
        baseline: Some(0.0),
        n: events.len() as u64,
        p: None,
        q: None,
        window: windows.shown(),
        message: format!(
            "an error that was not seen for 7 days: {text} ({} of {})",
            units::counted(events.len(), "event", "events"),
            units::counted(jobs.len(), "job", "jobs")
        ),
    }
}

/// Stuck jobs, silent workers and retry loops, one anomaly a cause; missing steps, one a step.
fn of_jobs(judged: &Judged, windows: &Windows) -> Vec<Anomaly> {
    let mut found = Vec::new();
    for group in &judged.groups {
        let kind = match group.verdict {
            Verdict::Stuck | Verdict::ClaimedNotStarted | Verdict::Waiting => AnomalyKind::Stuck,
            Verdict::WorkerSilent => AnomalyKind::Silence,
            Verdict::RetryLoop => AnomalyKind::RetryLoop,
            _ => continue,
        };
        let Some(example) = judged.example(group) else { continue };
        let worker_id = group.culprit.id.clone().filter(|_| group.culprit.kind == Some(CulpritKind::Worker));
        let job_id = (group.jobs.len() == 1).then(|| group.jobs[0].clone());
        let count = units::counted(group.jobs.len(), "job", "jobs");
        found.push(Anomaly {
            kind,
            severity: Severity::Alert,
            subject: Subject { worker_id, job_id, ..Subject::default() },
            value: group.jobs.len() as f64,
            baseline: Some(0.0),
            n: judged.jobs as u64,
            p: None,
            q: None,
            window: windows.shown(),
            message: format!(
                "{count} {}: {}: {}",
                group.verdict.as_str().replace('_', " "),
                example.job_id,
                example.reason
            ),
        });
    }
    let mut lacking: HashMap<(String, String), Vec<&str>> = HashMap::new();
    for lack in &judged.missing_steps {
        lacking
            .entry((lack.event_type.clone(), lack.worker_id.clone().unwrap_or_default()))
            .or_default()
            .push(&lack.job_id);
    }
    for ((event_type, worker), jobs) in lacking {
        let count = units::counted(jobs.len(), "completed job has", "completed jobs have");
        let on = if worker.is_empty() { String::new() } else { format!(" on {worker}") };
        found.push(Anomaly {
            kind: AnomalyKind::MissingStep,
            severity: if jobs.len() >= 3 { Severity::Alert } else { Severity::Note },
            subject: Subject {
                worker_id: Some(worker).filter(|worker| !worker.is_empty()),
                event_type: Some(event_type.clone()),
                job_id: (jobs.len() == 1).then(|| jobs[0].to_owned()),
                ..Subject::default()
            },
            value: jobs.len() as f64,
            baseline: Some(0.0),
            n: judged.jobs as u64,
            p: None,
            q: None,
            window: windows.shown(),
            message: format!("{count} no {event_type}{on}, which 99 of 100 have: {}", jobs[0]),
        });
    }
    found
}

/// The suspicions of which few are false.
fn significant(found: Vec<Suspicion>, windows: &Windows) -> Vec<Anomaly> {
    let p_values: Vec<f64> = found.iter().filter_map(|one| one.p).collect();
    let mut q_values = benjamini_hochberg(&p_values).into_iter();
    let judged = found.into_iter().filter_map(|one| {
        let q = one.p.and_then(|_| q_values.next());
        (one.is_large && q.is_none_or(|q| q <= Q_MAX)).then(|| Anomaly {
            kind: one.kind,
            severity: one.severity,
            subject: one.subject,
            value: one.value,
            baseline: one.baseline,
            n: one.n,
            p: one.p,
            q,
            window: windows.shown(),
            message: one.message,
        })
    });
    judged.collect()
}

/// Findings about one worker, machine or job become one incident, told by the gravest.
fn merged(mut anomalies: Vec<Anomaly>) -> Vec<Anomaly> {
    anomalies.sort_by(|a, b| (a.severity, a.kind, &a.subject).cmp(&(b.severity, b.kind, &b.subject)));
    let mut incidents: Vec<Anomaly> = Vec::new();
    for anomaly in anomalies {
        let subject = &anomaly.subject;
        let same = incidents.iter_mut().find(|other| {
            let is_same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
            is_same(&other.subject.worker_id, &subject.worker_id)
                || is_same(&other.subject.machine_id, &subject.machine_id)
                || is_same(&other.subject.job_id, &subject.job_id)
        });
        match same {
            Some(other) => other.message += &format!("; and {}: {}", anomaly.kind.as_str(), anomaly.message),
            None => incidents.push(anomaly),
        }
    }
    incidents
}
