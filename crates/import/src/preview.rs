use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use crate::buffer::Place;
use crate::earlier::Earlier;
use crate::identity::{Identity, Undated};
use crate::importer::read;
use crate::source::Source;
use crate::{Format, ImportError};
use emp_event::Event;
use emp_store::Scope;

/// Lines that a preview looks at.
const LINES_MAX: u64 = 100_000;
/// Reasons that are shown.
const REASONS_MAX: usize = 3;

/// What a file would come to, without a store.
#[derive(Debug, Default)]
pub struct Preview {
    /// The first events, in the file's order.
    pub first: Vec<Event<'static>>,
    /// Lines that were looked at.
    pub lines: u64,
    /// Events in them.
    pub events: u64,
    /// Events of which neither they themselves nor a line before them give a time.
    pub undated: u64,
    /// How many events of each service and type.
    pub types: BTreeMap<(String, String), u64>,
    /// Lines that are no events.
    pub not_understood: u64,
    /// The first of them: number and reason.
    pub reasons: Vec<(u64, String)>,
    /// What format the first of them may be of, as the end of a sentence.
    pub hint: String,
    /// Is there more than was looked at?
    pub is_cut: bool,
}

/// Reads the beginning of a file as an import would, and stores nothing. `events_max` is how many
/// events are kept to be shown.
///
/// # Errors
/// [`ImportError::Read`] and [`ImportError::Foreign`].
pub fn preview(input: impl Read, format: &Format, events_max: usize) -> Result<Preview, ImportError> {
    preview_source(Source::of_stream(input)?, format, events_max)
}

/// The same of a file, which may be a Parquet one, too.
///
/// # Errors
/// As [`preview`], and [`ImportError::Parquet`].
pub fn preview_file(file: File, format: &Format, events_max: usize) -> Result<Preview, ImportError> {
    preview_source(Source::of_file(file)?, format, events_max)
}

fn preview_source(mut source: Source<'_>, format: &Format, events_max: usize) -> Result<Preview, ImportError> {
    let mut identity = Identity::new(Undated { now_ms: 0, count: 0 });
    let mut following = Earlier::default().follow(b"");
    let (mut preview, mut piece) = (Preview::default(), Vec::new());
    while source.next(&mut piece)?.is_some() {
        let text = piece.trim_ascii();
        if text.is_empty() {
            continue;
        }
        if preview.lines == LINES_MAX {
            preview.is_cut = true;
            break;
        }
        preview.lines += 1;
        for (place, line) in read(format, &mut identity, text, preview.lines, &mut following).into_iter().flatten() {
            match line.event {
                Ok(event) => preview.count(event, place, events_max),
                Err(no_event) => {
                    preview.not_understood += 1;
                    if preview.reasons.is_empty() {
                        preview.hint = format.hint(text);
                    }
                    if preview.reasons.len() < REASONS_MAX {
                        preview.reasons.push((preview.lines, no_event.reason));
                    }
                }
            }
        }
    }
    Ok(preview)
}

impl Preview {
    fn count(&mut self, event: Event<'static>, place: Place, events_max: usize) {
        self.events += 1;
        self.undated += u64::from(matches!(place, Place::Lines(Scope::Undated)));
        let kind = (event.service.to_string(), event.event_type.to_string());
        *self.types.entry(kind).or_default() += 1;
        if self.first.len() < events_max {
            self.first.push(event);
        }
    }
}
