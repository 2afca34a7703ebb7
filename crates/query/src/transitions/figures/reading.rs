//! Going through the jobs of some files, each job's events together.

use datafusion::error::Result;

use emp_job::Offsets;

use super::super::names::Texts;
use super::super::scan::{Place, Unit};
use super::super::unit::{Jobs, Needs, UnitFile, each_piece_in_memory};
use super::super::walk::{Event, Transition, Walk};
use super::super::{IdRange, in_order};
use crate::view::View;

/// A file, or a segment, that is to be read.
pub(super) struct ToRead {
    /// The number that its events will have.
    pub number: u32,
    pub ids: IdRange,
    pub place: Place,
    /// Its events will stand beside others that are not read with them.
    pub with_ids: bool,
}

/// Shows each job that has an event in these files and segments, with its steps: the number of each of them is that of
/// the file of its later event.
pub(super) fn each_job(
    view: &View,
    mut to_read: Vec<ToRead>,
    clocks: Option<&Offsets>,
    texts: &Texts,
    show: &mut dyn FnMut(&str, &[Transition]),
) -> Result<()> {
    to_read.sort_by_key(|one| (one.ids.first, one.ids.last));
    let numbers: Vec<(u32, bool)> = to_read.iter().map(|one| (one.number, one.with_ids)).collect();
    let units = in_order(to_read.into_iter().map(|one| (one.ids, one.place)).collect());
    let mut jobs = Jobs::default();
    let mut events: Vec<Vec<Event>> = Vec::new();
    for (unit, (number, with_ids)) in units.iter().zip(numbers) {
        let needs = Needs { seq: unit.overlaps || with_ids, workers: false, clocks, unit: number };
        read(view, unit, needs, (&mut jobs, texts), &mut events)?;
    }
    let (mut walk, mut steps) = (Walk::default(), Vec::new());
    for (id, events) in jobs.ids.iter().zip(&mut events) {
        steps.clear();
        walk.go_through(events, false, texts, &mut |step| steps.push(*step));
        show(id, &steps);
    }
    Ok(())
}

/// Puts the events of a file to those of their jobs.
fn read(
    view: &View,
    unit: &Unit,
    needs: Needs<'_>,
    (jobs, texts): (&mut Jobs, &Texts),
    events: &mut Vec<Vec<Event>>,
) -> Result<()> {
    let mut take = |piece: &mut super::super::unit::Piece, jobs: &Jobs| {
        events.resize_with(jobs.ids.len(), Vec::new);
        for (job, event) in piece.jobs.iter().zip(&piece.events) {
            events[*job as usize].push(*event);
        }
        Ok(())
    };
    match &unit.place {
        Place::Sealed(_, file) => UnitFile::open(file)?.each_piece(needs, (jobs, texts), &mut take),
        Place::Segment(at) => {
            let batches = &view.snapshot.segments[*at].batches;
            each_piece_in_memory(batches, needs, (jobs, texts), &mut take)
        }
    }
}
