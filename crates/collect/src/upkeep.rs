//! Looking after the store beside collecting: one thing at a time, on a thread of its own.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tracing::{error, info, warn};

use super::{Meter, Settings};
use emp_catalog::IndexingPace;
use emp_store::{
    Hour, KeptAside, Layout, Refusal, Retention, Retired, SUPERSEDED_GRACE, Sealed, StoreError, StoreWriter, compact,
    remove_superseded_files, retain,
};

/// How long after its end an hour is closed: clocks differ, and an entry that arrives in a
/// closed hour makes a second file of it.
pub(super) const HOUR_END_SLACK_MS: i64 = 10_000;
/// How long to wait after a segment could not be sealed.
const SEAL_AGAIN_AFTER: Duration = Duration::from_secs(30);
/// How often to look whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often to look after what is sealed.
const TIDY_EVERY: Duration = Duration::from_secs(60);
/// How soon after sealing the catalog takes note of it. A busy collector seals every second, and the
/// catalog is written whole; queries find a file that it does not know yet by themselves.
const LEARN_EVERY: Duration = Duration::from_secs(5);

/// Keeps a store sealed and tidy while commits go on.
pub(super) struct Upkeep {
    layout: Layout,
    meter: Arc<Meter>,
    retention: Retention,
    seal_every: Option<Duration>,
    running: Option<JoinHandle<Done>>,
    looked: Option<Instant>,
    /// Before that no segment is sealed: the last attempt failed.
    seal_not_before: Instant,
    closed: Instant,
    tidied: Option<Instant>,
    learned: Option<Instant>,
    /// Files have come or gone since the catalog took note of them.
    has_news: bool,
    seal_is_requested: bool,
    known: KnownTrouble,
}

/// What a thread has done.
enum Done {
    Sealed(Result<Sealed, StoreError>),
    Tidied(KnownTrouble),
    Learned,
}

/// What tidying up has met before, and need not say again.
#[derive(Default)]
struct KnownTrouble {
    /// Sealed files that cannot be put together with others.
    unreadable: BTreeSet<PathBuf>,
    /// Why retention removes nothing.
    refusal: Option<Refusal>,
}

impl Upkeep {
    pub fn new(settings: &Settings) -> Self {
        let now = Instant::now();
        Self {
            layout: settings.layout.clone(),
            meter: Arc::clone(&settings.meter),
            retention: settings.retention,
            seal_every: settings.seal_every,
            running: None,
            looked: None,
            seal_not_before: now,
            closed: now,
            tidied: None,
            learned: None,
            has_news: true,
            seal_is_requested: false,
            known: KnownTrouble::default(),
        }
    }

    /// Closes what is due, collects what is done, starts what waits. Quick: to be called often.
    ///
    /// # Errors
    /// [`StoreError`] where the journal cannot be written. What fails on a thread of its own is
    /// logged and tried again: the events are safe in the journal.
    pub fn tick(&mut self, store: &mut StoreWriter) -> Result<(), StoreError> {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        store.close_ended_hour(Timestamp::now().as_millisecond() - HOUR_END_SLACK_MS)?;
        if self.seal_every.is_some_and(|every| self.closed.elapsed() >= every) {
            store.close_segment()?;
            self.closed = Instant::now();
        }
        if self.running.as_ref().is_some_and(JoinHandle::is_finished) {
            self.settle(store);
        }
        if self.running.is_none() {
            self.start_next(store);
        }
        self.answer_seal_request(store)?;
        store.remove_superseded(SUPERSEDED_GRACE)
    }

    /// Seals all there is, the open segment too, and returns when that is done.
    ///
    /// # Errors
    /// The first [`StoreError`]; what is not sealed stays in the journal.
    pub fn finish(&mut self, store: &mut StoreWriter) -> Result<(), StoreError> {
        self.settle(store);
        store.close_segment()?;
        while let Some(task) = store.next_to_seal() {
            let sealed = task.run()?;
            if sealed.parquet.is_some() {
                self.meter.has_sealed(sealed.rows);
            }
            store.sealed(&sealed);
        }
        learn(&self.layout);
        store.answer_seal_request()
    }

