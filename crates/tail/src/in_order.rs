//! The events of a stream in its order, each once, from any ID on: from Redis, and what it no longer has from the store.

use std::time::{Duration, Instant};

use arrow::array::AsArray as _;
use arrow::datatypes::{DataType, Int64Type};

use super::TailError;
use emp_event::EntryId;
use emp_job::JobEvent;
use emp_query::{Engine, Filter, column_as};
use emp_store::{EventRange, Layout, StoreWriter, Stored};
use emp_stream::{RedisAddress, StreamState, StreamTail};

/// How long Redis is asked to wait for an entry.
const WAIT: Duration = Duration::from_millis(500);
/// How long to wait before asking a Redis again that was not there.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How long a collector may take to store what it has read and the stream has trimmed meanwhile.
const STORED_WITHIN: Duration = Duration::from_secs(3);
/// Events handed on at once.
const PORTION: usize = 1_000;

/// What comes next.
#[derive(Debug)]
pub enum Told {
    /// Events, in the order of the stream.
    Events(Vec<JobEvent>),
    /// Entries between these IDs were trimmed before anybody had read them: so many, where somebody has counted.
    Lost {
        /// The last one that was seen.
        after: EntryId,
        /// The first one that there is again.
        before: EntryId,
        /// How many there were.
        count: Option<u64>,
    },
}

/// Follows a stream and its store as one: whoever goes on from the ID that came last misses nothing, and meets nothing
/// twice, whatever was restarted meanwhile.
#[derive(Debug)]
pub struct OrderedTail {
    layout: Layout,
    address: RedisAddress,
    stream: String,
    filter: Filter,
    /// The last entry that was seen.
    after: EntryId,
    /// Which one it was of all that were ever added, where that is known.
    position: Option<u64>,
    live: Option<StreamTail>,
    missing: Option<Missing>,
}

/// What the stream no longer has.
#[derive(Debug)]
struct Missing {
    since: Instant,
    /// What is there again.
    before: EntryId,
    /// Entries that left the stream unseen, where that is known.
    trimmed: Option<u64>,
    /// Those of them that the store had.
    found: u64,
    first_seen: EntryId,
    range: Option<EventRange>,
}

impl OrderedTail {
    /// Begins after that entry, or after all that there are.
    ///
    /// # Errors
    /// [`TailError`] where there is neither a Redis nor a store.
    pub async fn open(
        layout: &Layout,
        address: &RedisAddress,
        stream: &str,
        filter: Filter,
        after: Option<EntryId>,
    ) -> Result<Self, TailError> {
        let mut live = StreamTail::open(address, stream, EntryId::ZERO).await;
        let (mut begin, mut position) = (after, None);
        if let (None, Ok(tail)) = (after, &mut live)
            && let Some(state) = tail.state().await?
        {
            (begin, position) = (Some(state.last.unwrap_or_default()), Some(state.added));
        }
        let begin = match begin {
            Some(begin) => begin,
            None => Engine::open(layout)?.newest_id()?.unwrap_or_default(),
        };
        let (layout, stream) = (layout.clone(), stream.to_owned());
        let mut tail = Self {
            layout,
            address: address.clone(),
            stream,
            filter,
            after: begin,
            position,
            live: None,
            missing: None,
        };
        if let Ok(live) = live {
            // What cannot be looked at now is tried again.
            let _ = tail.go_live(live).await;
        }
        Ok(tail)
    }

    /// What comes next; `None` after a while without anything.
    ///
    /// # Errors
    /// [`TailError`] where the store cannot be read.
    pub async fn next(&mut self) -> Result<Option<Told>, TailError> {
        if self.missing.is_some() {
            return self.read_store().await;
        }
        let Some(mut live) = self.live.take() else { return self.connect().await };
        // A Redis that has gone is waited for; what it was asked is asked again.
        let Ok(told) = self.read_stream(&mut live).await else { return Ok(None) };
        self.live = Some(live);
        Ok(told)
    }

    /// Looks for Redis; where there is none the store tells what a collector still has stored.
    async fn connect(&mut self) -> Result<Option<Told>, TailError> {
        if let Ok(live) = StreamTail::open(&self.address, &self.stream, self.after).await
            && self.go_live(live).await.is_ok()
        {
            return Ok(None);
        }
        tokio::time::sleep(AGAIN_AFTER).await;
        let mut range = EventRange::open(&self.layout, self.after, EntryId::MAX)?;
        let (events, _) = self.portion(&mut range)?;
        Ok((!events.is_empty()).then_some(Told::Events(events)))
    }

    /// Goes on with that connection, once what the stream has lost is found.
    async fn go_live(&mut self, mut live: StreamTail) -> Result<(), TailError> {
        if let Some(state) = live.state().await? {
            self.compare(&state);
        }
        live.go_to(self.after);
        self.live = Some(live);
        Ok(())
    }

