//! Acknowledging in order what has its final answer, and waiting for answers.

use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use super::ForwardError;
use super::outbox::{Queued, Settlement};
use super::progress::{Place, Progress};
use super::seams::{Archive, Group, Receiver};
use super::shutdown::{Halt, Stopped};
use super::work::{Session, Work};
use emp_event::EntryId;
use emp_stream::Lease;

/// Entries acknowledged at once, beside those of one batch.
const SETTLE_ENTRIES: usize = 2_000;

impl<G: Group, R: Receiver, A: Archive> Session<'_, G, R, A> {
    /// Acknowledges what is settled, in order; now and then renews the lease.
    pub async fn settle(&mut self) -> Result<(), Halt> {
        let settled = self.work.outbox.settled(SETTLE_ENTRIES).await;
        self.work.unsettled.add(settled);
        self.work.unsettled.counts.retried += self.forwarder.status.take_retried();
        let is_time = self.work.ticked.elapsed() >= self.forwarder.pace.tick;
        if is_time || self.work.unsettled.through > EntryId::ZERO {
            self.note().await?;
        }
        if is_time {
            self.work.ticked = Instant::now();
            self.keep_place();
            if self.group.hold_lease(&self.forwarder.holder).await? != Lease::Ours {
                return Err(Halt::Superseded);
            }
        }
        match self.forwarder.status.trouble().blocked {
            Some(why) if self.forwarder.settings.once => Err(ForwardError::Denied(why).into()),
            _ => Ok(()),
        }
    }

    /// Tells Redis what is settled. Does nothing where Redis knows that already.
    pub async fn note(&mut self) -> Result<(), Halt> {
        let work = &mut *self.work;
        let mut progress = work.progress.clone();
        progress.add(&work.unsettled);
        let trouble = self.forwarder.status.trouble();
        let notes = Some((progress, trouble));
        if work.unsettled.pending.is_empty() && work.noted == notes {
            return Ok(());
        }
        if let Some((progress, trouble)) = &notes {
            // Should the answer get lost, the same once more changes nothing.
            let holder = &self.forwarder.holder;
            if !self.group.settle(holder, &work.unsettled.pending, progress, trouble).await? {
                return Err(Halt::Superseded);
            }
            work.progress.clone_from(progress);
            work.highest = work.highest.max(progress.through);
        }
        work.noted = notes;
        work.unsettled = Settlement::default();
        Ok(())
    }

    /// Tells the store how far we have got, for a Redis that forgets it. Where the store cannot be written, no more
    /// is lost than such a Redis takes along, so that forwarding goes on.
    pub fn keep_place(&mut self) {
        let Work { progress, highest, seen, kept, .. } = &mut *self.work;
        let Some(seen) = *seen else { return };
        let Progress { through, life, counts, .. } = *progress;
        let place = Place { through, life, highest: *highest, counts, seen };
        if kept.as_ref() == Some(&place) {
            return;
        }
        if let Err(error) = self.forwarder.archive.keep_place(&place) {
            debug!("how far forwarding has got is in Redis alone: {error}");
        }
        *kept = Some(place);
    }

    /// Puts an entry into the outbox, once there is room.
    pub async fn push(&mut self, entry: Queued) -> Result<(), Halt> {
        self.forwarder.shutdown.check()?;
        if !self.work.outbox.has_room() {
            self.make_room().await?;
        }
        self.work.taken = self.work.taken.max(entry.id);
        self.work.lost_taken += entry.lost;
        self.work.outbox.push(entry);
        Ok(())
    }

    /// Sends and settles until there is room for more.
    pub async fn make_room(&mut self) -> Result<(), Halt> {
        loop {
            self.settle().await?;
            self.work.outbox.launch(false);
            if self.work.outbox.has_room() {
                return Ok(());
            }
            self.wait_for_answer().await?;
        }
    }

    /// Sends and settles until nothing is left in the outbox.
    pub async fn drain(&mut self) -> Result<(), Halt> {
        loop {
            self.settle().await?;
            self.work.outbox.launch(true);
            if self.work.outbox.is_idle() {
                self.note().await?;
                self.keep_place();
                return Ok(());
            }
            self.wait_for_answer().await?;
        }
    }

    async fn wait_for_answer(&mut self) -> Result<(), Stopped> {
        let answer = timeout(self.forwarder.pace.tick, self.work.outbox.wait());
        self.forwarder.shutdown.unless(answer).await.map(drop)
    }

    /// We were told to stop: sends what waits for a bounded time, in which the requests under way may still be
    /// answered. What is not settled then stays pending, or is taken from the store again.
    pub async fn wind_up(&mut self) -> Result<(), Halt> {
        let pace = self.forwarder.pace;
        let stopped_at = Instant::now();
        loop {
            self.settle().await?;
            let elapsed = stopped_at.elapsed();
            if elapsed < pace.flush {
                self.work.outbox.launch(true);
            }
            if self.work.outbox.is_idle() || (elapsed >= pace.flush && !self.work.outbox.is_sending()) {
                break;
            }
            if elapsed >= pace.flush + pace.answer {
                warn!("stopped before all was answered; what is left is sent at the next start");
                break;
            }
            let until_end = (pace.flush + pace.answer).saturating_sub(elapsed).max(Duration::from_millis(1));
            let _ = timeout(pace.tick.min(until_end), self.work.outbox.wait()).await;
        }
        self.note().await?;
        self.keep_place();
        Ok(())
    }
}
