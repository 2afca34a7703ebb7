//! The timeline of one job: what happened when, where it stood still, and what went wrong.

mod details;
mod events;
mod fold;
mod screen;
mod summary;

use std::io::{self, Write};

use arrow::array::RecordBatch;
use details::Details;
use events::Event;

pub(super) use details::Teller;

use super::Screen;
use super::rows::unreadable;
use crate::job::JobEvent;

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
    screen::write(out, screen, job_id, &events)?;
    out.flush()
}
