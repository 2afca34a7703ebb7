//! The answer to one statement.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::StreamExt as _;

use super::QueryError;
use super::json_column::{told, told_schema};
use super::session::Limits;
use super::translate::{Asked, translate};
use super::view::View;
use super::warning::{Warning, in_lines};

/// Rows, as they are found.
pub struct Answer {
    /// The columns.
    pub schema: SchemaRef,
    told: BTreeSet<Warning>,
    view: Option<Arc<View>>,
    first: Option<RecordBatch>,
    stream: SendableRecordBatchStream,
    limits: Limits,
}

impl Answer {
    /// `first` came out of the stream before.
    pub(super) fn new(
        first: Option<RecordBatch>,
        stream: SendableRecordBatchStream,
        view: Option<Arc<View>>,
        limits: Limits,
    ) -> Self {
        Self { schema: told_schema(&stream.schema()), told: BTreeSet::new(), view, first, stream, limits }
    }

    /// A line for each file and record that was left out, with the reason – one for all, where the same is the matter
    /// with many – and that this has not told yet: what is
    /// read later may be damaged, too. The answer is right for all the others.
    pub fn new_warnings(&mut self) -> Vec<String> {
        let mut warnings = self.view.as_ref().map(|view| view.warnings()).unwrap_or_default();
        warnings.retain(|warning| self.told.insert(warning.clone()));
        in_lines(&warnings)
    }

    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// [`QueryError`] where the query fails on its data, or needs more memory than it may.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, QueryError> {
        let batch = match self.first.take() {
            Some(first) => Some(first),
            None => self.stream.next().await.transpose().map_err(|error| {
                // The statement itself was understood long ago, so no place in it is shown.
                translate(&error, &Asked { sql: "", limits: &self.limits, state: None })
            })?,
        };
        Ok(batch.map(|batch| told(&batch, &self.schema)))
    }

    /// All rows.
    ///
    /// # Errors
    /// See [`Self::next`].
    pub async fn batches(mut self) -> Result<Vec<RecordBatch>, QueryError> {
        self.rest().await
    }

    /// All rows that are left.
    ///
    /// # Errors
    /// See [`Self::next`].
    pub async fn rest(&mut self) -> Result<Vec<RecordBatch>, QueryError> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await? {
            batches.push(batch);
        }
        Ok(batches)
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("schema", &self.schema).field("told", &self.told).finish_non_exhaustive()
    }
}
