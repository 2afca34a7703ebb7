//! What the callers and the background thread share.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::address::Address;
use crate::call_times::CallTimes;
use crate::config::BATCH_EVENTS;
use crate::data::DataRules;
use crate::event::{Data, Event, now_ms};
use crate::limit::Limiter;
use crate::settings::Settings;
use crate::wire::Wire;
use crate::{Level, Reason, Stats, sampling, worker};

/// One client's state.
pub(crate) struct Core {
    pub(crate) settings: Settings,
    pub(crate) rules: DataRules,
    pub(crate) address: Address,
    /// How long calls take.
    pub(crate) calls: CallTimes,
    inbox: Mutex<Inbox>,
    /// Tells the background thread that there is something to do.
    pub(crate) wake: Notify,
    /// Tells that the number of waiting events fell, or that somebody waits for that.
    pub(crate) settled: Notify,
    /// Tells that the client is to end.
    pub(crate) closing: Notify,
}

/// What one lock guards, so that the counts always add up.
struct Inbox {
    events: VecDeque<Event>,
    /// What the events hold that wait here or with the background thread.
    bytes: usize,
    counts: Stats,
    limiter: Limiter,
    phase: Phase,
    /// Does the background thread sleep until it is woken?
    is_idle: bool,
    is_circuit_open: bool,
    /// Somebody waits for the queue to be empty: no pause is kept.
    is_urgent: bool,
    waiting: Vec<Waiting>,
    /// When the first event was dropped that nobody was told of yet.
    loss_began: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No event yet, hence no thread.
    New,
    Running,
    Closing(Instant),
    Closed,
}

/// Somebody who waits for the queue to be empty.
struct Waiting {
    /// `None`: until the client has ended.
    until: Option<Instant>,
    /// How many events had gone elsewhere than to Redis.
    lost_before: u64,
    answer: Box<dyn FnOnce(bool) + Send>,
}

impl Core {
    pub(crate) fn new(settings: Settings, address: Address) -> Self {
        let inbox = Inbox {
            events: VecDeque::new(),
            bytes: 0,
            counts: Stats::default(),
            limiter: Limiter::new(settings.rate, settings.burst),
            phase: Phase::New,
            is_idle: false,
            is_circuit_open: false,
            is_urgent: false,
            waiting: Vec::new(),
            loss_began: None,
        };
        Self {
            rules: settings.data_rules(),
            settings,
            address,
            calls: CallTimes::new(),
            inbox: Mutex::new(inbox),
            wake: Notify::new(),
            settled: Notify::new(),
            closing: Notify::new(),
        }
    }

    /// A panic elsewhere must not become one here.
    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event, or counts why not. Never waits for anything but the lock.
    pub(crate) fn emit(self: &Arc<Self>, event: Event, now_ms: u64) {
        let begun = self.calls.begin();
        self.accept(event, now_ms);
        self.calls.end(begun);
    }

    fn accept(self: &Arc<Self>, mut event: Event, now_ms: u64) {
        let is_left_out = event.level < self.settings.level || !self.sample(&mut event);
        let is_small = is_left_out || event.weigh(&self.rules);
        let mut inbox = self.lock();
        inbox.counts.emitted += 1;
        if is_left_out {
            inbox.counts.sampled += 1;
            return;
        }
        let refusal = if is_small { inbox.refusal(&event, now_ms, &self.settings) } else { Some(Reason::TooLarge) };
        if let Some(reason) = refusal {
            inbox.lose(reason, 1);
            return;
        }
        if let Some(recording) = &self.settings.recording {
            match Wire::new(event, &self.rules) {
                Ok(event) => {
                    inbox.counts.sent += 1;
                    recording.take(&self.settings.service, event);
                }
                Err(_) => inbox.lose(Reason::TooLarge, 1),
            }
            return;
        }
        let mark = self.settings.queue_bytes / 4 * 3;
        let is_heavy = inbox.bytes < mark && inbox.bytes + event.bytes >= mark;
        inbox.bytes += event.bytes;
        inbox.counts.queued += 1;
        inbox.events.push_back(event);
        let is_filling = is_heavy || inbox.counts.queued as usize == self.high_water();
        let is_new = inbox.phase == Phase::New;
        // Waking costs a system call: it is done only where the thread would not look soon anyway.
        let wakes = std::mem::take(&mut inbox.is_idle) || inbox.events.len() == BATCH_EVENTS || is_filling;
        if is_new {
            inbox.phase = Phase::Running;
        }
        drop(inbox);
        if is_new {
            worker::start(self);
        } else if wakes {
            self.wake.notify_one();
        }
    }

