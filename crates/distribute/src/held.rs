//! An answer that is held back until it cannot be taken back any more.

use arrow::array::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt as _, TryStreamExt as _, stream};

/// Up to so much is held: whoever fails before that has answered nothing.
const HELD_BYTES_MAX: usize = 64 << 20;

/// The same rows, once all of them are here, or so many that they are not held any longer.
///
/// # Errors
/// What ends them before that.
pub(crate) async fn held(mut rows: SendableRecordBatchStream) -> Result<SendableRecordBatchStream> {
    let (mut held, mut bytes): (Vec<RecordBatch>, usize) = (Vec::new(), 0);
    while bytes <= HELD_BYTES_MAX {
        let Some(batch) = rows.next().await.transpose()? else { break };
        bytes += batch.get_array_memory_size();
        held.push(batch);
    }
    let schema = rows.schema();
    let rest = rows.map_err(|error| {
        let why = super::channels::reason(&error);
        DataFusionError::Execution(format!(
            "a worker was lost while its part of the answer was shown: ask again ({why})"
        ))
    });
    let all = stream::iter(held.into_iter().map(Ok)).chain(rest);
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, all)))
}
