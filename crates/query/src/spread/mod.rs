//! Questions that other processes help with: what a plan has to be to leave this one, and what is made of one that comes.
//!
//! A scan leaves as one of stock DataFusion, whose files are named by their places below the store's folder; whoever gets
//! it looks for them below its own. So a worker can be told to read files of its store and no others.

mod arriving;
mod helped;
mod leaving;

use std::sync::Arc;

use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::object_store::memory::InMemory;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use datafusion::prelude::SessionContext;
use futures::future::BoxFuture;

pub use arriving::{Arriving, session_of_worker};
pub(super) use helped::Helped;
pub use leaving::leaving;

/// What stands for the store, wherever it lies.
const STORE_URL: &str = "emp-events://store";

fn store_url() -> Result<ObjectStoreUrl> {
    ObjectStoreUrl::parse(STORE_URL)
}

/// Has a session plan what can leave it. What stays knows the store by the same name.
///
/// # Errors
/// What keeps it from being set up.
pub(super) fn prepare(context: &SessionContext) -> Result<()> {
    // What answers a subquery for the others is no part of a plan that goes elsewhere; a join is.
    let state = context.state_ref();
    let mut state = state.write();
    state.config_mut().options_mut().optimizer.enable_physical_uncorrelated_scalar_subquery = false;
    // The files are read by other means; it only has to be known.
    state.runtime_env().register_object_store(store_url()?.as_ref(), Arc::new(InMemory::new()));
    Ok(())
}

/// Whether a scan is one of the store's files.
fn is_of_store(config: &FileScanConfig) -> bool {
    config.object_store_url.as_str().trim_end_matches('/') == STORE_URL
}

/// Others that may help with a question.
pub trait Spread: Send + Sync {
    /// Has them help with the plan, which is planned anew for each attempt, from 1 on.
    fn ask<'a>(
        &'a self,
        plan: Arc<dyn ExecutionPlan>,
        state: &'a SessionState,
        attempt: usize,
    ) -> BoxFuture<'a, Result<Spreading>>;
}

/// What became of that.
pub enum Spreading {
    /// They are not needed, or cannot help: it is answered here. The plan has not been used.
    Here,
    /// The answer comes from them.
    Rows(SendableRecordBatchStream),
    /// They failed before anything was answered, and may be asked again.
    Lost,
    /// They failed, and would again: it is answered here.
    GivenUp,
}

impl std::fmt::Debug for Spreading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Here => "Here",
            Self::Rows(_) => "Rows",
            Self::Lost => "Lost",
            Self::GivenUp => "GivenUp",
        })
    }
}
