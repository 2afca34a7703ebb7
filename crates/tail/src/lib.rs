//! Events as they come: from a store that a collector writes to, or straight from Redis.
//!
//! What came before and what comes live is told apart by one rule, so that nothing is missing or doubled
//! where they meet: of a stream by the ID of the last event that was shown, of a store by that of each of
//! its writers, since the events of several come in no order.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::time::{Duration, SystemTime};

use arrow::array::RecordBatch;

use emp_event::EntryId;
use emp_job::JobEvent;
use emp_query::{EVENT_COLUMNS, Engine, Filter, QueryError, read_events};
use emp_store::{Layout, Writer};
use emp_stream::{RedisAddress, StreamError, StreamTail};

/// How often to look whether the collector has stored something.
const LOOK_EVERY: Duration = Duration::from_millis(40);
/// How long Redis is asked to wait for an entry.
const WAIT: Duration = Duration::from_millis(500);
/// How long to wait before connecting again, at first and at most.
const RECONNECT_AFTER: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Why nothing more can be shown.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// The store cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Rows of the store are no events.
    #[error("the store's rows cannot be read as events: {0}")]
    Rows(#[from] arrow::error::ArrowError),
    /// Redis refuses to be read.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

/// What is to be said beside the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Redis is gone; it is tried again.
    Disconnected(String),
    /// Redis is there again.
    Connected,
}

/// Follows the events of a store.
#[derive(Debug)]
pub struct StoreTail {
    layout: Layout,
    filter: Filter,
    /// The highest ID of each writer that has been looked at.
    seen: BTreeMap<Writer, EntryId>,
    stamp: Vec<(String, u64, Option<SystemTime>)>,
}

impl StoreTail {
    /// The last `last` events for which the filter holds, and the tail that goes on after them.
    ///
    /// # Errors
    /// [`TailError`] where the store cannot be read.
    pub async fn open(layout: &Layout, filter: Filter, last: usize) -> Result<(Self, Vec<JobEvent>), TailError> {
        let mut tail = Self { layout: layout.clone(), filter, seen: BTreeMap::new(), stamp: stamp(layout) };
        let engine = Engine::open(layout)?;
        // Everything up to here is in what this engine sees; everything after it comes later.
        tail.seen = engine.newest_ids()?;
        let mut events = Vec::new();
        if last > 0 {
            let condition = tail.filter.sql();
            let sql = format!(
                "select {EVENT_COLUMNS} from events where {condition} order by ingested_at desc, length(id) desc, id desc limit {last}"
            );
            events = read(&engine, &sql).await?;
        }
        events.sort_by_key(|event| event.id);
        Ok((tail, events))
    }

    /// The next events; waits until there are any.
    ///
    /// # Errors
    /// [`TailError`] where the store cannot be read.
    pub async fn next(&mut self) -> Result<Vec<JobEvent>, TailError> {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = stamp(&self.layout);
            if now == self.stamp {
                continue;
            }
            self.stamp = now;
            let events = self.unseen().await?;
            if !events.is_empty() {
                return Ok(events);
            }
        }
    }

    /// What each writer has stored since it was looked at.
    async fn unseen(&mut self) -> Result<Vec<JobEvent>, TailError> {
        let engine = Engine::open(&self.layout)?;
        let mut events = Vec::new();
        for (writer, newest) in engine.newest_ids()? {
            let seen = self.seen.get(&writer).copied().unwrap_or(EntryId::ZERO);
            if newest <= seen {
                continue;
            }
            let sql = format!(
                "select {EVENT_COLUMNS} from events where ingested_at >= to_timestamp_millis({}) and {}",
                seen.ms,
                self.filter.sql()
            );
            let mut new = read(&engine.of_writer(&writer)?, &sql).await?;
            new.retain(|event| event.id > seen && event.id <= newest);
            events.append(&mut new);
            self.seen.insert(writer, newest);
        }
        events.sort_by_key(|event| event.id);
        Ok(events)
    }
}

