//! What every format of an answer does.

use std::io::{self, Write};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

/// One format: what happens at a batch and at the end.
pub(super) trait Rows {
    fn write(&mut self, out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()>;
    fn finish(&mut self, out: &mut dyn Write, elapsed: Option<Duration>) -> io::Result<()>;
}

/// A failure to turn values into text. Failures to write never come through here: formats
/// encode into memory first, because Arrow's writers forget which kind an I/O error was.
pub(super) fn unreadable(error: ArrowError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
