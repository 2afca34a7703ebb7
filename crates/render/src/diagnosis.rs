//! A diagnosis on a screen: the verdict first.

use std::io::{self, Write};

use anstyle::Style;

use emp_findings::{BudgetPart, Confidence, Diagnosis, Group, Judged, Life, Verdict, WorkerState, command};
use emp_units as units;

use super::page::{Heading, Page, bar};
use super::paint::{BOLD, DIM, ERROR, PLAIN, WARN, of_service};
use super::{Screen, clock};

/// Jobs named in a group.
const JOBS_SHOWN_MAX: usize = 6;

/// Writes what is the matter with a job, for a person.
///
/// # Errors
/// What `out` says.
pub fn write_diagnosis(out: &mut dyn Write, screen: &Screen, diagnosis: &Diagnosis) -> io::Result<()> {
    let mut page = Page::new(out, screen);
    let (mark, style) = mark(diagnosis.verdict);
    let confidence = match diagnosis.confidence {
        Confidence::Proven => "proven",
        Confidence::Likely => "likely",
        Confidence::Guess => "a guess",
    };
    let verdict = diagnosis.verdict.as_str().replace('_', " ");
    page.line(&[
        (style.bold(), format!("{mark} {}", verdict.to_uppercase())),
        (BOLD, diagnosis.job_id.clone()),
        (DIM, confidence.to_owned()),
    ])?;
    page.paragraph(PLAIN, &format!("{}.", diagnosis.reason))?;
    write_facts(&mut page, screen, diagnosis)?;
    write_budget(&mut page, &diagnosis.budget)?;
    if !diagnosis.evidence.is_empty() {
        page.section("Evidence")?;
        let rows = diagnosis.evidence.iter().map(|shown| {
            let time = clock(screen, shown.timestamp.0, "%H:%M:%S%.3f");
            vec![(PLAIN, time), (BOLD, shown.event_type.clone()), (PLAIN, shown.note.clone())]
        });
        page.table(&[Heading::left(""), Heading::left(""), Heading::left("")], &rows.collect::<Vec<_>>())?;
    }
    if !diagnosis.ruled_out.is_empty() {
        page.section("Ruled out")?;
        page.list(PLAIN, &diagnosis.ruled_out)?;
    }
    if !diagnosis.completeness.notes.is_empty() {
        page.section(if diagnosis.completeness.complete { "Notes" } else { "Not all is known" })?;
        page.list(WARN, &diagnosis.completeness.notes)?;
    }
    page.next(&diagnosis.next)?;
    out.flush()
}

fn write_facts(page: &mut Page<'_>, screen: &Screen, diagnosis: &Diagnosis) -> io::Result<()> {
    let mut facts = Vec::new();
    if let Some(culprit) = diagnosis.culprit.named() {
        facts.push(vec![(DIM, "culprit".to_owned()), (BOLD, culprit)]);
    }
    if let Some(since) = diagnosis.since {
        facts.push(vec![(DIM, "since".to_owned()), (PLAIN, clock(screen, since.0, "%Y-%m-%d %H:%M:%S"))]);
    }
    if let Some(last) = &diagnosis.last_event {
        let at = clock(screen, last.timestamp.0, "%Y-%m-%d %H:%M:%S");
        let text = format!("{} from {} at {at}", last.event_type, last.service);
        facts.push(vec![(DIM, "last event".to_owned()), (PLAIN, text)]);
    }
    if diagnosis.same_cause.jobs > 0 {
        let same = &diagnosis.same_cause;
        let jobs = units::counted(same.jobs, "other job", "other jobs");
        let more = if same.examples.len() < same.jobs { ", …" } else { "" };
        let text = format!("{jobs}: {}{more}", same.examples.join(", "));
        facts.push(vec![(DIM, "same cause".to_owned()), (PLAIN, text)]);
    }
    if facts.is_empty() {
        return Ok(());
    }
    page.paragraph(PLAIN, "")?;
    page.table(&[Heading::left(""), Heading::left("")], &facts)
}

/// Where the time went, part by part.
pub(super) fn write_budget(page: &mut Page<'_>, budget: &[BudgetPart]) -> io::Result<()> {
    if budget.is_empty() {
        return Ok(());
    }
    let total: i64 = budget.iter().map(|part| part.ms).sum();
    page.section(&format!("Where the time went: {}", units::millis(total as f64)))?;
    let rows = budget.iter().map(|part| {
        let typical = part.typical_ms.map(units::millis).unwrap_or_default();
        let times = part.typical_ms.filter(|typical| *typical >= 1.0).map(|typical| part.ms as f64 / typical);
        let is_far = times.is_some_and(|times| times >= 3.0) && part.share >= 0.05;
        let style = if is_far { WARN } else { PLAIN };
        vec![
            (style, part.part.clone()),
            (of_service(&part.service), part.service.clone()),
            (style, units::millis(part.ms as f64)),
            (PLAIN, percent(part.share)),
            (style, bar(part.share)),
            (DIM, typical),
            (style, times.filter(|times| *times >= 1.5).map(units::factor).unwrap_or_default()),
        ]
    });
    let headings = [
        Heading::left("part"),
        Heading::left("service").hide(2),
        Heading::right("took"),
        Heading::right("share"),
        Heading::left("").hide(3),
        Heading::right("typical"),
        Heading::right("").hide(1),
    ];
    page.table(&headings, &rows.collect::<Vec<_>>())
}

