//! Writing events whose IDs say what they are: an event that is stored already is found by its ID.
//!
//! Such events come in any order, and again and again. So an hour is looked through before anything
//! is added to it, and what is new is put together with what was there into one file, which takes
//! the old one's place in one rename. One at a time does that for an hour, and holds its lock from
//! the look to the rename; nobody ever holds two of these locks.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{AsArray as _, RecordBatch};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::archived::{self, ArchivedHours};
use super::at_once::rows_at_once;
use super::direct::sidecars;
use super::error::IoContext as _;
use super::journal::{Quarantined, Row};
use super::layout::{Hour, IdRange, Layout, SealedName, Writer};
use super::retain;
use super::sealed::PartitionWriter;
use super::snapshot::{counting_partitions, visible_in_hour};
use super::writer_lock::WriterLock;
use super::{Partition, Released, StoreError, disk, events_of, sidecar};
use emp_event::{EntryId, ParseEntryIdError};

/// Rows decoded at once: few, since a row may hold much.
const READ_ROWS: usize = 512;

/// Where an event that is stored already has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// In this hour: its ID tells its time.
    Hour(Hour),
    /// Anywhere: its ID has the time at which it was stored first.
    Undated,
}

impl Scope {
    /// What the names of its writers begin with.
    fn prefix(self) -> &'static str {
        match self {
            Self::Hour(_) => "lines-",
            Self::Undated => "undated-",
        }
    }

    /// What is locked while events are added.
    fn lock(self) -> Result<Writer, StoreError> {
        match self {
            Self::Hour(hour) => Writer::new(&format!("lines.{}.{}", hour.date(), hour.hour())),
            Self::Undated => Writer::new("undated"),
        }
    }

    fn shown(self) -> String {
        match self {
            Self::Hour(hour) => format!("what the store has of {} {}:00 UTC", hour.date(), hour.hour()),
            Self::Undated => "what the store has of lines without a time".to_owned(),
        }
    }

    fn holds(self, ids: IdRange) -> bool {
        let ms = |ms: i64| u64::try_from(ms).unwrap_or(0);
        match self {
            Self::Hour(hour) => ids.last.ms >= ms(hour.start_ms()) && ids.first.ms < ms(hour.end_ms()),
            Self::Undated => true,
        }
    }
}

/// Under which names one import keeps what it adds: the store is looked through once for those that it has.
#[derive(Debug)]
pub struct WriterNames {
    fresh: String,
    known: HashMap<&'static str, Writer>,
}

impl WriterNames {
    /// `fresh` is eight to sixteen digits that name a writer where the store has none yet.
    #[must_use]
    pub fn new(fresh: String) -> Self {
        Self { fresh, known: HashMap::new() }
    }
}

/// The right to add to one scope, and what is there.
pub struct MergeWriter {
    layout: Layout,
    scope: Scope,
    sealed: Vec<Partition>,
    quarantined: Vec<(SealedName, PathBuf)>,
    retired: Vec<IdRange>,
    lock: WriterLock,
}

impl MergeWriter {
    /// Takes the scope's lock, waiting for it a while, and looks what is there.
    ///
    /// # Errors
    /// [`StoreError::Busy`] where somebody else adds to it for long; else what the disk refused.
    pub fn open(layout: &Layout, scope: Scope) -> Result<Self, StoreError> {
        disk::create_dir(layout, &layout.journal())?;
        let lock = WriterLock::take(layout, &scope.lock()?)?;
        let is_ours = |writer: &Writer| writer.name().starts_with(scope.prefix());
        let released = Released::read(layout)?;
        let has_left = match scope {
            Scope::Hour(hour) => released.is_of(hour),
            Scope::Undated => released.names().any(|name| is_ours(&name.writer)),
        };
        if has_left {
            return Err(StoreError::InArchive { what: scope.shown() });
        }
        let mut sealed = match scope {
            Scope::Hour(hour) => visible_in_hour(layout, hour)?,
            Scope::Undated => counting_partitions(layout)?,
        };
        sealed.retain(|file| is_ours(&file.name.writer));
        let mut quarantined = sidecars(&layout.quarantine())?;
        quarantined.retain(|(name, _)| is_ours(&name.writer) && scope.holds(name.ids));
        let retired = retain::ranges(layout)?.into_iter().map(|(name, _)| name);
        let retired = retired.filter(|name| is_ours(&name.writer)).map(|name| name.ids).collect();
        let store = Self { layout: layout.clone(), scope, sealed, quarantined, retired, lock };
        if store.lock.is_left_over() {
            let files = store.sealed.iter().map(|file| &file.path);
            files.chain(store.quarantined.iter().map(|(_, path)| path)).try_for_each(|path| store.write_anew(path))?;
        }
        Ok(store)
    }

