//! What the stream has trimmed before it was forwarded: sent from the store, or counted.

use std::collections::VecDeque;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::otlp::OwnedEvent;
use super::outbox::{Fate, Queued};
use super::seams::{Archive, Entries, Group, Read, Receiver};
use super::shutdown::Halt;
use super::sieve::Sieve;
use super::work::Session;
use emp_event::EntryId;
use emp_store::Stored;

impl<G: Group, R: Receiver, A: Archive> Session<'_, G, R, A> {
    /// Takes what lies between what we have and `first`, else up to `last`: the stream has trimmed so many
    /// entries of it before the group was given them.
    pub async fn fill(&mut self, first: Option<EntryId>, last: EntryId, trimmed: u64) -> Result<(), Halt> {
        let end = first.unwrap_or_else(|| last.after());
        if trimmed > 0 {
            self.wait_for_store(first.unwrap_or(last)).await?;
        }
        let found = self.send_stored(end, trimmed).await?;
        if trimmed + found > 0 {
            info!("the stream trimmed {trimmed} entries before they were read; the store had {found} of them");
        }
        self.count_absent(end.before(), Vec::new(), trimmed.saturating_sub(found)).await
    }

    /// Takes from the store what lies between our place and `end`; so many of it were trimmed before the group was
    /// given them, and what is more the stream knows nothing of. How many entries that are.
    pub async fn send_stored(&mut self, end: EntryId, trimmed: u64) -> Result<u64, Halt> {
        // What a life before had above our place was settled; what was trimmed may lie there if a clock went back.
        let begin = if trimmed > 0 { self.work.taken } else { self.work.taken.max(self.work.highest) };
        let mut stored = self.forwarder.archive.entries(begin, end)?;
        let mut found = 0;
        while let Some(entry) = stored.next_entry()? {
            let lost = u64::from(found < trimmed);
            found += 1;
            let (id, fate) = (entry.id(), self.fate_of_old(entry));
            self.push(Queued { id, is_pending: false, lost, fate }).await?;
        }
        Ok(found)
    }

    /// Takes entries that were given to us before, the first that we are told of first. The store has those
    /// that were trimmed while they were pending, and those that were trimmed between them: of what lies
    /// above the place we have got to, the group was given nothing that is not pending.
    pub async fn take_pending(&mut self, read: Read) -> Result<(), Halt> {
        if let Some(last) = read.trimmed.last() {
            self.wait_for_store(*last).await?;
        }
        let Some(last) = read.last_id() else { return Ok(()) };
        let mut pending = Pending::of(read);
        let begin = pending.first().map_or(last, EntryId::before).min(self.work.taken);
        let stored = self.forwarder.archive.entries(begin, last.after())?;
        let mut stored = Peeked { entries: stored, next: None };
        let mut absent = Vec::new();
        while let Some((id, given)) = pending.next() {
            while let Some(entry) = stored.next_below(id)? {
                if entry.id() > self.work.taken {
                    let (id, fate) = (entry.id(), self.fate_of_old(entry));
                    self.push(Queued { id, is_pending: false, lost: 1, fate }).await?;
                }
            }
            let kept = stored.next_at(id)?;
            let fate = match (given, kept) {
                (Some(given), _) => fate_of(given, &self.forwarder.settings.sieve),
                (None, Some(entry)) => self.fate_of_old(entry),
                (None, None) => {
                    absent.push(id);
                    continue;
                }
            };
            self.push(Queued { id, is_pending: true, lost: 0, fate }).await?;
        }
        self.count_absent(last, absent, 0).await
    }

    /// Counts what neither the stream nor the store has: these that are pending, and so many that never were.
    pub async fn count_absent(&mut self, id: EntryId, pending: Vec<EntryId>, lost: u64) -> Result<(), Halt> {
        let missing = lost + pending.len() as u64;
        if missing == 0 {
            return Ok(());
        }
        warn!("{missing} entries were trimmed from the stream before they were forwarded, and are not in the store");
        self.push(Queued { id, is_pending: false, lost, fate: Fate::Absent { pending, missing } }).await
    }

    /// Waits until a collector at work has stored that entry, a while at most.
    pub async fn wait_for_store(&mut self, id: EntryId) -> Result<(), Halt> {
        let begun = Instant::now();
        while begun.elapsed() < self.forwarder.pace.store && self.forwarder.archive.is_behind(id)? {
            self.settle().await?;
            self.work.outbox.launch(false);
            self.forwarder.shutdown.unless(sleep(self.forwarder.pace.idle)).await?;
        }
        Ok(())
    }

    /// What is done with an entry of the store.
    fn fate_of_old(&self, entry: Stored) -> Fate {
        let Stored::Event(event) = entry else { return Fate::NotAnEvent };
        let settings = &self.forwarder.settings;
        let age_ms_max = i64::try_from(settings.age_max.as_millis()).unwrap_or(i64::MAX);
        let oldest_ms = Timestamp::now().as_millisecond().saturating_sub(age_ms_max);
        if event.id.ingested_at().is_none_or(|at| at < oldest_ms) {
            return Fate::TooOld;
        }
        fate_of(Some(*event), &settings.sieve)
    }
}

/// What is done with an entry; with none it is no event.
pub(super) fn fate_of(event: Option<OwnedEvent>, sieve: &Sieve) -> Fate {
    match event {
        Some(event) if sieve.keeps(&event) => Fate::Send(Box::new(event)),
        Some(_) => Fate::Skip,
        None => Fate::NotAnEvent,
    }
}

/// What a read of pending entries gave: in the order of the IDs, what is there and what was trimmed.
struct Pending {
    given: VecDeque<(EntryId, Option<OwnedEvent>)>,
    trimmed: VecDeque<EntryId>,
}

impl Pending {
    fn of(read: Read) -> Self {
        Self { given: read.entries.into(), trimmed: read.trimmed.into() }
    }

    fn first(&self) -> Option<EntryId> {
        let given = self.given.front().map(|(id, _)| *id);
        let trimmed = self.trimmed.front().copied();
        given.into_iter().chain(trimmed).min()
    }

    /// The next one; with `None` where it was trimmed.
    #[allow(clippy::option_option, reason = "trimmed, no event, and an event are three things")]
    fn next(&mut self) -> Option<(EntryId, Option<Option<OwnedEvent>>)> {
        let first = self.first()?;
        match self.trimmed.pop_front_if(|id| *id == first) {
            Some(id) => Some((id, None)),
            None => self.given.pop_front().map(|(id, event)| (id, Some(event))),
        }
    }
}

/// Entries of a store, of which the next one can be looked at.
struct Peeked<E> {
    entries: E,
    next: Option<Stored>,
}

impl<E: Entries> Peeked<E> {
    fn peek(&mut self) -> Result<Option<EntryId>, Halt> {
        if self.next.is_none() {
            self.next = self.entries.next_entry()?;
        }
        Ok(self.next.as_ref().map(Stored::id))
    }

    /// The next entry, where its ID lies below this one.
    fn next_below(&mut self, id: EntryId) -> Result<Option<Stored>, Halt> {
        Ok(self.peek()?.filter(|next| *next < id).and_then(|_| self.next.take()))
    }

    /// The next entry, where it has this ID.
    fn next_at(&mut self, id: EntryId) -> Result<Option<Stored>, Halt> {
        Ok(self.peek()?.filter(|next| *next == id).and_then(|_| self.next.take()))
    }
}
