//! The timeline of one job: what happened when, where it stood still, and what went wrong.

mod details;
mod events;
mod fold;
mod lanes;
mod screen;
mod spans;
mod summary;

use std::io::{self, Write};

use emp_findings::Judgement;
use emp_job::{History, JobEvent};
use emp_units as units;

use super::Screen;
use super::diagnosis::write_budget;
use super::page::Page;
use super::paint::WARN;
use details::Details;
use events::Event;

pub use events::Times;

pub(super) use details::Teller;

/// What the line of an event says beside its time, service and type.
pub(super) fn details_of(event: &JobEvent, teller: &mut Teller) -> Details {
    teller.tell(&Event::new(event, Times::Corrected))
}

/// Writes the time line of a job, or of a trace, judged by what is typical: unusual gaps in place, its
/// spans as bars where the screen is wide enough, and where its time went.
///
/// # Errors
/// What `out` says, unchanged, so that a caller can end quietly at [`io::ErrorKind::BrokenPipe`].
pub fn write_job(
    out: &mut dyn Write,
    screen: &Screen,
    title: &str,
    history: &History,
    judgement: &Judgement,
    times: Times,
) -> io::Result<()> {
    let (events, gaps_after_last) = events::of_history(history, judgement, times);
    screen::write(out, screen, title, &events, times)?;
    for gap in gaps_after_last {
        let lasting = units::millis(gap.ms as f64);
        Page::new(out, screen).paragraph(WARN, &format!("⚠ nothing for {lasting} since then  {}", gap.note))?;
    }
    let mut page = Page::after(out, screen);
    spans::write(&mut page, screen, history)?;
    write_budget(&mut page, &judgement.budget)?;
    out.flush()
}