    /// Sealing goes first: nothing else makes events visible to other engines.
    fn start_next(&mut self, store: &StoreWriter) {
        let may_seal = Instant::now() >= self.seal_not_before;
        if let Some(task) = store.next_to_seal().filter(|_| may_seal) {
            self.running = Some(std::thread::spawn(move || Done::Sealed(task.run())));
        } else if self.has_news && self.learned.is_none_or(|learned| learned.elapsed() >= LEARN_EVERY) {
            (self.learned, self.has_news) = (Some(Instant::now()), false);
            let layout = self.layout.clone();
            self.running = Some(std::thread::spawn(move || learn(&layout)));
        } else if self.tidied.is_none_or(|tidied| tidied.elapsed() >= TIDY_EVERY) {
            self.tidied = Some(Instant::now());
            let (layout, retention) = (self.layout.clone(), self.retention);
            let known = std::mem::take(&mut self.known);
            self.running = Some(std::thread::spawn(move || Done::Tidied(tidy(&layout, &retention, known))));
        }
    }

    /// Seals what there is where somebody asked for it, and says when that is done.
    fn answer_seal_request(&mut self, store: &mut StoreWriter) -> Result<(), StoreError> {
        if !self.seal_is_requested && store.seal_is_requested() {
            store.close_segment()?;
            self.seal_is_requested = true;
        }
        if self.seal_is_requested && store.next_to_seal().is_none() {
            self.seal_is_requested = false;
            store.answer_seal_request()?;
        }
        Ok(())
    }

