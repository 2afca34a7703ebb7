//! One batch, until each of its events has a final answer.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use jiff::Timestamp;
use tokio::time::sleep;

use super::ForwardError;
use super::otlp::{OwnedEvent, ServiceSpan, encode_logs, encode_spans};
use super::post::{Client, Reply, Signal};
use super::settings::Settings;
use super::status::{Counts, Status};
use emp_event::Draft;
use emp_store::{DeadLetter, DeadLetters, Layout};

/// A receiver that breaks so often over the same records is taken to refuse them. OTLP has such answers
/// final at once; but a receiver that is being restarted, say, gives them too.
const BREAKS_MAX: usize = 4;

/// Sends batches, and tries until they are settled.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    client: Client,
    status: Status,
    dead_letters: DeadLetters,
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

impl Delivery {
    /// To the settings' receiver; what it refuses for good goes into that store.
    pub fn new(layout: &Layout, settings: &Settings, status: Status) -> Result<Self, ForwardError> {
        let client = Client::new(&settings.target)?;
        Ok(Self { client, status, dead_letters: DeadLetters::of(layout), backoff: settings.backoff })
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
        let mut lost_events: Vec<_> = dead.iter().map(|letter| letter.id).collect();
        lost_events.dedup();
        let not_taken = lost_events.len() as u64 + refused;
        let sent = (portion.events.len() as u64).saturating_sub(not_taken);
        Counts { sent, refused, dead: dead.len() as u64, ..Counts::default() }
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
        let mut waits = backoff(self.backoff);
        let mut breaks = 0;
        loop {
            let wait = match self.client.post(signal, body).await {
                Reply::Accepted { refused, message } => {
                    self.status.works();
                    if refused > 0 || !message.is_empty() {
                        self.status.refused(&format!("the receiver left out {refused} {}: {message}", signal.as_str()));
                    }
                    return Final::Accepted { refused };
                }
                Reply::TooLarge => return Final::TooLarge,
                Reply::Broken { why } if breaks + 1 < BREAKS_MAX => {
                    breaks += 1;
                    self.status.failed(&why);
                    waits.next().unwrap_or(self.backoff.1)
                }
                Reply::Rejected { why } | Reply::Broken { why } => {
                    self.status.refused(&format!("the receiver rejects {}: {why}", signal.as_str()));
                    return Final::Rejected(why);
                }
                Reply::Later { after, why } => {
                    self.status.failed(&why);
                    after.unwrap_or_default().max(waits.next().unwrap_or(self.backoff.1))
                }
                Reply::Denied { why } => {
                    self.status.denied(&why);
                    self.backoff.1
                }
            };
            sleep(wait).await;
        }
    }

    /// The event is acknowledged once this is on the disk; a full disk is waited out.
    async fn keep(&self, letter: &DeadLetter) {
        while let Err(error) = self.dead_letters.add(letter) {
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

/// Longer waits at each failure, with jitter, so that many forwarders don't come back at once.
pub(super) fn backoff((first, last): (Duration, Duration)) -> ExponentialBackoff {
    let builder = ExponentialBuilder::new().with_min_delay(first).with_max_delay(last);
    builder.without_max_times().with_jitter().build()
}
