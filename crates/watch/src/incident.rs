//! Incidents of one moment, by the judgement of `anomalies` and `diagnose --all`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use emp_findings::{
    Anomalies, Anomaly, AnomalyKind, Culprit, CulpritKind, Diagnosis, Group, Judged, Severity, Urgency, Verdict,
    command,
};
use emp_job::{Meaning, fingerprint, vocabulary};

/// Jobs by which an incident is known again; one of more jobs is known by its other names, too.
const JOBS_MAX: usize = 200;
/// Jobs that a message names.
pub(super) const EXAMPLES_MAX: usize = 5;

/// Something that is wrong, as it was seen at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// What kind: that of an anomaly, or the verdict on jobs.
    pub kind: String,
    /// Does somebody have to look?
    pub is_alert: bool,
    /// Was it measured over a window of time? Then it comes and goes where it is near a limit.
    pub is_measured: bool,
    /// The verdict on its jobs, where it has some.
    pub verdict: Option<String>,
    /// Who is behind it.
    pub who: Option<String>,
    /// Since when, in ms since the epoch, where that is known.
    pub since_ms: Option<i64>,
    /// How many jobs it has.
    pub jobs: usize,
    /// Some of them.
    pub examples: Vec<String>,
    /// In a sentence.
    pub message: String,
    /// What to type to see more.
    pub command: String,
    /// Where the page shows it, below the page's address.
    pub path: String,
    /// Is it one of several jobs that have nothing in common but the verdict? Those that are seen first at one moment are
    /// told together, and one that follows for itself.
    pub is_loose: bool,
    /// May something else that is wrong have brought it about? While that is told, this is a part of it.
    #[serde(default)]
    pub follows: bool,
    /// Does it make jobs wait, take longer or stay away?
    #[serde(default)]
    pub holds_up: bool,
    /// Is it over? Then it is no reason to call anybody, and what was told of it ends.
    #[serde(default)]
    pub is_over: bool,
    /// By what it is known again at the next look: it is the same as one that shares any of these.
    pub about: BTreeSet<String>,
}

/// What is wrong at a moment: each anomaly with the jobs that it has, and as notes jobs that are not well otherwise.
pub fn seen(anomalies: &Anomalies, judged: &Judged) -> Vec<Seen> {
    let mut seen: Vec<Seen> = anomalies.found.iter().flat_map(|anomaly| of_anomaly(anomaly, judged)).collect();
    for group in &judged.groups {
        // Who is done and was slow waits for nobody.
        if group.verdict.urgency() == Urgency::Done {
            continue;
        }
        let of_jobs = of_group(group, judged);
        if !seen.iter().any(|one| one.is_same(&of_jobs.about)) {
            seen.push(of_jobs);
        }
    }
    seen
}

/// That nobody stores events, or somebody does and is behind: then silence proves nothing.
pub fn without_collector(words: &str) -> Seen {
    Seen {
        kind: "not_collected".to_owned(),
        is_alert: true,
        is_measured: false,
        verdict: None,
        who: None,
        since_ms: None,
        jobs: 0,
        examples: Vec::new(),
        message: words.to_owned(),
        command: command(&["health"]),
        path: "health".to_owned(),
        is_loose: false,
        follows: false,
        holds_up: false,
        is_over: false,
        about: BTreeSet::from(["collector".to_owned()]),
    }
}

impl Seen {
    /// Is it the one that is known by those?
    pub fn is_same(&self, about: &BTreeSet<String>) -> bool {
        !self.about.is_disjoint(about)
    }
}

/// What an anomaly is: one incident, or where its jobs have nothing in common one for each of them.
fn of_anomaly(anomaly: &Anomaly, judged: &Judged) -> Vec<Seen> {
    // Who is done and was slow shows that something is slow, and needs no look.
    let is_urgent = |group: &&Group| group.verdict.urgency() != Urgency::Done;
    let groups = judged.groups.iter().filter(is_urgent).filter(|group| is_of(group, anomaly, judged));
    let groups: Vec<&Group> = groups.collect();
    match groups.as_slice() {
        [group] if anomaly.subject.worker_id.is_none() && group.behind().is_none() && group.cause.is_none() => {
            let of_group = judged.unhealthy.iter().filter(|one| group.jobs.contains(&one.job_id));
            of_group.map(|one| of_job(anomaly, group, one)).collect()
        }
        groups => vec![of_all(anomaly, groups, judged)],
    }
}

