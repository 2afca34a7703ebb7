//! Events of the store, sent by hand: a part of it once more, or what was refused.

use super::ForwardError;
use super::deliver::Delivery;
use super::otlp::{OwnedEvent, Signals};
use super::outbox::{Item, Outbox, What};
use super::settings::Settings;
use super::status::{Counts, Status};
use crate::event;
use crate::store::{DeadLetters, Layout};

/// Sends events that are handed to it, a few requests at a time.
pub struct Again {
    outbox: Outbox,
    counts: Counts,
}

/// A sender for events of that store, with those settings.
///
/// # Errors
/// [`ForwardError::Client`].
pub fn send_again(layout: &Layout, settings: &Settings) -> Result<Again, ForwardError> {
    Ok(Again::by(Delivery::new(layout, settings, Status::default())?, settings))
}

impl Again {
    fn by(delivery: Delivery, settings: &Settings) -> Self {
        Self { outbox: Outbox::new(settings, delivery), counts: Counts::default() }
    }

    /// Takes one event; waits where enough are under way.
    pub async fn send(&mut self, event: OwnedEvent) {
        self.outbox.push(Item { id: event.id, is_pending: false, what: What::Send(Box::new(event)) });
        while !self.outbox.has_room() {
            self.outbox.launch(false);
            self.outbox.wait().await;
            self.collect().await;
        }
    }

    /// What has been answered so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Waits until all is answered; what became of it.
    pub async fn finish(mut self) -> Counts {
        while !self.outbox.is_idle() {
            self.outbox.launch(true);
            self.outbox.wait().await;
            self.collect().await;
        }
        self.counts
    }

    async fn collect(&mut self) {
        let landed = self.outbox.landed(usize::MAX).await;
        self.counts = self.counts.plus(&landed.counts);
    }
}

/// Sends every dead letter of a store again. What is taken leaves the folder; what is refused once more
/// stays, and so does a refused span, which cannot be made again from its last event alone.
///
/// # Errors
/// [`ForwardError::Store`] where the folder cannot be read or changed.
pub async fn replay_dead_letters(layout: &Layout, settings: &Settings) -> Result<Counts, ForwardError> {
    let mut settings = settings.clone();
    settings.target.signals = Signals::Logs;
    let delivery = Delivery::new(layout, &settings, Status::default())?;
    let letters = DeadLetters::of(layout);
    let mut total = Counts::default();
    for letter in letters.list()?.into_iter().filter(|letter| letter.signal == Signals::Logs.as_str()) {
        let fields = [("event", letter.event.as_str())];
        let Ok(event) = event::decode(letter.id, &fields) else { continue };
        let mut again = Again::by(delivery.clone(), &settings);
        again.send(event.into_owned()).await;
        let counts = again.finish().await;
        if counts.dead == 0 && counts.refused == 0 {
            letters.remove(&letter)?;
        }
        total = total.plus(&counts);
    }
    Ok(total)
}
