//! The lines of one source, on their way into the store.

use super::Outcome;
use super::source::{Source, number_of};
use emp_event::{EntryId, JsonLine, fields_as_json};
use emp_store::{DirectWriter, Layout, Quarantined, Row, StoreError};

/// One line, and what is known of it without its source.
pub(super) struct Line<'a> {
    /// Its number within its source, from 1.
    pub number: u64,
    /// When it came, ms since the epoch.
    pub ms: u64,
    /// As it stands in the file.
    pub bytes: &'a [u8],
    /// What it says, or why it says nothing.
    pub parsed: Result<JsonLine<'a>, String>,
}

/// Takes the lines of one source that are not stored yet.
pub(super) struct Intake {
    source: Source,
    store: DirectWriter,
    now_ms: i64,
}

impl Intake {
    /// Finds out which lines are stored already.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::Busy`] among them.
    pub fn open(layout: &Layout, source: Source, now_ms: i64) -> Result<Self, StoreError> {
        Ok(Self { source, store: DirectWriter::open(layout, &source.writer()?)?, now_ms })
    }

    /// Takes one line: what becomes of it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn take(&mut self, line: &Line<'_>) -> Result<Outcome, StoreError> {
        let id = self.id(line, self.store.last_event());
        let reason = match &line.parsed {
            Err(reason) => reason.clone(),
            Ok(parsed) => match parsed.decode(id) {
                Ok(_) if line.number <= number_of(self.store.last_event()) => return Ok(Outcome::AlreadyThere),
                Ok(event) => {
                    self.store.push_event(&Row::from(&event))?;
                    return Ok(Outcome::Event);
                }
                Err(rejection) => rejection.to_string(),
            },
        };
        if line.number <= number_of(self.store.last_quarantined()) {
            return Ok(Outcome::AlreadyThere);
        }
        let entry = fields_as_json(&[("line", line.bytes)]);
        let id = self.id(line, self.store.last_quarantined());
        self.store.push_quarantined(Quarantined { id, reason, entry, noticed_at: self.now_ms })?;
        Ok(Outcome::Quarantined)
    }

    /// IDs rise with the lines, whatever their times.
    fn id(&self, line: &Line<'_>, last: EntryId) -> EntryId {
        self.source.entry_id(line.ms.max(last.ms), line.number)
    }

    /// Makes all of it durable and seen.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn finish(self) -> Result<(), StoreError> {
        self.store.finish()
    }
}
