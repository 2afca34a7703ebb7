//! What events contribute to a comparison of two ranges: by what is kept of files, the rest from the events.

use std::io;
use std::sync::Arc;

use arrow::array::RecordBatch;

use emp_rollup::{Clocks, Compared, Slots};

use super::QueryError;
use super::background::in_background;
use super::engine::{ATTEMPTS_MAX, Engine};
use super::view::Learning;

/// Ranges of time that are cut into slots.
#[derive(Clone)]
pub struct Cut {
    /// From when to before when each of the ranges is, in ms since the epoch, the earliest first.
    pub ranges: Vec<(i64, i64)>,
    /// The slot of a moment, as of [`Slots::slot_of`].
    pub slot_of: Arc<dyn Fn(i64) -> Option<usize> + Send + Sync>,
    /// Do events count by when they happened, whatever their producers' clocks say?
    pub put_right: bool,
}

impl Engine {
    /// Goes through what all events of these ranges contribute, piece by piece, each with its slot, in any order. Where files go
    /// meanwhile, it `begin`s anew.
    ///
    /// # Errors
    /// As [`Engine::open`]; [`QueryError::Failed`] where a file cannot be read.
    pub async fn compared<T: Send + 'static>(
        &self,
        cut: &Cut,
        begin: impl Fn() -> T,
        add: fn(&mut T, usize, &Compared),
    ) -> Result<T, QueryError> {
        let (since_ms, until_ms) = (cut.ranges.first().map(|range| range.0), cut.ranges.last().map(|range| range.1));
        let offsets = if cut.put_right { Some(self.offsets(since_ms, until_ms).await?) } else { None };
        let mut attempt = 1;
        loop {
            let view = self.source.view_or_failure()?;
            let (layout, on_learning) = (self.source.layout().clone(), Arc::clone(&self.source.on_learning));
            let (cut, offsets, mut all) = (cut.clone(), offsets.clone(), begin());
            let look = move || {
                let sealed = view.sealed();
                let journal: Vec<&RecordBatch> =
                    view.snapshot.segments.iter().flat_map(|segment| &segment.batches).collect();
                let clocks = offsets.as_deref().map_or(Clocks::AsSent, Clocks::PutRight);
                let slots = Slots { ranges: &cut.ranges, slot_of: &*cut.slot_of, clocks };
                // Whoever asks is told of files that cannot be read as events, or differ from ours.
                view.usable(sealed.files.iter().filter(|file| file.facts.is_err() || slots.may_touch(file)).collect());
                let tell = |done, of| on_learning(Learning::Hours, done, of);
                Compared::each(&layout, (&sealed.files, &journal), &slots, &tell, &mut |slot, compared| {
                    add(&mut all, slot, &compared);
                })?;
                Ok(all)
            };
            match in_background(look).await {
                Ok(all) => return Ok(all),
                // The collector has put its events into another file.
                Err(error) if is_gone(&error) && attempt < ATTEMPTS_MAX => self.source.refresh(),
                Err(error) => return Err(QueryError::Failed(error.to_string())),
            }
            attempt += 1;
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}
