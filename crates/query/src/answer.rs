//! The answer to one statement.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::StreamExt as _;

use super::QueryError;
use super::session::Limits;
use super::translate::{Asked, translate};

/// Rows, as they are found.
pub struct Answer {
    /// The columns.
    pub schema: SchemaRef,
    /// One line for each file that was left out, with the reason. The answer is right for
    /// all the others.
    pub warnings: Vec<String>,
    first: Option<RecordBatch>,
    stream: SendableRecordBatchStream,
    limits: Limits,
}

impl Answer {
    /// `first` came out of the stream before.
    pub(super) fn new(
        first: Option<RecordBatch>,
        stream: SendableRecordBatchStream,
        warnings: Vec<String>,
        limits: Limits,
    ) -> Self {
        Self { schema: stream.schema(), warnings, first, stream, limits }
    }

    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// [`QueryError`] where the query fails on its data, or needs more memory than it may.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, QueryError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let batch = self.stream.next().await.transpose();
        // The statement itself was understood long ago, so no place in it is shown.
        batch.map_err(|error| translate(&error, &Asked { sql: "", limits: &self.limits, state: None }))
    }

    /// All rows.
    ///
    /// # Errors
    /// See [`Self::next`].
    pub async fn batches(mut self) -> Result<Vec<RecordBatch>, QueryError> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await? {
            batches.push(batch);
        }
        Ok(batches)
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("schema", &self.schema).field("warnings", &self.warnings).finish_non_exhaustive()
    }
}
