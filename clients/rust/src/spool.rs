use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;

use crate::event::now_ms;
use crate::wire::Wire;

/// Files of one process, at most.
const FILES_MAX: usize = 8;

/// Files that keep events while Redis cannot; `emp-events import` takes them in, each event once.
pub(crate) struct Spool {
    folder: PathBuf,
    service: String,
    file_bytes_max: u64,
    open: Option<Open>,
    spooled_at: u64,
}

struct Open {
    file: BufWriter<File>,
    /// Makes the numbers of this file unlike those of any other.
    id: String,
    lines: u64,
    bytes: u64,
}

impl Spool {
    pub(crate) fn new(folder: PathBuf, service: &str, file_bytes_max: u64) -> Self {
        Self { folder, service: service.to_owned(), file_bytes_max, open: None, spooled_at: 0 }
    }

    /// Appends the event. `false`: there is no room for another file.
    pub(crate) fn write(&mut self, wire: &Wire) -> io::Result<bool> {
        if self.open.as_ref().is_none_or(|open| open.bytes >= self.file_bytes_max) {
            self.close()?;
            self.open = self.create()?;
        }
        let Some(open) = &mut self.open else { return Ok(false) };
        // A clock that is set back must not make a file's times fall.
        self.spooled_at = self.spooled_at.max(now_ms());
        let uid = format!("{}:{}", open.id, open.lines + 1);
        let mut line = wire.spool_line(&self.service, uid, self.spooled_at)?;
        line.push('\n');
        open.file.write_all(line.as_bytes())?;
        open.lines += 1;
        open.bytes += line.len() as u64;
        Ok(true)
    }

    /// Hands what was written to the operating system, so that the end of the process loses nothing.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.open.as_mut().map_or(Ok(()), |open| open.file.flush())
    }

    /// After a failure the next event begins a new file: nobody knows how the old one ends.
    pub(crate) fn abandon(&mut self) {
        if let Some(open) = self.open.take() {
            // Without writing again what could not be written.
            drop(open.file.into_parts());
        }
    }

    fn close(&mut self) -> io::Result<()> {
        match self.open.take() {
            Some(mut open) => {
                open.file.flush()?;
                open.file.get_ref().sync_all()
            }
            None => Ok(()),
        }
    }

    fn create(&self) -> io::Result<Option<Open>> {
        std::fs::create_dir_all(&self.folder)?;
        let service: String = self.service.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        let beginning = format!("emp-events-{service}-{}-", std::process::id());
        let is_ours = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(&beginning);
        if std::fs::read_dir(&self.folder)?.flatten().filter(is_ours).count() >= FILES_MAX {
            return Ok(None);
        }
        let id = format!("{:016x}", rand::random::<u64>());
        let file = File::create_new(self.folder.join(format!("{beginning}{id}.ndjson")))?;
        Ok(Some(Open { file: BufWriter::new(file), id, lines: 0, bytes: 0 }))
    }
}

/// May it stand in the name of a file?
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}
