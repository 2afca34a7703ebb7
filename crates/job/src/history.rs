//! A job's events put in order, and what follows from them.

use super::event::JobEvent;
use super::gaps::Gap;
use super::meaning::Meaning;
use super::meanings::meanings;
use super::runs::{Loss, Run, Runs};
use super::spans::{Span, spans};
use super::vocabulary::Named;
use super::words::{Role, entity, job_type_of, role};

/// A job as it is seen at one moment.
#[derive(Debug, Clone)]
pub struct History {
    /// Its events in the order in which they happened: at least one.
    events: Vec<JobEvent>,
    meanings: Vec<Option<Meaning>>,
    /// The places of those that make up its course: not of one that tells of a step a moment late.
    course: Vec<usize>,
    now_ms: i64,
    terminal: Option<usize>,
    runs: Runs,
    spans: Vec<Span>,
    gaps: Vec<Gap>,
    job_type: String,
}

/// A job that went from one service to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handoff {
    /// The last event of the service that had it.
    pub from: usize,
    /// The first event of the one that took it.
    pub to: usize,
    /// How long that took; below zero where the two clocks disagree.
    pub ms: i64,
}

/// What an unfinished job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has ended: the event that says so.
    Ended(usize),
    /// No worker has taken it since that event.
    Waiting(usize),
    /// It is not to go on before that moment, ms since the epoch, as that event says.
    Deferred {
        /// The event.
        event: usize,
        /// The moment.
        until_ms: i64,
    },
    /// It waits for other jobs since that event.
    Blocked(usize),
    /// A worker took it with that event and has not begun.
    Claimed(usize),
    /// A worker is at work on it.
    Working,
}

impl History {
    /// The history of a job, of those of its events that had arrived by `now_ms`. `None` where there
    /// are none.
    pub fn new(mut events: Vec<JobEvent>, now_ms: i64) -> Option<Self> {
        events.retain(|event| event.arrived_ms <= now_ms);
        events.sort_by_key(|event| (event.happened_ms(), event.id));
        if events.is_empty() {
            return None;
        }
        let (meanings, late) = meanings(&events);
        let course = (0..events.len()).filter(|index| !late[*index]).collect();
        let runs = Runs::new(&events, &meanings);
        let terminal = terminal(&events, &meanings, &runs);
        let spans = spans(&events, &meanings, &runs);
        // Asked for with each gap, and a job may have a hundred thousand of them.
        let job_type = job_type(&events, &meanings);
        let mut history = Self { events, meanings, course, now_ms, terminal, runs, spans, gaps: Vec::new(), job_type };
        history.gaps = history.find_gaps();
        // Hundreds of thousands are held at once.
        history.gaps.shrink_to_fit();
        history.spans.shrink_to_fit();
        Some(history)
    }

    /// The events, in the order in which they happened.
    pub fn events(&self) -> &[JobEvent] {
        &self.events
    }

    /// What that event means for the job, if anything.
    pub fn meaning(&self, index: usize) -> Option<Meaning> {
        self.meanings[index]
    }

    /// The events that mean that, in order.
    pub fn meaning_that(&self, is_meant: impl Fn(Meaning) -> bool) -> impl DoubleEndedIterator<Item = &JobEvent> {
        let pairs = self.events.iter().zip(&self.meanings);
        pairs.filter(move |(_, meaning)| meaning.is_some_and(&is_meant)).map(|(event, _)| event)
    }

    /// The places of the events that make up its course, in order; the first event is one of them.
    pub(super) fn course(&self) -> &[usize] {
        &self.course
    }

    /// The last event of its course.
    pub fn last_step(&self) -> &JobEvent {
        self.course.last().map_or_else(|| self.last(), |last| &self.events[*last])
    }

    /// The moment from which it is seen.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Spans by their beginning; those of webhooks after the job's end included.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Every part of the job's life that no span covers, in order; all of them, however short.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Its attempts, in the order in which they began.
    pub fn runs(&self) -> &[Run] {
        &self.runs.runs
    }

