//! Going through the files of a store once, each job's events together.
//!
//! Nothing is sorted but the events of one job. Those of most jobs lie in one file: they are through at its end. Which
//! jobs go on in other files the index of ids tells, and these alone are kept until the last of their files was read.
//! Files are taken one by one by as many threads as the question has.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use tokio::sync::mpsc::Sender;

use emp_catalog::{Sealed, SealedFiles, SharedJobs};
use emp_job::Offsets;
use emp_store::Partition;

use super::names::Texts;
use super::rows::{Column, Rows};
use super::unit::{Jobs, Needs, Piece, UnitFile, each_piece_in_memory};
use super::walk::{Event, Transition, Walk};
use super::wanted::Wanted;
use crate::view::{View, lock};

/// A file or a segment that is to be read.
#[derive(Debug)]
pub(super) struct Unit {
    pub place: Place,
    /// Its IDs lie between others', so that their sequence numbers have to be read.
    pub overlaps: bool,
}

#[derive(Debug)]
pub(super) enum Place {
    /// A sealed file, by its position in the catalog, and where it lies.
    Sealed(usize, Partition),
    /// A segment of the journal, by its place in the snapshot.
    Segment(usize),
}

/// One scan, which all its threads work at.
pub(super) struct Scan {
    pub view: Arc<View>,
    pub files: Arc<SealedFiles>,
    /// In the order of their IDs.
    pub units: Vec<Unit>,
    pub wanted: Wanted,
    pub columns: Vec<Column>,
    pub schema: SchemaRef,
    /// What is known of clocks that are behind; `None` where events count as their producers' clocks have them.
    pub clocks: Option<Arc<Offsets>>,
    pub progress: Progress,
}

/// How far a scan is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    texts: Texts,
    /// The unit that is taken next.
    next: AtomicUsize,
    /// How many threads have found no more units.
    through: AtomicUsize,
    shared: OnceLock<SharedJobs>,
    open: Mutex<OpenJobs>,
}

/// The jobs that go on in other files.
#[derive(Debug, Default)]
struct OpenJobs {
    jobs: HashMap<Box<str>, OpenJob>,
    bytes: usize,
    /// What of the question's memory they have.
    memory: Option<MemoryReservation>,
}

impl OpenJobs {
    /// Adds events of a job that were found in one of its `files`. With the last of them it is through, and its
    /// events come back.
    fn add(&mut self, id: &str, events: Vec<Event>, files: u32) -> Result<Option<Vec<Event>>> {
        let new = OpenJob { events: Vec::new(), files_left: files };
        let mut job = match self.jobs.remove(id) {
            Some(known) => {
                self.bytes = self.bytes.saturating_sub(known.bytes(id));
                known
            }
            None => new,
        };
        job.events.extend(events);
        job.files_left = job.files_left.saturating_sub(1);
        if job.files_left == 0 {
            return Ok(Some(job.events));
        }
        self.bytes += job.bytes(id);
        self.jobs.insert(id.into(), job);
        match &self.memory {
            Some(memory) => memory.try_resize(self.bytes).map(|()| None),
            None => Ok(None),
        }
    }
}

/// A job that goes on in other files.
#[derive(Debug)]
struct OpenJob {
    events: Vec<Event>,
    /// In so many files that were not read yet.
    files_left: u32,
}

impl OpenJob {
    fn bytes(&self, id: &str) -> usize {
        self.events.capacity() * size_of::<Event>() + id.len() + size_of::<(Box<str>, Self)>()
    }
}

/// Batches that wait to be taken.
const BATCHES_AHEAD: usize = 2;

impl Scan {
    /// What one of `shares` threads finds.
    pub fn share(self: Arc<Self>, shares: usize, context: &TaskContext) -> SendableRecordBatchStream {
        let memory = || MemoryConsumer::new("transitions").register(context.memory_pool());
        lock(&self.progress.open).memory.get_or_insert_with(memory);
        let mut stream = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.schema), BATCHES_AHEAD);
        let sender = stream.tx();
        stream.spawn_blocking(move || Worker::new(&self, &sender).work(shares));
        stream.build()
    }

    /// How many of the units were taken to be read, and how many there are.
    pub fn files(&self) -> (usize, usize) {
        let all = self.units.len();
        (self.progress.next.load(Ordering::Relaxed).min(all), all)
    }
}