    /// Has retention taken out what was stored of that millisecond?
    #[must_use]
    pub fn is_retired(&self, ms: u64) -> bool {
        self.retired.iter().any(|ids| (ids.first.ms..=ids.last.ms).contains(&ms))
    }

    /// Tells the ID of each event and of each entry that is no event, in no order.
    ///
    /// # Errors
    /// [`StoreError`] where a file cannot be read.
    pub fn each_id(&self, mut tell: impl FnMut(EntryId)) -> Result<(), StoreError> {
        for file in &self.sealed {
            for batch in read(&file.path, &["id"])? {
                let batch = batch.map_err(|error| damaged(&file.path, error))?;
                ids_of(&batch, &file.path)?.into_iter().for_each(&mut tell);
            }
        }
        for (_, path) in &self.quarantined {
            sidecar::read::<Quarantined>(path)?.into_iter().for_each(|entry| tell(entry.id));
        }
        Ok(())
    }

    /// Adds events and entries that are no events, none of which is there yet, both in ID order and
    /// of the scope; all of them are durable and seen when it returns.
    ///
    /// # Errors
    /// What the disk refused. The entries, or those and the events, may be there all the same.
    pub fn add(self, rows: &[Row<'_>], quarantined: &[Quarantined], names: &mut WriterNames) -> Result<(), StoreError> {
        let writer = self.writer(names)?;
        sidecar::write(&self.layout, &self.layout.quarantine(), &writer, quarantined)?;
        for hour in rows.chunk_by(|a, b| Hour::of_ms(a.ingested_at()) == Hour::of_ms(b.ingested_at())) {
            self.merge(&writer, hour)?;
        }
        self.lock.end()
    }

    /// The name under which this store keeps such events. Which one it is matters to nobody, but one
    /// name has one file an hour.
    fn writer(&self, names: &mut WriterNames) -> Result<Writer, StoreError> {
        let of_scope = self.sealed.iter().map(|file| &file.name.writer);
        if let Some(writer) = of_scope.min().or_else(|| names.known.get(self.scope.prefix())) {
            return Ok(writer.clone());
        }
        let KnownNames { events, quarantined } = known_names(&self.layout)?;
        let known = events.into_iter().chain(quarantined).map(|name| name.writer);
        let writer = match known.filter(|writer| writer.name().starts_with(self.scope.prefix())).min() {
            Some(writer) => writer,
            None => Writer::new(&format!("{}{}", self.scope.prefix(), names.fresh))?,
        };
        Ok(names.known.entry(self.scope.prefix()).or_insert(writer).clone())
    }

    /// Puts rows of one hour together with the writer's file of that hour.
    fn merge(&self, writer: &Writer, rows: &[Row<'_>]) -> Result<(), StoreError> {
        let Some(first) = rows.first() else { return Ok(()) };
        let hour = Hour::of_ms(first.ingested_at());
        let of_hour = |writer: &Writer| {
            let writer = writer.clone();
            self.sealed.iter().filter(move |file| file.hour == hour && file.name.writer == writer)
        };
        let _archiving = archived::lock(&self.layout)?;
        // What went into an archive is never written again: what comes later lies beside it, under a name of its own.
        let mut own = writer.clone();
        if ArchivedHours::read(&self.layout)?.contains(hour) {
            for number in 2.. {
                if of_hour(&own).next().is_none() {
                    break;
                }
                own = Writer::new(&format!("{}.{number}", writer.name()))?;
            }
        }
        let files = of_hour(&own);
        let mut merge = Merge { output: PartitionWriter::create(&self.layout, &own)?, rows: rows.iter().peekable() };
        for file in files {
            for batch in read(&file.path, &[])? {
                merge.push_batch(&batch.map_err(|error| damaged(&file.path, error))?, &file.path)?;
            }
        }
        merge.finish()
    }

    /// A file that was published before its writer died or failed may be seen and yet not be durable.
    fn write_anew(&self, path: &Path) -> Result<(), StoreError> {
        disk::create_dir(&self.layout, path.parent().unwrap_or(self.layout.root()))?;
        let lock = self.scope.lock()?;
        match disk::copy(&self.layout, path, &format!("{lock}.anew"), path) {
            // It was superseded, and removed meanwhile.
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(()),
            copied => copied,
        }
    }
}

/// New rows on their way between those of a file, both in ID order.
struct Merge<'a, 'b> {
    output: PartitionWriter,
    rows: std::iter::Peekable<std::slice::Iter<'a, Row<'b>>>,
}

impl Merge<'_, '_> {
    fn push_batch(&mut self, batch: &RecordBatch, path: &Path) -> Result<(), StoreError> {
        let last = ids_of(batch, path)?.last().copied().unwrap_or(EntryId::ZERO);
        if self.rows.peek().is_none_or(|row| row.id > last) {
            return self.output.push_batch(batch, path);
        }
        for event in events_of(batch, path)? {
            self.push_rows_below(event.id)?;
            self.output.push(&Row::from(&event))?;
        }
        Ok(())
    }

    fn push_rows_below(&mut self, id: EntryId) -> Result<(), StoreError> {
        while let Some(row) = self.rows.next_if(|row| row.id < id) {
            self.output.push(row)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), StoreError> {
        for row in self.rows.by_ref() {
            self.output.push(row)?;
        }
        self.output.finish().map(drop)
    }
}

/// The names of what a store has, or had until retention took it out.
#[derive(Debug, Default)]
pub struct KnownNames {
    /// Of sealed events.
    pub events: Vec<SealedName>,
    /// Of entries that are no events.
    pub quarantined: Vec<SealedName>,
}

/// Lists those names, and opens nothing.
///
/// # Errors
/// [`StoreError`] where a folder cannot be listed.
pub fn known_names(layout: &Layout) -> Result<KnownNames, StoreError> {
    let mut events: Vec<SealedName> = counting_partitions(layout)?.into_iter().map(|file| file.name).collect();
    events.extend(sidecars(&layout.retired())?.into_iter().map(|(name, _)| name));
    events.extend(Released::read(layout)?.names());
    let quarantined = sidecars(&layout.quarantine())?.into_iter().map(|(name, _)| name).collect();
    Ok(KnownNames { events, quarantined })
}

/// Reads those columns of a sealed file; all of them where none is named.
fn read(path: &Path, columns: &[&str]) -> Result<ParquetRecordBatchReader, StoreError> {
    let file = File::open(path).doing("open", path)?;
    let mut builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(path, error))?;
    if !columns.is_empty() {
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        builder = builder.with_projection(mask);
    }
    let at_once = rows_at_once(builder.metadata(), READ_ROWS);
    builder.with_batch_size(at_once).build().map_err(|error| damaged(path, error))
}

fn ids_of(batch: &RecordBatch, path: &Path) -> Result<Vec<EntryId>, StoreError> {
    let column = batch.column_by_name("id").and_then(|column| column.as_string_opt::<i32>());
    let column = column.ok_or_else(|| damaged(path, "it has no column id"))?;
    let parse = |id: &str| id.parse().map_err(|error: ParseEntryIdError| damaged(path, error));
    column.iter().flatten().map(parse).collect()
}

fn damaged(path: &Path, detail: impl ToString) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), detail: detail.to_string() }
}
