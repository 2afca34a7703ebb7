//! Putting closed hours into a bucket beside collecting: on a thread of its own, so that nothing else ever waits for it.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::upkeep::HOUR_END_SLACK_MS;
use super::{CollectError, Meter, Settings};
use emp_bucket::{Address, Archiver, BucketError, Status, Taken, archiving};
use emp_catalog::IndexingPace;
use emp_store::{Layout, Retention};

/// How often to look whether an hour is ready.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// How long to wait after a first failure, and at most.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A failure that asking again cannot mend is tried again all the same, as somebody may have mended it.
const WAIT_FOR_SOMEBODY: Duration = Duration::from_secs(300);
/// How often to look whether hours may leave the disk.
const RELEASE_EVERY: Duration = Duration::from_secs(60);
/// How often to look whether hours may leave the bucket.
const RETAIN_EVERY: Duration = Duration::from_secs(600);
/// So many files are committed together: a day.
const FILES_AT_ONCE: usize = 24;

/// Where closed hours go.
#[derive(Debug, Clone)]
pub struct ArchiveSettings {
    /// The bucket.
    pub address: Address,
    /// So long after its end an hour stays here, too; for ever where nothing is set.
    pub keep_local: Option<Duration>,
}

/// The thread, which ends when it is told to stop.
pub(super) fn begin(settings: &Settings, shutdown: watch::Receiver<bool>) -> Option<JoinHandle<()>> {
    let archive = settings.archive.clone()?;
    info!("putting closed hours into {}", archive.address);
    let archiving = Archiving::new(settings, archive);
    let work = move || archiving.run(&shutdown);
    // Where the system gives no thread, collecting is what matters.
    std::thread::Builder::new().name("archiver".to_owned()).spawn(work).ok()
}

/// Puts all there is into the bucket, now.
///
/// # Errors
/// What the bucket refused.
pub(super) fn finish(settings: &Settings) -> Result<(), CollectError> {
    let Some(archive) = settings.archive.clone() else { return Ok(()) };
    Ok(Archiving::new(settings, archive).put_all(&|| false)?)
}

struct Archiving {
    archive: ArchiveSettings,
    layout: Layout,
    meter: Arc<Meter>,
    /// Since when, and how long the last wait was.
    failing: Option<(Timestamp, Duration)>,
    /// How many files stay here because they are damaged.
    damaged: u64,
    /// When it was looked last whether hours may leave the disk.
    released: Option<Instant>,
    /// What is kept of the store, to which the bucket belongs.
    retain: Retention,
    /// When it was looked last whether hours may leave the bucket.
    retained: Option<Instant>,
    /// Why none went the last time.
    refusal: Option<String>,
}

impl Archiving {
    fn new(settings: &Settings, archive: ArchiveSettings) -> Self {
        Self {
            archive,
            layout: settings.layout.clone(),
            meter: Arc::clone(&settings.meter),
            failing: None,
            damaged: 0,
            released: None,
            retained: None,
            refusal: None,
            retain: settings.retention,
        }
    }

