//! What is said about all jobs of a range of time.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Culprit, CulpritKind, Diagnosis, Moment, Verdict, WorkerState};

/// Every job of a range of time with which something is the matter: what `diagnose --all` answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// When the range begins.
    pub since: Moment,
    /// When it ends.
    pub until: Moment,
    /// How many jobs were looked at.
    pub jobs: usize,
    /// Those with which something is the matter, by cause: the most urgent verdict and then the cause of most jobs
    /// first.
    pub groups: Vec<Group>,
    /// What is the matter with each of them: the most urgent and latest first.
    pub unhealthy: Vec<Diagnosis>,
    /// Events that completed jobs lack, which almost all of their kind have.
    pub missing_steps: Vec<MissingStep>,
    /// Workers that are silent, or that died with a job, whoever has taken it since.
    pub workers: Vec<WorkerState>,
    /// What to know beside it, such as what was not looked at.
    pub notes: Vec<String>,
}

/// An event that a completed job lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissingStep {
    /// The job.
    pub job_id: String,
    /// The event that it lacks.
    pub event_type: String,
    /// Who had the job.
    pub worker_id: Option<String>,
}

/// Jobs with one cause.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// What is the matter.
    pub verdict: Verdict,
    /// Who is behind it; nobody in particular where it is each of several jobs itself.
    pub culprit: Culprit,
    /// What they have in common where nobody is behind it in particular, such as `connectorType=comfyui`.
    pub shared: Option<String>,
    /// What its jobs have in common beside that, such as the text of an error with ids and numbers masked.
    pub cause: Option<String>,
    /// The jobs.
    pub jobs: Vec<String>,
}

impl Group {
    /// Who is behind it, else what its jobs share; nothing of a job that is itself to blame.
    pub fn behind(&self) -> Option<String> {
        let culprit = self.culprit.named().filter(|_| self.culprit.kind != Some(CulpritKind::Job));
        culprit.or_else(|| self.shared.clone())
    }
}

impl Judged {
    /// Groups diagnoses by verdict and cause, and where no cause is known by verdict and culprit; jobs without either by
    /// what they share.
    pub fn new(
        since_ms: i64,
        until_ms: i64,
        jobs: usize,
        mut unhealthy: Vec<Diagnosis>,
        shared: &BTreeMap<String, String>,
    ) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for diagnosis in &unhealthy {
            let culprit = match diagnosis.culprit.kind {
                Some(CulpritKind::Job) => Culprit::default(),
                _ => diagnosis.culprit.clone(),
            };
            let (verdict, cause) = (diagnosis.verdict, diagnosis.cause.clone());
            let is_alone = culprit.kind.is_none() && cause.is_none();
            let shared = shared.get(&diagnosis.job_id).filter(|_| is_alone).cloned();
            let is_same = |group: &&mut Group| {
                let is_of_culprit = group.culprit == culprit && group.shared == shared;
                group.verdict == verdict && group.cause == cause && (cause.is_some() || is_of_culprit)
            };
            match groups.iter_mut().find(is_same) {
                Some(group) => group.jobs.push(diagnosis.job_id.clone()),
                None => groups.push(Group { verdict, culprit, shared, cause, jobs: vec![diagnosis.job_id.clone()] }),
            }
        }
        groups.iter_mut().for_each(|group| group.culprit = culprit_of(group, &unhealthy));
        groups.sort_by_key(|group| (group.verdict.urgency(), Reverse(group.jobs.len()), group.verdict));
        unhealthy.sort_by_key(|one| (one.verdict.urgency(), Reverse(one.since)));
        let (since, until) = (Moment(since_ms), Moment(until_ms));
        let (missing_steps, workers, notes) = (Vec::new(), Vec::new(), Vec::new());
        Self { since, until, jobs, groups, unhealthy, missing_steps, workers, notes }
    }

    /// Since when something is the matter with a group: with the first of its jobs.
    pub fn since_of(&self, group: &Group) -> Option<Moment> {
        let of_group = self.unhealthy.iter().filter(|diagnosis| group.jobs.contains(&diagnosis.job_id));
        of_group.filter_map(|diagnosis| diagnosis.since).min()
    }

    /// What is the matter with the job of a group that shows its cause best: the first that blames whom the group does.
    pub fn example(&self, group: &Group) -> Option<&Diagnosis> {
        let of_group = || self.unhealthy.iter().filter(|diagnosis| group.jobs.contains(&diagnosis.job_id));
        of_group().find(|diagnosis| diagnosis.culprit == group.culprit).or_else(|| of_group().next())
    }
}

/// Whom most jobs of a group blame, themselves left aside; of a job alone whomever it blames.
fn culprit_of(group: &Group, unhealthy: &[Diagnosis]) -> Culprit {
    if let [job] = group.jobs.as_slice() {
        let own = unhealthy.iter().find(|diagnosis| diagnosis.job_id == *job);
        return own.map(|own| own.culprit.clone()).unwrap_or_default();
    }
    let mut blamed: BTreeMap<&Culprit, usize> = BTreeMap::new();
    for diagnosis in unhealthy.iter().filter(|diagnosis| group.jobs.contains(&diagnosis.job_id)) {
        if !matches!(diagnosis.culprit.kind, None | Some(CulpritKind::Job)) {
            *blamed.entry(&diagnosis.culprit).or_default() += 1;
        }
    }
    blamed.into_iter().max_by_key(|(_, jobs)| *jobs).map(|(culprit, _)| culprit.clone()).unwrap_or_default()
}
