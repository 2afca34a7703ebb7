//! The report as one page.

use std::io::{self, Write};

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use plotters::style::RGBColor;

use emp_findings::Severity;
use emp_render::{sentence, visible};
use emp_units as units;

use super::charts::{self, ChartError, color_of};
use super::data::{Report, Section};
use super::gather::STEPS_MAX;
use super::tables::{self, Table};

pub(super) const STYLE: &str = include_str!("style.css");
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The page may load nothing: should a text of an event ever get out of its place, it still cannot.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

impl Report {
    /// Writes the page.
    ///
    /// # Errors
    /// What `out` says; a chart that cannot be drawn as [`io::ErrorKind::Other`].
    pub fn write_html(&self, out: &mut dyn Write) -> io::Result<()> {
        let page = self.page().map_err(io::Error::other)?;
        out.write_all(page.into_string().as_bytes())?;
        out.flush()
    }

    /// A moment as the report's clock shows it.
    pub(super) fn clock(&self, ms: i64) -> String {
        let moment = Timestamp::from_millisecond(ms).map(|moment| moment.to_zoned_datetime(self.zone.clone()));
        moment.map_or_else(|_| ms.to_string(), |moment| moment.strftime("%Y-%m-%d %H:%M:%S").to_string())
    }

    /// Does the store reach back over all of the range that is compared with?
    pub(super) fn is_before_whole(&self) -> bool {
        let slack_ms = self.question.length_ms() / 10;
        self.before.first_ms.is_some_and(|first_ms| first_ms - self.question.against_ms <= slack_ms)
    }

    /// What the report is about, in a sentence or two.
    pub(super) fn window(&self) -> String {
        let question = &self.question;
        let before = match self.before.events {
            0 => "There is nothing to compare with before that.".to_owned(),
            events => format!(
                "Compared with the same length of time from {}, which has {}{}.",
                self.clock(question.against_ms),
                units::counted(events as usize, "event", "events"),
                if self.is_before_whole() { "" } else { " and begins before the store does" }
            ),
        };
        format!(
            "From {} to {}, {}; jobs and anomalies as of {}. {before} Times are of {}. By emp-events {VERSION}.",
            self.clock(question.since_ms),
            self.clock(question.until_ms),
            units::millis(question.length_ms() as f64),
            self.clock(self.now_ms),
            self.zone.iana_name().unwrap_or("a fixed offset"),
        )
    }