/// What a thread has of its own.
struct Worker<'a> {
    scan: &'a Scan,
    /// Closed once nobody wants more: the question was given up, or has enough.
    sender: &'a Sender<Result<RecordBatch>>,
    walk: Walk,
    rows: Rows,
    transitions: Vec<Transition>,
    grouped: Grouped,
}

impl<'a> Worker<'a> {
    fn new(scan: &'a Scan, sender: &'a Sender<Result<RecordBatch>>) -> Self {
        let mut walk = Walk::default();
        walk.with_attempts = scan.columns.contains(&Column::Attempt);
        let rows = Rows::new(Arc::clone(&scan.schema), scan.columns.clone());
        Self { scan, sender, walk, rows, transitions: Vec::new(), grouped: Grouped::default() }
    }

    fn work(mut self, shares: usize) -> Result<()> {
        let progress = &self.scan.progress;
        while !self.sender.is_closed()
            && let Some(unit) = self.scan.units.get(progress.next.fetch_add(1, Ordering::Relaxed))
        {
            self.read(unit)?;
        }
        if progress.through.fetch_add(1, Ordering::AcqRel) + 1 == shares {
            // Jobs of which more was expected than came: of another one with the same hash, or of a damaged file.
            let left = std::mem::take(&mut *lock(&progress.open));
            for (id, mut job) in left.jobs {
                self.finish(&id, &mut job.events, false)?;
            }
        }
        self.hand_on()
    }

    fn read(&mut self, unit: &Unit) -> Result<()> {
        let needs = Needs {
            seq: unit.overlaps,
            workers: self.scan.columns.contains(&Column::WorkerId),
            clocks: self.scan.clocks.as_deref(),
            unit: 0,
        };
        let mut jobs = Jobs::default();
        let scan = self.scan;
        let texts = &scan.progress.texts;
        let mut kept = match &unit.place {
            Place::Sealed(_, file) => {
                let file = UnitFile::open(file)?;
                let mut kept = Kept::of_rows(&file, &mut jobs)?;
                file.each_piece(needs, (&mut jobs, texts), &mut |piece, jobs| {
                    self.take(piece, jobs, &mut kept, file.is_in_order)
                })?;
                kept
            }
            Place::Segment(at) => {
                let mut kept = Kept { until: Until::End, open: HashMap::new() };
                let batches = &scan.view.snapshot.segments[*at].batches;
                each_piece_in_memory(batches, needs, (&mut jobs, texts), &mut |piece, jobs| {
                    self.take(piece, jobs, &mut kept, true)
                })?;
                kept
            }
        };
        for (job, mut events) in kept.open.drain() {
            let id = &jobs.ids[job as usize];
            match self.shared().files(id) {
                Some(files) => {
                    let through = lock(&self.scan.progress.open).add(id, events, files)?;
                    if let Some(mut events) = through {
                        self.finish(id, &mut events, false)?;
                    }
                }
                None => self.finish(id, &mut events, false)?,
            }
        }
        Ok(())
    }

    /// Takes the events of some rows, which may be in order. Jobs that are through are finished.
    fn take(&mut self, piece: &mut Piece, jobs: &Jobs, kept: &mut Kept, are_in_order: bool) -> Result<()> {
        let mut grouped = std::mem::take(&mut self.grouped);
        grouped.group(piece, jobs.ids.len());
        for (job, events) in grouped.each() {
            let id = &jobs.ids[job as usize];
            if !self.scan.wanted.may_be_of(id) {
                continue;
            }
            let is_shared = self.shared().files(id).is_some();
            if !is_shared && kept.is_through(job, events.len()) {
                match kept.open.remove(&job) {
                    Some(mut before) => {
                        before.extend_from_slice(events);
                        self.finish(id, &mut before, are_in_order)?;
                    }
                    None => self.finish(id, events, are_in_order)?,
                }
            } else {
                kept.open.entry(job).or_default().extend_from_slice(events);
            }
        }
        self.grouped = grouped;
        Ok(())
    }

