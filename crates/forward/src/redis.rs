//! Redis as the forwarder sees it.

use std::time::Duration;

use super::progress::Progress;
use super::seams::{Group, Read, Redis, Standing};
use super::status::Trouble;
use super::{ForwardError, GROUP, Source};
use emp_event::{EntryId, decode_fields};
use emp_stream::{Connection, Earlier, GroupReader, Lease, Poll, Settled, Start, StreamError, StreamState};

/// The one consumer of the group, on whichever host: what one leaves pending, the next finds.
const CONSUMER: &str = "forwarder";
/// A forwarder that died is followed by another after so long.
const LEASE_MS: u64 = 4_000;

impl Redis for Source {
    type Group = RedisGroup;

    async fn connect(&self) -> Result<RedisGroup, ForwardError> {
        let connection = Connection::open(&self.address, &self.stream, GROUP).await?;
        Ok(RedisGroup(GroupReader::new(connection, CONSUMER)))
    }
}

/// The group in a real Redis.
pub(super) struct RedisGroup(GroupReader);

impl Group for RedisGroup {
    async fn hold_lease(&mut self, holder: &str) -> Result<Lease, ForwardError> {
        Ok(self.0.hold_lease(holder, LEASE_MS).await?)
    }

    async fn release_lease(&mut self, holder: &str) -> Result<(), ForwardError> {
        Ok(self.0.release_lease(holder).await?)
    }

    async fn exists(&mut self) -> Result<bool, ForwardError> {
        Ok(!self.0.group_is_missing().await?)
    }

    async fn standing(&mut self) -> Result<Standing, ForwardError> {
        match self.0.state().await {
            Err(StreamError::NoGroup { .. }) => Ok(Standing::default()),
            state => Ok(standing(&state?)),
        }
    }

    async fn create(&mut self, start: Start) -> Result<(), ForwardError> {
        Ok(self.0.create_group(start, &Earlier::default()).await?)
    }

    async fn end_other_connections(&mut self) {
        // Where it is forbidden, what another connection still reads stays pending, and is looked for.
        let _ = self.0.fence().await;
    }

    async fn load(&mut self) -> Result<Progress, ForwardError> {
        Progress::load(&mut self.0).await
    }

    async fn read_new(&mut self, count: usize) -> Result<Read, ForwardError> {
        Ok(read(&self.0.poll_new(count, &Settled::default()).await?))
    }

    async fn read_pending(&mut self, count: usize, after: EntryId) -> Result<Read, ForwardError> {
        Ok(read(&self.0.poll_pending(count, after, &Settled::default()).await?))
    }

    async fn settle(
        &mut self,
        holder: &str,
        settled: &[EntryId],
        progress: &Progress,
        trouble: &Trouble,
    ) -> Result<bool, ForwardError> {
        Ok(self.0.settle(holder, settled, &progress.notes(trouble)).await?)
    }

    async fn wait(&mut self, after: EntryId, at_most: Duration) -> Result<(), ForwardError> {
        Ok(self.0.wait(after, at_most).await?)
    }
}

fn standing(state: &StreamState) -> Standing {
    Standing {
        first: state.first,
        last: state.last.unwrap_or(EntryId::ZERO),
        added: state.added,
        removed: state.removed(),
    }
}

fn read(poll: &Poll) -> Read {
    let mut bytes = 0;
    let entries = poll.entries.above(EntryId::ZERO).map(|entry| {
        bytes += entry.fields().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        (entry.id, decode_fields(entry.id, entry.fields()).ok().map(|event| event.into_owned()))
    });
    Read {
        entries: entries.collect(),
        trimmed: poll.trimmed.clone(),
        standing: standing(&poll.state),
        pending: poll.accounts.pending,
        lost: poll.accounts.lost,
        position: poll.accounts.position(),
        bytes,
    }
}
