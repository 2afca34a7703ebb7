//! How a question begins that others may help with.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream, execute_stream};
use futures::StreamExt as _;

use super::{Spread, Spreading};

/// The first rows of an answer, if there are any, and the others.
pub(crate) type Begun = Result<(Option<RecordBatch>, SendableRecordBatchStream), DataFusionError>;

/// Who helps with a question, if anybody does, and how often they were asked.
pub(crate) struct Helped<'a> {
    others: Option<&'a Arc<dyn Spread>>,
    attempts: usize,
}

impl<'a> Helped<'a> {
    /// By those.
    pub fn by(others: Option<&'a Arc<dyn Spread>>) -> Self {
        Self { others, attempts: 0 }
    }

    /// Executes a plan up to its first rows; `None` where it has to be planned anew for that.
    pub async fn begin(&mut self, plan: Arc<dyn ExecutionPlan>, state: &SessionState) -> Option<Begun> {
        if let Some(others) = self.others {
            self.attempts += 1;
            match others.ask(Arc::clone(&plan), state, self.attempts).await {
                Ok(Spreading::Here) => self.others = None,
                Ok(Spreading::Rows(rows)) => return Some(begin(rows).await),
                Ok(Spreading::Lost) => return None,
                Ok(Spreading::GivenUp) => {
                    self.others = None;
                    return None;
                }
                Err(error) => return Some(Err(error)),
            }
        }
        Some(match execute_stream(plan, state.task_ctx()) {
            Ok(stream) => begin(stream).await,
            Err(error) => Err(error),
        })
    }
}

async fn begin(mut stream: SendableRecordBatchStream) -> Begun {
    let first = stream.next().await.transpose()?;
    Ok((first, stream))
}
