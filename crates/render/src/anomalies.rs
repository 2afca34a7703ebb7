//! What is unusual, on a screen.

use std::io::{self, Write};

use emp_findings::{Anomalies, Anomaly, Backtest, Compared, Severity, Subject, command};
use emp_units as units;

use super::page::{Heading, Page};
use super::paint::{BOLD, DIM, ERROR, PLAIN, WARN};
use super::text::in_zone;
use super::{Screen, clock};

/// Writes what is unusual, alerts first.
///
/// # Errors
/// What `out` says.
pub fn write_anomalies(
    out: &mut dyn Write,
    screen: &Screen,
    now_ms: i64,
    Anomalies { found: anomalies, lack }: &Anomalies,
) -> io::Result<()> {
    let mut page = Page::new(out, screen);
    let at = clock(screen, now_ms, "%Y-%m-%d %H:%M:%S");
    let alerts = anomalies.iter().filter(|one| one.severity == Severity::Alert).count();
    let notes = units::counted(anomalies.len() - alerts, "note", "notes");
    let headline = match alerts {
        0 => format!("No alerts at {at}, {notes}"),
        alerts => format!("{} at {at}, {notes}", units::counted(alerts, "alert", "alerts")),
    };
    page.paragraph(if alerts > 0 { ERROR.bold() } else { BOLD }, &headline)?;
    for one in anomalies {
        let (mark, style) = if one.severity == Severity::Alert { ("✗", ERROR) } else { ("·", WARN) };
        page.paragraph(PLAIN, "")?;
        page.line(&[
            (style, format!("{mark} {}", one.kind.as_str())),
            (BOLD, subject(&one.subject)),
            (DIM, statistics(one)),
        ])?;
        page.list(PLAIN, std::slice::from_ref(&one.message))?;
    }
    if let Some(lack) = lack {
        page.paragraph(PLAIN, "")?;
        page.paragraph(WARN, lack)?;
    }
    let job = anomalies.iter().find_map(|one| one.subject.job_id.as_deref());
    let worker = anomalies.iter().find_map(|one| one.subject.worker_id.as_deref());
    let mut next = vec![command(&["diagnose", "--all", "--last", "1h"])];
    next.extend(job.map(|job| command(&["diagnose", job])));
    next.extend(worker.map(|worker| command(&["search", "--worker-id", worker, "--last", "1h"])));
    page.next(&next)?;
    out.flush()
}

fn write_compared(page: &mut Page<'_>, screen: &Screen, compared: &Compared) -> io::Result<()> {
    let found = compared.incidents.iter().filter(|hit| hit.told.is_some()).count();
    page.section(&format!(
        "{found} of {} told of; {}, {:.2} a day",
        units::counted(compared.incidents.len(), "known incident was", "known incidents were"),
        units::counted(compared.false_alarms, "false alarm", "false alarms"),
        compared.false_alarms_per_day
    ))?;
    let rows = compared.incidents.iter().map(|hit| {
        let told = hit.told_as.zip(hit.after_ms);
        let told = told.map(|(kind, ms)| format!("as {}, after {}", kind.as_str(), units::millis(ms as f64)));
        let (mark, style) = if told.is_some() { ("✓", PLAIN) } else { ("✗", ERROR) };
        vec![
            (style, mark.to_owned()),
            (PLAIN, clock(screen, hit.at.0, "%Y-%m-%d %H:%M")),
            (PLAIN, hit.kind.clone()),
            (BOLD, hit.culprit.clone()),
            (PLAIN, told.unwrap_or_else(|| "not told of".to_owned())),
        ]
    });
    let headings = ["", "began", "kind", "culprit", "told"].map(Heading::left);
    page.table(&headings, &rows.collect::<Vec<_>>())
}

fn statistics(one: &Anomaly) -> String {
    let mut parts = vec![format!("n = {}", units::count(one.n))];
    parts.extend(one.p.map(|p| format!("p = {}", units::probability(p))));
    parts.extend(one.q.map(|q| format!("q = {}", units::probability(q))));
    parts.join(", ")
}

fn subject(subject: &Subject) -> String {
    let Subject { service, worker_id, machine_id, event_type, job_id } = subject;
    let named =
        [("worker", worker_id), ("machine", machine_id), ("job", job_id), ("service", service), ("type", event_type)];
    let named = named.into_iter().find_map(|(kind, name)| Some((kind, name.as_ref()?)));
    named.map_or_else(String::new, |(kind, name)| format!("{kind} {name}"))
}

/// Writes what would have been said over a range of the past.
///
/// # Errors
/// What `out` says.
pub fn write_backtest(out: &mut dyn Write, screen: &Screen, backtest: &Backtest) -> io::Result<()> {
    let mut page = Page::new(out, screen);
    page.paragraph(
        BOLD,
        &format!(
            "{} in {:.1} days: {:.2} a day",
            units::counted(backtest.alerts.len(), "alert", "alerts"),
            backtest.days,
            backtest.alerts_per_day
        ),
    )?;
    let rows = backtest.alerts.iter().map(|alert| {
        vec![
            (PLAIN, clock(screen, alert.from.0, "%Y-%m-%d %H:%M")),
            (PLAIN, clock(screen, alert.until.0, "%H:%M")),
            (ERROR, alert.anomaly.kind.as_str().to_owned()),
            (BOLD, subject(&alert.anomaly.subject)),
            (PLAIN, in_zone(&alert.anomaly.message, &screen.time_zone).into_owned()),
        ]
    });
    let headings = [
        Heading::left("from"),
        Heading::left("until").hide(2),
        Heading::left("kind"),
        Heading::left("subject"),
        Heading::left("").hide(1),
    ];
    page.table(&headings, &rows.collect::<Vec<_>>())?;
    if let Some(compared) = &backtest.compared {
        write_compared(&mut page, screen, compared)?;
    }
    out.flush()
}
