//! A plan as others can have it.

use std::sync::Arc;

use datafusion::catalog::memory::DataSourceExec;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder};
use datafusion::error::Result;
use datafusion::object_store::path::Path as ObjectPath;
use datafusion::physical_plan::ExecutionPlan;

use super::store_url;
use crate::reader::Located;
use crate::skip::Skipping;
use crate::transitions::TransitionsExec;

/// The plan with scans that others can have; `None` where it reads none of the store's files, or walks through them: what a
/// walk finds of one job in several files meets in one table, so it has to be in one process.
///
/// # Errors
/// What keeps it from being changed.
pub fn leaving(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if plan.exists(|node| Ok(node.downcast_ref::<TransitionsExec>().is_some()))? {
        return Ok(None);
    }
    let mut reads_files = false;
    let changed = Arc::clone(plan).transform_up(|node| {
        let config = node.downcast_ref::<DataSourceExec>().map(|scan| scan.data_source());
        let config = config.and_then(|source| source.downcast_ref::<FileScanConfig>());
        let reading = config.and_then(|config| Some((config, config.file_source.downcast_ref::<Skipping>()?)));
        let Some((config, reading)) = reading else { return Ok(Transformed::no(node)) };
        reads_files = true;
        let groups = config.file_groups.iter().map(|group| {
            let files: Result<Vec<PartitionedFile>> = group.iter().map(named).collect();
            Ok(FileGroup::new(files?))
        });
        let groups: Result<Vec<FileGroup>> = groups.collect();
        let mut config = FileScanConfigBuilder::from(config.clone())
            .with_source(Arc::clone(reading.inner()))
            .with_file_groups(groups?)
            .build();
        config.object_store_url = store_url()?;
        Ok(Transformed::yes(DataSourceExec::from_data_source(config) as Arc<dyn ExecutionPlan>))
    });
    let changed = changed.data()?;
    Ok(reads_files.then_some(changed))
}

/// The file under its name below the store's folder.
fn named(file: &PartitionedFile) -> Result<PartitionedFile> {
    let mut named = file.clone();
    if let Some(Located { file, .. }) = file.extension() {
        let (hour, name) = (file.hour, file.name.with_extension("parquet"));
        let place = format!("date={}/hour={}/{name}", hour.date(), hour.hour());
        named.object_meta.location = ObjectPath::parse(place)?;
    }
    Ok(named)
}
