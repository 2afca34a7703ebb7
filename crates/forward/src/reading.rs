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
        self.work.is_after_break = true;
        let after = if is_fresh { EntryId::ZERO } else { self.work.taken };
        self.take_all_pending(after).await.map(drop)
    }

    /// Makes the group. Where we know the one before, its accounts go on, or begin with the new stream.
    async fn create_group(&mut self) -> Result<(), Halt> {
        // In the accounts of the new group this would be counted a second time.
        self.drain().await?;
        let mut standing = self.group.standing().await?;
        let start = match self.work.seen {
            // What was stored or trimmed before there was a group is not its business.
            None if self.work.kept.is_none() => {
                self.work.highest = an_empty_stream_begins();
                Start::Now
            }
            // All that it was given is settled, and it has trimmed more than that.
            Some(Seen { added, position: Some(position), taken, .. })
                if taken == self.work.taken && added <= standing.added && position < standing.removed =>
            {
                Start::At(position)
            }
            seen => {
                standing = self.send_what_is_left(seen, standing).await?;
                Start::At(standing.removed)
            }
        };
        let front = standing.first.map_or(standing.last, EntryId::before);
        let work = &mut *self.work;
        (work.progress.lost_settled, work.lost_taken) = (0, 0);
        if standing.last < work.taken {
            warn!("the stream was reset; forwarding goes on with its new life");
            // A stream that was given nothing yet goes on after what was taken, but for clocks.
            let begun = if standing.last == EntryId::ZERO { work.taken.min(an_empty_stream_begins()) } else { front };
            (work.progress.through, work.taken) = (begun, begun);
            work.progress.life += 1;
        } else if start == Start::Now || start == Start::At(standing.removed) {
            work.taken = work.taken.max(front);
            work.progress.through = work.taken;
        }
        self.note().await?;
        let (added, taken) = (standing.added, self.work.taken);
        self.work.seen = Some(Seen { added, lost: 0, position: None, taken });
        self.keep_place();
        self.group.create(start).await?;
        info!("made the consumer group `{}`", super::GROUP);
        Ok(())
    }

    /// Sends from the store what is above our place and the stream has no more: the rest of its life before, and what
    /// it has trimmed since. How the stream stands when all that is settled.
    async fn send_what_is_left(&mut self, seen: Option<Seen>, mut standing: Standing) -> Result<Standing, Halt> {
        let mut left = 0;
        loop {
            self.wait_for_store(standing.last).await?;
            // The IDs of a stream that goes back to lower ones say nothing about where its life before ends.
            let end = standing.first.filter(|_| standing.last >= self.work.taken);
            let found = self.send_stored(end.unwrap_or(EntryId::MAX), 0).await?;
            left += found;
            if found == 0 {
                break;
            }
            self.drain().await?;
            // Meanwhile it may have gone on, or begun anew once more.
            standing = self.group.standing().await?;
        }
        if seen.is_some_and(|seen| seen.was_another(&standing)) {
            // What the new stream had trimmed by now is among it, as far as the store has it.
            let front = standing.first.map_or(standing.last, EntryId::before);
            self.count_absent(front, Vec::new(), standing.removed.saturating_sub(left)).await?;
            self.drain().await?;
        }
        Ok(standing)
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
        // A Redis that came back as it was earlier tells nothing of what it was given since, and the store may have that.
        let is_to_check = first.is_some() && std::mem::take(&mut self.work.is_after_break);
        if trimmed > 0 || is_to_check {
            self.fill(first, standing.last, trimmed).await?;
        }
        let taken = entries.last().map_or(self.work.taken, |(id, _)| *id).max(self.work.taken);
        self.work.seen = Some(Seen { added: standing.added, lost, position, taken });
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
        let last = read.standing.last;
        if let Some((first, _)) = read.entries.first()
            && last < self.work.taken
        {
            warn!("the stream went back; forwarding goes on with its new life");
            if std::mem::take(&mut self.work.is_after_break) {
                self.send_stored(EntryId::MAX, 0).await?;
            }
            self.work.taken = first.before();
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
