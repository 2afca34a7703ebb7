//! The query engine's session: how it is set up, and what it may use of the machine.

use std::fs;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder, SessionStateDefaults};
use datafusion::prelude::SessionConfig;
use emp_sql::{POSTGRES_CATALOG, SCHEMA};

use super::optimize::with_our_rules;
use super::{QueryError, functions};

/// The name under which `show tables` lists ours, but for programs that speak to PostgreSQL.
const CATALOG: &str = "store";

const GIB: u64 = 1 << 30;
/// Where the machine does not tell how much memory it has.
const MACHINE_BYTES_DEFAULT: u64 = 4 * GIB;
/// Below this even small sorts fail.
const MEMORY_BYTES_MIN: u64 = GIB / 4;
/// Temporary files of one query.
const SPILL_BYTES_MAX: u64 = 16 * GIB;

/// What sorting, grouping and joining may use together where nobody says: a quarter of the machine, or of the container.
pub fn usual_memory_bytes() -> u64 {
    Limits::of_machine().memory_bytes
}

/// What one process's queries may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// For sorting, grouping and joining.
    pub memory_bytes: u64,
    /// For temporary files.
    pub spill_bytes: u64,
}

impl Limits {
    /// A quarter of the machine, or of the container.
    pub fn of_machine() -> Self {
        let machine = machine_bytes().unwrap_or(MACHINE_BYTES_DEFAULT);
        Self { memory_bytes: (machine / 4).max(MEMORY_BYTES_MIN), spill_bytes: SPILL_BYTES_MAX }
    }

    /// The error for a query that wanted more, as the engine's `message` tells.
    pub fn exhausted(&self, message: &str) -> QueryError {
        let is_disk = message.contains("disk") || message.contains("temp director");
        let (resource, bytes) =
            if is_disk { ("space for temporary files", self.spill_bytes) } else { ("memory", self.memory_bytes) };
        QueryError::Exhausted { resource, limit: display_bytes(bytes) }
    }
}

fn display_bytes(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if bytes < 1 << 20 {
        format!("{} KiB", bytes >> 10)
    } else if mib < 1024.0 {
        format!("{mib:.0} MiB")
    } else {
        format!("{:.1} GiB", mib / 1024.0)
    }
}

fn machine_bytes() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let machine = total.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024;
    // The container's own limit; `max` where it has none.
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    Some(container.map_or(machine, |limit: u64| limit.min(machine)))
}

/// What all that runs uses together.
pub(super) fn runtime(limits: &Limits) -> RuntimeEnvBuilder {
    let spill = DiskManagerBuilder::default()
        .with_mode(DiskManagerMode::OsTmpDirectory)
        .with_max_temp_directory_size(limits.spill_bytes);
    let memory = FairSpillPool::new(usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX));
    RuntimeEnvBuilder::new().with_memory_pool(Arc::new(memory)).with_disk_manager_builder(spill)
}

/// A session without tables. Nothing is registered in it that could read or write other
/// files: no file formats, no factories of tables.
pub(super) fn start(limits: &Limits, for_postgres: bool) -> Result<SessionState> {
    let catalog = if for_postgres { POSTGRES_CATALOG } else { CATALOG };
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(catalog, SCHEMA)
        .with_create_default_catalog_and_schema(true)
        // PostgreSQL's own is another one.
        .with_information_schema(!for_postgres)
        .with_collect_statistics(false);
    let options = config.options_mut();
    options.set("datafusion.execution.time_zone", "UTC")?;
    // So many ids from one side of a join are looked up in the index for the other: a few
    // microseconds each.
    options.optimizer.hash_join_inlist_pushdown_max_distinct_values = 1_000;
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime(limits).build_arc()?)
        .with_physical_optimizer_rules(with_our_rules())
        .with_analyzer_rule(Arc::new(functions::OverPlainJson))
        .with_expr_planners(SessionStateDefaults::default_expr_planners())
        .with_scalar_functions(SessionStateDefaults::default_scalar_functions())
        .with_higher_order_functions(SessionStateDefaults::default_higher_order_functions())
        .with_aggregate_functions(SessionStateDefaults::default_aggregate_functions())
        .with_window_functions(SessionStateDefaults::default_window_functions())
        .with_table_function_list(SessionStateDefaults::default_table_functions())
        .build();
    datafusion_functions_json::register_all(&mut state)?;
    functions::register(&mut state)?;
    Ok(state)
}
