//! The table `transitions`: each event of a job with the one before it.
//!
//! Two orders count. A silence lies between an event and the one that happened before it, by clocks that are corrected
//! where they are proven wrong; who handed a job on is who sent the event that arrived before, by Redis' clock alone.

mod exec;
mod figures;
mod names;
mod rows;
mod scan;
mod unit;
mod walk;
mod wanted;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use emp_catalog::{IdScope, Indexed, Sealed, SealedFiles};
use emp_job::Offsets;
use emp_store::{Hour, IdRange};

use crate::tables::times;
use crate::view::{Source, View};
use scan::{Place, Progress, Scan, Unit};
use wanted::Wanted;

pub(crate) use exec::TransitionsExec;
pub(crate) use figures::Known as KnownJobs;
pub use figures::{ErrorFigures, JobFigures};
pub(crate) use rows::schema;

/// The table, by corrected clocks or by those of the producers.
#[derive(Debug)]
pub(crate) struct Transitions {
    source: Arc<Source>,
    corrected: bool,
}

impl Transitions {
    /// With clocks that are corrected where they are proven wrong.
    pub fn new(source: &Arc<Source>) -> Self {
        Self { source: Arc::clone(source), corrected: true }
    }

    /// By the producers' clocks, as they are.
    pub fn raw(source: &Arc<Source>) -> Self {
        Self { source: Arc::clone(source), corrected: false }
    }
}

#[async_trait]
impl TableProvider for Transitions {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let view = self.source.view()?;
        let wanted = Wanted::of(filters);
        let mut files = view.sealed();
        if view.should_index(Indexed::Ids, &files.files.iter().collect::<Vec<_>>()) {
            files = view.with_all_indexed(Indexed::Ids, &self.source.on_learning).await;
        }
        let units = units(&view, &files, &wanted, self.corrected);
        let schema = match projection {
            Some(places) => Arc::new(schema().project(places)?),
            None => schema(),
        };
        if units.is_empty() {
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let shares = state.config().target_partitions().min(units.len());
        let scan = Scan {
            view,
            files,
            units,
            wanted,
            columns: rows::columns(projection),
            schema,
            clocks: self.corrected.then(|| state.config().get_extension::<Offsets>().unwrap_or_default()),
            progress: Progress::default(),
        };
        Ok(Arc::new(TransitionsExec::new(scan, shares)))
    }
}

/// The files and segments that have to be read, in the order of their IDs.
fn units(view: &View, all: &SealedFiles, wanted: &Wanted, corrected: bool) -> Vec<Unit> {
    let jobs = wanted.jobs();
    let holding = jobs.and_then(|jobs| all.holding("job_id", &jobs, IdScope::AllEvents));
    let holds = |file: &&Sealed| holding.as_ref().is_none_or(|holding| holding[file.position]);
    let sealed = view.usable(all.files.iter().filter(holds).collect());
    let segments = &view.snapshot.segments;
    let of_sealed = |file: &&Sealed| {
        let timestamps = file.facts.as_ref().ok().and_then(|facts| facts.timestamps);
        (file.partition.hour, timestamps)
    };
    let mut hours: Vec<(Hour, Option<(i64, i64)>)> = sealed.iter().map(of_sealed).collect();
    hours.extend(segments.iter().map(|segment| (segment.hour, times(&segment.batches, "timestamp"))));
    let (begin_ms, end_ms) = wanted.hours(&hours, corrected);
    let is_needed = |hour: Hour| hour.end_ms() > begin_ms && hour.start_ms() < end_ms;
    let sealed = sealed
        .into_iter()
        .filter(|file| is_needed(file.partition.hour))
        .map(|file| (file.partition.name.ids, Place::Sealed(file.position, file.partition.clone())));
    let segments = segments.iter().enumerate().filter(|(_, segment)| is_needed(segment.hour));
    let segments = segments.map(|(at, segment)| (segment.ids, Place::Segment(at)));
    let units = in_order(sealed.chain(segments).collect());
    emp_store::expect(units.iter().filter_map(|unit| match &unit.place {
        Place::Sealed(_, file) => Some(file),
        Place::Segment(_) => None,
    }));
    units
}

/// Sorts them by their IDs, and finds those of which some lie between others'.
fn in_order(mut places: Vec<(IdRange, Place)>) -> Vec<Unit> {
    places.sort_by_key(|(ids, _)| (ids.first, ids.last));
    let mut units: Vec<Unit> = Vec::with_capacity(places.len());
    // Which of those before ends last, and when.
    let mut widest: Option<(usize, u64)> = None;
    for (ids, place) in places {
        let overlapped = widest.filter(|(_, last_ms)| ids.first.ms <= *last_ms);
        if let Some((at, _)) = overlapped {
            units[at].overlaps = true;
        }
        if widest.is_none_or(|(_, last_ms)| ids.last.ms > last_ms) {
            widest = Some((units.len(), ids.last.ms));
        }
        units.push(Unit { place, overlaps: overlapped.is_some() });
    }
    units
}