    fn shared(&self) -> &'a SharedJobs {
        let scan = self.scan;
        scan.progress.shared.get_or_init(|| scan.shared_jobs())
    }

    fn finish(&mut self, id: &str, events: &mut [Event], are_in_order: bool) -> Result<()> {
        let (transitions, wanted) = (&mut self.transitions, &self.scan.wanted);
        transitions.clear();
        self.walk.go_through(events, are_in_order, &self.scan.progress.texts, &mut |transition| {
            if wanted.may_be(transition) {
                transitions.push(*transition);
            }
        });
        self.rows.push_all(id, transitions);
        if self.rows.is_full() { self.hand_on() } else { Ok(()) }
    }

    fn hand_on(&mut self) -> Result<()> {
        if let Some(batch) = self.rows.take(&self.scan.progress.texts)? {
            // Where nobody takes it, the next look at the sender ends this.
            let _ = self.sender.blocking_send(Ok(batch));
        }
        Ok(())
    }
}

impl Scan {
    fn shared_jobs(&self) -> SharedJobs {
        let (mut files, mut segments): (Vec<&Sealed>, Vec<Vec<u64>>) = (Vec::new(), Vec::new());
        for unit in &self.units {
            match &unit.place {
                Place::Sealed(position, _) => files.push(&self.files.files[*position]),
                Place::Segment(at) => {
                    segments.push(jobs_of(&self.view.snapshot.segments[*at].batches, SharedJobs::hash))
                }
            }
        }
        self.files.shared_jobs(&files, &segments)
    }
}

/// The hashes of the jobs in rows that are in memory, ascending, each once.
pub(super) fn jobs_of<H: Ord>(batches: &[RecordBatch], hash: impl Fn(&str) -> H) -> Vec<H> {
    let columns = batches.iter().filter_map(|batch| batch.column_by_name("job_id")?.as_string_opt::<i32>());
    let ids = columns.flat_map(|ids| (0..ids.len()).filter(|row| ids.is_valid(*row)).map(|row| ids.value(row)));
    let mut hashes: Vec<H> = ids.map(hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// The events of a unit's jobs that are not through.
struct Kept {
    until: Until,
    open: HashMap<u32, Vec<Event>>,
}

/// When the jobs of a unit are through.
enum Until {
    /// With the rows that come now, as these are all.
    Now,
    /// Once so many more of their events have come, by job.
    Counted(Vec<u32>),
    /// At the end of the unit.
    End,
}

impl Kept {
    fn of_rows(file: &UnitFile, jobs: &mut Jobs) -> Result<Self> {
        let until = match (file.comes_in_one_piece(), file.is_small()) {
            (true, _) => Until::Now,
            (false, true) => Until::End,
            (false, false) => Until::Counted(file.count_jobs(jobs)?),
        };
        Ok(Self { until, open: HashMap::new() })
    }

    /// Are these the last events of the job in the unit?
    fn is_through(&mut self, job: u32, events: usize) -> bool {
        match &mut self.until {
            Until::Now => true,
            Until::End => false,
            Until::Counted(left) => {
                let left = &mut left[job as usize];
                // No more come than were counted.
                *left = left.saturating_sub(events as u32);
                *left == 0
            }
        }
    }
}

/// Events by their jobs, each job's in the order in which they came.
#[derive(Default)]
struct Grouped {
    events: Vec<Event>,
    /// Where each job's events end, and by job number where they begin.
    ends: Vec<u32>,
}

impl Grouped {
    /// Puts the events of each job together, by counting them.
    fn group(&mut self, piece: &Piece, jobs: usize) {
        self.ends.clear();
        self.ends.resize(jobs + 1, 0);
        for job in &piece.jobs {
            self.ends[*job as usize + 1] += 1;
        }
        for job in 0..jobs {
            self.ends[job + 1] += self.ends[job];
        }
        self.events.clear();
        self.events.extend_from_slice(&piece.events);
        // Each job's next free place; in the end, where it ends.
        for (job, event) in piece.jobs.iter().zip(&piece.events) {
            let place = &mut self.ends[*job as usize];
            self.events[*place as usize] = *event;
            *place += 1;
        }
    }

    /// Each job that has events, with them.
    fn each(&mut self) -> impl Iterator<Item = (u32, &mut [Event])> {
        let (mut rest, mut begin) = (self.events.as_mut_slice(), 0);
        let jobs = self.ends.len().saturating_sub(1);
        self.ends[..jobs].iter().enumerate().filter_map(move |(job, end)| {
            let (events, behind) = std::mem::take(&mut rest).split_at_mut((*end - begin) as usize);
            (rest, begin) = (behind, *end);
            // There are no more jobs than rows.
            (!events.is_empty()).then_some((job as u32, events))
        })
    }
}
