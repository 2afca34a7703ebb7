//! What waits to be sent and what is under way. It leaves in the order in which it came.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::deliver::{Delivery, Portion};
use super::otlp::{OwnedEvent, Signals, SpanJoiner};
use super::settings::Settings;
use super::status::Counts;
use emp_event::EntryId;

/// Entries that wait, at most, beside those that one read adds, where two batches are not more.
const WAITING_ENTRIES: usize = 500;
/// What an event takes beyond its `data`, about, in bytes.
const EVENT_BYTES: usize = 400;
/// Jobs whose beginnings are remembered for their spans.
const OPEN_JOBS_MAX: usize = 10_000;

/// An entry, in its turn.
#[derive(Debug)]
pub(super) struct Item {
    pub id: EntryId,
    /// Has Redis to be told that it is settled? What comes from the store has not.
    pub is_pending: bool,
    pub what: What,
}

/// What is done with it.
#[derive(Debug)]
pub(super) enum What {
    Send(Box<OwnedEvent>),
    /// Left out by level or sampling.
    Skip,
    /// Older than the receiver takes.
    TooOld,
    /// No event: it is in the collector's quarantine.
    NotAnEvent,
    /// Settled before.
    Known,
}

/// What is settled: everything at or below an ID.
#[derive(Debug, Default)]
pub(super) struct Landed {
    pub through: EntryId,
    pub pending: Vec<EntryId>,
    pub counts: Counts,
}

impl Landed {
    pub fn add(&mut self, more: Self) {
        self.through = self.through.max(more.through);
        self.pending.extend(more.pending);
        self.counts = self.counts.plus(&more.counts);
    }
}

pub(super) struct Outbox {
    delivery: Arc<Delivery>,
    signals: Signals,
    joiner: SpanJoiner,
    batch_events: usize,
    batch_bytes: usize,
    batch_wait: Duration,
    requests: usize,
    waiting: VecDeque<Item>,
    /// Of those that wait: what is to be sent, and since when the first of all waits.
    to_send: usize,
    bytes: usize,
    since: Option<Instant>,
    under_way: VecDeque<UnderWay>,
}

struct UnderWay {
    landed: Landed,
    task: JoinHandle<Counts>,
    /// What came of it, once that is known.
    outcome: Option<Counts>,
}

impl UnderWay {
    async fn wait(&mut self) -> Counts {
        if self.outcome.is_none() {
            let joined = (&mut self.task).await;
            // Its panic goes on here.
            self.outcome = Some(joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
        }
        self.outcome.unwrap_or_default()
    }

    fn is_settled(&self) -> bool {
        self.outcome.is_some() || self.task.is_finished()
    }
}

impl Outbox {
    pub fn new(settings: &Settings, delivery: Delivery) -> Self {
        Self {
            delivery: Arc::new(delivery),
            signals: settings.target.signals,
            joiner: SpanJoiner::new(OPEN_JOBS_MAX),
            batch_events: settings.batch_events,
            batch_bytes: settings.batch_bytes,
            batch_wait: settings.batch_wait,
            requests: settings.requests,
            waiting: VecDeque::new(),
            to_send: 0,
            bytes: 0,
            since: None,
            under_way: VecDeque::new(),
        }
    }

    pub fn push(&mut self, item: Item) {
        if let What::Send(event) = &item.what {
            self.to_send += 1;
            self.bytes += bytes_of(event);
        }
        self.since.get_or_insert_with(Instant::now);
        self.waiting.push_back(item);
    }

    /// May more be read?
    pub fn has_room(&self) -> bool {
        self.waiting.len() < (2 * self.batch_events).max(WAITING_ENTRIES)
    }

    /// Is nothing waiting or under way?
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_empty()
    }

    /// Is anything under way?
    pub fn is_sending(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// When the next batch is due even if it is small; `None` where nothing waits.
    pub fn due_in(&self) -> Option<Duration> {
        let since = self.since?;
        Some(self.batch_wait.saturating_sub(since.elapsed()))
    }

    /// Sends what makes a whole batch or has waited long enough, as far as requests may be under way; with
    /// `all`, whatever waits.
    pub fn launch(&mut self, all: bool) {
        while self.under_way.len() < self.requests && !self.waiting.is_empty() {
            let is_whole = self.to_send >= self.batch_events || self.bytes >= self.batch_bytes || !self.has_room();
            let is_due = self.due_in().is_some_and(|due| due.is_zero());
            if !is_whole && !is_due && !all {
                return;
            }
            let (landed, events) = self.next_batch();
            let spans = if self.signals == Signals::Logs { Vec::new() } else { self.joiner.take(&events) };
            let as_logs = self.signals != Signals::Spans && !events.is_empty();
            let portion = Portion { events, as_logs, spans };
            let delivery = Arc::clone(&self.delivery);
            let task = tokio::spawn(async move { delivery.deliver(&portion).await });
            self.under_way.push_back(UnderWay { landed, task, outcome: None });
        }
    }

    /// Takes one batch out of what waits; what is not sent goes along in its turn.
    fn next_batch(&mut self) -> (Landed, Vec<OwnedEvent>) {
        let mut landed = Landed::default();
        let mut events = Vec::with_capacity(self.batch_events.min(self.waiting.len()));
        let mut bytes = 0;
        while events.len() < self.batch_events && (bytes < self.batch_bytes || events.is_empty()) {
            let Some(item) = self.waiting.pop_front() else { break };
            landed.through = landed.through.max(item.id);
            landed.pending.extend(item.is_pending.then_some(item.id));
            match item.what {
                What::Send(event) => {
                    bytes += bytes_of(&event);
                    events.push(*event);
                }
                What::Skip => landed.counts.skipped += 1,
                What::TooOld => landed.counts.too_old += 1,
                What::NotAnEvent => landed.counts.not_events += 1,
                What::Known => {}
            }
        }
        self.to_send -= events.len();
        self.bytes -= bytes;
        self.since = (!self.waiting.is_empty()).then(Instant::now);
        (landed, events)
    }

    /// What is settled by now, in order, so many entries at most.
    pub async fn landed(&mut self, entries_max: usize) -> Landed {
        let mut all = Landed::default();
        while all.pending.len() < entries_max
            && let Some(mut next) = self.under_way.pop_front_if(|first| first.is_settled())
        {
            all.counts = all.counts.plus(&next.wait().await);
            all.add(next.landed);
        }
        all
    }

    /// Waits until the first of what is under way is settled; at once where nothing is.
    pub async fn wait(&mut self) {
        if let Some(first) = self.under_way.front_mut() {
            first.wait().await;
        }
    }
}

fn bytes_of(event: &OwnedEvent) -> usize {
    event.data.len() + EVENT_BYTES
}