fn of_job(anomaly: &Anomaly, group: &Group, diagnosis: &Diagnosis) -> Seen {
    let job = &diagnosis.job_id;
    Seen {
        kind: anomaly.kind.as_str().to_owned(),
        is_alert: anomaly.severity == Severity::Alert,
        is_measured: false,
        verdict: Some(group.verdict.as_str().to_owned()),
        who: None,
        since_ms: diagnosis.since.map(|since| since.0),
        jobs: 1,
        examples: vec![job.clone()],
        message: format!("{job}: {}", diagnosis.reason),
        command: command(&["diagnose", job]),
        path: format!("job/{}", in_path(job)),
        is_loose: true,
        follows: false,
        holds_up: holds_up(anomaly, &[group]),
        is_over: false,
        about: BTreeSet::from([format!("job {job}")]),
    }
}

fn of_all(anomaly: &Anomaly, groups: &[&Group], judged: &Judged) -> Seen {
    let subject = &anomaly.subject;
    let mut about = BTreeSet::new();
    about.extend(subject.worker_id.iter().map(|worker| format!("worker {worker}")));
    about.extend(subject.machine_id.iter().map(|machine| format!("machine {machine}")));
    about.extend(subject.job_id.iter().map(|job| format!("job {job}")));
    if about.is_empty() {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        about.insert(format!("{} {} {}", anomaly.kind.as_str(), part(&subject.service), part(&subject.event_type)));
    }
    about.extend(anomaly.shared.iter().cloned());
    // A service's errors are one incident, whatever they are seen by; so is a service of which nothing comes.
    if let Some(service) = &subject.service {
        match anomaly.kind {
            AnomalyKind::NewError | AnomalyKind::ErrorShare => _ = about.insert(format!("errors of {service}")),
            AnomalyKind::Silence => _ = about.insert(format!("service {service}")),
            _ => {}
        }
    }
    let jobs: Vec<String> = groups.iter().flat_map(|group| group.jobs.iter().cloned()).collect();
    about.extend(jobs.iter().take(JOBS_MAX).map(|job| format!("job {job}")));
    about.extend(groups.iter().filter_map(|group| behind(&group.culprit)));
    about.extend(groups.iter().filter_map(|group| group.cause.clone()));
    about.extend(cause_of(anomaly));
    let since = groups.iter().filter_map(|group| judged.since_of(group)).chain(anomaly.since).min();
    let who = subject.worker_id.as_ref().map(|worker| format!("worker {worker}"));
    let who = who.or_else(|| subject.machine_id.as_ref().map(|machine| format!("machine {machine}")));
    let who = who.or_else(|| anomaly.shared.clone());
    let who = who.or_else(|| groups.iter().find_map(|group| group.behind()));
    let who = who.or_else(|| subject.service.as_ref().map(|service| format!("service {service}")));
    let (command, path) = match (subject.job_id.as_ref().or(jobs.first()), &subject.worker_id) {
        (Some(job), _) => (command(&["diagnose", job]), format!("job/{}", in_path(job))),
        (None, Some(_)) => (command(&["workers"]), "workers".to_owned()),
        (None, None) => (command(&["anomalies"]), "anomalies".to_owned()),
    };
    Seen {
        kind: anomaly.kind.as_str().to_owned(),
        is_alert: anomaly.severity == Severity::Alert,
        is_measured: !matches!(anomaly.kind, AnomalyKind::Silence | AnomalyKind::Stuck | AnomalyKind::RetryLoop),
        verdict: groups.first().map(|group| group.verdict.as_str().to_owned()),
        who,
        since_ms: since.map(|since| since.0),
        jobs: jobs.len().max(usize::from(subject.job_id.is_some())),
        examples: examples(jobs.iter().chain(&subject.job_id)),
        message: anomaly.message.clone(),
        command,
        path,
        is_loose: false,
        follows: follows(anomaly),
        holds_up: holds_up(anomaly, groups),
        is_over: anomaly.until.is_some(),
        about,
    }
}

/// The text of a new error without ids and numbers, as the jobs that fail by it have it.
fn cause_of(anomaly: &Anomaly) -> Option<String> {
    let example = anomaly.example.as_ref().filter(|_| anomaly.kind == AnomalyKind::NewError)?;
    Some(fingerprint(example))
}

