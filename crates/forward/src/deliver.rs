//! One batch, until each of its events has a final answer.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;

use super::answer::Reply;
use super::otlp::{OwnedEvent, ServiceSpan, encode_logs, encode_spans};
use super::post::Signal;
use super::seams::{Archive, Receiver};
use super::status::{Counts, Status};
use emp_event::{Draft, EntryId};
use emp_store::DeadLetter;
use emp_system::Backoff;

/// A receiver that breaks so often over the same records is taken to refuse them, and what answers so often
/// in no words of OTLP is taken to be no receiver. OTLP has a 500 final at once; but a receiver that is being
/// restarted, say, gives it too.
const BREAKS_MAX: usize = 4;

/// Sends batches, and tries until they are settled.
#[derive(Debug)]
pub(super) struct Delivery<R, A> {
    receiver: R,
    archive: A,
    status: Status,
    backoff: (Duration, Duration),
}

/// What is sent together.
#[derive(Debug, Default)]
pub(super) struct Portion {
    /// The events that it is about.
    pub events: Vec<OwnedEvent>,
    /// Are the events sent as log records?
    pub as_logs: bool,
    /// Spans that these events complete.
    pub spans: Vec<ServiceSpan>,
}

impl<R: Receiver, A: Archive> Delivery<R, A> {
    /// To that receiver; what it refuses for good goes into that store. The waits after the first failure
    /// and at the longest are `backoff`.
    pub fn new(receiver: R, archive: A, status: Status, backoff: (Duration, Duration)) -> Self {
        Self { receiver, archive, status, backoff }
    }

    /// Sends it until it has a final answer; what became of it.
    pub async fn deliver(&self, portion: &Portion) -> Counts {
        let mut dead: Vec<DeadLetter> = Vec::new();
        let mut refused = 0;
        if portion.as_logs {
            let settled = self.settle(Signal::Logs, &portion.events, encode_logs).await;
            refused += settled.refused;
            dead.extend(settled.dead.into_iter().map(|(event, reason)| letter(event, Signal::Logs, reason)));
        }
        if !portion.spans.is_empty() {
            let settled = self.settle(Signal::Spans, &portion.spans, encode_spans).await;
            refused += settled.refused;
            let of_span = |(span, reason): (&ServiceSpan, String)| {
                let event = portion.events.iter().find(|event| event.id == span.event)?;
                Some(letter(event, Signal::Spans, reason))
            };
            dead.extend(settled.dead.into_iter().filter_map(of_span));
        }
        for letter in &dead {
            self.keep(letter).await;
        }
        // An event is dead once, even where its record and its span were refused.
        let dead_events: HashSet<EntryId> = dead.iter().map(|letter| letter.id).collect();
        let dead = dead_events.len() as u64;
        let sent = (portion.events.len() as u64).saturating_sub(dead + refused);
        Counts { sent, refused, dead, ..Counts::default() }
    }

    /// Sends records; what is too large is split, what is refused is halved until the bad ones are
    /// found.
    async fn settle<'a, T>(&self, signal: Signal, records: &'a [T], encode: fn(&[T]) -> Vec<u8>) -> Settled<'a, T> {
        let mut settled = Settled { refused: 0, dead: Vec::new() };
        let mut waiting = vec![records];
        while let Some(part) = waiting.pop() {
            if part.is_empty() {
                continue;
            }
            match self.send(signal, &encode(part)).await {
                Final::Accepted { refused } => settled.refused += refused.min(part.len() as u64),
                Final::TooLarge | Final::Rejected(_) if part.len() > 1 => {
                    let (first, second) = part.split_at(part.len() / 2);
                    waiting.extend([second, first]);
                }
                Final::TooLarge => settled.dead.push((&part[0], "413: it is too large alone".to_owned())),
                Final::Rejected(why) => settled.dead.push((&part[0], why)),
            }
        }
        settled
    }

    /// Posts one body until the answer is final.
    async fn send(&self, signal: Signal, body: &[u8]) -> Final {
        let mut waits = Backoff::new(self.backoff.0, self.backoff.1);
        let mut breaks = 0;
        loop {
            let wait = match self.receiver.post(signal, body).await {
                Reply::Accepted { refused, message } => {
                    self.status.works();
                    if refused > 0 || !message.is_empty() {
                        self.status.refused(&format!("the receiver left out {refused} {}: {message}", signal.as_str()));
                    }
                    return Final::Accepted { refused };
                }
                Reply::TooLarge => return Final::TooLarge,
                Reply::Broken { why } | Reply::Foreign { why } if breaks + 1 < BREAKS_MAX => {
                    breaks += 1;
                    self.status.failed(&why);
                    waits.next_wait()
                }
                Reply::Rejected { why } | Reply::Broken { why } => {
                    self.status.refused(&format!("the receiver rejects {}: {why}", signal.as_str()));
                    return Final::Rejected(why);
                }
                Reply::Later { after, why } => {
                    self.status.failed(&why);
                    after.unwrap_or_default().max(waits.next_wait())
                }
                Reply::Denied { why } | Reply::Foreign { why } => {
                    self.status.denied(&why);
                    self.backoff.1
                }
            };
            sleep(wait).await;
        }
    }

    /// The event is acknowledged once this is on the disk; a full disk is waited out.
    async fn keep(&self, letter: &DeadLetter) {
        while let Err(error) = self.archive.keep(letter) {
            self.status.failed(&error.to_string());
            sleep(self.backoff.1).await;
        }
    }
}

struct Settled<'a, T> {
    refused: u64,
    dead: Vec<(&'a T, String)>,
}

enum Final {
    Accepted { refused: u64 },
    TooLarge,
    Rejected(String),
}

fn letter(event: &OwnedEvent, signal: Signal, reason: String) -> DeadLetter {
    DeadLetter {
        id: event.id,
        signal: signal.as_str().to_owned(),
        reason,
        service: event.service.to_string(),
        event_type: event.event_type.to_string(),
        // Stored events hold JSON.
        event: Draft::from(event).json().unwrap_or_default(),
        noticed_at: Timestamp::now().as_millisecond(),
    }
}
