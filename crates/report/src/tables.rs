//! The tables of a report, as both the page and the Markdown show them.

use emp_findings::{Anomaly, Change, Group, Severity, Subject};
use emp_render::{sentence, visible};
use emp_units as units;

use super::data::{Report, Totals};

/// Cells as text, not yet escaped.
pub(super) struct Table {
    pub headers: Vec<Header>,
    pub rows: Vec<Vec<String>>,
}

/// The header of a column.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub name: &'static str,
    pub is_number: bool,
}

impl Table {
    /// A `#` before a name says that its column holds numbers.
    fn new(names: &[&'static str], rows: Vec<Vec<String>>) -> Self {
        let header = |name: &&'static str| match name.strip_prefix('#') {
            Some(name) => Header { name, is_number: true },
            None => Header { name, is_number: false },
        };
        Self { headers: names.iter().map(header).collect(), rows }
    }
}

fn millis(value: Option<f64>) -> String {
    value.map(units::millis).unwrap_or_default()
}

fn shown(text: &str) -> String {
    visible(text).into_owned()
}

/// `+12 %`, `−3 %`.
fn percent(change: f64) -> String {
    let value = change * 100.0;
    let digits = if value.abs() >= 10.0 { value.round() } else { units::tenth(value) };
    if digits < 0.0 { format!("−{} %", -digits) } else { format!("+{digits} %") }
}

/// One of the figures at the top.
pub(super) struct Figure {
    pub name: &'static str,
    pub value: String,
    /// Compared with the earlier range.
    pub change: String,
}

/// The figures at the top.
pub(super) fn figures(report: &Report) -> Vec<Figure> {
    let (now, before) = (&report.totals, &report.before);
    let count = |value: i64| units::count(value.max(0) as u64);
    let whole = report.is_before_whole();
    let figure = |name: &'static str, value, total: fn(&Totals) -> Option<f64>| {
        let is_count = !name.contains("within");
        let change = match (total(now), total(before)) {
            _ if before.events == 0 || (is_count && !whole) => String::new(),
            (Some(now), Some(before)) if before > 0.0 => percent(now / before - 1.0),
            (Some(0.0), _) => "none before either".to_owned(),
            _ => "none before".to_owned(),
        };
        Figure { name, value, change }
    };
    vec![
        figure("events", count(now.events), |totals| Some(totals.events as f64)),
        figure("jobs", count(now.jobs), |totals| Some(totals.jobs as f64)),
        figure("completed", count(now.completed), |totals| Some(totals.completed as f64)),
        figure("failed", count(now.failed), |totals| Some(totals.failed as f64)),
        figure("errors", count(now.errors), |totals| Some(totals.errors as f64)),
        figure("half of the jobs within", or_dash(now.job_p50_ms), |totals| totals.job_p50_ms),
        figure("95 of 100 jobs within", or_dash(now.job_p95_ms), |totals| totals.job_p95_ms),
    ]
}

fn or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), units::millis)
}

pub(super) fn latencies(report: &Report) -> Table {
    let rows = report.latencies.content.iter().map(|one| {
        let [_, _, p50, _, p95, p99, max] = one.quantiles;
        let change = match (one.change, one.is_real) {
            (Some(change), Some(true)) => percent(change),
            (Some(change), _) => format!("({})", percent(change)),
            _ => String::new(),
        };
        vec![
            shown(&one.event_type),
            units::count(one.count as u64),
            units::millis(p50),
            units::millis(p95),
            units::millis(p99),
            units::millis(max),
            millis(one.before_p50_ms),
            change,
        ]
    });
    let names = ["event type", "#events", "#p50", "#p95", "#p99", "#longest", "#p50 before", "#change"];
    Table::new(&names, rows.collect())
}

pub(super) fn handoffs(report: &Report) -> Table {
    let rows = report.handoffs.content.iter().map(|one| {
        vec![
            shown(&one.from),
            shown(&one.to),
            units::count(one.count as u64),
            millis(one.p50_ms),
            millis(one.p95_ms),
            millis(one.p99_ms),
            units::count(one.skewed as u64),
            shown(one.worst_job.as_deref().unwrap_or_default()),
        ]
    });
    Table::new(&["from", "to", "#handoffs", "#p50", "#p95", "#p99", "#skewed", "worst job"], rows.collect())
}

pub(super) fn gaps(report: &Report) -> Table {
    let rows = report.gaps.content.iter().map(|one| {
        vec![
            shown(&format!("{} ({})", one.from_event, one.from_service)),
            shown(&format!("{} ({})", one.to_event, one.to_service)),
            units::count(one.count as u64),
            units::millis(one.p50_ms),
            units::millis(one.p95_ms),
            units::millis(one.max_ms),
            shown(&one.worst_job),
        ]
    });
    Table::new(&["after", "before", "#gaps", "#p50", "#p95", "#longest", "worst job"], rows.collect())
}