    /// Is the event kept? Where a share of its type is, it says so.
    fn sample(&self, event: &mut Event) -> bool {
        if self.settings.samples.is_empty() || event.level == Level::Error {
            return true;
        }
        let Some(rate) = sampling::rate(&self.settings.samples, &event.event_type) else { return true };
        if let Data::Members(members) = &mut event.data {
            members.insert("sampleRate".to_owned(), rate.into());
        }
        sampling::is_kept(event.sample_key(), rate)
    }

    /// So many events waiting are more than a moment's: where they can go elsewhere, they do.
    fn high_water(&self) -> usize {
        self.settings.queue_events / 4 * 3
    }

    pub(crate) fn stats(&self) -> Stats {
        self.lock().counts
    }

    /// Calls back once nothing waits, or at the end of that time; with whether nothing waits and
    /// nothing went elsewhere than to Redis meanwhile.
    pub(crate) fn when_empty(&self, timeout: Duration, answer: impl FnOnce(bool) + Send + 'static) {
        let mut inbox = self.lock();
        if inbox.counts.queued == 0 {
            drop(inbox);
            return answer(true);
        }
        inbox.is_urgent = true;
        inbox.is_idle = false;
        let lost_before = inbox.counts.lost();
        inbox.waiting.push(Waiting { until: Some(Instant::now() + timeout), lost_before, answer: Box::new(answer) });
        drop(inbox);
        self.wake.notify_one();
        self.settled.notify_one();
    }

    /// Lets the background thread end, at the latest after that time. Calls back once it has, and all is counted;
    /// with whether nothing went elsewhere than to Redis meanwhile.
    pub(crate) fn close(&self, timeout: Duration, answer: impl FnOnce(bool) + Send + 'static) {
        let mut inbox = self.lock();
        inbox.phase = match inbox.phase {
            Phase::New | Phase::Closed => Phase::Closed,
            Phase::Closing(until) => Phase::Closing(until),
            Phase::Running => Phase::Closing(Instant::now() + timeout),
        };
        if inbox.phase == Phase::Closed {
            drop(inbox);
            return answer(true);
        }
        let lost_before = inbox.counts.lost();
        inbox.waiting.push(Waiting { until: None, lost_before, answer: Box::new(answer) });
        inbox.is_urgent = true;
        inbox.is_idle = false;
        drop(inbox);
        self.closing.notify_one();
        self.wake.notify_one();
    }
}

impl Inbox {
    fn lose(&mut self, reason: Reason, count: u64) {
        self.counts.drop_some(reason, count);
        self.loss_began.get_or_insert_with(Instant::now);
    }

    fn refusal(&mut self, event: &Event, now_ms: u64, settings: &Settings) -> Option<Reason> {
        if !matches!(self.phase, Phase::New | Phase::Running) {
            return Some(Reason::Closed);
        }
        if !self.limiter.allows(&event.event_type, event.level == Level::Error, now_ms) {
            return Some(Reason::RateLimited);
        }
        let is_room =
            (self.counts.queued as usize) < settings.queue_events && self.bytes + event.bytes <= settings.queue_bytes;
        match (is_room, self.is_circuit_open) {
            (true, _) => None,
            (false, true) => Some(Reason::CircuitOpen),
            (false, false) => Some(Reason::QueueFull),
        }
    }
}

/// What only the background thread does.
impl Core {
    /// Moves what came in to `pending`.
    pub(crate) fn take(&self, pending: &mut VecDeque<Event>) {
        let mut inbox = self.lock();
        if pending.is_empty() {
            std::mem::swap(&mut inbox.events, pending);
        } else {
            pending.append(&mut inbox.events);
        }
    }

    /// Goes to sleep, unless something came in. Whoever emits next wakes the thread.
    pub(crate) fn sleep_if_empty(&self) -> bool {
        let mut inbox = self.lock();
        inbox.is_idle = inbox.events.is_empty() && !inbox.is_urgent;
        inbox.is_idle
    }

