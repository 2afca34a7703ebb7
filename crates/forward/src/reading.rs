//! Reading the group: what is pending from before, then what is new, each in the order of the IDs.

use jiff::Timestamp;
use tracing::{info, warn};

use super::gap::fate_of;
use super::outbox::{Fate, Queued};
use super::seams::{Archive, Group, Read, Receiver, Standing};
use super::shutdown::Halt;
use super::work::{Seen, Session};
use emp_event::EntryId;
use emp_stream::Start;

/// Entries read at once, at most, and the bytes that they should not exceed.
const READ_ENTRIES: usize = 500;
const READ_BYTES: usize = 4 << 20;

/// How far the clock of a Redis that begins anew may be behind the one before, and behind ours.
const CLOCKS_APART_MS: i64 = 60_000;

/// No entry that a stream is given from now on lies at or below that ID.
fn an_empty_stream_begins() -> EntryId {
    let ms = Timestamp::now().as_millisecond().saturating_sub(CLOCKS_APART_MS);
    EntryId::new(u64::try_from(ms).unwrap_or(0), 0)
}

impl<G: Group, R: Receiver, A: Archive> Session<'_, G, R, A> {
    /// Makes the group where it is missing, and takes up what was left: all that is pending with `is_fresh`,
    /// else what an earlier connection of ours was given and did not get to.
    pub async fn begin(&mut self, is_fresh: bool) -> Result<(), Halt> {
        if !self.group.exists().await? {
            self.create_group().await?;
        }
        self.group.end_other_connections().await;
        let after = if is_fresh { EntryId::ZERO } else { self.work.taken };
        self.take_all_pending(after).await.map(drop)
    }

    /// Makes the group. Where we know the one before, its accounts go on, or begin with the new stream.
    async fn create_group(&mut self) -> Result<(), Halt> {
        // In the accounts of the new group this would be counted a second time.
        self.drain().await?;
        let standing = self.group.standing().await?;
        let start = match self.work.seen.take() {
            Some(seen) if standing.added < seen.added => Start::NewStream,
            Some(Seen { position: Some(position), .. }) => Start::At(position),
            _ => Start::Now,
        };
        let front = standing.first.map_or(standing.last, EntryId::before);
        let work = &mut *self.work;
        (work.progress.lost_settled, work.lost_taken) = (0, 0);
        if standing.last < work.taken {
            warn!("the stream was reset; forwarding goes on with its new life");
            // What the store has so far is of the life before, of which all was taken: a stream that was given nothing yet
            // goes on after that, but for clocks.
            let begun = if standing.last == EntryId::ZERO { work.taken.min(an_empty_stream_begins()) } else { front };
            (work.progress.through, work.taken) = (begun, begun);
        } else if start == Start::Now {
            // What was trimmed before there was a group is not its business.
            work.taken = work.taken.max(front);
            work.progress.through = work.taken;
        }
        self.note().await?;
        self.group.create(start).await?;
        info!("made the consumer group `{}`", super::GROUP);
        Ok(())
    }

    /// Reads until we are told to stop, or, where that is wanted, until there is nothing more.
    pub async fn read_on(&mut self) -> Result<(), Halt> {
        loop {
            self.forwarder.shutdown.check()?;
            self.make_room().await?;
            let read = self.group.read_new(self.work.read_count).await?;
            let (is_empty, pending, last) = (read.entries.is_empty(), read.pending, read.standing.last);
            self.take_new(read).await?;
            if !is_empty || (pending > 0 && self.take_strays().await?) {
                continue;
            }
            if self.forwarder.settings.once {
                return Ok(());
            }
            let pace = self.forwarder.pace;
            let rest = if self.work.outbox.is_sending() { pace.busy } else { pace.idle };
            let due = self.work.outbox.due_in().filter(|_| !self.work.outbox.is_sending()).unwrap_or(rest);
            self.group.wait(last, due.min(rest)).await?;
        }
    }

    /// Takes what is pending though all that we have taken is settled: a forwarder that lost the lease may have
    /// read it afterwards. Was there any?
    pub async fn take_strays(&mut self) -> Result<bool, Halt> {
        if !self.work.outbox.is_idle() || !self.work.unsettled.pending.is_empty() {
            return Ok(false);
        }
        self.take_all_pending(EntryId::ZERO).await
    }

    /// Takes all that is pending above that ID; was there any?
    async fn take_all_pending(&mut self, mut after: EntryId) -> Result<bool, Halt> {
        let mut is_any = false;
        loop {
            let read = self.group.read_pending(self.work.read_count, after).await?;
            let Some(last) = read.last_id() else { return Ok(is_any) };
            (after, is_any) = (last, true);
            self.adapt(&read);
            self.take_pending(read).await?;
        }
    }

    /// Takes entries that nobody was given yet, behind what was trimmed before them.
    async fn take_new(&mut self, read: Read) -> Result<(), Halt> {
        self.adapt(&read);
        self.follow_resets(&read).await?;
        let Read { entries, standing, lost, position, .. } = read;
        let first = entries.first().map(|(id, _)| *id);
        let trimmed = lost.saturating_sub(self.work.lost_taken);
        if trimmed > 0 {
            self.fill(first, standing.last, trimmed).await?;
        }
        self.work.seen = Some(Seen { added: standing.added, lost, position });
        for (id, event) in entries {
            // Where the group was made anew it is given again what we had.
            let is_known = id <= self.work.taken;
            let fate = if is_known { Fate::Known } else { fate_of(event, &self.forwarder.settings.sieve) };
            self.push(Queued { id, is_pending: true, lost: 0, fate }).await?;
        }
        Ok(())
    }

    /// A stream whose IDs went back, or whose accounts did, begins a new life.
    async fn follow_resets(&mut self, read: &Read) -> Result<(), Halt> {
        let Standing { last, .. } = read.standing;
        // One that was given nothing yet tells nothing.
        if last > EntryId::ZERO && last < self.work.taken {
            warn!("the stream went back; forwarding goes on with its new life");
            self.work.taken = read.entries.first().map_or(last, |(id, _)| id.before());
        }
        if self.work.seen.is_some_and(|seen| read.lost < seen.lost) {
            self.drain().await?;
            (self.work.progress.lost_settled, self.work.lost_taken) = (0, 0);
        }
        Ok(())
    }

    /// Reads fewer entries at once where they are large.
    fn adapt(&mut self, read: &Read) {
        if let Some(average) = read.bytes.checked_div(read.entries.len()) {
            self.work.read_count = (READ_BYTES / average.max(1)).clamp(1, READ_ENTRIES);
        }
    }
}
