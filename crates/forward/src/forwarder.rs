//! The forwarder's life: reads the group in order, fills from the store what the stream has
//! trimmed, and acknowledges in order.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::{error, info, warn};

use super::deliver::{Delivery, backoff};
use super::outbox::{Item, Landed, Outbox, What};
use super::place::Place;
use super::settings::Settings;
use super::sieve::Sieve;
use super::status::{Counts, Status};
use super::{ForwardError, GROUP};
use emp_event::{EntryId, Event, decode_fields};
use emp_store::{EventRange, Layout, StoreWriter};
use emp_stream::{Connection, Entry, GroupReader, Poll, RedisAddress, Settled, Start};

/// The one consumer of the group, on whichever host: what one leaves pending, the next finds.
const CONSUMER: &str = "forwarder";
/// Entries read at once.
const POLL_ENTRIES: usize = 500;
/// Entries acknowledged at once.
const SETTLE_ENTRIES: usize = 2_000;
/// How long to wait for entries before looking after the rest.
const IDLE_WAIT: Duration = Duration::from_millis(500);
/// While requests are under way, their answers are looked for that often.
const BUSY_WAIT: Duration = Duration::from_millis(20);
/// How often the lease is renewed and what went wrong is noted.
const TICK: Duration = Duration::from_secs(1);
/// A forwarder that died is followed by another after so long.
const LEASE_MS: u64 = 4_000;
/// How long requests are begun after we were told to stop, and how long they may take then.
const FLUSH_WAIT: Duration = Duration::from_secs(3);
const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// How long a collector may need to store what the stream has trimmed.
const STORE_WAIT: Duration = Duration::from_secs(10);
/// The waits between attempts at Redis.
const REDIS_BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Where events come from.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where Redis is.
    pub address: RedisAddress,
    /// The stream's key.
    pub stream: String,
    /// The store: for what the stream has trimmed, and for dead letters.
    pub layout: Layout,
}

/// Forwards until `shutdown` turns true, or, with [`Settings::once`], until all that was in the stream is
/// delivered. Failures of Redis and of the receiver are waited out. What has become of events, in all.
///
/// # Errors
/// What trying again cannot mend; with [`Settings::once`], any failure of Redis.
pub async fn forward(
    source: &Source,
    settings: &Settings,
    shutdown: watch::Receiver<bool>,
) -> Result<Counts, ForwardError> {
    let status = Status::default();
    let delivery = Delivery::new(&source.layout, settings, status.clone())?;
    info!("forwarding {} at {} to {} as group {GROUP}", source.stream, source.address, settings.target.shown());
    let mut forwarder = Forwarder {
        source,
        settings,
        shutdown,
        outbox: Outbox::new(settings, delivery),
        status,
        place: None,
        unsettled: Landed::default(),
        taken: EntryId::ZERO,
        ticked: Instant::now(),
        holder: format!("{:016x}", rand::random::<u64>()),
    };
    forwarder.run().await?;
    let counts = forwarder.place.unwrap_or_default().counts;
    info!("forwarded {} events in all, {} dead, {} skipped", counts.sent, counts.dead, counts.skipped);
    Ok(counts)
}

struct Forwarder<'a> {
    source: &'a Source,
    settings: &'a Settings,
    shutdown: watch::Receiver<bool>,
    outbox: Outbox,
    status: Status,
    /// `None` until Redis has told.
    place: Option<Place>,
    /// What has landed, and Redis has not been told yet.
    unsettled: Landed,
    /// Everything at or below this ID is settled, or in the outbox.
    taken: EntryId,
    ticked: Instant,
    holder: String,
}

