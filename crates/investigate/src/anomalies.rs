//! What is unusual now, compared with what is usual at this hour of the week.

use std::collections::{BTreeMap, BTreeSet};

use emp_findings::{
    Anomalies, Anomaly, AnomalyKind, Culprit, CulpritKind, Group, Judged, Moment, Severity, Subject, Unit, Verdict,
    WorkerState,
};
use emp_job::{History, Meaning, vocabulary};
use emp_statistics::{benjamini_hochberg, fisher_more};
use emp_typical::Typical;
use emp_units as units;

use super::clocks::Clocks;
use super::detect::{self, DAY_MS, HOUR_MS, RARE_A_DAY, Suspicion, Windows};
use super::investigation::{Answering, Investigation, InvestigationError};
use super::shared::name_what_is_shared;
use super::surroundings::Surroundings;
use super::workers::in_words;

/// Findings with a larger share of false ones are not shown.
const Q_MAX: f64 = 0.01;
/// That some jobs lack what a few always lack is no news, unless it is less likely than this.
const P_WORTH_A_NOTE: f64 = 0.05;
/// So many jobs of one worker that lack what no job of their kind ever lacked are no chance.
const STEPLESS_MIN: usize = 2;
/// What takes longer by less than this share of a whole job is only good to know, and so is a wait for a worker by less
/// than that one.
const FELT_SHARE: f64 = 0.1;
const FELT_SHARE_OF_WAITS: f64 = 0.5;
/// Why not all could be judged.
const NO_BASELINE: &str = "too few events to judge rates, latencies, error shares and silences of services: they need \
     an hour of earlier events, of the same hour of other days or of the last 24 hours";

impl Investigation<'_> {
    /// What is unusual now.
    ///
    /// # Errors
    /// As [`Investigation::open`].
    pub async fn anomalies(&self) -> Result<Anomalies, InvestigationError> {
        Ok(self.anomalies_and_jobs().await?.0)
    }

    /// The same, and what is the matter with the jobs of the last hour, by one look at both.
    ///
    /// # Errors
    /// As [`Investigation::open`].
    pub fn anomalies_and_jobs(&self) -> Answering<'_, (Anomalies, Judged)> {
        Box::pin(async move {
            let windows = Windows::at(self.now_ms());
            let past = self.past(&windows).await?;
            let counts = self.counts(&[windows.range()], windows.now_ms).await?;
            let (judged, around) = self.look_at_all(self.now_ms() - HOUR_MS).await?;
            let mut found: Vec<Suspicion> = Vec::new();
            let lack = past.base.is_none().then(|| NO_BASELINE.to_owned());
            if let Some(base) = &past.base {
                found.extend(detect::rates(&counts, &past, base));
                let mut slower = self.latencies(&windows, &past, &around).await?;
                slower.iter_mut().for_each(|one| self.weigh(one));
                found.extend(slower);
                found.extend(detect::error_shares(&counts, &windows, &past, base));
                found.extend(self.silences(&counts, &windows, (&past, base)).await?);
            }
            found.extend(detect::slow_ones(around.speeds(self.typical()), &windows));
            found.extend(self.failing_workers(&windows).await?);
            found.extend(self.clocks_of_day(&windows).await?.suspicions());
            let mut anomalies = significant(found, &windows);
            anomalies.extend(self.new_errors(&windows, &past).await?);
            anomalies.extend(judged.workers.iter().map(|worker| of_worker(worker, &windows)));
            anomalies.extend(waits_together(of_jobs(&judged, self.typical(), &around, &windows), &judged, &around));
            anomalies.extend(self.missing_steps(&judged, &around, &windows));
            name_what_is_shared(&mut anomalies, &around, &windows);
            let lack =
                lack.into_iter().chain(judged.notes.iter().cloned()).reduce(|lack, note| format!("{lack}; {note}"));
            Ok((Anomalies { found: merged(anomalies), lack }, judged))
        })
    }

    /// Whether anybody feels that events take longer: by how long jobs take as a whole.
    fn weigh(&self, suspicion: &mut Suspicion) {
        let more_ms = suspicion.value - suspicion.baseline.unwrap_or_default();
        let event_type = suspicion.subject.event_type.as_deref().unwrap_or_default();
        let is_wait = vocabulary().meaning_anywhere(event_type) == Some(Meaning::Claimed);
        let share = if is_wait { FELT_SHARE_OF_WAITS } else { FELT_SHARE };
        let is_felt = self.typical().usual_total_ms().is_none_or(|total_ms| more_ms >= share * total_ms);
        if !is_felt {
            suspicion.severity = Severity::Note;
        }
    }

    /// The clocks that are ahead in the window, and since when within the last day.
    async fn clocks_of_day(&self, windows: &Windows) -> Result<Clocks, InvestigationError> {
        let clocks = self.clocks(windows.begins_ms()).await?;
        if !clocks.have_begun_by(windows.begins_ms() + HOUR_MS / 2) {
            return Ok(clocks);
        }
        Ok(self.clocks(windows.now_ms - DAY_MS).await?.seen_since(windows.begins_ms()))
    }
}

