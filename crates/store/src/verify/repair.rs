use std::path::{Path, PathBuf};

use super::segment::Contents;
use super::{Finding, Kind, Report, segments};
use crate::layout::Layout;
use crate::lock::Lock;
use crate::mend::{keep_damage, write_anew};
use crate::{StoreError, StoreWriter, disk};

/// What was done about one finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// The file.
    pub path: PathBuf,
    /// Where it is now, or its damaged parts are; `None` where it was left as it is.
    pub kept_as: Option<PathBuf>,
    /// What was done, and what became of its events.
    pub outcome: String,
}

/// Takes damaged files out of the store, and makes anew what can be made from others. Nothing is
/// deleted: what is damaged lies in the quarantine afterwards.
///
/// A sealed file whose segment is still in the journal is sealed again from it; one that was put
/// together from files that are still there gives way to those. `writer` is the name under which
/// the store is opened for that.
///
/// # Errors
/// [`StoreError::Locked`] where a collector works on the store; else what the disk refused.
pub fn repair(layout: &Layout, report: &Report, writer: &str) -> Result<Vec<Repaired>, StoreError> {
    disk::create_dir(layout, &layout.quarantine())?;
    let mut repaired = Vec::new();
    // Before the lock, which is for a store that knows who it is; a collector at work has read it long ago.
    for finding in report.findings.iter().filter(|finding| finding.kind == Kind::Identity) {
        repaired.push(repair_file(layout, finding)?);
    }
    let lock = Lock::take(layout)?;
    for finding in &report.findings {
        repaired.push(match finding.kind {
            Kind::Segment => repair_segment(layout, finding)?,
            Kind::Partition | Kind::Sidecar => repair_file(layout, finding)?,
            Kind::Identity => continue,
            Kind::Foreign => Repaired {
                path: finding.path.clone(),
                kept_as: None,
                outcome: "left as it is: no answer takes it into account".to_owned(),
            },
        });
    }
    drop(lock);
    // Every segment that is still there is sealed once more.
    let mut store = StoreWriter::open(layout, writer)?;
    store.close_segment()?;
    while let Some(task) = store.next_to_seal() {
        store.sealed(&task.run()?);
    }
    Ok(repaired)
}

/// Moves a damaged file out of the store, into the quarantine folder: where it is now.
pub(crate) fn set_aside(layout: &Layout, path: &Path) -> Result<PathBuf, StoreError> {
    disk::create_dir(layout, &layout.quarantine())?;
    let kept_as = place(layout, path);
    disk::set_aside(layout, path, &kept_as)?;
    Ok(kept_as)
}

fn repair_file(layout: &Layout, finding: &Finding) -> Result<Repaired, StoreError> {
    let kept_as = set_aside(layout, &finding.path)?;
    let outcome = match finding.kind {
        Kind::Partition => {
            "moved to the quarantine; its events are back where the journal, or the files it was put together from, still hold them"
        }
        Kind::Identity => "moved to the quarantine; the store is given another id",
        _ => "moved to the quarantine; its records are back where the journal still holds them",
    };
    Ok(Repaired { path: finding.path.clone(), kept_as: Some(kept_as), outcome: outcome.to_owned() })
}

/// Writes what is whole of a segment anew, and keeps the rest aside.
fn repair_segment(layout: &Layout, finding: &Finding) -> Result<Repaired, StoreError> {
    let path = &finding.path;
    let named = segments(layout)?.into_iter().find(|(other, _)| other == path);
    let Some((_, name)) = named else {
        return Ok(Repaired { path: path.clone(), kept_as: None, outcome: "gone meanwhile".to_owned() });
    };
    let Contents { commits, events, damage, .. } = Contents::of(path)?;
    let kept = keep_damage(layout, path, &damage)?;
    write_anew(layout, &name, &damage)?;
    let outcome = format!(
        "{commits} whole commits with {events} events stay; what is damaged of the segment is in the quarantine"
    );
    Ok(Repaired { path: path.clone(), kept_as: kept.into_iter().next().map(|kept| kept.path), outcome })
}

/// A name in the quarantine that says where the file came from.
fn place(layout: &Layout, path: &Path) -> PathBuf {
    let within = path.strip_prefix(layout.root()).unwrap_or(path);
    let parts: Vec<_> = within.iter().map(|part| part.to_string_lossy()).collect();
    layout.quarantine().join(format!("{}.damaged", parts.join(",")))
}
