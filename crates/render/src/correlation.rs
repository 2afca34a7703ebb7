//! What belongs to a job, and what slow jobs have in common, on a screen.

use std::io::{self, Write};

use emp_findings::{ComparedStep, Correlation, Evidence, OtherJob, Speed, WhySlow, command, moment_word};
use emp_units as units;

use super::page::{Heading, Page};
use super::paint::{BOLD, DIM, ERROR, PLAIN, WARN};
use super::{Screen, clock};

/// Writes what happened in connection with a job.
///
/// # Errors
/// What `out` says.
pub fn write_correlation(out: &mut dyn Write, screen: &Screen, correlation: &Correlation) -> io::Result<()> {
    let mut page = Page::new(out, screen);
    let [from, until] = correlation.window;
    let from = clock(screen, from.0, "%Y-%m-%d %H:%M:%S");
    let until = clock(screen, until.0, "%H:%M:%S");
    page.paragraph(BOLD, &format!("Job {} · {from} → {until}", correlation.job_id))?;
    page.section("Events of its trace that are not its own")?;
    match correlation.trace.as_slice() {
        [] => page.list(DIM, &["none".to_owned()])?,
        events => events_of(&mut page, screen, events)?,
    }
    if let Some(same) = &correlation.same_worker {
        let jobs = units::counted(same.jobs.len(), "other job", "other jobs");
        page.section(&format!("{} in the same minutes: {jobs}", same.worker_id))?;
        jobs_of(&mut page, &same.jobs)?;
        events_of(&mut page, screen, &same.events)?;
    }
    if let Some(same) = &correlation.same_error {
        page.section(&format!("The same error elsewhere, half an hour before and after: {}", same.error))?;
        match same.jobs.as_slice() {
            [] => page.list(PLAIN, &["no other job had it: it is of this job".to_owned()])?,
            jobs => {
                jobs_of(&mut page, jobs)?;
                let workers = same.workers.iter().map(|(worker, errors)| format!("{worker} ×{errors}"));
                page.list(PLAIN, &[format!("by worker: {}", workers.collect::<Vec<_>>().join(", "))])?;
            }
        }
    }
    if !correlation.notes.is_empty() {
        page.section("Notes")?;
        page.list(WARN, &correlation.notes)?;
    }
    page.next(&correlation.next)?;
    out.flush()
}

fn events_of(page: &mut Page<'_>, screen: &Screen, events: &[Evidence]) -> io::Result<()> {
    let rows = events.iter().map(|shown| {
        let time = clock(screen, shown.timestamp.0, "%H:%M:%S%.3f");
        vec![(PLAIN, time), (BOLD, shown.event_type.clone()), (PLAIN, shown.note.clone())]
    });
    page.table(&[Heading::left(""), Heading::left(""), Heading::left("")], &rows.collect::<Vec<_>>())
}

fn jobs_of(page: &mut Page<'_>, jobs: &[OtherJob]) -> io::Result<()> {
    let rows = jobs.iter().map(|job| {
        let errors = if job.errors == 0 { String::new() } else { units::counted(job.errors, "error", "errors") };
        let events = units::counted(job.events, "event", "events");
        vec![(BOLD, job.job_id.clone()), (PLAIN, events), (ERROR, errors), (DIM, job.last_event.clone())]
    });
    let headings = [Heading::left(""), Heading::right(""), Heading::left(""), Heading::left("").hide(1)];
    page.table(&headings, &rows.collect::<Vec<_>>())
}

/// Writes what slow jobs have in common.
///
/// # Errors
/// What `out` says.
pub fn write_why_slow(out: &mut dyn Write, screen: &Screen, why: &WhySlow) -> io::Result<()> {
    let mut page = Page::new(out, screen);
    let [from, until] = why.window.map(|moment| clock(screen, moment.0, "%Y-%m-%d %H:%M:%S"));
    let jobs = units::counted(why.jobs, "job", "jobs");
    page.paragraph(
        BOLD,
        &format!(
            "{} of {jobs} that ended {from} → {until} took twice as long as half of their kind, or longer",
            why.slow
        ),
    )?;
    if why.traits.is_empty() {
        return page.paragraph(PLAIN, "They have nothing in common that the others have not as well.");
    }
    page.section("What they have in common")?;
    let share = |hits: u64, all: u64| format!("{hits} of {all} ({:.0} %)", hits as f64 / all.max(1) as f64 * 100.0);
    let rows = why.traits.iter().map(|one| {
        vec![
            (BOLD, format!("{}={}", one.key, one.value)),
            (WARN, share(one.slow_with, one.with)),
            (PLAIN, share(one.slow_without, one.without)),
            (WARN, speed(screen, one.speed.as_ref())),
            (DIM, units::probability(one.p)),
            (DIM, units::probability(one.q)),
        ]
    });
    let headings = [
        Heading::left("trait").with_both_ends(),
        Heading::right("slow with it"),
        Heading::right("slow without"),
        Heading::left("against others").hide(3),
        Heading::right("p").hide(2),
        Heading::right("q").hide(1),
    ];
    page.table(&headings, &rows.collect::<Vec<_>>())?;
    let [from, until] = why.window.map(|moment| moment_word(moment.0));
    let range = ["--since", &from, "--until", &until];
    page.next(&[
        command(&[&["diagnose", "--all"][..], &range].concat()),
        command(&[&["perf", "--by", "worker_id"][..], &range].concat()),
    ])?;
    out.flush()
}

/// `×5.0 since 01:03:10`.
fn speed(screen: &Screen, speed: Option<&Speed>) -> String {
    let since = |speed: &Speed| clock(screen, speed.since.0, "%H:%M:%S");
    speed.map(|speed| format!("{} since {}", units::factor(speed.factor), since(speed))).unwrap_or_default()
}

/// Writes two jobs side by side, or a job beside what is typical.
///
/// # Errors
/// What `out` says.
pub fn write_comparison(
    out: &mut dyn Write,
    screen: &Screen,
    (left, right): (&str, &str),
    steps: &[ComparedStep],
) -> io::Result<()> {
    let mut page = Page::new(out, screen);
    page.paragraph(BOLD, &format!("{left} (left) beside {right} (right), each since its beginning"))?;
    let shown = |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), units::millis);
    let rows = steps.iter().map(|step| {
        let difference = step.left_step_ms.zip(step.right_step_ms).map(|(left, right)| left - right);
        let is_far = step.left_step_ms.zip(step.right_step_ms).is_some_and(|(left, right)| {
            (left - right).abs() >= 1_000.0 && (left >= 3.0 * right || right >= 3.0 * left)
        });
        let is_missing = step.left_at_ms.is_none() || step.right_at_ms.is_none();
        let style = if is_far || is_missing { WARN } else { PLAIN };
        let difference = difference.map_or_else(String::new, |ms| {
            if ms > 0.0 { format!("+{}", units::millis(ms)) } else { units::millis(ms) }
        });
        vec![
            (style, step.event_type.clone()),
            (PLAIN, shown(step.left_at_ms)),
            (PLAIN, shown(step.right_at_ms)),
            (style, shown(step.left_step_ms)),
            (style, shown(step.right_step_ms)),
            (style, difference),
        ]
    });
    let headings = [
        Heading::left("step"),
        Heading::right("left at").hide(2),
        Heading::right("right at").hide(1),
        Heading::right("left took"),
        Heading::right("right took"),
        Heading::right("difference"),
    ];
    page.table(&headings, &rows.collect::<Vec<_>>())?;
    out.flush()
}