/// Writes every unhealthy job of a range, grouped by cause, for a person.
///
/// # Errors
/// What `out` says.
pub fn write_judged(out: &mut dyn Write, screen: &Screen, judged: &Judged) -> io::Result<()> {
    let mut page = Page::new(out, screen);
    let from = clock(screen, judged.since.0, "%Y-%m-%d %H:%M:%S");
    let until = clock(screen, judged.until.0, "%Y-%m-%d %H:%M:%S");
    let jobs = units::counted(judged.jobs, "job", "jobs");
    let found = judged.unhealthy.len();
    let style = if found == 0 { PLAIN } else { ERROR };
    let headline = match found {
        0 => format!("Nothing is wrong with the {jobs} of {from} → {until}"),
        found => format!("{} of {jobs} of {from} → {until} need a look", units::count(found as u64)),
    };
    page.paragraph(style.bold(), &headline)?;
    page.list(WARN, &judged.notes)?;
    for worker in &judged.workers {
        write_worker(&mut page, screen, worker)?;
    }
    for group in &judged.groups {
        write_group(&mut page, group, judged)?;
    }
    let next: Vec<String> = judged.groups.iter().filter_map(|group| group.jobs.first()).take(3).cloned().collect();
    page.next(&next.iter().map(|job| command(&["diagnose", job])).collect::<Vec<_>>())?;
    out.flush()
}

/// A worker of which nothing is heard any more, or that died with a job.
fn write_worker(page: &mut Page<'_>, screen: &Screen, worker: &WorkerState) -> io::Result<()> {
    let at = clock(screen, worker.last_heard.0, "%Y-%m-%d %H:%M:%S");
    let said = match (worker.life, worker.started_without_its_jobs()) {
        (Life::Silent, _) | (_, None) => format!("✗ worker {} silent since {at}", worker.worker_id),
        (_, Some(again)) => {
            let again = clock(screen, again.0, "%Y-%m-%d %H:%M:%S");
            format!("✗ worker {} died with a job, and started again at {again}", worker.worker_id)
        }
    };
    page.paragraph(PLAIN, "")?;
    page.paragraph(ERROR, &said)?;
    let lost = worker.lost.iter().map(|lost| match (&lost.taken_by, lost.after_ms) {
        (Some(by), Some(ms)) => format!("{}: {by} took it after {}", lost.job_id, units::millis(ms as f64)),
        _ => format!("{}: nobody has taken it since", lost.job_id),
    });
    let has = worker.jobs.iter().map(|job| format!("{job}: it still has it"));
    page.list(PLAIN, &lost.chain(has).take(JOBS_SHOWN_MAX).collect::<Vec<_>>())
}

fn write_group(page: &mut Page<'_>, group: &Group, judged: &Judged) -> io::Result<()> {
    let (mark, style) = mark(group.verdict);
    let culprit = group.behind().map(|culprit| format!(": {culprit}")).unwrap_or_default();
    let count = units::counted(group.jobs.len(), "job", "jobs");
    page.paragraph(PLAIN, "")?;
    page.paragraph(style, &format!("{mark} {count} {}{culprit}", group.verdict.as_str().replace('_', " ")))?;
    let example = judged.example(group);
    if let Some(example) = example {
        page.list(PLAIN, &[format!("{}: {}", example.job_id, example.reason)])?;
    }
    if group.jobs.len() > 1 {
        let more = if group.jobs.len() > JOBS_SHOWN_MAX { ", …" } else { "" };
        let others = group.jobs.iter().filter(|job| example.is_none_or(|example| example.job_id != **job));
        let named: Vec<&str> = others.take(JOBS_SHOWN_MAX).map(String::as_str).collect();
        page.list(DIM, &[format!("and {}{more}", named.join(", "))])?;
    }
    Ok(())
}

fn mark(verdict: Verdict) -> (&'static str, Style) {
    match verdict {
        Verdict::Done | Verdict::Running => ("✓", of_service("api-server")),
        Verdict::Waiting | Verdict::RunningSlow | Verdict::DoneSlow | Verdict::NoData => ("!", WARN),
        _ => ("✗", ERROR),
    }
}

fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.005 { "<1 %".to_owned() } else { format!("{:.0} %", share * 100.0) }
}