    /// Notices what was trimmed that was not seen.
    fn compare(&mut self, state: &StreamState) {
        let last = state.last.unwrap_or_default();
        if last < self.after {
            // It has begun anew, and so does its count.
            (self.after, self.position) = (EntryId::ZERO, Some(0));
        }
        let first = state.first.unwrap_or_else(|| last.after());
        let removed = state.removed();
        let position = self.position.or((removed == 0).then_some(0));
        let trimmed = position.map(|position| removed.saturating_sub(position));
        if first > self.after.after() && trimmed != Some(0) && state.added > 0 {
            let (since, before, first_seen) = (Instant::now(), first, self.after);
            self.missing = Some(Missing { since, before, trimmed, found: 0, first_seen, range: None });
        }
        if self.after == last {
            self.position = Some(state.added);
        }
    }

    async fn read_stream(&mut self, live: &mut StreamTail) -> Result<Option<Told>, TailError> {
        live.go_to(self.after);
        let entries = live.next(WAIT).await?;
        let state = live.state().await?;
        if let Some(state) = &state {
            self.compare(state);
        }
        // Nothing is taken that may lie behind a gap.
        if self.missing.is_some() || entries.is_empty() {
            return Ok(None);
        }
        self.after = live.after();
        let count = entries.iter().count() as u64;
        self.position = match state {
            Some(state) if state.last == Some(self.after) => Some(state.added),
            _ => self.position.map(|position| position + count),
        };
        let events = entries.iter().filter_map(|entry| {
            let fields: Vec<(&[u8], &[u8])> = entry.fields().collect();
            emp_event::decode(entry.id, &fields).ok().map(|event| JobEvent::from(&event))
        });
        let events: Vec<JobEvent> = events.filter(|event| self.filter.holds(event)).collect();
        Ok((!events.is_empty()).then_some(Told::Events(events)))
    }

    /// What the stream no longer has, as far as the store has it; then what neither has.
    async fn read_store(&mut self) -> Result<Option<Told>, TailError> {
        let Some(mut missing) = self.missing.take() else { return Ok(None) };
        let mut range = match missing.range.take() {
            Some(range) => range,
            None => EventRange::open(&self.layout, self.after, missing.before)?,
        };
        let (events, taken) = self.portion(&mut range)?;
        missing.found += taken;
        if taken > 0 {
            missing.range = Some(range);
            self.missing = Some(missing);
            return Ok((!events.is_empty()).then_some(Told::Events(events)));
        }
        let is_covered = EventRange::open(&self.layout, missing.before.before(), EntryId::MAX)?.next_entry()?.is_some();
        let may_come = StoreWriter::is_locked(&self.layout).unwrap_or(false) && missing.since.elapsed() < STORED_WITHIN;
        if !is_covered && may_come && missing.trimmed.is_none_or(|trimmed| trimmed > missing.found) {
            self.missing = Some(missing);
            tokio::time::sleep(AGAIN_AFTER / 4).await;
            return Ok(None);
        }
        let count = match missing.trimmed {
            Some(trimmed) => Some(trimmed.saturating_sub(missing.found)),
            None if is_covered => Some(recorded_losses(&self.layout, missing.first_seen, missing.before).await?),
            None => None,
        };
        let after = std::mem::replace(&mut self.after, missing.before.before());
        self.position = None;
        Ok((count != Some(0)).then_some(Told::Lost { after, before: missing.before, count }))
    }

    /// The next events of a range for which the filter holds, and how many entries were looked at for them.
    fn portion(&mut self, range: &mut EventRange) -> Result<(Vec<JobEvent>, u64), TailError> {
        let (mut events, mut taken) = (Vec::new(), 0);
        while events.len() < PORTION {
            let Some(entry) = range.next_entry()? else { break };
            taken += 1;
            self.after = entry.id().max(self.after);
            if let Stored::Event(event) = entry {
                let event = JobEvent::from(&*event);
                events.extend(self.filter.holds(&event).then_some(event));
            }
        }
        Ok((events, taken))
    }
}

/// What the collectors have counted as lost between two IDs.
async fn recorded_losses(layout: &Layout, after: EntryId, before: EntryId) -> Result<u64, TailError> {
    let engine = Engine::open(layout)?;
    let mut sum = 0;
    for batch in engine.sql("select from_id, to_id, lost from losses").await?.batches().await? {
        let text = |name| column_as(&batch, name, &DataType::Utf8);
        let (from, to, lost) = (text("from_id")?, text("to_id")?, column_as(&batch, "lost", &DataType::Int64)?);
        let ids = from.as_string::<i32>().iter().zip(to.as_string::<i32>().iter());
        for ((from, to), lost) in ids.zip(lost.as_primitive::<Int64Type>().iter()) {
            let id = |text: Option<&str>| text.and_then(|text| text.parse::<EntryId>().ok());
            let is_here = id(from).zip(id(to)).is_some_and(|(from, to)| from < before && to > after);
            sum += lost.filter(|_| is_here).and_then(|lost| u64::try_from(lost).ok()).unwrap_or_default();
        }
    }
    Ok(sum)
}