pub(super) fn jobs(report: &Report) -> Table {
    let rows = report.jobs.content.iter().map(|job| {
        let most = job.judgement.budget.iter().max_by(|a, b| a.share.total_cmp(&b.share));
        let most = most.map(|part| format!("{} {:.0} %", part.part, part.share * 100.0)).unwrap_or_default();
        let heard_of = units::millis((job.history.end_ms() - job.history.start_ms()) as f64);
        vec![
            shown(&job.job_id),
            if job.is_cut { format!("more than {heard_of}") } else { heard_of },
            shown(&most),
            job.history.attempts().to_string(),
            shown(&job.history.last().event_type),
        ]
    });
    Table::new(&["job", "#took", "most of it", "#attempts", "last event"], rows.collect())
}

pub(super) fn errors(report: &Report) -> Table {
    let rows = report.errors.content.iter().map(|one| {
        vec![
            shown(&one.service),
            shown(&one.event_type),
            shown(&one.example),
            units::count(one.count as u64),
            units::count(one.jobs as u64),
            report.clock(one.first_ms),
            report.clock(one.last_ms),
            units::sparkline(&one.course),
        ]
    });
    let names = ["service", "event type", "error, such as", "#times", "#jobs", "first", "last", "over time"];
    Table::new(&names, rows.collect())
}

pub(super) fn anomalies(report: &Report) -> Table {
    let rows = report.anomalies.found.iter().map(|one: &Anomaly| {
        vec![
            if one.severity == Severity::Alert { "alert" } else { "note" }.to_owned(),
            one.kind.as_str().replace('_', " "),
            shown(&subject(&one.subject)),
            sentence(&one.message, &report.zone),
            units::count(one.n),
            one.q.map(units::probability).unwrap_or_default(),
        ]
    });
    Table::new(&["", "kind", "of", "what", "#n", "#q"], rows.collect())
}

/// What is different from the earlier range, as `emp-events changes` says it.
pub(super) fn changes(report: &Report) -> Table {
    let of_change = |change: &Change| {
        let of_kind = change.kind.in_words();
        let also = change.implies.len();
        let also =
            if also > 0 { format!(", and with it {}", units::counted(also, "more", "more")) } else { String::new() };
        vec![
            format!("{} {of_kind}", change.change.as_str()),
            format!("{}{also}", sentence(&change.words, &report.zone)),
            units::count(change.before_count),
            units::count(change.after_count),
            units::probability(change.q_value),
        ]
    };
    let rows = report.changes.iter().flat_map(|changes| &changes.changes).map(of_change);
    Table::new(&["", "what", "#before", "#after", "#q"], rows.collect())
}

/// What limits the comparison.
pub(super) fn notes_on_changes(report: &Report) -> Vec<String> {
    let notes = report.changes.iter().flat_map(|changes| &changes.notes);
    notes.map(|note| sentence(note, &report.zone)).collect()
}

fn subject(subject: &Subject) -> String {
    let parts = [&subject.service, &subject.worker_id, &subject.machine_id, &subject.event_type, &subject.job_id];
    parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" · ")
}

/// What is wrong with the jobs of one cause, in two parts: how many with what, and why.
pub(super) fn group(report: &Report, group: &Group) -> (String, String) {
    let culprit = group.behind().map(|culprit| format!(": {culprit}")).unwrap_or_default();
    let jobs = units::counted(group.jobs.len(), "job", "jobs");
    let what = format!("{jobs} {}{culprit}", group.verdict.as_str().replace('_', " "));
    let example = report.judged.example(group);
    let why = example.map(|one| format!("{}: {}.", one.job_id, one.reason.trim_end_matches('.'))).unwrap_or_default();
    (shown(&what), sentence(&why, &report.zone))
}

/// Whether all is there, a sentence each, and whether it is good.
pub(super) fn completeness(report: &Report) -> Vec<(bool, String)> {
    const NAMED_MAX: usize = 5;
    let complete = &report.completeness;
    let mut said = Vec::new();
    said.push(match complete.ends {
        Some((first, last)) => (true, format!("Events from {} to {}.", report.clock(first), report.clock(last))),
        None => (false, "There are no events in this range.".to_owned()),
    });
    said.push(match complete.lost {
        0 => (true, "Nothing was lost: no event was trimmed before it was read.".to_owned()),
        lost => (
            false,
            format!(
                "{} trimmed before they were read: gaps and silences may be theirs.",
                units::counted(lost as usize, "event was", "events were")
            ),
        ),
    });
    if complete.quarantined > 0 {
        let entries = units::counted(complete.quarantined as usize, "entry", "entries");
        said.push((false, format!("{entries} could not be read as events, and are in quarantine.")));
    }
    said.extend(complete.without_level.iter().map(|note| (false, format!("{note}."))));
    said.extend(complete.clocks.iter().map(|note| {
        let said = note.replacen("the clock", "The clock", 1);
        (false, sentence(&format!("{said}."), &report.zone))
    }));
    for (from, until) in complete.empty.iter().take(NAMED_MAX) {
        said.push((false, format!("No event at all from {} to {}.", report.clock(*from), report.clock(*until))));
    }
    if complete.empty.len() > NAMED_MAX {
        said.push((false, format!("And in {} more stretches.", complete.empty.len() - NAMED_MAX)));
    }
    said
}
