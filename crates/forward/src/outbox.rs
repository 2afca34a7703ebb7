//! What waits to be sent and what is under way. It leaves in the order in which it came.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::deliver::{Delivery, Portion};
use super::otlp::{OwnedEvent, Signals, SpanJoiner};
use super::seams::{Archive, Receiver};
use super::settings::Settings;
use super::status::Counts;
use emp_event::EntryId;

/// Entries that wait, at most, where two batches are not more.
const WAITING_ENTRIES: usize = 500;
/// Bytes that wait, at most, where two batches are not more.
const WAITING_BYTES: usize = 4 << 20;
/// What an event takes beyond its `data`, about, in bytes.
const EVENT_BYTES: usize = 400;
/// Jobs whose beginnings are remembered for their spans.
const OPEN_JOBS_MAX: usize = 10_000;

/// An entry, in its turn.
#[derive(Debug)]
pub(super) struct Queued {
    pub id: EntryId,
    /// Has Redis to be told that it is settled? What the group was never given has not.
    pub is_pending: bool,
    /// How many entries that the group was never given are settled with it.
    pub lost: u64,
    pub fate: Fate,
}

/// What is done with an entry.
#[derive(Debug)]
pub(super) enum Fate {
    Send(Box<OwnedEvent>),
    /// Left out by level or sampling.
    Skip,
    /// Older than the receiver takes.
    TooOld,
    /// No event: it is in the collector's quarantine.
    NotAnEvent,
    /// Settled before.
    Known,
    /// The end of what was trimmed: these were pending, and like the `lost` of the entry they are in no store.
    Absent {
        pending: Vec<EntryId>,
        missing: u64,
    },
}

/// What is settled together: everything up to an ID.
#[derive(Debug, Default)]
pub(super) struct Settlement {
    pub through: EntryId,
    pub pending: Vec<EntryId>,
    pub lost: u64,
    pub counts: Counts,
}

impl Settlement {
    pub fn add(&mut self, more: Self) {
        self.through = self.through.max(more.through);
        self.pending.extend(more.pending);
        self.lost += more.lost;
        self.counts = self.counts.plus(&more.counts);
    }

    /// Adds what becomes of one entry; gives back the event that is still to be sent for it.
    fn add_entry(&mut self, entry: Queued) -> Option<OwnedEvent> {
        self.through = self.through.max(entry.id);
        self.lost += entry.lost;
        self.pending.extend(entry.is_pending.then_some(entry.id));
        match entry.fate {
            Fate::Send(event) => return Some(*event),
            Fate::Skip => self.counts.skipped += 1,
            Fate::TooOld => self.counts.too_old += 1,
            Fate::NotAnEvent => self.counts.not_events += 1,
            Fate::Known => {}
            Fate::Absent { pending, missing } => {
                self.pending.extend(pending);
                self.counts.missing += missing;
            }
        }
        None
    }
}

pub(super) struct Outbox<R, A> {
    delivery: Arc<Delivery<R, A>>,
    signals: Signals,
    joiner: SpanJoiner,
    batch_events: usize,
    batch_bytes: usize,
    batch_wait: Duration,
    requests: usize,
    waiting: VecDeque<Queued>,
    /// Of those that wait: what is to be sent, and since when the first of all waits.
    to_send: usize,
    bytes: usize,
    since: Option<Instant>,
    under_way: VecDeque<UnderWay>,
}

struct UnderWay {
    settlement: Settlement,
    task: JoinHandle<Counts>,
    /// What came of it, once that is known.
    outcome: Option<Counts>,
}

impl UnderWay {
    async fn wait(&mut self) -> Counts {
        if self.outcome.is_none() {
            let joined = (&mut self.task).await;
            // Its panic goes on here: nobody else ends the task.
            self.outcome = Some(joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
        }
        self.outcome.unwrap_or_default()
    }

    fn is_settled(&self) -> bool {
        self.outcome.is_some() || self.task.is_finished()
    }
}

impl Drop for UnderWay {
    /// Nobody would hear of its answer.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<R: Receiver, A: Archive> Outbox<R, A> {
    pub fn new(settings: &Settings, delivery: Arc<Delivery<R, A>>) -> Self {
        Self {
            delivery,
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

    pub fn push(&mut self, entry: Queued) {
        if let Fate::Send(event) = &entry.fate {
            self.to_send += 1;
            self.bytes += bytes_of(event);
        }
        self.since.get_or_insert_with(Instant::now);
        self.waiting.push_back(entry);
    }

    /// May more be added?
    pub fn has_room(&self) -> bool {
        self.waiting.len() < (2 * self.batch_events).max(WAITING_ENTRIES)
            && self.bytes < self.batch_bytes.saturating_mul(2).max(WAITING_BYTES)
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
            let (settlement, events) = self.next_batch();
            let spans = if self.signals == Signals::Logs { Vec::new() } else { self.joiner.take(&events) };
            let as_logs = self.signals != Signals::Spans && !events.is_empty();
            let portion = Portion { events, as_logs, spans };
            let delivery = Arc::clone(&self.delivery);
            let task = tokio::spawn(async move { delivery.deliver(&portion).await });
            self.under_way.push_back(UnderWay { settlement, task, outcome: None });
        }
    }

    /// Takes one batch out of what waits; what is not sent goes along in its turn.
    fn next_batch(&mut self) -> (Settlement, Vec<OwnedEvent>) {
        let mut settlement = Settlement::default();
        let mut events = Vec::with_capacity(self.batch_events.min(self.waiting.len()));
        let mut bytes = 0;
        while events.len() < self.batch_events && (bytes < self.batch_bytes || events.is_empty()) {
            let Some(entry) = self.waiting.pop_front() else { break };
            if let Some(event) = settlement.add_entry(entry) {
                bytes += bytes_of(&event);
                events.push(event);
            }
        }
        self.to_send -= events.len();
        self.bytes -= bytes;
        self.since = (!self.waiting.is_empty()).then(Instant::now);
        (settlement, events)
    }

    /// What is settled by now, in order; of so many pending entries, and those of one batch more.
    pub async fn settled(&mut self, entries_max: usize) -> Settlement {
        let mut all = Settlement::default();
        while all.pending.len() < entries_max
            && let Some(mut next) = self.under_way.pop_front_if(|first| first.is_settled())
        {
            all.counts = all.counts.plus(&next.wait().await);
            all.add(std::mem::take(&mut next.settlement));
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
