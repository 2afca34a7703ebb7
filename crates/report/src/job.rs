//! One job as one page, to keep: what is wrong with it, where its time went, and each event.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use emp_findings::{Confidence, Diagnosis, Judgement};
use emp_job::{History, JobEvent};
use emp_render::{sentence, visible};
use emp_units as units;

use super::charts::{self, ChartError};
use super::data::SlowJob;
use super::html::{POLICY, STYLE, VERSION};

/// Events that are listed; of more it is said how many.
const EVENTS_MAX: usize = 20_000;
/// More than this takes a browser long to draw.
const TICKS_MAX: usize = 5_000;

/// One job.
#[derive(Debug)]
pub struct JobPage {
    diagnosis: Diagnosis,
    job: SlowJob,
    now_ms: i64,
    zone: TimeZone,
    /// The command lines that ask the same.
    commands: Vec<String>,
}

impl JobPage {
    /// What is known of a job as of `now_ms`, ms since the epoch; times are of that zone.
    pub fn new(
        diagnosis: Diagnosis,
        (history, judgement): (History, Judgement),
        now_ms: i64,
        zone: TimeZone,
        commands: Vec<String>,
    ) -> Self {
        let job = SlowJob { job_id: diagnosis.job_id.clone(), history, judgement, is_cut: false };
        Self { diagnosis, job, now_ms, zone, commands }
    }

    /// Writes the page.
    ///
    /// # Errors
    /// What `out` says; a chart that cannot be drawn as [`io::ErrorKind::Other`].
    pub fn write_html(&self, out: &mut dyn Write) -> io::Result<()> {
        let page = self.page().map_err(io::Error::other)?;
        out.write_all(page.into_string().as_bytes())?;
        out.flush()
    }

    fn page(&self) -> Result<Markup, ChartError> {
        let title = format!("Job {}", visible(&self.job.job_id));
        let chart = charts::timeline(&self.job, TICKS_MAX)?;
        Ok(html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    link rel="icon" href="data:,";
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    header { h1 { (title) } p.soft { (self.window()) } }
                    main {
                        (self.verdict())
                        section { h2 { "Where its time went" }
                            figure aria-label="Spans and unusual silences over time, and the events below them" { (PreEscaped(chart)) }
                            (self.budget())
                            @for note in &self.job.judgement.notes { p.warn { (self.said(note)) } }
                        }
                        section { h2 { "Events" } (self.events()) }
                        section { h2 { "How this was asked" } @for command in &self.commands { pre { code { (visible(command)) } } } }
                    }
                }
            }
        })
    }

    fn window(&self) -> String {
        let (from, until) = (self.job.history.start_ms(), self.job.history.end_ms());
        format!(
            "From {} to {}, {}; as of {}. Times are of {}. By emp-events {VERSION}.",
            self.clock(from),
            self.clock(until),
            units::millis((until - from) as f64),
            self.clock(self.now_ms),
            self.zone.iana_name().unwrap_or("a fixed offset"),
        )
    }

    fn clock(&self, ms: i64) -> String {
        let moment = Timestamp::from_millisecond(ms).map(|moment| moment.to_zoned_datetime(self.zone.clone()));
        moment.map_or_else(|_| ms.to_string(), |moment| moment.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string())
    }

    fn said(&self, text: &str) -> String {
        sentence(text, &self.zone)
    }

    fn verdict(&self) -> Markup {
        let found = &self.diagnosis;
        let words = found.verdict.as_str().replace('_', " ");
        let same = &found.same_cause;
        html! {
            section {
                h2 { "Verdict" }
                p { strong class=(if found.is_unwell() { "bad" } else { "good" }) { (words) } " (" (sure(found.confidence)) "): " (self.said(&found.reason)) }
                @if let Some(culprit) = found.culprit.named() { p { "It lies with " strong { (visible(&culprit)) } "." } }
                @if same.jobs > 0 {
                    p { (units::counted(same.jobs, "other job has", "other jobs have")) " the same cause: "
                        @for job in &same.examples { code { (visible(job)) } " " } }
                }
                @if !found.evidence.is_empty() {
                    h3 { "What shows it" }
                    ul { @for one in &found.evidence { li { (self.clock(one.timestamp.0)) " " code { (visible(&one.event_type)) } " " (self.said(&one.note)) } } }
                }
                @if !found.ruled_out.is_empty() {
                    h3 { "What it is not" }
                    ul { @for one in &found.ruled_out { li { (self.said(one)) } } }
                }
                @for note in &found.completeness.notes { p.warn { (self.said(note)) } }
            }
        }
    }

    fn budget(&self) -> Markup {
        html! {
            div.scroll { table {
                thead { tr { th { "part" } th { "service" } th.number { "took" } th.number { "typical" } th.number { "99 of 100 below" } } }
                tbody { @for part in &self.job.judgement.budget { tr {
                    td { (visible(&part.part)) } td { (visible(&part.service)) } td.number { (units::millis(part.ms as f64)) }
                    td.number { (optional(part.typical_ms)) } td.number { (optional(part.typical_p99_ms)) }
                } } }
            } }
        }
    }

    fn events(&self) -> Markup {
        let events = self.job.history.events();
        let shown = &events[..events.len().min(EVENTS_MAX)];
        let mut before_ms = None;
        let mut after = |event: &JobEvent| {
            let at_ms = event.happened_ms();
            before_ms
                .replace(at_ms)
                .map_or_else(String::new, |before_ms: i64| units::millis((at_ms - before_ms) as f64))
        };
        html! {
            @if shown.len() < events.len() { p.warn { "The first " (units::count(shown.len() as u64)) " of " (units::count(events.len() as u64)) " events." } }
            div.scroll { table {
                thead { tr { th { "time" } th.number { "after" } th { "service" } th { "type" } th { "level" } th { "worker" } th { "data" } th { "id" } } }
                tbody { @for event in shown { tr {
                    td.id { (self.clock(event.happened_ms())) } td.number { (after(event)) } td { (visible(&event.service)) }
                    td { (visible(&event.event_type)) } td class=[event.is_error().then_some("bad")] { (visible(&event.level)) }
                    td { (visible(event.worker_id.as_deref().unwrap_or_default())) }
                    td { code { (visible(&serde_json::to_string(&event.data).unwrap_or_default())) } } td.id { (event.id.to_string()) }
                } } }
            } }
        }
    }
}

fn sure(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Proven => "proven",
        Confidence::Likely => "likely",
        Confidence::Guess => "a guess",
    }
}

fn optional(ms: Option<f64>) -> String {
    ms.map_or_else(|| "–".to_owned(), units::millis)
}