    /// The attempt that an event belongs to; of what comes before the first one that.
    pub fn run_of(&self, index: usize) -> Option<&Run> {
        self.runs.runs.get(self.runs.of_event(index))
    }

    /// The attempts that lost the job, and how.
    pub fn losses(&self) -> impl DoubleEndedIterator<Item = (&Run, Loss)> {
        self.runs.runs.iter().filter_map(|run| Some((run, run.loss?)))
    }

    /// The event that ended it.
    pub fn terminal(&self) -> Option<&JobEvent> {
        self.terminal.map(|index| &self.events[index])
    }

    /// The place of the event that ended it.
    pub fn end_index(&self) -> Option<usize> {
        self.terminal
    }

    /// How it ended.
    pub fn ending(&self) -> Option<Meaning> {
        self.meanings[self.terminal?]
    }

    /// Has it ended well?
    pub fn is_completed(&self) -> bool {
        self.ending() == Some(Meaning::Completed)
    }

    /// Of several events that end it the first one counts: those after it.
    pub fn repeated_terminals(&self) -> usize {
        let Some(terminal) = self.terminal else { return 0 };
        let is_end = |meaning: &&Option<Meaning>| {
            matches!(meaning, Some(Meaning::Completed | Meaning::Failed | Meaning::TimedOut))
        };
        self.meanings[terminal + 1..].iter().filter(is_end).count()
    }

    /// The first moment of its life.
    pub fn start_ms(&self) -> i64 {
        self.events[0].happened_ms()
    }

    /// Its end, or now.
    pub fn end_ms(&self) -> i64 {
        self.terminal().map_or(self.now_ms.max(self.start_ms()), JobEvent::happened_ms)
    }

    /// The last event of all.
    pub fn last(&self) -> &JobEvent {
        // There is at least one event, or there would be no history.
        &self.events[self.events.len() - 1]
    }

    /// Were its first events trimmed, or never sent? A job begins with its creation.
    pub fn has_beginning(&self) -> bool {
        // One that tells of it a moment late has lost its meaning for the course, and tells of it all the same.
        let is_beginning = |event: &JobEvent| {
            super::vocabulary().meaning_anywhere(&event.event_type).is_some_and(Meaning::is_beginning)
        };
        self.events.iter().any(is_beginning)
    }

    /// What kind of job it is, where an event says so; else the empty text.
    pub fn job_type(&self) -> &str {
        &self.job_type
    }

    /// How often it was begun: 1 where nothing says that it was begun again.
    pub fn attempts(&self) -> u32 {
        let of_job = self.events.iter().filter(|event| entity(&event.event_type) != "webhook");
        let stated = of_job.filter_map(|event| event.number("attempt")).fold(0.0, f64::max);
        (self.runs.runs.len() as u32).max(stated as u32).max(1)
    }

    /// The worker that has it, or had it when it ended.
    pub fn holder(&self) -> Option<&str> {
        let run = match self.terminal {
            Some(terminal) => self.run_of(terminal),
            None => self.runs.runs.last(),
        };
        run.and_then(|run| run.worker.as_deref()).or_else(|| self.last_worker())
    }

    /// The worker that was named last, where no claim tells of one.
    fn last_worker(&self) -> Option<&str> {
        let is_of_job = |(event, meaning): &(&JobEvent, &Option<Meaning>)| {
            matches!(entity(&event.event_type), "job" | "connector") || meaning.is_some_and(Meaning::is_of_job)
        };
        let of_job = self.events.iter().zip(&self.meanings).rev().filter(is_of_job);
        of_job.map(|(event, _)| event).find_map(|event| event.worker_id.as_deref())
    }

    /// The worker that had it at that moment, ms since the epoch, or had it last before.
    pub fn worker_at(&self, ms: i64) -> Option<&str> {
        let begun = self.runs.runs.iter().rev().find(|run| self.events[run.begun].happened_ms() <= ms);
        begun.map_or_else(|| self.holder(), |run| run.worker.as_deref())
    }

