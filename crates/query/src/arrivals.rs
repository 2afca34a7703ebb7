//! When what each producer sent has arrived: read from what is kept of files, the rest from the events.

use std::io;

use arrow::array::RecordBatch;

use emp_catalog::ClosedDay;
use emp_rollup::Arrivals;

use super::QueryError;
use super::background::in_background;
use super::engine::{ATTEMPTS_MAX, Engine};

impl Engine {
    /// What arrived between two moments, ms since the epoch, both within, of each producer, minute by minute.
    ///
    /// # Errors
    /// As [`Engine::open`]; [`QueryError::Failed`] where a file cannot be read.
    pub async fn arrivals(&self, since_ms: i64, until_ms: i64) -> Result<Arrivals, QueryError> {
        let mut attempt = 1;
        loop {
            let is_touched =
                |day: &ClosedDay| day.ingested().is_none_or(|(first, last)| first <= until_ms && since_ms <= last);
            let (view, sealed) = self.source.part_or_failure(|closed| closed.days.iter().map(is_touched).collect())?;
            let layout = self.source.layout().clone();
            let read = move || {
                let journal: Vec<&RecordBatch> =
                    view.snapshot.segments.iter().flat_map(|segment| &segment.batches).collect();
                Arrivals::within(&layout, (&sealed.files, &journal), (since_ms, until_ms))
            };
            match in_background(read).await {
                Ok(arrivals) => return Ok(arrivals),
                // The collector has put its events into another file.
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < ATTEMPTS_MAX => {
                    self.source.refresh();
                }
                Err(error) => return Err(QueryError::Failed(error.to_string())),
            }
            attempt += 1;
        }
    }
}
