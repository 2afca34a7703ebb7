//! What changed, on a screen.

use std::io::{self, Write};

use emp_findings::{Change, ChangeKind, Changes, Implied, command, moment_word};
use emp_units as units;

use super::grid::fit;
use super::page::{Cell, Page};
use super::paint::{BOLD, DIM, ERROR, PLAIN, WARN};
use super::{Screen, clock};

/// Of what goes with a change so many are named.
const NAMED_MAX: usize = 4;
/// A subject is cut where the line would be longer.
const GAPS: usize = 4;

/// Writes what changed, the most important first.
///
/// # Errors
/// What `out` says.
pub fn write_changes(out: &mut dyn Write, screen: &Screen, changes: &Changes) -> io::Result<()> {
    let mut page = Page::new(out, screen);
    let range = |[from, until]: [emp_findings::Moment; 2]| {
        let from = clock(screen, from.0, "%Y-%m-%d %H:%M:%S");
        format!("{from} → {}", clock(screen, until.0, "%Y-%m-%d %H:%M:%S"))
    };
    let headline = match changes.changes.len() {
        0 if !changes.can_compare() => "Nothing to compare".to_owned(),
        0 => "Nothing significant has changed".to_owned(),
        count => units::counted(count, "change", "changes"),
    };
    page.paragraph(if changes.changes.is_empty() { BOLD } else { WARN.bold() }, &headline)?;
    let events = |count: u64| units::counted(count as usize, "event", "events");
    page.paragraph(DIM, &format!("after   {}, {}", range(changes.after), events(changes.after_events)))?;
    page.paragraph(DIM, &format!("before  {}, {}", range(changes.before), events(changes.before_events)))?;
    if let Some(jobs) = &changes.jobs {
        let rate = |rate: f64| units::decimal(units::tenth(rate));
        let (before, after) = (rate(jobs.before_per_hour), rate(jobs.after_per_hour));
        page.paragraph(DIM, &format!("jobs    {before} → {after} an hour, by {}", jobs.event_type))?;
    }
    for change in &changes.changes {
        write_change(&mut page, screen, change)?;
    }
    if !changes.notes.is_empty() {
        page.section("Notes")?;
        page.list(WARN, &changes.notes)?;
    }
    page.next(&next(changes))?;
    out.flush()
}

fn write_change(page: &mut Page<'_>, screen: &Screen, change: &Change) -> io::Result<()> {
    let how = (if change.is_bad() { ERROR } else { WARN }, change.change.as_str().to_owned());
    let statistics = statistics(change);
    let taken = how.1.chars().count() + statistics.chars().count() + GAPS;
    let subject = format!("{} {}", change.kind.in_words(), change.what);
    let subject = fit(&subject, screen.width.map(|width| width.saturating_sub(taken)));
    page.paragraph(PLAIN, "")?;
    let words: [Cell; 3] = [how, (BOLD, subject), (DIM, statistics)];
    page.line(&words)?;
    page.list(PLAIN, std::slice::from_ref(&change.words))?;
    if change.implies.is_empty() {
        return Ok(());
    }
    page.list(DIM, &[format!("with it: {}", implied(change))])
}

fn statistics(change: &Change) -> String {
    format!(
        "n = {} → {}, q = {}",
        units::count(change.before_count),
        units::count(change.after_count),
        units::probability(change.q_value)
    )
}

fn implied(change: &Change) -> String {
    let is_same = |one: &&Implied| one.kind == change.kind && one.what == change.what;
    let same = change.implies.iter().filter(is_same).count();
    let others: Vec<&Implied> = change.implies.iter().filter(|one| !is_same(one)).collect();
    let same = (same > 0)
        .then(|| format!("the same in {}", units::counted(same, "other type of event", "other types of events")));
    let named = others.iter().take(NAMED_MAX);
    let named = named.map(|one| format!("{} {} {}", one.kind.in_words(), one.what, one.change.as_str()));
    let more = others.len().saturating_sub(NAMED_MAX);
    let more = (more > 0).then(|| format!("and {more} more"));
    same.into_iter().chain(named).chain(more).collect::<Vec<_>>().join(", ")
}

/// What to type next about the first changes.
fn next(changes: &Changes) -> Vec<String> {
    let [since, until] = changes.after.map(|moment| moment_word(moment.0));
    let mut next: Vec<String> = Vec::new();
    for change in &changes.changes {
        let by_key = ["perf", "--by", change.key.as_deref().unwrap_or_default()];
        let words = match change.kind {
            ChangeKind::ErrorText | ChangeKind::ErrorShare => &["search", "--errors"][..],
            ChangeKind::Outcome => continue,
            ChangeKind::MissingStep => &["search", "--event-type", &change.what],
            ChangeKind::Service | ChangeKind::Machine | ChangeKind::Worker | ChangeKind::WorkerSpeed => &["workers"],
            ChangeKind::Connector if change.key.is_some() => &by_key,
            ChangeKind::Connector | ChangeKind::Latency | ChangeKind::EventType | ChangeKind::Jobs => &["perf"],
        };
        let command = command(&[words, &["--since", &since, "--until", &until]].concat());
        if !next.contains(&command) {
            next.push(command);
        }
    }
    next.truncate(3);
    next
}
