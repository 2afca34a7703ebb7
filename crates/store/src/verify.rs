//! Reading every file of a store, to the last bit.

mod partition;
mod repair;
mod segment;

use std::path::PathBuf;

pub(super) use repair::set_aside;
pub use repair::{Repaired, repair};

use super::journal::{Loss, Quarantined};
use super::layout::{Layout, SegmentName};
use super::listing::{list, list_partitions};
use super::retain::RetiredRange;
use super::sidecar::{self, NDJSON, Record};
use super::snapshot::part_superseded;
use super::{DeadLetter, Identity, Partition, SealedName, StoreError};
use emp_event::EntryId;
use segment::Contents;

/// What verifying a store came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Files read.
    pub files: u64,
    /// Events in those that count.
    pub events: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// A file that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub path: PathBuf,
    /// What kind of file.
    pub kind: Kind,
    /// What is wrong with it.
    pub detail: String,
}

/// The kinds of files of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sealed events.
    Partition,
    /// A segment of the journal.
    Segment,
    /// Entries that are no events, losses, dead letters, or what retention took out.
    Sidecar,
    /// The store's own id.
    Identity,
    /// None of ours: it is left out of every answer.
    Foreign,
}

impl Kind {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Partition => "partition",
            Self::Segment => "segment",
            Self::Sidecar => "sidecar",
            Self::Identity => "identity",
            Self::Foreign => "foreign",
        }
    }
}

/// How far [`verify`] has got, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Read so far.
    pub done: u64,
    /// Of so many.
    pub all: u64,
}

/// Reads every file of a store: names, checksums, the order and the range of IDs, the hour, and
/// that no two files of a writer hold the same events. `progress` is told of each file.
///
/// # Errors
/// [`StoreError`] where the store cannot be listed. What is wrong with a file is a finding.
pub fn verify(layout: &Layout, progress: &mut dyn FnMut(Progress)) -> Result<Report, StoreError> {
    let mut skipped = Vec::new();
    let segments = segments(layout)?;
    let partitions = list_partitions(layout, &mut skipped)?;
    let sidecars = sidecars(layout)?;
    let sizes = partitions.iter().map(|file| file.bytes).chain(segments.iter().map(|(path, _)| size(path)));
    let mut survey = Survey { report: Report::default(), all: sizes.sum(), progress };
    for error in skipped {
        survey.find_error(Kind::Foreign, error);
    }
    let (counting, superseded) = part_superseded(partitions);
    survey.overlaps(&counting);
    for file in &counting {
        let events = survey.partition(file);
        survey.report.events += events;
    }
    for (file, _) in &superseded {
        survey.partition(file);
    }
    for (path, name) in &segments {
        let contents = survey.segment(path);
        let is_in = |file: &Partition, id: EntryId| {
            file.name.writer == name.writer && (file.name.ids.first..=file.name.ids.last).contains(&id)
        };
        if contents.first.is_some_and(|first| !counting.iter().any(|file| is_in(file, first))) {
            survey.report.events += contents.events;
        }
    }
    for (path, what) in &sidecars {
        survey.sidecar(path, *what);
    }
    survey.identity(layout);
    Ok(survey.report)
}

struct Survey<'a> {
    report: Report,
    all: u64,
    progress: &'a mut dyn FnMut(Progress),
}

impl Survey<'_> {
    fn read(&mut self, bytes: u64) {
        self.report.files += 1;
        self.report.bytes += bytes;
        (self.progress)(Progress { done: self.report.bytes, all: self.all.max(self.report.bytes) });
    }

    fn identity(&mut self, layout: &Layout) {
        match Identity::read(layout) {
            Ok(None) => {}
            Ok(Some(_)) => self.report.files += 1,
            Err(error) => self.find_error(Kind::Identity, error),
        }
    }

    fn find(&mut self, path: &std::path::Path, kind: Kind, detail: String) {
        self.report.findings.push(Finding { path: path.to_owned(), kind, detail });
    }

    fn find_error(&mut self, kind: Kind, error: StoreError) {
        let finding = match error {
            StoreError::Damaged { path, detail } => Finding { path, kind, detail },
            StoreError::Io { path, source, action } => {
                // A file that is gone was superseded, and removed meanwhile.
                if source.kind() == std::io::ErrorKind::NotFound {
                    return;
                }
                Finding { path, kind, detail: format!("cannot {action} it: {source}") }
            }
            other => Finding { path: PathBuf::new(), kind, detail: other.to_string() },
        };
        self.report.findings.push(finding);
    }

    /// Files of a writer that share a part of their ranges, and neither holds the other.
    fn overlaps(&mut self, counting: &[Partition]) {
        for pair in counting.windows(2) {
            let [a, b] = pair else { continue };
            if a.hour == b.hour && a.name.writer == b.name.writer && b.name.ids.first <= a.name.ids.last {
                self.find(&b.path, Kind::Partition, format!("its IDs overlap those of {}", a.path.display()));
            }
        }
    }

    fn partition(&mut self, file: &Partition) -> u64 {
        let found = partition::check(file);
        self.read(file.bytes);
        match found {
            Ok(events) => events,
            Err(error) => {
                self.find_error(Kind::Partition, error);
                0
            }
        }
    }

    fn segment(&mut self, path: &std::path::Path) -> Contents {
        let bytes = size(path);
        let contents = Contents::of(path);
        self.read(bytes);
        match contents {
            Ok(contents) => {
                if let Some(complaint) = contents.complaint() {
                    self.find(path, Kind::Segment, complaint);
                }
                contents
            }
            Err(error) => {
                self.find_error(Kind::Segment, error);
                Contents::default()
            }
        }
    }

    fn sidecar(&mut self, path: &std::path::Path, what: What) {
        let bytes = size(path);
        let read = match what {
            What::Quarantined => readable::<Quarantined>(path),
            What::Loss => readable::<Loss>(path),
            What::Retired => readable::<RetiredRange>(path),
            What::DeadLetter => readable::<DeadLetter>(path),
        };
        if let Err(error) = read {
            self.find_error(Kind::Sidecar, error);
        }
        self.read(bytes);
    }
}

fn readable<R: Record>(path: &std::path::Path) -> Result<(), StoreError> {
    sidecar::records::<R>(path)?.try_for_each(|record| record.map(drop))
}

#[derive(Debug, Clone, Copy)]
enum What {
    Quarantined,
    Loss,
    Retired,
    DeadLetter,
}

fn size(path: &std::path::Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn segments(layout: &Layout) -> Result<Vec<(PathBuf, SegmentName)>, StoreError> {
    let files = list(&layout.journal())?;
    Ok(files.into_iter().filter_map(|(path, name)| Some((path, SegmentName::parse(&name)?))).collect())
}

fn sidecars(layout: &Layout) -> Result<Vec<(PathBuf, What)>, StoreError> {
    let folders = [
        (layout.quarantine(), What::Quarantined),
        (layout.losses(), What::Loss),
        (layout.retired(), What::Retired),
        (layout.dead_letters(), What::DeadLetter),
    ];
    let mut sidecars = Vec::new();
    for (folder, what) in folders {
        let files = list(&folder)?.into_iter().filter(|(_, name)| SealedName::parse(name, NDJSON).is_some());
        sidecars.extend(files.map(|(path, _)| (path, what)));
    }
    Ok(sidecars)
}
