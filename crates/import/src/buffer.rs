//! Lines that were read and are not stored yet, and the way into the store.
//!
//! They are stored in turn, place after place in one order, and of each place the lock is held for
//! that time alone: two imports never wait for each other, whatever they read.

use std::collections::{BTreeMap, HashMap};

use xxhash_rust::xxh3::xxh3_64;

use crate::Summary;
use crate::identity::key;
use crate::spool::{Spool, number_of};
use emp_event::{EntryId, Event, fields_as_json};
use emp_store::{DirectWriter, Layout, MergeWriter, Quarantined, Row, Scope, StoreError, WriterNames};

/// Where a line is kept, and what knows it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// A client's spool: by its number.
    Spool(Spool),
    /// Any other file: by the line itself.
    Lines(Scope),
}

/// One line.
#[derive(Debug)]
pub(crate) struct Line {
    /// Its ID; of a spool the time and the number that its ID will have.
    pub id: EntryId,
    /// What it says.
    pub event: Result<Event<'static>, NoEvent>,
}

/// A line that is no event.
#[derive(Debug)]
pub(crate) struct NoEvent {
    /// Why.
    pub reason: String,
    /// As it stands in the file.
    pub bytes: Vec<u8>,
}

impl NoEvent {
    fn quarantined(self, id: EntryId, noticed_at: i64) -> Quarantined {
        let entry = fields_as_json(&[("line", self.bytes)]);
        Quarantined { id, reason: self.reason, entry, noticed_at }
    }
}

/// Lines by their places, each place's in the order in which they were read.
pub(crate) struct Buffer {
    places: BTreeMap<Place, Vec<Line>>,
    names: WriterNames,
    now_ms: i64,
}

impl Buffer {
    /// An empty one, of an import that began at that moment.
    pub fn new(now_ms: i64) -> Self {
        let name = xxh3_64(format!("{now_ms} {}", std::process::id()).as_bytes());
        Self { places: BTreeMap::new(), names: WriterNames::new(format!("{name:016x}")), now_ms }
    }

    pub fn push(&mut self, place: Place, line: Line) {
        self.places.entry(place).or_default().push(line);
    }

    /// Stores all that are not stored yet.
    ///
    /// # Errors
    /// [`StoreError`]. What is not stored then stays in the files that it was read from.
    pub fn store(&mut self, layout: &Layout, summary: &mut Summary) -> Result<(), StoreError> {
        while let Some((place, lines)) = self.places.pop_first() {
            match place {
                Place::Spool(spool) => store_spool(layout, spool, lines, self.now_ms, summary)?,
                Place::Lines(scope) => self.store_lines(layout, scope, lines, summary)?,
            }
        }
        Ok(())
    }

    /// Other lines are looked up one by one, by what is the same in the IDs of the same line.
    fn store_lines(
        &mut self,
        layout: &Layout,
        scope: Scope,
        lines: Vec<Line>,
        summary: &mut Summary,
    ) -> Result<(), StoreError> {
        let store = MergeWriter::open(layout, scope)?;
        let read = lines.len() as u64;
        let mut new = HashMap::with_capacity(lines.len());
        for line in lines {
            if matches!(scope, Scope::Hour(_)) && store.is_retired(line.id.ms) {
                summary.retired += 1;
            } else {
                // The same line in two files: the first one's place counts.
                new.entry(key(scope, line.id)).or_insert(line);
            }
        }
        store.each_id(|id| drop(new.remove(&key(scope, id))))?;
        summary.already_there += read - new.len() as u64;
        let mut new: Vec<Line> = new.into_values().collect();
        new.sort_unstable_by_key(|line| line.id);
        let (mut events, mut quarantined) = (Vec::new(), Vec::new());
        for Line { id, event } in new {
            match event {
                Ok(event) => events.push(event),
                Err(no_event) => quarantined.push(no_event.quarantined(id, self.now_ms)),
            }
        }
        let rows: Vec<Row<'_>> = events.iter().map(Row::from).collect();
        store.add(&rows, &quarantined, &mut self.names)?;
        summary.events += rows.len() as u64;
        summary.quarantined += quarantined.len() as u64;
        Ok(())
    }
}

/// Lines of a spool rise with their numbers: the highest one tells what is there.
fn store_spool(
    layout: &Layout,
    spool: Spool,
    lines: Vec<Line>,
    now_ms: i64,
    summary: &mut Summary,
) -> Result<(), StoreError> {
    let mut store = DirectWriter::open(layout, &spool.writer()?)?;
    for Line { id, event } in lines {
        let number = number_of(id);
        // IDs rise with the lines, whatever their times.
        let above = |last: EntryId| spool.entry_id(id.ms.max(last.ms), number);
        let (last_event, last_quarantined) = (store.last_event(), store.last_quarantined());
        match event {
            Ok(mut event) if number > number_of(last_event) => {
                event.id = above(last_event);
                store.push_event(&Row::from(&event))?;
                summary.events += 1;
            }
            Err(no_event) if number > number_of(last_quarantined) => {
                store.push_quarantined(no_event.quarantined(above(last_quarantined), now_ms))?;
                summary.quarantined += 1;
            }
            _ => summary.already_there += 1,
        }
    }
    store.finish()
}
