use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::event::now_ms;
use crate::random::random;
use crate::spool_room::SpoolRoom;
use crate::wire::Wire;

/// A file that was not written for so long is never written again; twice as old, it may be taken away.
const IDLE: Duration = Duration::from_secs(5 * 60);

/// Where the spool is and how large it may grow.
#[derive(Debug, Clone)]
pub(crate) struct SpoolLimits {
    pub(crate) folder: PathBuf,
    pub(crate) file_bytes_max: u64,
    /// Of all spool files in the folder, whichever processes wrote them.
    pub(crate) bytes_max: u64,
}

/// Files that keep events while Redis cannot; `emp-events import` takes them in, each event once.
pub(crate) struct Spool {
    limits: SpoolLimits,
    service: String,
    room: SpoolRoom,
    open: Option<Open>,
    spooled_at: u64,
}

struct Open {
    file: File,
    path: PathBuf,
    /// Makes the numbers of this file unlike those of any other.
    id: String,
    /// Numbers are never given out twice, whatever became of the first.
    lines: u64,
    bytes: u64,
}

/// What became of events that were to be written: the first so many are in files.
pub(crate) struct Appended {
    pub(crate) written: usize,
    /// Why the others are not.
    pub(crate) rest: Rest,
}

pub(crate) enum Rest {
    Nothing,
    Full,
    Failed(io::Error),
}

impl Spool {
    pub(crate) fn new(limits: SpoolLimits, service: &str) -> Self {
        let room = SpoolRoom::new(limits.folder.clone(), limits.bytes_max);
        Self { limits, service: service.to_owned(), room, open: None, spooled_at: 0 }
    }

    /// Appends events, and hands them to the operating system, so that the end of the process loses nothing.
    pub(crate) fn append(&mut self, events: &[Wire]) -> Appended {
        let mut written = 0;
        while let Some(left) = events.get(written..).filter(|left| !left.is_empty()) {
            match self.append_some(left) {
                Ok(0) => return Appended { written, rest: Rest::Full },
                Ok(count) => written += count,
                Err(error) => {
                    self.mend();
                    return Appended { written, rest: Rest::Failed(error) };
                }
            }
        }
        Appended { written, rest: Rest::Nothing }
    }

    /// Appends as many of these events as one file takes; none: the folder is full.
    fn append_some(&mut self, events: &[Wire]) -> io::Result<usize> {
        self.room.count();
        let next = events.first().map_or(0, |event| event.bytes as u64);
        let is_full = |open: &Open| open.bytes > 0 && open.bytes + next > self.limits.file_bytes_max;
        if self.open.as_ref().is_some_and(|open| is_full(open) || !open.is_ours()) {
            self.end_file()?;
        }
        if !self.room.has(next, self.open.is_none()) {
            return Ok(0);
        }
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(Open::create(&self.limits.folder, &self.service)?),
        };
        // A clock that is set back must not make a file's times fall.
        self.spooled_at = self.spooled_at.max(now_ms());
        let (mut text, mut count) = (String::new(), 0);
        for event in events {
            let line = event.spool_line(&self.service, format!("{}:{}", open.id, open.lines + 1), self.spooled_at)?;
            let with_it = (text.len() + line.len() + 1) as u64;
            let is_too_much = open.bytes + with_it > self.limits.file_bytes_max || !self.room.has(with_it, false);
            if count > 0 && is_too_much {
                break;
            }
            text.push_str(&line);
            text.push('\n');
            open.lines += 1;
            count += 1;
        }
        open.file.write_all(text.as_bytes())?;
        open.bytes += text.len() as u64;
        self.room.take(text.len() as u64);
        Ok(count)
    }

    /// After a failure the file ends where it ended before, or is written no more.
    fn mend(&mut self) {
        let is_whole = self.open.as_ref().is_some_and(|open| open.bytes > 0 && open.file.set_len(open.bytes).is_ok());
        if !is_whole && let Some(open) = self.open.take() {
            open.remove_if_empty();
        }
    }

    fn end_file(&mut self) -> io::Result<()> {
        self.open.take().map_or(Ok(()), |open| open.file.sync_all())
    }
}

impl Open {
    fn create(folder: &Path, service: &str) -> io::Result<Self> {
        folder_builder().create(folder)?;
        let service: String = service.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        let id = format!("{:016x}", random());
        let path = folder.join(format!("emp-events-{service}-{}-{id}.ndjson", std::process::id()));
        Ok(Self { file: file_options().open(&path)?, path, id, lines: 0, bytes: 0 })
    }

    /// May it be written on? Not where it was taken away, was emptied, or is old enough to be taken.
    fn is_ours(&self) -> bool {
        let Ok(metadata) = self.file.metadata() else { return false };
        // A time in the future is that of a clock set back.
        let is_idle = metadata.modified().is_ok_and(|at| at.elapsed().is_ok_and(|since| since >= IDLE));
        links(&metadata) > 0 && metadata.len() >= self.bytes && !is_idle
    }

    fn remove_if_empty(self) {
        if self.bytes == 0 {
            // It stays where it cannot be removed, and holds nothing.
            let _ = std::fs::remove_file(self.path);
        }
    }
}

/// Events hold ids of users and data of jobs: they are for the service's own user alone.
fn file_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn folder_builder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// How many names a file has: none once it was removed.
#[cfg(unix)]
fn links(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
fn links(_: &std::fs::Metadata) -> u64 {
    1
}

/// May it stand in the name of a file?
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}
