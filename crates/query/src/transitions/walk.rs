//! One job's events, each with the one before it.

use emp_job::{Attempt, Dialect};

use super::names::Texts;

/// What the walk keeps of an event. Texts are numbers, as there are few of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    /// When it happened, as far as the clocks are known, ms since the epoch.
    pub happened_ms: i64,
    /// The same by its producer's clock.
    pub timestamp_ms: i64,
    pub arrived_ms: i64,
    /// Which of the events of that millisecond it is, by its ID.
    pub seq: u64,
    pub event_type: u32,
    pub service: u32,
    /// [`NONE`] where it names no worker.
    pub worker: u32,
    /// Where it was read: a number that whoever reads has given to the file.
    pub unit: u32,
}

/// In place of the number of a text: there is none.
pub(super) const NONE: u32 = u32::MAX;

/// An event, the one that happened before it in its job, and the one that arrived before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transition {
    pub event: Event,
    pub from: Option<Event>,
    pub arrived_after: Option<Event>,
    pub attempt: u32,
}

impl Transition {
    /// Nothing was heard of the job for so long before the event, in ms.
    pub fn gap_ms(&self) -> Option<i64> {
        self.from.map(|from| self.event.happened_ms - from.happened_ms)
    }

    /// The time from that event to this one by their clocks, in ms; below zero where one of these is off.
    pub fn handoff_ms(&self) -> Option<i64> {
        self.handed_by().map(|by| self.event.happened_ms - by.happened_ms)
    }

    /// The event that arrived before, where another service had sent it.
    pub fn handed_by(&self) -> Option<Event> {
        self.arrived_after.filter(|before| before.service != self.event.service)
    }
}

/// Goes through the events of one job after the other.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Whether it is asked for: it takes longer than all else.
    pub with_attempts: bool,
    /// What arrived before each event, by its place in the order of arrival.
    order: Vec<u32>,
}

impl Walk {
    /// Shows each event of a job with the one before it, in the order in which they happened. The events come in the
    /// order of arrival, or in any where `are_in_order` is false.
    pub fn go_through(
        &mut self,
        events: &mut [Event],
        are_in_order: bool,
        texts: &Texts,
        show: &mut dyn FnMut(&Transition),
    ) {
        if !are_in_order {
            events.sort_by_key(|event| (event.arrived_ms, event.seq));
        }
        self.order.clear();
        // A job has fewer events than this counts.
        self.order.extend(0..events.len() as u32);
        // It keeps the order of arrival among those of one moment, and most events come as they happened.
        self.order.sort_by_key(|at| events[*at as usize].happened_ms);
        let (mut dialect, mut attempt) = (Dialect::default(), Attempt::default());
        let mut from: Option<Event> = None;
        for at in &self.order {
            let at = *at as usize;
            let event = events[at];
            if self.with_attempts {
                let event_type = texts.text(event.event_type);
                let before = from.map(|from| texts.text(from.event_type));
                let meaning = dialect.meaning(&event_type);
                attempt.follow(before.as_deref(), &event_type, meaning, None);
            }
            let arrived_after = at.checked_sub(1).map(|before| events[before]);
            show(&Transition { event, from, arrived_after, attempt: attempt.number() });
            from = Some(event);
        }
    }
}