    /// Is somebody waiting for the queue to be empty? Said once.
    pub(crate) fn take_urgency(&self) -> bool {
        std::mem::take(&mut self.lock().is_urgent)
    }

    /// Has it ended, and is all counted?
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().phase == Phase::Closed
    }

    /// Is the client to end, and nothing left to do?
    pub(crate) fn is_done(&self) -> bool {
        let inbox = self.lock();
        matches!(inbox.phase, Phase::Closing(_) | Phase::Closed) && inbox.counts.queued == 0
    }

    /// When the background thread must have ended.
    pub(crate) fn ends_at(&self) -> Option<Instant> {
        match self.lock().phase {
            Phase::Closing(until) => Some(until),
            Phase::New | Phase::Running | Phase::Closed => None,
        }
    }

    pub(crate) fn set_circuit_open(&self, is_open: bool) {
        self.lock().is_circuit_open = is_open;
    }

    pub(crate) fn is_filling(&self) -> bool {
        let inbox = self.lock();
        inbox.counts.queued as usize >= self.high_water() || inbox.bytes >= self.settings.queue_bytes / 4 * 3
    }

    /// Counts what became of events that waited: `count` of them, which held so many bytes.
    pub(crate) fn settle(&self, fate: Fate, count: u64, bytes: usize) {
        let mut inbox = self.lock();
        if count == 0 || inbox.phase == Phase::Closed {
            return;
        }
        inbox.counts.queued = inbox.counts.queued.saturating_sub(count);
        inbox.bytes = inbox.bytes.saturating_sub(bytes);
        match fate {
            Fate::Sent => inbox.counts.sent += count,
            Fate::Spooled => inbox.counts.spooled += count,
            Fate::Dropped(reason) => inbox.lose(reason, count),
        }
        let is_waited_for = !inbox.waiting.is_empty();
        drop(inbox);
        if is_waited_for {
            self.settled.notify_one();
        }
    }

    /// When the losses began that nobody was told of yet, if there are any.
    pub(crate) fn take_loss_began(&self) -> Option<Instant> {
        self.lock().loss_began.take()
    }

    /// Counts an event of the client's own, which passes by the queue. `false`: it is too late for it.
    pub(crate) fn admit_own(&self, bytes: usize) -> bool {
        let mut inbox = self.lock();
        if inbox.phase == Phase::Closed {
            return false;
        }
        inbox.counts.emitted += 1;
        inbox.counts.queued += 1;
        inbox.bytes += bytes;
        true
    }

    /// Answers those whose time is over, or all where nothing waits; when to look again.
    pub(crate) fn answer_waiting(&self) -> Option<Instant> {
        let mut inbox = self.lock();
        let (now, counts, is_closed) = (Instant::now(), inbox.counts, inbox.phase == Phase::Closed);
        let is_over = |waiting: &mut Waiting| match waiting.until {
            Some(until) => counts.queued == 0 || until <= now,
            None => is_closed,
        };
        let over: Vec<Waiting> = inbox.waiting.extract_if(.., is_over).collect();
        let next = inbox.waiting.iter().filter_map(|waiting| waiting.until).min();
        drop(inbox);
        for waiting in over {
            (waiting.answer)(counts.queued == 0 && counts.lost() == waiting.lost_before);
        }
        next
    }

    /// It has ended: whatever still waits is lost, and no count changes any more but for later calls.
    pub(crate) fn end(&self) {
        let mut inbox = self.lock();
        inbox.phase = Phase::Closed;
        inbox.events.clear();
        let left = std::mem::take(&mut inbox.counts.queued);
        inbox.lose(Reason::Closed, left);
        inbox.bytes = 0;
        drop(inbox);
        self.answer_waiting();
    }

    /// A new event of the client's own.
    pub(crate) fn own_event(
        &self,
        event_type: &'static str,
        level: Level,
        data: serde_json::Map<String, serde_json::Value>,
    ) -> Event {
        let mut event = Event {
            timestamp: now_ms(),
            event_type: event_type.into(),
            level,
            ids: crate::Ids::default(),
            bound: Arc::default(),
            trace: None,
            data: Data::Members(data),
            bytes: 0,
        };
        event.weigh(&self.rules);
        event
    }
}

/// How an event ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Sent,
    Spooled,
    Dropped(Reason),
}