/// What something else may have brought about: that an event takes longer of which nobody in particular is slow, that a
/// service has nothing to say, or says more or less.
fn follows(anomaly: &Anomaly) -> bool {
    match anomaly.kind {
        AnomalyKind::RateSurge | AnomalyKind::RateDrop => true,
        // A connector that is slow is known by its name; a wait for a worker is always for something.
        AnomalyKind::Latency => anomaly.shared.is_none() || is_wait(anomaly),
        AnomalyKind::Silence => anomaly.subject.worker_id.is_none(),
        _ => false,
    }
}

/// Is it a wait for a worker that takes longer?
fn is_wait(anomaly: &Anomaly) -> bool {
    let event_type = anomaly.subject.event_type.as_deref().unwrap_or_default();
    vocabulary().meaning_anywhere(event_type) == Some(Meaning::Claimed)
}

/// What may bring such things about: many jobs that are held, tried again or slow, a worker that is gone, a clock.
fn holds_up(anomaly: &Anomaly, groups: &[&Group]) -> bool {
    match anomaly.kind {
        AnomalyKind::Outlier | AnomalyKind::Latency | AnomalyKind::NewError | AnomalyKind::ErrorShare => true,
        AnomalyKind::RetryLoop | AnomalyKind::Silence | AnomalyKind::Skew => true,
        AnomalyKind::Stuck => groups.iter().any(|group| group.verdict == Verdict::Waiting),
        AnomalyKind::RateSurge | AnomalyKind::RateDrop | AnomalyKind::MissingStep => false,
    }
}

/// Are those jobs what the anomaly is about? By their worker, by a job that both name, or by the example in its words.
fn is_of(group: &Group, anomaly: &Anomaly, judged: &Judged) -> bool {
    let worker = group.culprit.id.as_ref().filter(|_| group.culprit.kind == Some(CulpritKind::Worker));
    let subject = &anomaly.subject;
    let is_of_worker = worker.is_some() && worker == subject.worker_id.as_ref();
    let has_job = subject.job_id.as_ref().is_some_and(|job| group.jobs.contains(job));
    let is_told = judged.example(group).is_some_and(|example| {
        let words = format!("{}: {}", example.job_id, example.reason);
        anomaly.message.contains(&words)
    });
    is_of_worker || has_job || is_told
}

fn of_group(group: &Group, judged: &Judged) -> Seen {
    let mut about: BTreeSet<String> = group.jobs.iter().take(JOBS_MAX).map(|job| format!("job {job}")).collect();
    about.extend(behind(&group.culprit));
    about.extend(group.cause.iter().map(|cause| format!("{} {cause}", group.verdict.as_str())));
    let reason = judged.example(group).map(|example| format!("{}: {}", example.job_id, example.reason));
    let job = group.jobs.first().map(String::as_str).unwrap_or_default();
    Seen {
        kind: group.verdict.as_str().to_owned(),
        is_alert: false,
        is_measured: false,
        verdict: Some(group.verdict.as_str().to_owned()),
        who: group.behind(),
        since_ms: judged.since_of(group).map(|since| since.0),
        jobs: group.jobs.len(),
        examples: examples(&group.jobs),
        message: reason.unwrap_or_default(),
        command: command(&["diagnose", job]),
        path: format!("job/{}", in_path(job)),
        is_loose: false,
        follows: false,
        holds_up: false,
        is_over: false,
        about,
    }
}

/// Who is behind it, as a name by which it is known again; what many have in common is none.
fn behind(culprit: &Culprit) -> Option<String> {
    let is_one = matches!(
        culprit.kind,
        Some(
            CulpritKind::Worker
                | CulpritKind::Machine
                | CulpritKind::Queue
                | CulpritKind::Connector
                | CulpritKind::Service
        )
    );
    culprit.named().filter(|_| is_one)
}

fn examples<'a>(jobs: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let mut examples: Vec<String> = Vec::new();
    for job in jobs {
        if examples.len() < EXAMPLES_MAX && !examples.contains(job) {
            examples.push(job.clone());
        }
    }
    examples
}

fn in_path(id: &str) -> String {
    percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC).to_string()
}
