//! The three seams of the forwarder, on a simulated world.

use std::sync::Arc;
use std::time::Duration;

use super::world::World;
use crate::ForwardError;
use crate::answer::Reply;
use crate::post::Signal;
use crate::progress::{Place, Progress};
use crate::seams::{Archive, Entries, Group, Read, Receiver, Redis, Standing};
use crate::status::Trouble;
use emp_event::EntryId;
use emp_store::{DeadLetter, StoreError, Stored};
use emp_stream::{Lease, Start};

/// Redis, the receiver and the store of a world.
#[derive(Clone)]
pub struct Simulated(pub Arc<World>);

impl Redis for Simulated {
    type Group = Self;

    async fn connect(&self) -> Result<Self, ForwardError> {
        Ok(self.clone())
    }
}

impl Group for Simulated {
    async fn hold_lease(&mut self, holder: &str) -> Result<Lease, ForwardError> {
        self.0
            .step(|state| {
                if state.lease.as_deref().is_some_and(|other| other != holder) {
                    return Lease::Theirs;
                }
                state.lease = Some(holder.to_owned());
                match state.holder.replace(holder.to_owned()) {
                    Some(last) if last != holder => Lease::TakenOver,
                    _ => Lease::Ours,
                }
            })
            .await
    }

    async fn release_lease(&mut self, holder: &str) -> Result<(), ForwardError> {
        self.0.step(|state| drop(state.lease.take_if(|other| other == holder))).await
    }

    async fn exists(&mut self) -> Result<bool, ForwardError> {
        self.0.step(|state| state.group.exists).await
    }

    async fn standing(&mut self) -> Result<Standing, ForwardError> {
        self.0.step(|state| state.standing()).await
    }

    async fn create(&mut self, start: Start) -> Result<(), ForwardError> {
        self.0.step(|state| state.create_group(start)).await
    }

    // What a connection asked for that stood still is carried out later.
    async fn end_other_connections(&mut self) {}

    async fn load(&mut self) -> Result<Progress, ForwardError> {
        self.0.step(|state| state.notes.clone()).await
    }

    async fn read_new(&mut self, count: usize) -> Result<Read, ForwardError> {
        let (ids, mut read, lost) = self
            .0
            .step(|state| {
                state.group.is_there()?;
                let ids = state.read_new(count.min(9));
                let read =
                    Read { standing: state.standing(), pending: state.group.pending.len() as u64, ..Read::default() };
                let lost = state.position(&ids).map(|position| state.lost_up_to(position));
                Ok::<_, ForwardError>((ids, read, lost))
            })
            .await??;
        if let Some(lost) = lost {
            self.0.step(|state| state.group.lost = state.group.lost.max(lost)).await?;
        }
        let state = self.0.state();
        read.entries = ids.into_iter().map(|id| (id, state.event(id))).collect();
        read.lost = state.group.lost;
        Ok(read)
    }

    async fn read_pending(&mut self, count: usize, after: EntryId) -> Result<Read, ForwardError> {
        self.0
            .step(|state| {
                state.group.is_there()?;
                let pending = state.group.pending.iter().copied().filter(|id| *id > after).take(count.min(9));
                let (there, trimmed): (Vec<_>, Vec<_>) = pending.partition(|id| state.entries.contains(id));
                let entries = there.into_iter().map(|id| (id, state.event(id))).collect();
                Ok(Read { entries, trimmed, standing: state.standing(), lost: state.group.lost, ..Read::default() })
            })
            .await?
    }

    async fn settle(
        &mut self,
        holder: &str,
        settled: &[EntryId],
        progress: &Progress,
        _: &Trouble,
    ) -> Result<bool, ForwardError> {
        self.0.step(|state| state.settle(holder, settled, progress)).await
    }

    async fn wait(&mut self, _: EntryId, _: Duration) -> Result<(), ForwardError> {
        self.0.step(|_| ()).await
    }
}

impl Receiver for Simulated {
    async fn post(&self, signal: Signal, body: &[u8]) -> Reply {
        self.0.receive(signal, body).await
    }
}

/// Entries of a range.
pub struct Range(std::vec::IntoIter<Stored>);

impl Archive for Simulated {
    type Entries = Range;

    fn entries(&self, after: EntryId, before: EntryId) -> Result<Range, StoreError> {
        let state = self.0.state();
        let within = state.stored.iter().filter(|id| **id > after && **id < before);
        let entry = |id| match state.event(id) {
            Some(event) => Stored::Event(Box::new(event)),
            None => Stored::NotAnEvent(id),
        };
        Ok(Range(within.map(|id| entry(*id)).collect::<Vec<_>>().into_iter()))
    }

    fn is_behind(&self, _: EntryId) -> Result<bool, StoreError> {
        self.0.state().collect();
        Ok(false)
    }

    fn keep(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        self.0.state().dead.insert(letter.id);
        Ok(())
    }

    fn keep_place(&self, place: &Place) -> Result<(), StoreError> {
        self.0.state().place = Some(place.clone());
        Ok(())
    }

    fn place(&self) -> Option<Place> {
        self.0.state().place.clone()
    }
}

impl Entries for Range {
    fn next_entry(&mut self) -> Result<Option<Stored>, StoreError> {
        Ok(self.0.next())
    }
}
