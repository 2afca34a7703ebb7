//! The attempts of a job: who had it, from when to when, and how each of them ended.

use std::sync::Arc;

use super::event::JobEvent;
use super::joining::is_begun;
use super::meaning::Meaning;
use super::meanings::LATE_MS_MAX;
use super::words::{Role, role};

/// One attempt at a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number, from 1, as its claim states it; else one more than the attempt before.
    pub attempt: u32,
    /// Who had the job.
    pub worker: Option<Arc<str>>,
    /// The event with which it began.
    pub begun: usize,
    /// The last event that tells of it.
    pub last: usize,
    /// The event that ended it, and what that means.
    pub end: Option<(usize, Meaning)>,
    /// How the job was taken away from it, where nothing of its own had ended it before.
    pub loss: Option<Loss>,
}

/// A job that a worker had and did not bring to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// The last that was heard of it from its worker before.
    pub last: usize,
    /// The event by which it was noticed: the job was put back, or another attempt began.
    pub noticed: usize,
    /// The event with which the next attempt began.
    pub taken: Option<usize>,
}

/// The attempts of a job, and to which of them each event belongs.
#[derive(Debug, Clone, Default)]
pub(super) struct Runs {
    pub runs: Vec<Run>,
    of_event: Vec<usize>,
}

impl Runs {
    /// Of events in order, and what they mean.
    pub fn new(events: &[JobEvent], meanings: &[Option<Meaning>]) -> Self {
        let mut all = Self::default();
        for (index, event) in events.iter().enumerate() {
            let before = index.checked_sub(1).map(|before| &*events[before].event_type);
            let meaning = meanings[index];
            if all.is_begun(before, event, meaning) {
                all.begin(events, index);
            } else {
                all.follow(events, index, meaning);
            }
        }
        all
    }

    /// The attempt that an event belongs to, counted from 0; what comes before the first one is of the first.
    pub fn of_event(&self, index: usize) -> usize {
        self.of_event.get(index).copied().unwrap_or_default()
    }

    /// Does an event come from an attempt that another one has followed?
    pub fn is_of_former(&self, index: usize) -> bool {
        self.of_event(index) + 1 < self.runs.len()
    }

    fn is_begun(&self, before: Option<&str>, event: &JobEvent, meaning: Option<Meaning>) -> bool {
        match meaning {
            Some(Meaning::Claimed) => is_begun(before, &event.event_type, meaning),
            // Where a claim was told, this goes on from it.
            Some(Meaning::Started) => !self.runs.last().is_some_and(Run::is_open),
            _ => false,
        }
    }

    fn begin(&mut self, events: &[JobEvent], index: usize) {
        let event = &events[index];
        let number = self.runs.last().map_or(1, |before| before.attempt.saturating_add(1));
        if let Some(before) = self.runs.last_mut() {
            before.give_way(events, index);
        }
        self.runs.push(Run {
            attempt: event.number("attempt").filter(|stated| *stated >= 1.0).map_or(number, |stated| stated as u32),
            worker: event.worker_id.clone(),
            begun: index,
            last: index,
            end: None,
            loss: None,
        });
        self.of_event.push(self.runs.len() - 1);
    }

    /// The attempt of that worker's that an event is about: the one whose number it states, else the worker's last.
    fn of_worker(&self, worker: &str, event: &JobEvent) -> Option<usize> {
        let is_of_worker = |run: &Run| run.worker.as_deref() == Some(worker);
        let stated = event.number("attempt").map(|stated| stated as u32);
        let is_stated = |run: &Run| is_of_worker(run) && Some(run.attempt) == stated;
        self.runs.iter().rposition(is_stated).or_else(|| self.runs.iter().rposition(is_of_worker))
    }

    fn follow(&mut self, events: &[JobEvent], index: usize, meaning: Option<Meaning>) {
        let event = &events[index];
        let worker = event.worker_id.as_deref();
        let of_worker = worker.and_then(|worker| self.of_worker(worker, event));
        let place = of_worker.unwrap_or(self.runs.len().saturating_sub(1));
        self.of_event.push(place);
        let Some(run) = self.runs.get_mut(place) else { return };
        if worker.is_some() && run.worker.is_none() {
            run.worker = event.worker_id.clone();
        }
        let is_own = worker.map_or(event.service == events[run.begun].service, |_| event.worker_id == run.worker);
        if is_own && meaning.is_some_and(Meaning::is_between_attempts) {
            run.was_not_lost(events, index);
        }
        match meaning {
            Some(meaning) if meaning.is_end() || meaning == Meaning::AttemptFailed => run.finish(index, meaning),
            Some(meaning) if meaning.is_put_back() && run.is_open() => {
                // What a worker puts back itself, or has failed at, is not lost; nor is what somebody asks to wait.
                let is_told = meaning == Meaning::Released || meaning.is_asked_wait();
                let is_given_back = is_own || is_told || run.is_through(events);
                if meaning == Meaning::Stalled || !is_given_back {
                    run.loss = Some(Loss { last: run.last, noticed: index, taken: None });
                } else {
                    run.finish(index, meaning);
                }
            }
            _ => {}
        }
        if is_own && !meaning.is_some_and(Meaning::is_of_webhook) {
            run.last = index;
        }
    }
}

impl Run {
    /// Is the job still in the hands of its worker, as far as is known?
    pub fn is_open(&self) -> bool {
        self.end.is_none() && self.loss.is_none()
    }

    /// Has its worker given the job back, unfinished and without a failure?
    pub fn is_given_back(&self) -> bool {
        self.end.is_some_and(|(_, meaning)| meaning == Meaning::Released || meaning.is_asked_wait())
    }

    /// Its worker, as texts name it.
    pub fn named(&self) -> &str {
        self.worker.as_deref().unwrap_or("its worker")
    }

    fn finish(&mut self, index: usize, meaning: Meaning) {
        if self.end.is_none() {
            self.end = Some((index, meaning));
        }
    }

    /// Its own word of how it ended comes a moment after it was noticed that the job was put back: a queue has a job
    /// again, and may have handed it out, before the call that gave it back has returned.
    fn was_not_lost(&mut self, events: &[JobEvent], index: usize) {
        let moment = |index: usize| events[index].happened_ms();
        if self.loss.is_some_and(|loss| moment(index) - moment(loss.noticed) <= LATE_MS_MAX) {
            self.loss = None;
        }
    }

    /// Has its work come to an end, well or badly, though nothing says so of the job?
    fn is_through(&self, events: &[JobEvent]) -> bool {
        let last = &events[self.last];
        matches!(role(&last.event_type, None), Role::Closes(_)) || last.is_failure()
    }

    /// Another attempt begins with that event.
    fn give_way(&mut self, events: &[JobEvent], index: usize) {
        let is_through = self.is_through(events);
        match &mut self.loss {
            Some(loss) => loss.taken = loss.taken.or(Some(index)),
            None if self.end.is_some() => {}
            None if is_through => {
                let is_failure = events[self.last].is_failure();
                self.end = Some((self.last, if is_failure { Meaning::AttemptFailed } else { Meaning::Queued }));
            }
            None => self.loss = Some(Loss { last: self.last, noticed: index, taken: Some(index) }),
        }
    }
}
