//! The development log: one JSON line an event, for `tail -f` and grep.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use file_rotate::compression::Compression;
use file_rotate::suffix::AppendCount;
use file_rotate::{ContentLimit, FileRotate};
use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::warn;

use emp_event::{Event, read_json};

/// A log file of this size is rotated.
const FILE_BYTES_MAX: usize = 16 << 20;
/// The rights to a file for its owner to read and to write.
const OWNER_ALONE: u32 = 0o600;
/// How many rotated files are kept.
const FILES_KEPT: usize = 4;

/// Writes events to a file. The first failure ends it: the store matters, the log does not.
pub(super) struct EventLog {
    path: PathBuf,
    file: Option<FileRotate<AppendCount>>,
}

impl EventLog {
    /// Opens the log, or warns that there will be none.
    pub fn open(path: &Path) -> Self {
        Self::open_rotated_at(path, FILE_BYTES_MAX)
    }

    fn open_rotated_at(path: &Path, file_bytes_max: usize) -> Self {
        let mut log = Self { path: path.to_owned(), file: None };
        match try_open(path, file_bytes_max) {
            Ok(file) => log.file = Some(file),
            Err(error) => log.give_up(&error),
        }
        log
    }

    /// Appends the events.
    pub fn write<'a>(&mut self, events: impl Iterator<Item = &'a Event<'a>>) {
        let Some(file) = &mut self.file else { return };
        let mut lines = Vec::new();
        for event in events {
            // Writing JSON into memory cannot fail.
            let _ = serde_json::to_writer(&mut lines, &line(event));
            lines.push(b'\n');
        }
        if let Err(error) = file.write_all(&lines).and_then(|()| file.flush()) {
            self.give_up(&error);
        }
    }

    fn give_up(&mut self, error: &io::Error) {
        self.file = None;
        warn!("cannot write the event log {} ({error}); going on without it", self.path.display());
    }
}

fn try_open(path: &Path, file_bytes_max: usize) -> io::Result<FileRotate<AppendCount>> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // It holds what the store holds, which is for its owner alone.
    let mut options = std::fs::File::options();
    options.read(true).create(true).append(true).mode(OWNER_ALONE);
    // The library panics where it cannot open the file, so this finds out first.
    options.open(path)?;
    let limit = ContentLimit::BytesSurpassed(file_bytes_max);
    Ok(FileRotate::new(path, AppendCount::new(FILES_KEPT), limit, Compression::None, Some(options)))
}

/// `{"timestamp", "service", "eventType", ids, …data}`; the event's own fields win over keys
/// of `data` that have their names.
fn line(event: &Event<'_>) -> Map<String, Value> {
    let timestamp = Timestamp::from_millisecond(event.timestamp).unwrap_or_default();
    let mut line = Map::new();
    let mut put = |key: &str, value: &str| drop(line.insert(key.to_owned(), value.into()));
    put("timestamp", &format!("{timestamp:.3}"));
    put("service", &event.service);
    put("eventType", &event.event_type);
    put("level", event.level.as_str());
    let ids = [
        ("traceId", &event.trace_id),
        ("jobId", &event.job_id),
        ("workerId", &event.worker_id),
        ("machineId", &event.machine_id),
        ("userId", &event.user_id),
    ];
    for (key, id) in ids {
        if let Some(id) = id {
            put(key, id);
        }
    }
    let data: Map<String, Value> = read_json(&event.data).unwrap_or_default();
    for (key, value) in data {
        line.entry(key).or_insert(value);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use emp_event::{EntryId, decode};

    #[test]
    fn the_events_own_fields_win_over_keys_of_data() {
        let data = r#"{"service":"fake","jobId":"fake","timestamp":1,"progress":50}"#;
        let fields = [
            ("timestamp", "1758981599990"),
            ("service", "worker"),
            ("eventType", "job.progress_updated"),
            ("jobId", "j1"),
            ("data", data),
        ];
        let event = decode(EntryId::new(1_758_981_600_000, 0), &fields).unwrap();
        let text = serde_json::to_string(&line(&event)).unwrap();
        let expected = r#"{"timestamp":"2025-09-27T13:59:59.990Z","service":"worker","eventType":"job.progress_updated","level":"info","jobId":"j1","progress":50}"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn a_full_log_is_rotated_and_only_so_many_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = EventLog::open_rotated_at(&folder.path().join("events.log"), 1_000);
        let fields = [("service", "worker"), ("eventType", "job.claimed")];
        for seq in 0..200 {
            let event = decode(EntryId::new(1_758_981_600_000, seq), &fields).unwrap();
            log.write(std::iter::once(&event));
        }
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 1 + FILES_KEPT);
        assert!(files.iter().all(|file| file.metadata().unwrap().len() < 1_200));
    }

    #[test]
    fn a_log_that_cannot_be_written_is_given_up() {
        let log = EventLog::open(Path::new("/proc/no/such/events.log"));
        assert!(log.file.is_none());
    }
}
