//! Going through the jobs of some files, each job's events together.

use datafusion::error::Result;

use emp_job::Offsets;

use super::super::names::Texts;
use super::super::scan::{Place, Unit};
use super::super::unit::{Jobs, Needs, UnitFile, each_piece_in_memory};
use super::super::walk::{Event, Transition, Walk};
use super::super::{IdRange, in_order};
use crate::view::View;

/// Shows each job that has an event in these files and segments, with its steps: the number of each of them is that of
/// the file of its later event.
pub(super) fn each_job(
    view: &View,
    places: Vec<(u32, IdRange, Place)>,
    clocks: Option<&Offsets>,
    texts: &Texts,
    show: &mut dyn FnMut(&str, &[Transition]),
) -> Result<()> {
    let numbers: Vec<(IdRange, u32)> = places.iter().map(|(number, ids, _)| (*ids, *number)).collect();
    let units = in_order(places.into_iter().map(|(_, ids, place)| (ids, place)).collect());
    let mut numbers = numbers;
    numbers.sort_by_key(|(ids, _)| (ids.first, ids.last));
    let mut jobs = Jobs::default();
    let mut events: Vec<Vec<Event>> = Vec::new();
    for (unit, (_, number)) in units.iter().zip(numbers) {
        let needs = Needs { seq: unit.overlaps, workers: false, clocks, unit: number };
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