    fn page(&self) -> Result<Markup, ChartError> {
        let sections: [(&str, &str, Markup); 10] = [
            ("wrong", "What is wrong now", self.wrong()),
            ("changed", "What changed", self.changed()),
            ("rates", "Events per minute", self.rates()?),
            ("latency", "Latency by event type", self.latency()?),
            ("handoffs", "Handoffs between services", self.handoffs()?),
            ("jobs", "Slowest jobs", self.jobs()?),
            ("gaps", "Gaps by class", self.gaps()?),
            ("errors", "Errors by fingerprint", self.errors()),
            ("anomalies", "Anomalies", self.anomalies()),
            ("completeness", "Completeness", self.completeness()),
        ];
        Ok(html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    link rel="icon" href="data:,";
                    title { "Performance report · " (self.clock(self.question.until_ms)) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    header {
                        h1 { "Performance report" }
                        p.soft { (self.window()) }
                        nav { @for (id, title, _) in &sections { a href={ "#" (id) } { (title) } } }
                    }
                    main {
                        (self.figures())
                        @for (id, title, content) in &sections {
                            section id=(id) { h2 { (title) } (content) }
                        }
                    }
                }
            }
        })
    }

    fn figures(&self) -> Markup {
        html! {
            dl.figures {
                @for figure in tables::figures(self) {
                    div { dt { (figure.name) } dd { (figure.value) small.soft { (figure.change) } } }
                }
            }
        }
    }

    fn wrong(&self) -> Markup {
        let alerts = self.anomalies.found.iter().filter(|one| one.severity == Severity::Alert);
        // An alert about a job repeats what its group says, and is left out.
        let said = |message: &str| self.judged.unhealthy.iter().any(|one| message.contains(&one.reason));
        let alerts = alerts.map(|one| &one.message).filter(|message| !said(message));
        let alerts: Vec<String> = alerts.map(|message| sentence(message, &self.zone)).collect();
        html! {
            @if self.judged.groups.is_empty() && alerts.is_empty() {
                p.good { "✓ Nothing, with the " (units::counted(self.judged.jobs, "job", "jobs")) " of the last hour." }
            } @else {
                ul.findings {
                    @for group in &self.judged.groups {
                        @let (what, why) = tables::group(self, group);
                        li { strong.bad { (what) } " " (why) }
                    }
                    @for alert in &alerts { li { strong.warn { "alert" } " " (alert) } }
                }
                @if let Some(job) = self.judged.groups.first().and_then(|group| group.jobs.first()) {
                    p.soft { "More: " code { "emp-events diagnose " (visible(job)) } }
                }
            }
        }
    }

    fn changed(&self) -> Markup {
        let changes = tables::changes(self);
        html! {
            @if changes.rows.is_empty() {
                p.soft { "Nothing significant, compared with the earlier range." }
            } @else {
                (table(&changes))
            }
            @for note in tables::notes_on_changes(self) { p.warn { (note) } }
        }
    }

    fn rates(&self) -> Result<Markup, ChartError> {
        if self.totals.events == 0 {
            return Ok(nothing("There are no events in this range."));
        }
        let services = &self.rates.content.services;
        let figure = html! {
            ul.legend {
                @for (service, rates) in services {
                    @let highest = rates.iter().copied().fold(0.0, f64::max);
                    li { (swatch(color_of(self, service))) (visible(service)) span.soft { " at most " (units::decimal(highest)) " a minute" } }
                }
            }
            (PreEscaped(charts::rates(self)?))
        };
        Ok(self.figure("Events per minute by service, on top of each other", &figure, &self.rates))
    }

    fn latency(&self) -> Result<Markup, ChartError> {
        if self.latencies.content.is_empty() {
            return Ok(nothing("No event says how long it took."));
        }
        let chart = html! { (PreEscaped(charts::latencies(&self.latencies.content)?)) };
        let label = "Line: 5 to 95 of 100. Bar: the middle half. Tick: the median. Dot: 99 of 100.";
        let mut courses = Vec::new();
        for (index, (event_type, _)) in self.course.content.event_types.iter().enumerate() {
            courses.push((visible(event_type), charts::course(self, &self.course.content, index)?));
        }
        let course = html! {
            div.pair {
                @for (event_type, chart) in &courses { div { h3 { (event_type) } (PreEscaped(chart)) } }
            }
        };
        Ok(html! {
            (self.figure(label, &chart, &self.latencies))
            (table(&tables::latencies(self)))
            p.soft { "A change in brackets may be chance: Mann–Whitney's test, two-sided, corrected for all rows, q above 0.01." }
            h3 { "Over time" }
            (self.figure("Blue: the median. Orange: 95 of 100.", &course, &self.course))
        })
    }

    fn handoffs(&self) -> Result<Markup, ChartError> {
        if self.handoffs.content.is_empty() {
            return Ok(nothing("No job went from one service to another."));
        }
        let chart = html! { (PreEscaped(charts::handoffs(self)?)) };
        let label =
            "How many jobs went from service to service, and within what time 95 of 100 did. Orange: the slowest.";
        Ok(html! { (self.figure(label, &chart, &self.handoffs)) (table(&tables::handoffs(self))) })
    }

    fn jobs(&self) -> Result<Markup, ChartError> {
        if self.jobs.content.is_empty() {
            return Ok(nothing("There are no jobs in this range."));
        }
        let mut drawn = Vec::new();
        for job in &self.jobs.content {
            drawn.push((visible(&job.job_id), charts::timeline(job, usize::MAX)?, job.is_cut));
        }
        let figure = html! {
            (table(&tables::jobs(self)))
            @for (job_id, chart, is_cut) in &drawn {
                h3 { (job_id) }
                (PreEscaped(chart))
                @if *is_cut { p.soft { "Of its last " (units::count(STEPS_MAX as u64)) " events; it has more." } }
                p.soft { code { "emp-events timeline " (job_id) } }
            }
        };
        let label =
            "Blue: work. Red: work that failed. Orange: a silence that is unusual for its class. Ticks: events.";
        Ok(self.figure(label, &figure, &self.jobs))
    }

    fn gaps(&self) -> Result<Markup, ChartError> {
        if self.gaps.content.is_empty() {
            return Ok(nothing("No job was silent for 5 seconds or longer."));
        }
        let chart = html! { (PreEscaped(charts::gaps(&self.gaps.content)?)) };
        let label = "Silences of 5 seconds or longer between these events. Blue: the median. Orange: 95 of 100. Red: the longest.";
        Ok(html! { (self.figure(label, &chart, &self.gaps)) (table(&tables::gaps(self))) })
    }

    fn errors(&self) -> Markup {
        if self.errors.content.is_empty() {
            return html! { p.good { "✓ There are no errors in this range." } };
        }
        self.figure(
            "Errors whose texts differ only in ids and numbers are one",
            &table(&tables::errors(self)),
            &self.errors,
        )
    }

    fn anomalies(&self) -> Markup {
        html! {
            @if self.anomalies.found.is_empty() {
                p.good { "✓ Nothing unusual as of " (self.clock(self.now_ms)) "." }
            } @else {
                (table(&tables::anomalies(self)))
            }
            @if let Some(lack) = &self.anomalies.lack { p.warn { (lack) } }
        }
    }

    fn completeness(&self) -> Markup {
        html! {
            ul {
                @for (is_good, sentence) in tables::completeness(self) {
                    li class=(if is_good { "good" } else { "warn" }) { (sentence) }
                }
            }
        }
    }

    /// A chart with what it shows, and where that is from.
    fn figure<T>(&self, label: &str, content: &Markup, section: &Section<T>) -> Markup {
        html! {
            figure aria-label=(label) {
                figcaption.soft { (label) }
                (content)
                details {
                    summary {
                        (units::counted(self.totals.events as usize, "event", "events")) ", "
                        (self.clock(self.question.since_ms)) " → " (self.clock(self.question.until_ms))
                        ", emp-events " (VERSION) ": how this was asked"
                    }
                    @if let Some(command) = &section.command { pre { code { (command) } } }
                    pre { code { (section.sql) } }
                }
            }
        }
    }
}

fn nothing(why: &str) -> Markup {
    html! { p.soft { (why) } }
}

fn swatch(RGBColor(red, green, blue): RGBColor) -> Markup {
    html! { i style={ "background:" (format!("#{red:02x}{green:02x}{blue:02x}")) } {} }
}

fn table(table: &Table) -> Markup {
    let class = |column: usize| match table.headers.get(column) {
        Some(header) if header.is_number => Some("number"),
        Some(header) if header.name == "over time" => Some("bars"),
        Some(header) if header.name.ends_with("job") => Some("id"),
        _ => None,
    };
    html! {
        div.scroll {
            table {
                thead { tr { @for (column, header) in table.headers.iter().enumerate() { th class=[class(column)] { (header.name) } } } }
                tbody {
                    @for row in &table.rows {
                        tr { @for (column, cell) in row.iter().enumerate() { td class=[class(column)] { (cell) } } }
                    }
                }
            }
        }
    }
}