    fn run(mut self, shutdown: &watch::Receiver<bool>) {
        let is_stopped = || *shutdown.borrow();
        let mut wait = Duration::ZERO;
        loop {
            let begun = Instant::now();
            while begun.elapsed() < wait {
                if is_stopped() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            if is_stopped() {
                return;
            }
            wait = LOOK_EVERY;
            // One that stands by leaves it to the one at work.
            if self.meter.is_collecting() {
                match self.put_all(&is_stopped) {
                    Ok(()) => self.recovered(),
                    Err(error) => wait = self.failed(&error),
                }
            }
        }
    }

    fn put_all(&mut self, is_stopped: &dyn Fn() -> bool) -> Result<(), BucketError> {
        let now_ms = || Timestamp::now().as_millisecond() - HOUR_END_SLACK_MS;
        let waits = archiving(&self.layout, now_ms())?.filter(|(address, _, _)| *address == self.archive.address);
        self.meter.archive_waits(waits.as_ref().map_or(0, |(_, backlog, _)| backlog.files));
        let is_done =
            waits.is_some_and(|(_, backlog, status)| backlog.files <= self.damaged && status.done_ms.is_some());
        if is_done && !self.may_release() && !self.may_retain() {
            return Ok(());
        }
        let on_file = Arc::new(|path: &Path, _| info!("archived {}", path.display()));
        let settings = emp_bucket::Settings { pace: IndexingPace::CALM, at_once: 1, take_over: false, on_file };
        self.damaged = 0;
        let mut archiver = Archiver::open(&self.layout, &self.archive.address, settings)?;
        loop {
            let step = archiver.step(now_ms(), FILES_AT_ONCE)?;
            self.damaged += step.left_out.len() as u64;
            for error in &step.left_out {
                error!("not archived: {error}; `emp-events verify --repair` takes it out of the store");
            }
            self.meter.has_archived(step.files, step.bytes);
            if !step.is_more || is_stopped() {
                break;
            }
        }
        self.release(&mut archiver, now_ms())?;
        self.retain(&mut archiver)?;
        let done_ms = Some(Timestamp::now().as_millisecond());
        Status { done_ms, ..Status::default() }.write(&self.layout, &self.archive.address);
        self.meter.archive_waits(0);
        Ok(())
    }

    /// Is it time to look whether hours may leave the disk?
    fn may_release(&self) -> bool {
        self.archive.keep_local.is_some() && self.released.is_none_or(|at| at.elapsed() >= RELEASE_EVERY)
    }

    fn release(&mut self, archiver: &mut Archiver, now_ms: i64) -> Result<(), BucketError> {
        let Some(keep) = self.archive.keep_local.filter(|_| self.may_release()) else { return Ok(()) };
        let gone = archiver.release(keep, now_ms)?;
        if gone > 0 {
            info!("{gone} files are in {} alone now", self.archive.address);
        }
        self.released = Some(Instant::now());
        Ok(())
    }

    /// Is it time to look whether hours may leave the bucket?
    fn may_retain(&self) -> bool {
        let is_limited = self.retain.age.is_some() || self.retain.bytes.is_some();
        is_limited && self.retained.is_none_or(|at| at.elapsed() >= RETAIN_EVERY)
    }

    fn retain(&mut self, archiver: &mut Archiver) -> Result<(), BucketError> {
        if !self.may_retain() {
            return Ok(());
        }
        match archiver.retain_with_folder(self.retain.age, Timestamp::now().as_millisecond()) {
            Ok(Taken { files: 0, .. }) => self.refusal = None,
            Ok(Taken { files, .. }) => {
                info!("{files} files are taken out of {}, and are removed in an hour", self.archive.address);
                self.refusal = None;
            }
            Err(error @ BucketError::Refused { .. }) => {
                let refusal = Some(error.to_string());
                if self.refusal != refusal {
                    warn!("{error}; once that is seen to, `emp-events archive` has --retain");
                    self.refusal = refusal;
                }
            }
            Err(error) => return Err(error),
        }
        self.retained = Some(Instant::now());
        Ok(())
    }

    fn recovered(&mut self) {
        if let Some((since, _)) = self.failing.take() {
            info!(
                "{} takes hours again, after {} s",
                self.archive.address,
                since.duration_until(Timestamp::now()).as_secs()
            );
        }
    }

    fn failed(&mut self, error: &BucketError) -> Duration {
        self.meter.could_not_archive();
        let (first, most) = WAITS;
        let (since, wait) = match self.failing {
            None => (Timestamp::now(), first),
            Some((since, wait)) => (since, (2 * wait).min(most)),
        };
        let wait = if error.may_pass() { wait } else { WAIT_FOR_SOMEBODY };
        if self.failing.is_none() {
            warn!("hours wait to be archived: {error}; trying again until it works, nothing else waits for it");
        }
        self.failing = Some((since, wait));
        let before = Status::read(&self.layout, &self.archive.address);
        let failing_since_ms = Some(since.as_millisecond());
        Status { error: Some(error.to_string()), failing_since_ms, ..before }
            .write(&self.layout, &self.archive.address);
        wait
    }
}
