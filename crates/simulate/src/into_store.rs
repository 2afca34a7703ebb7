//! Whole hours of the simulated load, written straight into sealed partitions.
//!
//! One thread simulates, others decode and encode. Each hour goes to one of them, so every
//! partition is written by one hand and in order, and little is held in memory.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{Planted, Settings, Simulation};
use emp_catalog::{IndexingPace, bring_up_to_date};
use emp_event::{Draft, EntryId, Rejection};
use emp_store::{Hour, Layout, PartitionWriter, Row, Snapshot, StoreError, Writer};

/// The writer's name in the files of a simulated store.
pub const WRITER: &str = "simulate";

/// How far [`into_store`] has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Simulated and handed over; the last few may not be on the disk yet.
    pub hours_done: u32,
    /// Of so many.
    pub hours: u32,
    /// Simulated so far.
    pub events: u64,
}

/// What [`into_store`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Rows.
    pub events: u64,
    /// Parquet files: one an hour in which something happened.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// What is known to be wrong in the load; each shows itself as a line of text.
    pub incidents: Vec<Planted>,
}

impl Summary {
    /// Events written a second.
    pub fn events_per_second(&self) -> f64 {
        self.events as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// Why a simulated load was not written.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The files of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The hours are taken: a second load there would repeat entry IDs.
    #[error(
        "the store already holds simulated events of these hours, as in {}; choose other hours (--from), another store (--into), or remove what is there",
        path.display()
    )]
    HoursTaken {
        /// One file of them.
        path: PathBuf,
    },
    /// A simulated event that no collector would take: a fault of the simulation.
    #[error("the simulation made an entry that is no event, {id}: {source}")]
    NoEvent {
        /// Its entry ID.
        id: EntryId,
        /// What is wrong with it.
        source: Rejection,
    },
}

/// Events handed over at once.
const BATCH_EVENTS_MAX: usize = 1_024;
/// Batches that wait for one encoder.
const BATCHES_WAITING_MAX: usize = 16;
/// Encoding takes longer than simulating, and one that waits for the disk needs no core.
const ENCODERS: usize = 3;

type Batch = Vec<(EntryId, Draft)>;

/// Simulates so many hours, the first being that of `settings.from_ms`, and writes each
/// into its partition as the collector would have stored it. `progress` is told of each hour.
///
/// # Errors
/// [`SimulateError::HoursTaken`] where such a load was written there before, and whatever
/// the disk refuses; hours written until then stay.
pub fn into_store(
    layout: &Layout,
    settings: Settings,
    hours: u32,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, SimulateError> {
    let begun = Instant::now();
    let writer = Writer::new(WRITER)?;
    let first = Hour::of_ms(settings.from_ms);
    let end = Hour::of_ms(first.start_ms() + i64::from(hours) * (first.end_ms() - first.start_ms()));
    refuse_taken(layout, first, end)?;
    let mut simulation = Simulation::new(settings);
    let (written, events) = thread::scope(|scope| {
        let (senders, encoders): (Vec<_>, Vec<_>) = (0..ENCODERS)
            .map(|_| {
                let (sender, receiver) = sync_channel(BATCHES_WAITING_MAX);
                let writer = &writer;
                (sender, scope.spawn(move || encode(layout, writer, &receiver)))
            })
            .unzip();
        let events = hand_over(&mut simulation, &senders, first, end, progress);
        drop(senders);
        let mut written = Written::default();
        for encoder in encoders {
            // A panic there is a bug, and goes on as one here.
            let part = encoder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            written.files += part.files;
            written.bytes += part.bytes;
        }
        Ok::<_, SimulateError>((written, events))
    })?;
    let files = bring_up_to_date(layout, IndexingPace::hurried())?;
    let files: Vec<_> = files.files.iter().map(|file| file.partition.clone()).collect();
    emp_typical::bring_up_to_date(layout, &files)?;
    let incidents = simulation.planted().to_vec();
    Ok(Summary { events, files: written.files, bytes: written.bytes, elapsed: begun.elapsed(), incidents })
}

fn refuse_taken(layout: &Layout, first: Hour, end: Hour) -> Result<(), SimulateError> {
    if !layout.root().exists() {
        return Ok(());
    }
    let taken = Snapshot::read(layout)?
        .partitions
        .into_iter()
        .find(|partition| partition.name.writer.name() == WRITER && first <= partition.hour && partition.hour < end);
    taken.map_or(Ok(()), |partition| Err(SimulateError::HoursTaken { path: partition.path }))
}

/// Simulates up to the end and deals the hours out. Stops early where an encoder has: it
/// says why itself.
fn hand_over(
    simulation: &mut Simulation,
    encoders: &[SyncSender<Batch>],
    first: Hour,
    end: Hour,
    progress: &mut dyn FnMut(Progress),
) -> u64 {
    let hour_ms = first.end_ms() - first.start_ms();
    let number_of = |hour: Hour| ((hour.start_ms() - first.start_ms()) / hour_ms) as usize;
    let mut events = 0;
    let mut hour = first;
    let mut last = EntryId::ZERO;
    let mut batch = Batch::with_capacity(BATCH_EVENTS_MAX);
    for arrival in simulation {
        let arrived_in = Hour::of_ms(arrival.arrived_at_ms);
        let is_over = arrived_in >= end;
        if arrived_in != hour || batch.len() == BATCH_EVENTS_MAX {
            let full = std::mem::replace(&mut batch, Batch::with_capacity(BATCH_EVENTS_MAX));
            if encoders[number_of(hour) % encoders.len()].send(full).is_err() {
                break;
            }
        }
        if arrived_in != hour {
            hour = arrived_in.min(end);
            progress(Progress { hours_done: number_of(hour) as u32, hours: number_of(end) as u32, events });
        }
        if is_over {
            break;
        }
        // Settings before 1970 have no entry IDs to give: all their events get the first.
        let ms = u64::try_from(arrival.arrived_at_ms).unwrap_or(0);
        last = if ms > last.ms { EntryId::new(ms, 0) } else { EntryId::new(last.ms, last.seq + 1) };
        batch.push((last, arrival.draft));
        events += 1;
    }
    events
}

#[derive(Default)]
struct Written {
    files: u64,
    bytes: u64,
}

/// Writes the hours that come in, one file each.
fn encode(layout: &Layout, writer: &Writer, batches: &Receiver<Batch>) -> Result<Written, SimulateError> {
    let mut written = Written::default();
    let mut open: Option<(Hour, PartitionWriter)> = None;
    for batch in batches {
        for (id, draft) in &batch {
            let fields = draft.fields();
            let event = emp_event::decode(*id, &fields).map_err(|source| SimulateError::NoEvent { id: *id, source })?;
            let row = Row::from(&event);
            let hour = Hour::of_ms(row.ingested_at());
            let partition = match open.take() {
                Some((of, partition)) if of == hour => partition,
                other => {
                    finish(other, &mut written)?;
                    PartitionWriter::create(layout, writer)?
                }
            };
            open.insert((hour, partition)).1.push(&row)?;
        }
    }
    finish(open, &mut written)?;
    Ok(written)
}

fn finish(open: Option<(Hour, PartitionWriter)>, written: &mut Written) -> Result<(), StoreError> {
    let Some((_, partition)) = open else { return Ok(()) };
    if let Some(path) = partition.finish()? {
        let metadata = std::fs::metadata(&path);
        written.bytes += metadata.map_err(|source| StoreError::Io { action: "read", path, source })?.len();
        written.files += 1;
    }
    Ok(())
}