/// A worker that is silent, or that died with a job.
fn of_worker(worker: &WorkerState, windows: &Windows) -> Anomaly {
    Anomaly {
        kind: AnomalyKind::Silence,
        severity: Severity::Alert,
        subject: Subject { worker_id: Some(worker.worker_id.clone()), ..Subject::default() },
        value: (windows.now_ms - worker.last_heard.0) as f64,
        baseline: worker.habit_ms,
        unit: Unit::Ms,
        since: worker.since.or(worker.lost.first().map(|lost| lost.since)).or(worker.restarted),
        until: None,
        n: worker.events,
        p: None,
        q: None,
        window: windows.shown(),
        message: in_words(worker, windows.now_ms),
        shared: None,
        example: None,
    }
}

/// Stuck jobs, silent workers and retry loops, one anomaly a cause.
fn of_jobs(judged: &Judged, typical: &Typical, around: &Surroundings, windows: &Windows) -> Vec<Anomaly> {
    let mut found = Vec::new();
    for group in &judged.groups {
        let kind = match group.verdict {
            Verdict::Stuck | Verdict::ClaimedNotStarted | Verdict::Waiting | Verdict::WebhookUndelivered => {
                AnomalyKind::Stuck
            }
            Verdict::WorkerSilent => AnomalyKind::Silence,
            Verdict::RetryLoop => AnomalyKind::RetryLoop,
            _ => continue,
        };
        let Some(example) = judged.example(group) else { continue };
        let worker_id = group.culprit.id.clone().filter(|_| group.culprit.kind == Some(CulpritKind::Worker));
        if kind == AnomalyKind::Silence && judged.workers.iter().any(|one| Some(&one.worker_id) == worker_id.as_ref()) {
            continue;
        }
        // A silent worker is one alert, whatever jobs it has from one look to the next.
        let job_id = (group.jobs.len() == 1 && kind != AnomalyKind::Silence).then(|| group.jobs[0].clone());
        let count = units::counted(group.jobs.len(), "job", "jobs");
        let is_usual = group.verdict == Verdict::Waiting && is_wait_of_now_and_then(group, judged, typical, around);
        found.push(Anomaly {
            kind,
            severity: if is_usual { Severity::Note } else { Severity::Alert },
            subject: Subject { worker_id, job_id, ..Subject::default() },
            value: group.jobs.len() as f64,
            baseline: Some(0.0),
            unit: Unit::Jobs,
            since: judged.since_of(group),
            until: None,
            n: judged.jobs as u64,
            p: None,
            q: None,
            window: windows.shown(),
            message: format!(
                "{count} {}{}: {}: {}",
                group.verdict.as_str().replace('_', " "),
                behind(&group.culprit),
                example.job_id,
                example.reason
            ),
            shared: None,
            example: None,
        });
    }
    found
}

