//! The timeline of one job: what happened when, where it stood still, and what went wrong.

mod details;
mod events;
mod fold;
mod screen;
mod spans;
mod summary;

use std::io::{self, Write};

use arrow::array::RecordBatch;
use details::Details;
use events::Event;

pub(super) use details::Teller;

use super::Screen;
use super::diagnosis::write_budget;
use super::page::Page;
use super::paint::WARN;
use super::rows::unreadable;
use emp_findings::{FlaggedGap, Judgement};
use emp_job::{History, JobEvent};
use emp_units as units;

/// What the line of an event says beside its time, service and type.
pub(super) fn details_of(event: &JobEvent, teller: &mut Teller) -> Details {
    teller.tell(&Event::from(event))
}

/// Writes the timeline of a job for a person at a terminal. The other formats of a timeline
/// are those of any answer: [`super::write_answer`].
///
/// `batches` is the answer of the canned query `timeline`, in its order, with at least the
/// columns `time`, `delta_ms`, `is_gap`, `service`, `event_type`, `level`, `duration_ms`,
/// `worker_id`, `machine_id`, `data` and `id`. A job without events has a timeline of one line.
///
/// # Errors
/// What `out` says, unchanged, so that a caller can end quietly at
/// [`io::ErrorKind::BrokenPipe`]; [`io::ErrorKind::InvalidData`] where a column is missing or
/// of another type.
pub fn write_timeline(out: &mut dyn Write, screen: &Screen, job_id: &str, batches: &[RecordBatch]) -> io::Result<()> {
    let events = events::read(batches).map_err(unreadable)?;
    screen::write(out, screen, &format!("Job {job_id}"), &events)?;
    out.flush()
}

/// Writes the time line of a job, or of a trace, judged by what is typical: unusual gaps in place, its
/// spans as bars where the screen is wide enough, and where its time went.
///
/// # Errors
/// What `out` says.
pub fn write_job(
    out: &mut dyn Write,
    screen: &Screen,
    title: &str,
    history: &History,
    judgement: &Judgement,
) -> io::Result<()> {
    let mut ordered: Vec<&JobEvent> = history.events().iter().collect();
    // As the events say themselves: stored times are not rewritten.
    ordered.sort_by_key(|event| (event.timestamp_ms, event.id));
    let mut events: Vec<Event> = ordered.iter().map(|event| Event::from(*event)).collect();
    for index in 1..events.len() {
        events[index].delta_ms = Some(events[index].time_ms - events[index - 1].time_ms);
        if let Some(gap) = judgement.gaps_after.get(&ordered[index - 1].id) {
            events[index].is_gap = true;
            events[index].delta_ms = events[index].delta_ms.map(|delta| delta.max(gap.ms));
            events[index].gap_note = Some(gap_note(gap));
        }
    }
    screen::write(out, screen, title, &events)?;
    if let Some(gap) = ordered.last().and_then(|last| judgement.gaps_after.get(&last.id)) {
        let mut page = Page::new(out, screen);
        page.paragraph(WARN, &format!("⚠ nothing for {} since then  {}", units::millis(gap.ms as f64), gap_note(gap)))?;
    }
    let mut page = Page::after(out, screen);
    spans::write(&mut page, screen, history)?;
    write_budget(&mut page, &judgement.budget)?;
    out.flush()
}

fn gap_note(gap: &FlaggedGap) -> String {
    match gap.times_typical {
        Some(times) => format!("{} typical · {}", units::factor(times), gap.kind),
        None => format!("no baseline · {}", gap.kind),
    }
}
