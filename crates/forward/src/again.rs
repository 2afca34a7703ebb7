//! Events of the store, sent by hand: a part of it once more, or what was refused.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tracing::warn;

use super::ForwardError;
use super::archive::StoreArchive;
use super::deliver::Delivery;
use super::otlp::{OwnedEvent, Signals};
use super::outbox::{Fate, Outbox, Queued};
use super::post::Client;
use super::settings::Settings;
use super::status::{Counts, Status};
use emp_store::{DeadLetters, Layout};

/// While an answer is waited for, how often we look whether there will be none.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Sends events that are handed to it, a few requests at a time.
pub struct Again {
    outbox: Outbox<Client, StoreArchive>,
    status: Status,
    counts: Counts,
}

/// A sender for events of that store, with those settings.
///
/// # Errors
/// [`ForwardError::Client`].
pub fn send_again(layout: &Layout, settings: &Settings) -> Result<Again, ForwardError> {
    let status = Status::default();
    let delivery = delivery(layout, settings, &status)?;
    Ok(Again::by(Arc::new(delivery), settings, status))
}

fn delivery(
    layout: &Layout,
    settings: &Settings,
    status: &Status,
) -> Result<Delivery<Client, StoreArchive>, ForwardError> {
    let receiver = Client::new(&settings.target)?;
    Ok(Delivery::new(receiver, StoreArchive::of(layout), status.clone(), settings.backoff))
}

impl Again {
    fn by(delivery: Arc<Delivery<Client, StoreArchive>>, settings: &Settings, status: Status) -> Self {
        Self { outbox: Outbox::new(settings, delivery), status, counts: Counts::default() }
    }

    /// Takes one event; waits where enough are under way.
    ///
    /// # Errors
    /// [`ForwardError::Denied`], at any time: what was taken before may then not have been sent.
    pub async fn send(&mut self, event: OwnedEvent) -> Result<(), ForwardError> {
        self.outbox.push(Queued { id: event.id, is_pending: false, lost: 0, fate: Fate::Send(Box::new(event)) });
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
        let settled = self.outbox.settled(usize::MAX).await;
        self.counts = self.counts.plus(&settled.counts);
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
    let delivery = Arc::new(delivery(layout, &settings, &status)?);
    let letters = DeadLetters::of(layout);
    let mut total = Counts::default();
    for letter in letters.iter()? {
        let letter = match letter {
            Ok(letter) if letter.signal == Signals::Logs.as_str() => letter,
            Ok(_) => continue,
            Err(error) => {
                warn!("{error}; it stays where it is");
                total.dead += 1;
                continue;
            }
        };
        let fields = [("event", letter.event.as_str())];
        let Ok(event) = emp_event::decode(letter.id, &fields) else { continue };
        let mut again = Again::by(Arc::clone(&delivery), &settings, status.clone());
        again.send(event.into_owned()).await?;
        let counts = again.finish().await?;
        if counts.dead == 0 && counts.refused == 0 {
            letters.remove(&letter)?;
        }
        total = total.plus(&counts);
    }
    Ok(total)
}
