//! Who gets which task, and what that makes of files.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::catalog::memory::DataSourceExec;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_distributed::{DistributedLeafExec, NetworkBoundaryExt as _, RouteTasksEvent};
use url::Url;

/// What one worker was given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Parts of plans.
    pub tasks: usize,
    /// Files, or parts of files, that these read.
    pub files: usize,
    /// The bytes of those.
    pub bytes: u64,
}

/// What all were given so far.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    given: Mutex<BTreeMap<Url, Share>>,
    /// Where the next stage begins, so that those of one task are not all the first worker's.
    next: AtomicUsize,
}

impl Shares {
    /// Gives the tasks of a stage to these workers, in turn.
    pub fn give(&self, stage: &RouteTasksEvent<'_>, workers: &[Url]) -> Result<Vec<Url>> {
        let begin = self.next.fetch_add(stage.task_count, Relaxed);
        let chosen = (0..stage.task_count).map(|task| workers[(begin + task) % workers.len()].clone());
        let chosen: Vec<Url> = chosen.collect();
        // A map of counters stays whole whoever panics.
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        for url in &chosen {
            given.entry(url.clone()).or_default().tasks += 1;
        }
        stage.plan.apply(|node| {
            if node.as_network_boundary().is_some() {
                return Ok(TreeNodeRecursion::Jump);
            }
            let variants =
                node.downcast_ref::<DistributedLeafExec>().map_or(&[] as &[_], DistributedLeafExec::variants);
            for (url, variant) in chosen.iter().zip(variants) {
                let (files, bytes) = read_by(variant);
                let share = given.entry(url.clone()).or_default();
                share.files += files;
                share.bytes += bytes;
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(chosen)
    }

    pub fn so_far(&self) -> Vec<(Url, Share)> {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.iter().map(|(url, share)| (url.clone(), *share)).collect()
    }
}

/// How many files a scan reads, and how many bytes they are.
fn read_by(scan: &Arc<dyn ExecutionPlan>) -> (usize, u64) {
    let source = scan.downcast_ref::<DataSourceExec>().map(DataSourceExec::data_source);
    let Some(config) = source.and_then(|source| source.downcast_ref::<FileScanConfig>()) else { return (0, 0) };
    let files = || config.file_groups.iter().flat_map(|group| group.iter());
    (files().count(), files().map(datafusion::datasource::listing::PartitionedFile::effective_size).sum())
}

/// How many files, or parts of files, a plan reads, and how many bytes they are.
pub(crate) fn files_of(plan: &Arc<dyn ExecutionPlan>) -> (usize, u64) {
    let below = plan.children().into_iter().map(files_of);
    below.fold(read_by(plan), |(files, bytes), (more_files, more_bytes)| (files + more_files, bytes + more_bytes))
}
