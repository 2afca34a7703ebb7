//! Events of the store, sent by hand: a part of it once more, or what was refused.

use std::time::Duration;

use tokio::time::timeout;

use super::ForwardError;
use super::deliver::Delivery;
use super::otlp::{OwnedEvent, Signals};
use super::outbox::{Item, Outbox, What};
use super::settings::Settings;
use super::status::{Counts, Status};
use emp_store::{DeadLetters, Layout};

/// While an answer is waited for, how often we look whether there will be none.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Sends events that are handed to it, a few requests at a time.
pub struct Again {
    outbox: Outbox,
    status: Status,
    counts: Counts,
}

/// A sender for events of that store, with those settings.
///
/// # Errors
/// [`ForwardError::Client`].
pub fn send_again(layout: &Layout, settings: &Settings) -> Result<Again, ForwardError> {
    let status = Status::default();
    Ok(Again::by(Delivery::new(layout, settings, status.clone())?, settings, status))
}

impl Again {
    fn by(delivery: Delivery, settings: &Settings, status: Status) -> Self {
        Self { outbox: Outbox::new(settings, delivery), status, counts: Counts::default() }
    }

    /// Takes one event; waits where enough are under way.
    ///
    /// # Errors
    /// [`ForwardError::Denied`], at any time: what was taken before may then not have been sent.
    pub async fn send(&mut self, event: OwnedEvent) -> Result<(), ForwardError> {
        self.outbox.push(Item { id: event.id, is_pending: false, what: What::Send(Box::new(event)) });
        while !self.outbox.has_room() {
            self.outbox.launch(false);
            self.take_answers().await?;
        }
        Ok(())
    }

    /// What has been answered so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Waits until all is answered; what became of it.
    ///
    /// # Errors
    /// [`ForwardError::Denied`].
    pub async fn finish(mut self) -> Result<Counts, ForwardError> {
        while !self.outbox.is_idle() {
            self.outbox.launch(true);
            self.take_answers().await?;
        }
        Ok(self.counts)
    }

    /// Waits for an answer, and again where there is none yet but the receiver may still give one.
    async fn take_answers(&mut self) -> Result<(), ForwardError> {
        while timeout(LOOK_EVERY, self.outbox.wait()).await.is_err() {
            if let Some(why) = self.status.trouble().blocked {
                return Err(ForwardError::Denied(why));
            }
        }
        let landed = self.outbox.landed(usize::MAX).await;
        self.counts = self.counts.plus(&landed.counts);
        Ok(())
    }
}

/// Sends every dead letter of a store again. What is taken leaves the folder; what is refused once more
/// stays, and so does a refused span, which cannot be made again from its last event alone.
///
/// # Errors
/// [`ForwardError::Store`] where the folder cannot be read or changed, [`ForwardError::Denied`].
pub async fn replay_dead_letters(layout: &Layout, settings: &Settings) -> Result<Counts, ForwardError> {
    let mut settings = settings.clone();
    settings.target.signals = Signals::Logs;
    let status = Status::default();
    let delivery = Delivery::new(layout, &settings, status.clone())?;
    let letters = DeadLetters::of(layout);
    let mut total = Counts::default();
    for letter in letters.list()?.into_iter().filter(|letter| letter.signal == Signals::Logs.as_str()) {
        let fields = [("event", letter.event.as_str())];
        let Ok(event) = emp_event::decode(letter.id, &fields) else { continue };
        let mut again = Again::by(delivery.clone(), &settings, status.clone());
        again.send(event.into_owned()).await?;
        let counts = again.finish().await?;
        if counts.dead == 0 && counts.refused == 0 {
            letters.remove(&letter)?;
        }
        total = total.plus(&counts);
    }
    Ok(total)
}