async fn read(engine: &Engine, sql: &str) -> Result<Vec<JobEvent>, TailError> {
    let batches: Vec<RecordBatch> = engine.sql(sql).await?.batches().await?;
    Ok(read_events(&batches)?)
}

/// What changes when something is stored: the files of the journal. A collector commits to them, and an
/// import has a lock file among them until it is through.
fn stamp(layout: &Layout) -> Vec<(String, u64, Option<SystemTime>)> {
    let stamp_of = |name: String, metadata: fs::Metadata| (name, metadata.len(), metadata.modified().ok());
    let files = fs::read_dir(layout.journal()).into_iter().flatten().flatten();
    let files =
        files.filter_map(|file| Some(stamp_of(file.file_name().to_string_lossy().into_owned(), file.metadata().ok()?)));
    // The folder itself tells of a file that came and went between two looks.
    let folder = fs::metadata(layout.journal()).ok().map(|metadata| stamp_of(String::new(), metadata));
    let mut stamps: Vec<_> = folder.into_iter().chain(files).collect();
    stamps.sort();
    stamps
}

/// Follows the events of a stream.
#[derive(Debug)]
pub struct RedisTail {
    address: RedisAddress,
    stream: String,
    filter: Filter,
    tail: Option<StreamTail>,
    after: EntryId,
    wait: Duration,
}

impl RedisTail {
    /// The last `last` events of the stream for which the filter holds, and the tail that goes on after
    /// them.
    ///
    /// # Errors
    /// [`TailError`] where Redis cannot be reached.
    pub async fn open(
        address: &RedisAddress,
        stream: &str,
        filter: Filter,
        last: usize,
    ) -> Result<(Self, Vec<JobEvent>), TailError> {
        let mut tail = StreamTail::open(address, stream, EntryId::ZERO).await?;
        let mut events: VecDeque<JobEvent> = VecDeque::new();
        loop {
            let entries = tail.next(Duration::from_millis(1)).await?;
            if entries.is_empty() {
                break;
            }
            events.extend(decoded(&entries, &filter));
            events.drain(..events.len().saturating_sub(last));
        }
        let (address, stream, after) = (address.clone(), stream.to_owned(), tail.after());
        let tail = Self { address, stream, filter, tail: Some(tail), after, wait: RECONNECT_AFTER.0 };
        Ok((tail, events.into()))
    }

    /// The next events; waits until there are any, or something is to be said.
    pub async fn next(&mut self) -> Result<Vec<JobEvent>, Notice> {
        loop {
            let Some(tail) = &mut self.tail else {
                tokio::time::sleep(self.wait).await;
                self.wait = (self.wait * 2).min(RECONNECT_AFTER.1);
                if let Ok(tail) = StreamTail::open(&self.address, &self.stream, self.after).await {
                    self.tail = Some(tail);
                    self.wait = RECONNECT_AFTER.0;
                    return Err(Notice::Connected);
                }
                continue;
            };
            match tail.next(WAIT).await {
                Ok(entries) => {
                    self.after = tail.after();
                    let events = decoded(&entries, &self.filter);
                    if !events.is_empty() {
                        return Ok(events);
                    }
                }
                Err(error) => {
                    self.tail = None;
                    return Err(Notice::Disconnected(error.to_string()));
                }
            }
        }
    }
}

/// The events among entries; what is none goes into the collector's quarantine, and is not shown.
fn decoded(entries: &emp_stream::Entries, filter: &Filter) -> Vec<JobEvent> {
    let events = entries.above(EntryId::ZERO).filter_map(|entry| {
        let fields: Vec<(&[u8], &[u8])> = entry.fields().collect();
        emp_event::decode(entry.id, &fields).ok().map(|event| JobEvent::from(&event))
    });
    events.filter(|event| filter.holds(event)).collect()
}
