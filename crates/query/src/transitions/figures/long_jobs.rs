//! Jobs that are in very many files: their events are kept file by file as they are, and gone through when somebody asks.

use std::collections::BTreeMap;

use emp_job::happened_ms;
use emp_rollup::{LongEvent, NO_NAME, Steps};

use super::super::names::Texts;
use super::super::walk::{Event, NONE, Transition};

/// Those of a job's events that are in that file or segment, in the order of their IDs; `None` where there are none.
pub(super) fn events_of(unit: usize, steps: &[Transition]) -> Option<Vec<Event>> {
    let own = steps.iter().map(|step| step.event).filter(|event| event.unit as usize == unit);
    let mut events: Vec<Event> = own.collect();
    events.sort_by_key(|event| (event.arrived_ms, event.seq));
    (!events.is_empty()).then_some(events)
}

/// Puts the events that are kept of a file to those of their jobs.
pub(super) fn add_kept(unit: usize, steps: &Steps, texts: &Texts, jobs: &mut BTreeMap<Box<str>, Vec<Event>>) {
    let mut numbers: Vec<Option<u32>> = vec![None; steps.names.len()];
    let mut number = |name: u32| match numbers.get_mut(name as usize) {
        Some(known) => *known.get_or_insert_with(|| texts.number(&steps.names[name as usize])),
        None => NONE,
    };
    for long in &steps.rows.long_jobs {
        let event = |event: &LongEvent| Event {
            happened_ms: happened_ms(event.timestamp_ms, event.arrived.0),
            timestamp_ms: event.timestamp_ms,
            arrived_ms: event.arrived.0,
            seq: event.arrived.1,
            event_type: number(event.names[0]),
            service: number(event.names[1]),
            worker: NONE,
            // There are no more of them than numbers.
            unit: unit as u32,
        };
        let events = long.events.iter().map(event);
        match jobs.get_mut(&long.job) {
            Some(known) => known.extend(events),
            None => _ = jobs.insert(long.job.clone(), events.collect()),
        }
    }
}

const _: () = assert!(NO_NAME == NONE);