    /// Waits for what is under way, if anything is.
    fn settle(&mut self, store: &mut StoreWriter) {
        match self.running.take().map(JoinHandle::join) {
            None | Some(Ok(Done::Learned)) => {}
            Some(Ok(Done::Tidied(known))) => (self.known, self.has_news) = (known, true),
            Some(Ok(Done::Sealed(Ok(sealed)))) => self.take_note(store, &sealed),
            Some(Ok(Done::Sealed(Err(error)))) => {
                error!("cannot seal: {error}; trying again in {} s", SEAL_AGAIN_AFTER.as_secs());
                self.meter.could_not_seal();
                self.seal_not_before = Instant::now() + SEAL_AGAIN_AFTER;
            }
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }

    fn take_note(&mut self, store: &mut StoreWriter, sealed: &Sealed) {
        for KeptAside { path, bytes, .. } in &sealed.damaged {
            let path = path.display();
            error!("{bytes} bytes of the journal were damaged on the disk and are not sealed; kept as {path}");
        }
        if let Some(path) = &sealed.parquet {
            info!("sealed {} events into {}", sealed.rows, path.display());
            self.meter.has_sealed(sealed.rows);
        }
        store.sealed(sealed);
        self.has_news = true;
    }
}

/// A catalog that is behind makes questions slower, and nothing else.
fn learn(layout: &Layout) -> Done {
    // What is in the archive alone is part of the store, too: nothing that was derived from it is forgotten.
    let layout = &match emp_bucket::with_archive(layout.clone()) {
        Ok(layout) => layout,
        Err(error) => {
            warn!("the catalog of sealed hours is behind: {error}");
            return Done::Learned;
        }
    };
    let learned = emp_catalog::bring_up_to_date(layout, IndexingPace::CALM).and_then(|files| {
        // An hour in the future, of an entry whose ID was set wrong, must not pass for the newest one.
        let now = Hour::of_ms(Timestamp::now().as_millisecond());
        let partitions = files.files.iter().map(|file| &file.partition);
        let until_now: Vec<_> = partitions.filter(|file| file.hour <= now).cloned().collect();
        emp_typical::bring_up_to_date(layout, &until_now)?;
        emp_rollup::bring_up_to_date(layout, &files, now)
    });
    if let Err(error) = learned {
        warn!("the catalog of sealed hours is behind: {error}");
    }
    Done::Learned
}

/// Learns all there is to learn about the sealed hours: what is asked of many of them is answered at once from then on.
///
/// # Errors
/// [`StoreError`] where the store cannot be listed, or what is learned not be written.
pub fn derive_all(layout: &Layout) -> Result<(), StoreError> {
    let files = emp_catalog::bring_up_to_date(layout, IndexingPace::hurried())?;
    let partitions: Vec<_> = files.files.iter().map(|file| file.partition.clone()).collect();
    emp_typical::bring_up_to_date(layout, &partitions)?;
    let sealed: Vec<_> = files.files.iter().collect();
    emp_rollup::Rollups::of(layout, &sealed, &|_, _| ());
    Ok(())
}

/// Retention first, so that nothing is put together that goes at once. What fails is logged, and
/// holds nothing else back.
fn tidy(layout: &Layout, retention: &Retention, mut known: KnownTrouble) -> KnownTrouble {
    let now = Timestamp::now().as_millisecond() - HOUR_END_SLACK_MS;
    match retain(layout, retention, now) {
        Ok(retired) => {
            known.refusal = None;
            report_retired(&retired);
        }
        Err(StoreError::Refused(refusal)) => {
            let is_new =
                known.refusal.map(|known| std::mem::discriminant(&known)) != Some(std::mem::discriminant(&refusal));
            if is_new {
                warn!(
                    "retention removes nothing: {refusal}; once that is seen to, `emp-events retain` has --even-if-odd"
                );
            }
            known.refusal = Some(refusal);
        }
        Err(error) => error!("old hours could not be removed: {error}"),
    }
    let compacted = compact(layout, now, &mut known.unreadable, &mut |compacted| {
        let path = compacted.path.display();
        info!("put {} files with {} events together into {path}", compacted.files, compacted.rows);
    });
    match compacted {
        Ok(failed) => failed.iter().for_each(|error| error!("a file was left as it is: {error}")),
        Err(error) => error!("the files of closed hours could not be put together: {error}"),
    }
    if let Err(error) = remove_superseded_files(layout, SUPERSEDED_GRACE) {
        error!("files that were replaced could not be removed: {error}");
    }
    known
}

fn report_retired(retired: &Retired) {
    if let (Some(first), Some(last)) = (retired.hours.first(), retired.hours.last()) {
        let (files, bytes) = (retired.files.len(), retired.bytes);
        let (from, to) = ((first.date(), first.hour()), (last.date(), last.hour()));
        info!("removed {files} files, {bytes} bytes, of the hours {}T{} to {}T{}", from.0, from.1, to.0, to.1);
    }
    for error in &retired.failed {
        error!("a file that was too old is in the quarantine folder, since its events cannot be counted: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use emp_event::{EntryId, decode};
    use emp_store::{Batch, Item};

    const HOUR_MS: u64 = 3_600_000;

    const FIRST_MS: u64 = 1_758_981_600_000;

    /// Seals two files of one event each for each of these hours, counted from the first.
    fn seal_hours(layout: &Layout, writer: &str, hours: impl IntoIterator<Item = u64>) {
        let mut store = StoreWriter::open(layout, writer).unwrap();
        for hour in hours {
            for seq in 0..2 {
                let id = EntryId::new(FIRST_MS + hour * HOUR_MS, seq);
                let event = decode(id, &[("service", "worker"), ("eventType", "job.claimed")]).unwrap();
                store.commit(&Batch { items: &[Item::Event(event)], position: seq, loss: None }).unwrap();
                store.close_segment().unwrap();
            }
        }
        while let Some(task) = store.next_to_seal() {
            store.sealed(&task.run().unwrap());
        }
        store.remove_superseded(Duration::ZERO).unwrap();
    }

    #[test]
    fn hours_in_the_future_keep_nobody_from_learning_what_is_typical() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().join("store"));
        let learned = || {
            learn(&layout);
            std::fs::read(layout.index().join("typical.v5")).unwrap()
        };
        // In a hundred years, as an ID that was set by hand.
        seal_hours(&layout, "c1", (0..6).chain([876_000, 876_003]));
        let before = learned();
        seal_hours(&layout, "c2", 6..12);
        assert_ne!(learned(), before);
    }
}