impl Forwarder<'_> {
    async fn run(&mut self) -> Result<(), ForwardError> {
        let mut waits = backoff(REDIS_BACKOFF);
        let mut has_worked = false;
        while !self.is_stopped() {
            let error = match self.connect_and_work(&mut has_worked).await {
                Ok(()) => return Ok(()),
                Err(error) if self.settings.once || (error.is_final() && !has_worked) => return Err(error),
                Err(error) => error,
            };
            if std::mem::take(&mut has_worked) {
                waits = backoff(REDIS_BACKOFF);
                error!("forwarding: {error}; trying again");
            }
            self.pause(waits.next().unwrap_or(REDIS_BACKOFF.1)).await;
        }
        Ok(())
    }

    /// One connection's life. What is under way in the outbox outlives it.
    async fn connect_and_work(&mut self, has_worked: &mut bool) -> Result<(), ForwardError> {
        let connection = Connection::open(&self.source.address, &self.source.stream, GROUP).await?;
        let mut reader = GroupReader::new(connection, CONSUMER);
        if !self.take_lease(&mut reader).await? {
            return Ok(());
        }
        *has_worked = true;
        self.begin(&mut reader).await?;
        self.work(&mut reader).await?;
        self.finish(&mut reader).await?;
        Ok(reader.release_lease(&self.holder).await?)
    }

    /// One forwarder reads, others stand by. `false` where we were told to stop meanwhile.
    async fn take_lease(&mut self, reader: &mut GroupReader) -> Result<bool, ForwardError> {
        let mut stands_by = false;
        while !self.is_stopped() {
            if reader.hold_lease(&self.holder, LEASE_MS).await? {
                return Ok(true);
            }
            if !std::mem::replace(&mut stands_by, true) {
                info!("another forwarder is at work, or died a moment ago; standing by");
            }
            self.pause(IDLE_WAIT).await;
        }
        Ok(false)
    }

    /// Makes the group where it is missing, and takes what was delivered before and is not
    /// settled.
    async fn begin(&mut self, reader: &mut GroupReader) -> Result<(), ForwardError> {
        if reader.group_is_missing().await? {
            reader.create_group(Start::Now, 0).await?;
        }
        reader.agree_on(0).await?;
        // Ends what an earlier connection may have left on its way, where Redis' rules allow.
        let _ = reader.fence().await;
        let mut after = self.taken;
        if self.place.is_none() {
            let place = Place::load(reader).await?;
            self.taken = place.through;
            self.place = Some(place);
            after = EntryId::ZERO;
        }
        loop {
            let poll = reader.poll_pending(POLL_ENTRIES, after, &Settled::default()).await?;
            let last = poll.entries.last_id().max(poll.trimmed.last().copied());
            let Some(last) = last else { return Ok(()) };
            after = last;
            self.take(reader, &poll).await?;
        }
    }

    async fn work(&mut self, reader: &mut GroupReader) -> Result<(), ForwardError> {
        while !self.is_stopped() {
            self.make_room(reader).await?;
            let poll = reader.poll_new(POLL_ENTRIES, &Settled::default()).await?;
            if !poll.entries.is_empty() {
                self.take(reader, &poll).await?;
                continue;
            }
            if self.settings.once {
                return Ok(());
            }
            let rest = if self.outbox.is_sending() { BUSY_WAIT } else { IDLE_WAIT };
            let due = self.outbox.due_in().filter(|_| !self.outbox.is_sending()).unwrap_or(rest);
            reader.wait(poll.state.last.unwrap_or(EntryId::ZERO), due.min(rest)).await?;
        }
        Ok(())
    }

    /// Sends and settles until there is room for more.
    async fn make_room(&mut self, reader: &mut GroupReader) -> Result<(), ForwardError> {
        loop {
            self.settle(reader).await?;
            self.outbox.launch(false);
            if self.outbox.has_room() || self.is_stopped() {
                return Ok(());
            }
            self.wait_for_answer(TICK).await;
        }
    }

    /// Acknowledges what is settled, in order; renews the lease.
    async fn settle(&mut self, reader: &mut GroupReader) -> Result<(), ForwardError> {
        let landed = self.outbox.landed(SETTLE_ENTRIES).await;
        self.unsettled.add(landed);
        self.unsettled.counts.retried += self.status.take_retried();
        let is_time = self.ticked.elapsed() >= TICK;
        let Some(place) = &mut self.place else { return Ok(()) };
        if is_time || self.unsettled.through > EntryId::ZERO {
            place.settle(reader, &self.unsettled, &self.status).await?;
            self.unsettled = Landed::default();
        }
        if is_time {
            self.ticked = Instant::now();
            if !reader.hold_lease(&self.holder, LEASE_MS).await? {
                return Err(ForwardError::Superseded);
            }
        }
        if self.settings.once
            && let Some(why) = self.status.trouble().blocked
        {
            return Err(ForwardError::Denied(why));
        }
        Ok(())
    }

    async fn wait_for_answer(&mut self, at_most: Duration) {
        let stopped = self.shutdown.wait_for(|stop| *stop);
        tokio::select! {
            () = self.outbox.wait() => {}
            _ = stopped => {}
            () = tokio::time::sleep(at_most) => {}
        }
    }

    /// Takes entries into the outbox, behind what is missing before them.
    async fn take(&mut self, reader: &mut GroupReader, poll: &Poll) -> Result<(), ForwardError> {
        if poll.state.last.is_some_and(|last| last < self.taken) {
            warn!("the stream was reset; forwarding goes on with its new life");
            self.taken = EntryId::ZERO;
        }
        let lost = poll.accounts.lost.saturating_sub(self.place.as_ref().map_or(0, |place| place.lost_seen));
        let trimmed = poll.trimmed.iter().filter(|id| **id > self.taken).count() as u64;
        if lost + trimmed > 0 {
            let behind = poll.trimmed.last().map(|last| EntryId::new(last.ms, last.seq + 1));
            let before = poll.entries.first_id().or(behind).unwrap_or(self.taken);
            self.fill(reader, before, lost + trimmed).await?;
        }
        if let Some(place) = &mut self.place {
            place.lost_seen = poll.accounts.lost;
        }
        for id in &poll.trimmed {
            self.outbox.push(Item { id: *id, is_pending: true, what: What::Known });
        }
        for entry in poll.entries.above(EntryId::ZERO) {
            let what = if entry.id <= self.taken { What::Known } else { what(&entry, &self.settings.sieve) };
            self.outbox.push(Item { id: entry.id, is_pending: true, what });
            self.taken = self.taken.max(entry.id);
        }
        Ok(())
    }

    /// Takes from the store what lies between what we have and `before`: the stream has trimmed
    /// so many entries of it.
    async fn fill(&mut self, reader: &mut GroupReader, before: EntryId, trimmed: u64) -> Result<(), ForwardError> {
        self.wait_for_store(reader, before).await?;
        let oldest_ms = Timestamp::now().as_millisecond() - self.settings.age_max.as_millis() as i64;
        let mut range = EventRange::open(&self.source.layout, self.taken, before)?;
        let mut found = 0_u64;
        while let Some(event) = range.next_event()? {
            found += 1;
            self.taken = event.id;
            let is_too_old = event.id.ingested_at().is_none_or(|at| at < oldest_ms);
            let what = if is_too_old { What::TooOld } else { sieved(event, &self.settings.sieve) };
            self.outbox.push(Item { id: self.taken, is_pending: false, what });
            if !self.outbox.has_room() {
                self.make_room(reader).await?;
            }
            if self.is_stopped() {
                return Ok(());
            }
        }
        let missing = trimmed.saturating_sub(found + range.quarantined());
        info!("the stream trimmed {trimmed} entries before they were read; the store had {found} of them");
        if missing > 0 {
            warn!("{missing} entries were trimmed from the stream before they were read, and are not in the store");
        }
        if let Some(place) = &mut self.place {
            place.counts.missing += missing;
            place.counts.not_events += range.quarantined();
        }
        Ok(())
    }

    /// Waits until a collector at work has stored that entry, a while at most.
    async fn wait_for_store(&mut self, reader: &mut GroupReader, id: EntryId) -> Result<(), ForwardError> {
        let begun = Instant::now();
        let below = EntryId::new(id.ms, id.seq.saturating_sub(1));
        let layout = &self.source.layout;
        while begun.elapsed() < STORE_WAIT && !*self.shutdown.borrow() {
            let is_stored = EventRange::open(layout, below, EntryId::new(u64::MAX, u64::MAX))?.next_event()?.is_some();
            if is_stored || !StoreWriter::is_locked(layout)? {
                return Ok(());
            }
            self.settle(reader).await?;
            self.outbox.launch(false);
            self.pause(IDLE_WAIT).await;
        }
        Ok(())
    }

    /// Sends what waits: until all of it is settled with `once`, else for a bounded time, in which the
    /// requests under way may still be answered. What is not settled then stays pending.
    async fn finish(&mut self, reader: &mut GroupReader) -> Result<(), ForwardError> {
        let mut stopped_at = None;
        loop {
            self.settle(reader).await?;
            if self.is_stopped() {
                stopped_at.get_or_insert_with(Instant::now);
            }
            let stopping = stopped_at.map_or(Duration::ZERO, |at| at.elapsed());
            if stopping < FLUSH_WAIT {
                self.outbox.launch(true);
            }
            if self.outbox.is_idle() || (stopping >= FLUSH_WAIT && !self.outbox.is_sending()) {
                break;
            }
            if stopping >= FLUSH_WAIT + ANSWER_WAIT {
                warn!("stopped before all was answered; what is left is sent at the next start");
                break;
            }
            let _ = timeout(TICK, self.outbox.wait()).await;
        }
        self.ticked = Instant::now() - TICK;
        self.settle(reader).await
    }

    async fn pause(&mut self, at_most: Duration) {
        // The sender lives as long as the process; were it gone, there would be nobody to stop us.
        let _ = timeout(at_most, self.shutdown.wait_for(|stop| *stop)).await;
    }

    fn is_stopped(&self) -> bool {
        *self.shutdown.borrow()
    }
}

fn what(entry: &Entry<'_>, sieve: &Sieve) -> What {
    match decode_fields(entry.id, entry.fields()) {
        Ok(event) if sieve.keeps(&event) => What::Send(Box::new(event.into_owned())),
        Ok(_) => What::Skip,
        Err(_) => What::NotAnEvent,
    }
}

fn sieved(event: Event<'static>, sieve: &Sieve) -> What {
    if sieve.keeps(&event) { What::Send(Box::new(event)) } else { What::Skip }
}
