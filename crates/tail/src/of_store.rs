use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::time::{Duration, SystemTime};

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};

use super::{Next, Notice, TailError};
use emp_event::EntryId;
use emp_job::JobEvent;
use emp_query::{EVENT_COLUMNS, Engine, Filter, Kept, column_as, read_events};
use emp_store::{EventRange, Layout, Writer};

/// How often to look whether the collector has stored something.
const LOOK_EVERY: Duration = Duration::from_millis(40);
/// Events are handed on once their data takes so many bytes, or once they are so many.
const PORTION_BYTES: usize = 4 << 20;
const PORTION_EVENTS: usize = 1_000;

/// Follows the events of a store.
#[derive(Debug)]
pub struct StoreTail {
    layout: Layout,
    filter: Filter,
    /// What was there before and is to be shown first.
    before: Option<Before>,
    /// How far each writer has been followed.
    seen: BTreeMap<Writer, Kept>,
    /// What was found since, in the order in which it is looked through.
    found: VecDeque<Found>,
    notices: VecDeque<Notice>,
    stamp: Vec<(String, u64, Option<SystemTime>)>,
}

/// The last events of the past, by their IDs, in portions, as the engine sees them.
#[derive(Debug)]
struct Before {
    engine: Engine,
    portions: VecDeque<Vec<String>>,
}

/// What one writer has stored since it was looked at.
#[derive(Debug)]
struct Found {
    writer: Writer,
    /// What it has kept in all.
    kept: Kept,
    range: EventRange,
}

impl StoreTail {
    /// A tail that begins with the last `last` events for which the filter holds, and goes on after them.
    ///
    /// # Errors
    /// [`TailError`] where the store cannot be read.
    pub async fn open(layout: &Layout, filter: Filter, last: usize) -> Result<Self, TailError> {
        let stamp = stamp(layout);
        let engine = Engine::open(layout)?;
        // Everything up to here is in what this engine sees; everything after it comes later.
        let seen = engine.kept_by_writers()?;
        let before = match last {
            0 => None,
            last => Some(Before { portions: portions(&engine, &filter, last).await?, engine }),
        };
        let (layout, found, notices) = (layout.clone(), VecDeque::new(), VecDeque::new());
        Ok(Self { layout, filter, before, seen, found, notices, stamp })
    }

    /// The next events; waits until there are any, or something is to be said.
    ///
    /// # Errors
    /// [`TailError`] where the store cannot be read.
    pub async fn next(&mut self) -> Result<Next, TailError> {
        loop {
            if let Some(notice) = self.notices.pop_front() {
                return Ok(Err(notice));
            }
            let events = match self.before().await? {
                Some(events) => events,
                None => match self.new_events() {
                    // Looked for again from where we are.
                    Err(error) if error.is_of_a_file_that_went() => {
                        self.found.clear();
                        self.stamp.clear();
                        continue;
                    }
                    events => events?,
                },
            };
            if !events.is_empty() {
                return Ok(Ok(events));
            }
            if self.notices.is_empty() && self.found.is_empty() && self.before.is_none() {
                self.look().await?;
            }
        }
    }

    /// A portion of what was there before; `None` once there is no more.
    async fn before(&mut self) -> Result<Option<Vec<JobEvent>>, TailError> {
        let Some(before) = &mut self.before else { return Ok(None) };
        let Some(ids) = before.portions.pop_front() else {
            self.before = None;
            return Ok(None);
        };
        let parsed = || ids.iter().filter_map(|id| id.parse::<EntryId>().ok());
        let (first, last) = (parsed().min().unwrap_or_default(), parsed().max().unwrap_or_default());
        let list: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
        let sql = format!(
            "select {EVENT_COLUMNS} from events where ingested_at >= to_timestamp_millis({}) \
             and ingested_at <= to_timestamp_millis({}) and id in ({}) and {}",
            first.ms,
            last.ms,
            list.join(", "),
            self.filter.sql()
        );
        let mut events = read_events(&ask(&before.engine, &sql).await?)?;
        events.sort_by_key(|event| event.id);
        Ok(Some(events))
    }

    /// Waits until something is stored, and finds who has stored it.
    async fn look(&mut self) -> Result<(), TailError> {
        loop {
            let now = stamp(&self.layout);
            if now != self.stamp {
                self.stamp = now;
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        for (writer, kept) in Engine::open(&self.layout)?.kept_by_writers()? {
            let seen = self.seen.get(&writer).copied().unwrap_or_default();
            if kept != seen {
                let is_its = |other: &Writer| *other == writer;
                let range = EventRange::of_writers(&self.layout, seen.newest, kept.newest.after(), is_its)?;
                self.found.push_back(Found { writer, kept, range });
            }
        }
        Ok(())
    }

    /// A portion of what was found.
    fn new_events(&mut self) -> Result<Vec<JobEvent>, TailError> {
        let (mut events, mut bytes) = (Vec::new(), 0);
        while let Some(found) = self.found.front_mut() {
            let event = found.range.next_event()?;
            let skipped = found.range.take_skipped().into_iter().map(|error| Notice::Skipped(error.to_string()));
            self.notices.extend(skipped);
            let seen = self.seen.entry(found.writer.clone()).or_default();
            let Some(event) = event else {
                // Retention may have taken out some, and then nobody can tell.
                let among = found.kept.events.saturating_sub(seen.events);
                self.notices.extend((among > 0).then_some(Notice::AddedAmong(among)));
                *seen = found.kept;
                self.found.pop_front();
                continue;
            };
            (seen.newest, seen.events) = (event.id, seen.events + 1);
            let size = event.data.len();
            let event = JobEvent::from(&event);
            if self.filter.holds(&event) {
                events.push(event);
                bytes += size;
            }
            if bytes >= PORTION_BYTES || events.len() >= PORTION_EVENTS {
                break;
            }
        }
        events.sort_by_key(|event| event.id);
        Ok(events)
    }
}

/// The IDs of the last events for which the filter holds, lowest first, in portions that fit into memory.
async fn portions(engine: &Engine, filter: &Filter, last: usize) -> Result<VecDeque<Vec<String>>, TailError> {
    let sql = format!(
        "select id, octet_length(data) as bytes from events where {} \
         order by ingested_at desc, length(id) desc, id desc limit {last}",
        filter.sql()
    );
    let mut portions: VecDeque<Vec<String>> = VecDeque::new();
    let mut bytes_of_first = 0;
    for batch in ask(engine, &sql).await? {
        let (ids, sizes) = (column_as(&batch, "id", &DataType::Utf8)?, column_as(&batch, "bytes", &DataType::Int64)?);
        let (ids, sizes) = (ids.as_string::<i32>(), sizes.as_primitive::<Int64Type>());
        for (id, size) in ids.iter().flatten().zip(sizes.iter()) {
            let size = usize::try_from(size.unwrap_or_default()).unwrap_or_default();
            // The newest comes first, and is shown last.
            match portions.front_mut().filter(|ids| ids.len() < PORTION_EVENTS && bytes_of_first < PORTION_BYTES) {
                Some(ids) => ids.push(id.to_owned()),
                None => {
                    bytes_of_first = 0;
                    portions.push_front(vec![id.to_owned()]);
                }
            }
            bytes_of_first += size;
        }
    }
    Ok(portions)
}

async fn ask(engine: &Engine, sql: &str) -> Result<Vec<RecordBatch>, TailError> {
    Ok(engine.sql(sql).await?.batches().await?)
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
