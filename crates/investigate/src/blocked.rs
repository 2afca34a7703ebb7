//! Jobs that wait for other jobs.

use std::collections::BTreeSet;

use emp_findings::{Confidence, Culprit, CulpritKind, Diagnosis, Evidence, Verdict, command};
use emp_job::{History, State};
use emp_units as units;

use super::judge::{Case, Finding, clock, judge, lasting};

/// The job waits for others: with it is wrong what is wrong with one of them. Which these are their own events say.
pub(super) fn blocked(case: &Case<'_>, index: usize) -> Finding {
    let event = &case.history.events()[index];
    let waits_ms = case.history.now_ms() - event.happened_ms();
    let children: Vec<(&str, &History)> = case.around.children(case.job_id).collect();
    let open = children.iter().filter(|(_, child)| child.terminal().is_none()).count();
    let which = match (children.len(), open) {
        (0, _) => "no event says which these are".to_owned(),
        (known, 0) => format!("{} known, and ended", units::counted(known, "of them is", "of them are")),
        (known, open) => format!(
            "of {}, {} not ended",
            units::counted(known, "that is known", "that are known"),
            units::counted(open, "has", "have")
        ),
    };
    let mut finding = Finding::new(
        Verdict::Waiting,
        Confidence::Proven,
        format!("It waits for other jobs for {}, since {}: {which}", lasting(waits_ms), clock(event.happened_ms())),
    );
    finding.evidence.push(Evidence::new(event, "since then it waits for other jobs"));
    finding.next.push(command(&["search", "--text", case.job_id, "--last", "3h"]));
    if let Some(trouble) = trouble(case) {
        put_down_to(&trouble, &mut finding);
    } else if open == 0
        && let Some(overdue) = case.overdue(&event.event_type, waits_ms)
    {
        finding.confidence = Confidence::Guess;
        finding.reason += &format!(", and such a wait is {}", overdue.usual);
        finding.since_ms = Some(event.happened_ms());
        finding.culprit = Culprit::new(CulpritKind::Job, Some(case.job_id));
    }
    finding
}

/// What is the matter with the first of the jobs that it waits for, or that these wait for, with which something is.
fn trouble(case: &Case<'_>) -> Option<Diagnosis> {
    let mut seen = BTreeSet::from([case.job_id]);
    let mut waited_for = vec![case.job_id];
    while let Some(job) = waited_for.pop() {
        for (child, history) in case.around.children(job) {
            if !seen.insert(child) {
                continue;
            }
            if let State::Blocked(_) = history.state() {
                waited_for.push(child);
                continue;
            }
            let diagnosis = judge(child, history, case.typical, case.around);
            // One that has failed may be all that keeps the others waiting; one that was slow is done.
            if diagnosis.is_unwell() && !history.is_completed() {
                return Some(diagnosis);
            }
        }
    }
    None
}

fn put_down_to(trouble: &Diagnosis, finding: &mut Finding) {
    let verdict = trouble.verdict.as_str().replace('_', " ");
    finding.reason += &format!("; {} is {verdict}: {}", trouble.job_id, trouble.reason);
    finding.confidence = trouble.confidence;
    finding.culprit = match trouble.culprit.kind {
        Some(_) => trouble.culprit.clone(),
        None => Culprit::new(CulpritKind::Job, Some(&trouble.job_id)),
    };
    finding.since_ms = trouble.since.map(|since| since.0);
    finding.cause = trouble.cause.clone();
    finding.next.insert(0, command(&["diagnose", &trouble.job_id]));
}