/// Is it one job alone that waits, no longer than jobs of its kind do now and then, while others are taken?
fn is_wait_of_now_and_then(group: &Group, judged: &Judged, typical: &Typical, around: &Surroundings) -> bool {
    let ([job], Some(queue)) = (group.jobs.as_slice(), &group.culprit.id) else { return false };
    if group.culprit.kind != Some(CulpritKind::Queue) {
        return false;
    }
    let (Some(history), Some(since)) = (around.history(job), judged.since_of(group)) else { return false };
    if around.pause(history.queue(), history.now_ms()).is_some() || around.living.alive().next().is_none() {
        return false;
    }
    let last = history.last();
    let waits = typical.state(history.job_type(), &last.event_type);
    let claims = around.queues().worked(Some(queue)).iter().chain(around.queues().worked(None));
    let hours = (history.now_ms() - around.whole_since_ms()).max(HOUR_MS) as f64 / HOUR_MS as f64;
    let claims_a_day = claims.filter(|worked| worked.from_ms >= around.whole_since_ms()).count() as f64 / hours * 24.0;
    let as_long = waits.at_least(history.now_ms() - since.0) as f64 + 0.5;
    waits.count() > 0 && claims_a_day * as_long / waits.count() as f64 > RARE_A_DAY
}

/// Queues in which jobs wait at once and that have workers in common are one incident: what keeps these busy, or away.
fn waits_together(found: Vec<Anomaly>, judged: &Judged, around: &Surroundings) -> Vec<Anomaly> {
    let queue_of = |anomaly: &Anomaly| {
        let waits = judged.groups.iter().filter(|group| group.verdict == Verdict::Waiting);
        let mut of_queue = waits.filter(|group| group.culprit.kind == Some(CulpritKind::Queue));
        let group = of_queue
            .find(|group| judged.example(group).is_some_and(|example| anomaly.message.contains(&example.reason)))?;
        group.culprit.id.clone()
    };
    let workers_of = |queue: &str| -> BTreeSet<&str> {
        // Jobs that name no queue are in that one.
        let unnamed = if queue == "default" { around.queues().worked(None) } else { &[] };
        let worked = around.queues().worked(Some(queue)).iter().chain(unnamed);
        worked.filter_map(|worked| worked.worker.as_deref()).collect()
    };
    let mut together: Vec<(Anomaly, BTreeSet<&str>)> = Vec::new();
    let mut others = Vec::new();
    for anomaly in found {
        let Some(queue) = queue_of(&anomaly) else {
            others.push(anomaly);
            continue;
        };
        let workers = workers_of(&queue);
        match together.iter_mut().find(|(_, known)| !known.is_disjoint(&workers)) {
            Some((first, known)) => {
                first.message += &format!("; and {}", anomaly.message);
                first.value += anomaly.value;
                first.since = [first.since, anomaly.since].into_iter().flatten().min();
                first.subject.job_id = None;
                known.extend(workers);
            }
            None => together.push((anomaly, workers)),
        }
    }
    others.extend(together.into_iter().map(|(anomaly, _)| anomaly));
    others
}