    /// The connector that works on it, or did last.
    pub fn connector(&self) -> Option<&str> {
        self.events.iter().rev().find_map(JobEvent::connector)
    }

    /// The key by which its events name the connector.
    pub fn connector_key(&self) -> Option<&str> {
        self.events.iter().rev().find_map(|event| event.named(Named::Connector)).map(|(key, _)| key)
    }

    /// The job that waits for this one.
    pub fn parent(&self) -> Option<&str> {
        self.events.iter().find_map(|event| event.named(Named::Parent)).map(|(_, parent)| parent)
    }

    /// The queue that it was put into.
    pub fn queue(&self) -> Option<&str> {
        self.events.iter().rev().find_map(JobEvent::queue)
    }

    /// What it is doing, or that it has ended.
    pub fn state(&self) -> State {
        if let Some(terminal) = self.terminal {
            return State::Ended(terminal);
        }
        for (index, event) in self.events.iter().enumerate().rev() {
            match self.meanings[index] {
                Some(Meaning::Claimed) => return State::Claimed(index),
                Some(Meaning::Blocked) if !self.runs.is_of_former(index) => return State::Blocked(index),
                Some(Meaning::Started | Meaning::Progressed) if self.is_current(index) => return State::Working,
                // An attempt that another one has followed says nothing of what the job does now.
                Some(meaning) if meaning.is_wait() && !self.runs.is_of_former(index) => {
                    return match event.due_ms().filter(|due_ms| self.now_ms < *due_ms) {
                        Some(until_ms) => State::Deferred { event: index, until_ms },
                        None => State::Waiting(index),
                    };
                }
                meaning if role(&event.event_type, meaning) != Role::Neither && self.is_current(index) => {
                    return State::Working;
                }
                _ => {}
            }
        }
        State::Working
    }

    /// Does the event come from an attempt that still has the job, or from no attempt at all?
    fn is_current(&self, index: usize) -> bool {
        self.run_of(index).is_none_or(Run::is_open)
    }

    /// Where it went from one service to another, within its life, in order of arrival.
    pub fn handoffs(&self) -> Vec<Handoff> {
        let mut order: Vec<usize> = (0..self.events.len()).collect();
        order.sort_by_key(|index| self.events[*index].id);
        let pairs = order.windows(2).map(|pair| (pair[0], pair[1]));
        let changes = pairs.filter(|(from, to)| self.events[*from].service != self.events[*to].service);
        changes
            .map(|(from, to)| Handoff { from, to, ms: self.events[to].timestamp_ms - self.events[from].timestamp_ms })
            .collect()
    }
}

/// What the event says that makes the job, else the first of the job's own events that says it.
fn job_type(events: &[JobEvent], meanings: &[Option<Meaning>]) -> String {
    let is_of_job = |(event, meaning): &(&JobEvent, &Option<Meaning>)| {
        entity(&event.event_type) == "job" || meaning.is_some_and(Meaning::is_of_job)
    };
    let mut of_job = events.iter().zip(meanings).filter(is_of_job);
    of_job.find_map(|(event, _)| job_type_of(&event.data)).unwrap_or_default().to_owned()
}

/// The event that ended the job: the first that does so after it was last begun or put back.
fn terminal(events: &[JobEvent], meanings: &[Option<Meaning>], runs: &Runs) -> Option<usize> {
    let mut terminal = None;
    for (index, meaning) in meanings.iter().enumerate() {
        let Some(meaning) = meaning else { continue };
        if meaning.is_end() {
            terminal = terminal.or(Some(index));
        } else if meaning.is_put_back() && runs.is_of_former(index) {
            // Another attempt has followed, and this one's worker tells of it a moment late.
        } else if meaning.is_put_back()
            || *meaning == Meaning::Claimed
            || runs.runs.iter().any(|run| run.begun == index)
        {
            terminal = None;
        }
    }
    // Where only the end is known: a webhook is sent once the job has ended.
    terminal.or_else(|| events.iter().all(|event| entity(&event.event_type) == "webhook").then_some(0))
}
