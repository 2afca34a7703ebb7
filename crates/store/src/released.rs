//! Sealed files that have left the folder, since they are in an archive. They are part of the store as before: whoever
//! reads it finds them there.
//!
//! What has left is written down first: of which writers, up to which ID, and how many events. A file that is leaving is
//! named until it has gone, so that it is never counted twice, nor not at all, wherever that was cut short.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;

use super::error::IoContext as _;
use super::layout::{Hour, IdRange, Layout, SealedName, Writer};
use super::superseded::remove_empty_folders;
use super::{Partition, StoreError, disk};
use emp_event::EntryId;

/// What has left the folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Released {
    writers: BTreeMap<Writer, Left>,
    hours: BTreeSet<Hour>,
    leaving: Vec<Leaving>,
}

/// What has left of one writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    ids: IdRange,
    events: u64,
}

/// A file that is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Leaving {
    hour: Hour,
    name: SealedName,
    events: u64,
}

const EXTENSION: &str = "parquet";

impl Released {
    /// What has left the folder of a store; nothing where it has no archive.
    ///
    /// # Errors
    /// [`StoreError`] where that cannot be read, or is not what was written.
    pub fn read(layout: &Layout) -> Result<Self, StoreError> {
        let path = path(layout);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text.doing("read", &path)?,
        };
        let detail = "it does not say which files are in the archive alone";
        Self::parse(&text).ok_or_else(|| StoreError::Damaged { path, detail: detail.to_owned() })
    }

    /// Has nothing left yet?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writers.is_empty() && self.leaving.is_empty()
    }

    /// Have files of that hour left?
    #[must_use]
    pub fn is_of(&self, hour: Hour) -> bool {
        self.hours.contains(&hour)
    }

    /// For each writer a name that has the IDs of all that has left.
    pub(super) fn names(&self) -> impl Iterator<Item = SealedName> {
        let left = self.writers.iter().map(|(writer, left)| SealedName { writer: writer.clone(), ids: left.ids });
        left.chain(self.leaving.iter().map(|leaving| leaving.name.clone()))
    }

    /// How many events of each writer are not among these files, which are all that lie in the folder.
    pub(super) fn events_beside(&self, here: &[Partition]) -> Vec<(Writer, u64)> {
        let mut events: BTreeMap<Writer, u64> =
            self.writers.iter().map(|(writer, left)| (writer.clone(), left.events)).collect();
        for leaving in &self.leaving {
            if !here.iter().any(|file| file.hour == leaving.hour && file.name == leaving.name) {
                *events.entry(leaving.name.writer.clone()).or_default() += leaving.events;
            }
        }
        events.into_iter().collect()
    }

    fn settle(&mut self, leaving: Leaving) {
        let Leaving { hour, name: SealedName { writer, ids }, events } = leaving;
        self.hours.insert(hour);
        let left = self.writers.entry(writer).or_insert(Left { ids, events: 0 });
        left.ids = IdRange { first: left.ids.first.min(ids.first), last: left.ids.last.max(ids.last) };
        left.events += events;
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        for (writer, Left { ids, events }) in &self.writers {
            text += &format!("left {writer} {} {} {events}\n", ids.first, ids.last);
        }
        for hour in &self.hours {
            text += &format!("hour {} {}\n", hour.date(), hour.hour());
        }
        for Leaving { hour, name, events } in &self.leaving {
            let name = name.with_extension(EXTENSION);
            text += &format!("leaving {} {} {name} {events}\n", hour.date(), hour.hour());
        }
        text += &format!("checksum {:08x}\n", crc32fast::hash(text.as_bytes()));
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let (lines, sum) = text.strip_suffix('\n')?.rsplit_once("checksum ")?;
        if format!("{:08x}", crc32fast::hash(lines.as_bytes())) != sum {
            return None;
        }
        let mut released = Self::default();
        for line in lines.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["left", writer, first, last, events] => {
                    let (first, last): (EntryId, EntryId) = (first.parse().ok()?, last.parse().ok()?);
                    let left = Left { ids: IdRange { first, last }, events: events.parse().ok()? };
                    released.writers.insert(writer.parse().ok()?, left);
                }
                ["hour", date, hour] => _ = released.hours.insert(Hour::from_partition(date, hour)?),
                ["leaving", date, hour, name, events] => released.leaving.push(Leaving {
                    hour: Hour::from_partition(date, hour)?,
                    name: SealedName::parse(name, EXTENSION)?,
                    events: events.parse().ok()?,
                }),
                _ => return None,
            }
        }
        Some(released)
    }

    fn write(&self, layout: &Layout) -> Result<(), StoreError> {
        disk::create_dir(layout, &layout.archive())?;
        disk::write_whole(layout, "released", &path(layout), &mut self.to_text().as_bytes())
    }
}

fn path(layout: &Layout) -> PathBuf {
    layout.archive().join("released")
}

/// Removes files from the folder that are proven to be in the archive, each with how many events it holds. The caller has
/// the archiver's lock.
///
/// # Errors
/// [`StoreError`] where the disk refuses. What was removed until then has left.
pub fn release(layout: &Layout, files: &[(Partition, u64)]) -> Result<(), StoreError> {
    let mut released = Released::read(layout)?;
    // What was leaving before has gone by now, or goes now.
    for leaving in std::mem::take(&mut released.leaving) {
        let path = layout.partition(leaving.hour).join(leaving.name.with_extension(EXTENSION));
        disk::remove(layout, &path)?;
        released.settle(leaving);
    }
    let leaving =
        |(file, events): &(Partition, u64)| Leaving { hour: file.hour, name: file.name.clone(), events: *events };
    released.leaving = files.iter().map(leaving).collect();
    released.write(layout)?;
    for (file, _) in files {
        disk::remove(layout, &file.path)?;
        remove_empty_folders(layout, &file.path)?;
    }
    for leaving in std::mem::take(&mut released.leaving) {
        released.settle(leaving);
    }
    released.write(layout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_left_is_read_as_it_was_written() {
        let name = |text: &str| SealedName::parse(text, EXTENSION).unwrap();
        let leaving =
            |hour: i64, text: &str, events| Leaving { hour: Hour::of_ms(hour * 3_600_000), name: name(text), events };
        let mut released = Released::default();
        released.settle(leaving(1, "c1_5-0_9-0.parquet", 3));
        released.settle(leaving(2, "c1_10-0_19-2.parquet", 4));
        released.leaving.push(leaving(3, "c1.e1_20-0_29-0.parquet", 5));
        assert_eq!(Released::parse(&released.to_text()), Some(released.clone()));
        assert_eq!(released.writers.values().next().unwrap().events, 7);
        let names: Vec<String> = released.names().map(|name| name.with_extension("")).collect();
        assert_eq!(names, ["c1_5-0_19-2.", "c1.e1_20-0_29-0."]);
        let counted = released.events_beside(&[]);
        assert_eq!(counted.iter().map(|(_, events)| events).sum::<u64>(), 12);
        assert_eq!(Released::parse(&released.to_text().replace("19-2", "18-2")), None);
    }
}