impl Investigation<'_> {
    /// Events that completed jobs lack, one anomaly an event and worker. Where jobs of their kind lack it now and then, only
    /// those are told that are more than that lets expect.
    fn missing_steps(&self, judged: &Judged, around: &Surroundings, windows: &Windows) -> Vec<Anomaly> {
        let mut lacking: BTreeMap<(&str, Option<&str>), Vec<&str>> = BTreeMap::new();
        for lack in &judged.missing_steps {
            lacking.entry((&lack.event_type, lack.worker_id.as_deref())).or_default().push(&lack.job_id);
        }
        let told = lacking.into_iter().filter_map(|((event_type, worker), jobs)| {
            let (n, p) = self.more_without(event_type, worker, &jobs, around, windows);
            if p.is_some_and(|p| p > P_WORTH_A_NOTE) {
                return None;
            }
            // One is enough where none of so many ever lacked it that one in five days would be more than is to be expected.
            let is_rare = p.is_none() && self.one_without_a_day(&jobs, around, windows) <= RARE_A_DAY;
            let is_alert = (jobs.len() >= STEPLESS_MIN || is_rare) && p.is_none_or(|p| p <= Q_MAX);
            let count = units::counted(jobs.len(), "completed job has", "completed jobs have");
            let on = worker.map(|worker| format!(" on {worker}")).unwrap_or_default();
            Some(Anomaly {
                kind: AnomalyKind::MissingStep,
                severity: if is_alert { Severity::Alert } else { Severity::Note },
                subject: Subject {
                    worker_id: worker.map(str::to_owned),
                    event_type: Some(event_type.to_owned()),
                    job_id: (jobs.len() == 1).then(|| jobs[0].to_owned()),
                    ..Subject::default()
                },
                value: jobs.len() as f64,
                baseline: Some(0.0),
                unit: Unit::Jobs,
                since: None,
                until: None,
                n,
                p,
                q: None,
                window: windows.shown(),
                message: format!("{count} no {event_type}{on}, which 99 of 100 have: {}", jobs[0]),
                shared: None,
                example: None,
            })
        });
        told.collect()
    }

    /// How many jobs a day may lack by chance what none of their kinds ever lacked: half a one of all that are known
    /// (Jeffreys).
    fn one_without_a_day(&self, jobs: &[&str], around: &Surroundings, windows: &Windows) -> f64 {
        let kinds: BTreeSet<&str> =
            jobs.iter().filter_map(|job| around.history(job)).map(|history| history.job_type()).collect();
        let is_of_window = |history: &History| {
            kinds.contains(history.job_type()) && history.is_completed() && history.end_ms() >= windows.begins_ms()
        };
        let in_window = around.histories().filter(|(_, history)| is_of_window(history)).count() as f64;
        let a_day = in_window * DAY_MS as f64 / windows.length_ms as f64;
        let known: u64 = kinds.into_iter().map(|kind| self.typical().completed(kind)).sum();
        0.5 * a_day / (known as f64).max(1.0)
    }

    /// How many jobs of these kinds that worker completed, and the probability that so many of them lack an event, as jobs of
    /// their kinds lack it else; none where these never do.
    fn more_without(
        &self,
        event_type: &str,
        worker: Option<&str>,
        jobs: &[&str],
        around: &Surroundings,
        windows: &Windows,
    ) -> (u64, Option<f64>) {
        let kinds: BTreeSet<&str> =
            jobs.iter().filter_map(|job| around.history(job)).map(|history| history.job_type()).collect();
        let is_compared = |history: &History| {
            let is_of_worker = history.holder() == worker && kinds.contains(history.job_type());
            is_of_worker && history.is_completed() && history.end_ms() >= windows.begins_ms()
        };
        let n = around.histories().filter(|(_, history)| is_compared(history)).count().max(jobs.len()) as u64;
        let (mut others, mut others_without) = (0, 0.0);
        for kind in kinds {
            let completed = self.typical().completed(kind);
            let usual = self.typical().usual_events(kind, 0.0);
            let share = usual.iter().find(|(name, _)| *name == event_type).map_or(0.0, |(_, share)| *share);
            others += completed;
            others_without += (1.0 - share) * completed as f64;
        }
        let without = others_without.round() as u64;
        (n, (without > 0).then(|| fisher_more(jobs.len() as u64, n, without, others)))
    }
}

/// ` (queue default)`, where it is not the job itself.
fn behind(culprit: &Culprit) -> String {
    match (culprit.kind, &culprit.id) {
        (Some(kind), Some(id)) if kind != CulpritKind::Job => format!(" ({} {id})", kind.as_str()),
        _ => String::new(),
    }
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
            unit: one.unit,
            since: one.since_ms.map(Moment),
            until: one.until_ms.map(Moment),
            n: one.n,
            p: one.p,
            q,
            window: windows.shown(),
            message: one.message,
            shared: one.shared,
            example: None,
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
