//! What a collector counts while it works, for whoever wants to know.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use jiff::Timestamp;

use super::CollectError;
use emp_metrics::{Histogram, Kind, Text};
use emp_stream::Settled;

/// Counts since the start of the process.
#[derive(Debug, Default)]
pub struct Meter {
    read: AtomicU64,
    stored: AtomicU64,
    quarantined: AtomicU64,
    lost: AtomicU64,
    acknowledged: AtomicU64,
    redis_errors: AtomicU64,
    store_errors: AtomicU64,
    seal_errors: AtomicU64,
    other_errors: AtomicU64,
    sealed_files: AtomicU64,
    sealed_events: AtomicU64,
    /// Ms since the epoch; 0 before the first.
    committed_at: AtomicI64,
    sealed_at: AtomicI64,
    commits: Histogram,
    archived_files: AtomicU64,
    archived_bytes: AtomicU64,
    archive_errors: AtomicU64,
    archive_waiting: AtomicU64,
    /// Does it have the store, and read for it?
    is_active: AtomicBool,
    /// Does the disk keep it from storing?
    is_blocked: AtomicBool,
}

impl Meter {
    pub(super) fn was_given(&self, entries: usize) {
        self.read.fetch_add(entries as u64, Relaxed);
    }

    pub(super) fn has_stored(&self, events: u64, quarantined: u64, time: Duration) {
        self.stored.fetch_add(events, Relaxed);
        self.quarantined.fetch_add(quarantined, Relaxed);
        self.committed_at.store(Timestamp::now().as_millisecond(), Relaxed);
        self.commits.took(time);
        self.is_blocked.store(false, Relaxed);
    }

    pub(super) fn has_lost(&self, entries: u64) {
        self.lost.fetch_add(entries, Relaxed);
    }

    pub(super) fn has_acknowledged(&self, settled: &Settled) {
        self.acknowledged.fetch_add((settled.stored.len() + settled.gone.len()) as u64, Relaxed);
    }

    pub(super) fn has_sealed(&self, events: u64) {
        self.sealed_files.fetch_add(1, Relaxed);
        self.sealed_events.fetch_add(events, Relaxed);
        self.sealed_at.store(Timestamp::now().as_millisecond(), Relaxed);
    }

    pub(super) fn could_not_seal(&self) {
        self.seal_errors.fetch_add(1, Relaxed);
    }

    pub(super) fn has_archived(&self, files: u64, bytes: u64) {
        self.archived_files.fetch_add(files, Relaxed);
        self.archived_bytes.fetch_add(bytes, Relaxed);
    }

    pub(super) fn could_not_archive(&self) {
        self.archive_errors.fetch_add(1, Relaxed);
    }

    pub(super) fn archive_waits(&self, files: u64) {
        self.archive_waiting.store(files, Relaxed);
    }

    /// Is it the collector at work, and not one that stands by?
    pub(super) fn is_collecting(&self) -> bool {
        self.is_active.load(Relaxed)
    }

    pub(super) fn has_failed(&self, error: &CollectError) {
        let count = match error {
            CollectError::Stream(_) => &self.redis_errors,
            CollectError::Store(_) => {
                self.is_blocked.store(true, Relaxed);
                &self.store_errors
            }
            _ => &self.other_errors,
        };
        count.fetch_add(1, Relaxed);
    }

    pub(super) fn is_at_work(&self, is_active: bool) {
        self.is_active.store(is_active, Relaxed);
        if is_active {
            self.is_blocked.store(false, Relaxed);
        }
    }

    /// Tells all of it.
    pub(super) fn tell(&self, text: &mut Text) {
        let counts = [
            ("read", "Entries that Redis gave to this collector.", &self.read),
            ("stored", "Events that are durable in the store.", &self.stored),
            ("acknowledged", "Entries acknowledged in Redis.", &self.acknowledged),
            ("quarantined", "Entries that are no events, kept in the quarantine.", &self.quarantined),
            ("lost", "Entries that the stream trimmed before they were read.", &self.lost),
            ("sealed_files", "Parquet files written.", &self.sealed_files),
            ("sealed_events", "Events written into Parquet files.", &self.sealed_events),
            ("archived_files", "Parquet files put into the bucket.", &self.archived_files),
            ("archived_bytes", "Bytes of those files.", &self.archived_bytes),
        ];
        for (name, help, count) in counts {
            let name = format!("emp_events_collector_{name}_total");
            text.single(&name, Kind::Counter, help, count.load(Relaxed) as f64);
        }
        let errors = "emp_events_collector_errors_total";
        text.family(errors, Kind::Counter, "Failures that are tried again, by what failed.");
        let kinds = [
            ("redis", &self.redis_errors),
            ("store", &self.store_errors),
            ("seal", &self.seal_errors),
            ("archive", &self.archive_errors),
            ("other", &self.other_errors),
        ];
        for (kind, count) in kinds {
            text.number(errors, &[("kind", kind)], count.load(Relaxed) as f64);
        }
        let commits = "Time to make what was read durable, each time.";
        self.commits.tell(text, "emp_events_collector_commit_duration_seconds", commits);
        let moment = |at: &AtomicI64| Some(at.load(Relaxed)).filter(|at| *at > 0).map(|at| at as f64 / 1e3);
        let commit = "When something was made durable last.";
        text.known("emp_events_collector_commit_timestamp_seconds", Kind::Gauge, commit, moment(&self.committed_at));
        let seal = "When a Parquet file was written last.";
        text.known("emp_events_collector_seal_timestamp_seconds", Kind::Gauge, seal, moment(&self.sealed_at));
        let waiting = "Files of closed hours that are not in the bucket yet.";
        let files = self.archive_waiting.load(Relaxed) as f64;
        text.single("emp_events_collector_archive_waiting_files", Kind::Gauge, waiting, files);
        let flag = |is: &AtomicBool| f64::from(u8::from(is.load(Relaxed)));
        let active = "1 where this collector has the store, 0 where it stands by.";
        text.single("emp_events_collector_active", Kind::Gauge, active, flag(&self.is_active));
        let blocked = "1 where the disk keeps this collector from storing: nothing is acknowledged.";
        text.single("emp_events_collector_blocked", Kind::Gauge, blocked, flag(&self.is_blocked));
    }
}
