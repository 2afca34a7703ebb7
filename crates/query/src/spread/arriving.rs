//! A plan that came from another process, and the session in which it runs.

use std::sync::Arc;

use datafusion::catalog::memory::{DataSourceExec, MemorySourceConfig};
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{exec_datafusion_err, exec_err, plan_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder, ParquetSource};
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{FunctionRegistry as _, SessionState};
use datafusion::object_store::ObjectStore;
use datafusion::object_store::memory::InMemory;
use datafusion::physical_plan::ExecutionPlan;

use emp_store::{Layout, Listed, Partition, listed_file, listed_hour};

use super::is_of_store;
use crate::functions;
use crate::reader::{Located, Readers};
use crate::session::{Limits, runtime};

/// Plans that come to a worker of this store.
#[derive(Debug, Clone)]
pub struct Arriving {
    layout: Layout,
}

impl Arriving {
    /// To be answered from that store, and from nothing else.
    pub fn at(layout: Layout) -> Self {
        Self { layout }
    }

    /// What all plans use together: memory, temporary files, and no files but the store's.
    ///
    /// # Errors
    /// What keeps it from being set up.
    pub fn runtime(&self, memory_bytes: Option<u64>) -> Result<Arc<RuntimeEnv>> {
        let mut limits = Limits::of_machine();
        limits.memory_bytes = memory_bytes.unwrap_or(limits.memory_bytes);
        runtime(&limits).with_object_store_registry(Arc::new(StoreAlone)).build_arc()
    }

    /// The plan over this store's files.
    ///
    /// # Errors
    /// Where it would read or write anything else.
    pub fn plan(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            if node.name() == "DataSinkExec" {
                return plan_err!("a worker writes no files");
            }
            let Some(scan) = node.downcast_ref::<DataSourceExec>() else { return Ok(Transformed::no(node)) };
            if scan.data_source().downcast_ref::<MemorySourceConfig>().is_some() {
                return Ok(Transformed::no(node));
            }
            let config = scan.data_source().downcast_ref::<FileScanConfig>().filter(|config| is_of_store(config));
            let source = config.and_then(|config| config.file_source.downcast_ref::<ParquetSource>());
            let (Some(config), Some(source)) = (config, source) else {
                return plan_err!("a worker reads its store's files and nothing else");
            };
            Ok(Transformed::yes(DataSourceExec::from_data_source(self.scan(config, source)?) as Arc<dyn ExecutionPlan>))
        })
        .data()
    }

    fn scan(&self, config: &FileScanConfig, source: &ParquetSource) -> Result<FileScanConfig> {
        let mut expected: Vec<Partition> = Vec::new();
        let mut groups = Vec::with_capacity(config.file_groups.len());
        for group in &config.file_groups {
            let mut files = Vec::with_capacity(group.len());
            for file in group.iter() {
                let place = self.place(file)?;
                // One file may be read by several, a part each.
                if expected.last().is_none_or(|last| last.path != place.path) {
                    expected.push(place.clone());
                }
                files.push(file.clone().with_extension(Located { file: place, position: 0 }));
            }
            groups.push(FileGroup::new(files));
        }
        emp_store::expect(&expected);
        let source = source.clone().with_parquet_file_reader_factory(Arc::new(Readers::default()));
        Ok(FileScanConfigBuilder::from(config.clone()).with_source(Arc::new(source)).with_file_groups(groups).build())
    }

    /// The file of this store that is meant: what is no name of one is none, however it is written.
    fn place(&self, file: &PartitionedFile) -> Result<Partition> {
        let given = file.object_meta.location.as_ref();
        let parts: Vec<&str> = given.split('/').collect();
        let known = match parts.as_slice() {
            [date, hour, name] => match (listed_hour(date, hour), listed_file(name)) {
                (Listed::Ours(hour), Listed::Ours(sealed)) => Some((hour, sealed, *name)),
                _ => None,
            },
            _ => None,
        };
        let Some((hour, name, file_name)) = known else {
            return exec_err!("`{given}` is no file of a store: a worker reads those alone");
        };
        let path = self.layout.partition(hour).join(file_name);
        Ok(Partition { path, hour, name, bytes: file.object_meta.size, away: self.layout.away().cloned() })
    }
}

/// A worker's session: all that a question may name by its name.
///
/// # Errors
/// What keeps functions from being registered.
pub fn session_of_worker(mut state: SessionState) -> Result<SessionState> {
    state.config_mut().options_mut().set("datafusion.execution.time_zone", "UTC")?;
    datafusion_functions_json::register_all(&mut state)?;
    functions::register(&mut state)?;
    // What rollups are asked with; nobody types it.
    state.register_udaf(Arc::new(functions::quantile_of_sketches()))?;
    Ok(state)
}

/// Knows the store, whose files are read by other means, and no other place: neither files of the machine nor buckets.
#[derive(Debug)]
struct StoreAlone;

impl ObjectStoreRegistry for StoreAlone {
    fn register_store(&self, _: &url::Url, _: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &url::Url) -> Result<Arc<dyn ObjectStore>> {
        if url.as_str().trim_end_matches('/') == super::STORE_URL {
            return Ok(Arc::new(InMemory::new()));
        }
        Err(exec_datafusion_err!("a worker reads its store's files and nothing else, not {url}"))
    }
}
