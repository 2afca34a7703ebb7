//! The tables that stand in for `events`: what hours contribute, and the events that have to be read.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Float64Builder, Int64Builder, RecordBatch, StringBuilder, TimestampMillisecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::memory::{DataSourceExec, MemorySourceConfig};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType, cast, col, lit};
use datafusion::physical_plan::ExecutionPlan;

use emp_catalog::Sealed;
use emp_rollup::{Rollups, Row, Totals};

use super::split::{Contributed, Split};
use crate::tables::Events;

/// The columns of what is put together: those that a question may group by, and the parts of its answers.
pub(super) mod part {
    pub const EVENTS: &str = "events";
    pub const FIRST: &str = "first";
    pub const LAST: &str = "last";
    pub const DURATIONS: &str = "durations";
    pub const SUM: &str = "sum_ms";
    pub const LEAST: &str = "least_ms";
    pub const GREATEST: &str = "greatest_ms";
    pub const SKETCH: &str = "sketch";
    /// Of a single event.
    pub const DURATION: &str = "duration_ms";
}

/// A part as an expression.
pub(super) fn part(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// What stands in both, before the parts.
const KNOWN: [&str; 6] = ["timestamp", "event_type", "service", "level", "date", "hour"];

/// The parts of an answer as columns of `events`, for those that have to be read.
pub(super) fn of_events() -> Vec<Expr> {
    let duration = || col(part::DURATION);
    let known = KNOWN.into_iter().map(col);
    let parts = [
        (lit(1_i64), part::EVENTS),
        (col("timestamp"), part::FIRST),
        (col("timestamp"), part::LAST),
        (cast(duration().is_not_null(), DataType::Int64), part::DURATIONS),
        (duration(), part::SUM),
        (duration(), part::LEAST),
        (duration(), part::GREATEST),
        (lit(ScalarValue::Binary(None)), part::SKETCH),
    ];
    known.chain(parts.into_iter().map(|(expr, name)| expr.alias(name))).chain([duration()]).collect()
}

/// The same of what hours contribute.
pub(super) fn of_hours() -> Vec<Expr> {
    schema().fields().iter().map(|field| part(field.name())).collect()
}

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let time = |name: &str| Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), true);
    let number = |name: &str, of: DataType| Field::new(name, of, true);
    Arc::new(Schema::new(vec![
        time("timestamp"),
        text("event_type"),
        text("service"),
        text("level"),
        text("date"),
        text("hour"),
        number(part::EVENTS, DataType::Int64),
        time(part::FIRST),
        time(part::LAST),
        number(part::DURATIONS, DataType::Int64),
        number(part::SUM, DataType::Float64),
        number(part::LEAST, DataType::Float64),
        number(part::GREATEST, DataType::Float64),
        number(part::SKETCH, DataType::Binary),
        number(part::DURATION, DataType::Float64),
    ]))
}

/// What whole hours contribute.
#[derive(Debug)]
pub(super) struct Hours(pub Arc<Split>);

#[async_trait]
impl TableProvider for Hours {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let chosen = self.0.chosen().await?;
        let batches = match &chosen.contributed {
            Contributed::ByHour(rollups) => {
                let files: Vec<&Sealed> = chosen.rolled_up().collect();
                let size = files.len().div_ceil(state.config().target_partitions().max(1)).max(1);
                files.chunks(size).map(|files| Ok(vec![by_hour(&self.0, rollups, files)?])).collect::<Result<_>>()?
            }
            Contributed::Together(totals) => vec![vec![together(totals)?]],
        };
        let source = MemorySourceConfig::try_new(&batches, schema(), projection.cloned())?.with_limit(limit);
        Ok(DataSourceExec::from_data_source(source))
    }
}

/// What these files contribute, of whole hours.
fn by_hour(split: &Split, rollups: &Rollups, files: &[&Sealed]) -> Result<RecordBatch> {
    let mut columns = Columns::default();
    for file in files {
        let hour = file.partition.hour;
        let (date, hour) = (hour.date(), hour.hour());
        let rows = rollups.rows(file).unwrap_or_default();
        for row in rows.iter().filter(|row| split.hours.contain(row.hour_ms)) {
            columns.add(row, rollups.texts(), Some([&date, &hour]));
        }
    }
    Ok(RecordBatch::try_new(schema(), columns.finish())?)
}

/// The same of all hours as one, for whom no hour is told from another.
fn together(totals: &Totals) -> Result<RecordBatch> {
    let mut columns = Columns::default();
    totals.rows.iter().for_each(|row| columns.add(row, &totals.texts, None));
    Ok(RecordBatch::try_new(schema(), columns.finish())?)
}

#[derive(Default)]
struct Columns {
    times: [TimestampMillisecondBuilder; 3],
    names: [StringBuilder; 3],
    partition: [StringBuilder; 2],
    counts: [Int64Builder; 2],
    durations: [Float64Builder; 3],
    sketch: BinaryBuilder,
    rows: usize,
}

impl Columns {
    fn add(&mut self, row: &Row, texts: &[Box<str>], partition: Option<[&str; 2]>) {
        let times = [row.hour_ms, row.first_ms, row.last_ms];
        self.times.iter_mut().zip(times).for_each(|(column, ms)| column.append_value(ms));
        for (column, name) in self.names.iter_mut().zip(row.names) {
            column.append_option(name.and_then(|name| texts.get(name as usize)));
        }
        for (at, column) in self.partition.iter_mut().enumerate() {
            column.append_option(partition.map(|values| values[at]));
        }
        // No hour has that many events.
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let of_durations = row.durations.as_ref();
        self.counts[0].append_value(count(row.events));
        self.counts[1].append_value(of_durations.map_or(0, |durations| count(durations.count)));
        let numbers = of_durations.map(|durations| [durations.sum_ms, durations.least_ms, durations.greatest_ms]);
        for (at, column) in self.durations.iter_mut().enumerate() {
            column.append_option(numbers.map(|numbers| numbers[at]));
        }
        self.sketch.append_option(of_durations.map(|durations| durations.sketch.as_bytes()));
        self.rows += 1;
    }

    /// In the order of [`schema`].
    fn finish(mut self) -> Vec<ArrayRef> {
        let [mut timestamp, mut first, mut last] = self.times;
        let mut time =
            |column: &mut TimestampMillisecondBuilder| -> ArrayRef { Arc::new(column.finish().with_timezone("UTC")) };
        let [timestamp, first, last] = [&mut timestamp, &mut first, &mut last].map(&mut time);
        let [event_type, service, level] = self.names.each_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let [date, hour] = self.partition.each_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let [events, durations] = self.counts.each_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let [sum, least, greatest] = self.durations.each_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let sketch = Arc::new(self.sketch.finish());
        let duration = arrow::array::new_null_array(&DataType::Float64, self.rows);
        vec![
            timestamp, event_type, service, level, date, hour, events, first, last, durations, sum, least, greatest,
            sketch, duration,
        ]
    }
}

/// Which events have to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// Those of the journal, and of files of which nothing is derived.
    Unrolled,
    /// Those of the other files that happened outside of whole hours.
    Edges,
}

/// Events that have to be read.
#[derive(Debug)]
pub(super) struct Others {
    split: Arc<Split>,
    read: Read,
    events: Events,
}

impl Others {
    pub fn new(split: &Arc<Split>, read: Read) -> Self {
        Self { split: Arc::clone(split), read, events: Events::new(&split.source) }
    }
}

#[async_trait]
impl TableProvider for Others {
    fn schema(&self) -> SchemaRef {
        self.events.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        self.events.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let chosen = self.split.chosen().await?;
        let is_read = |file: &Sealed| match self.read {
            Read::Unrolled => !chosen.is_rolled_up(file),
            Read::Edges => chosen.has_edges(file),
        };
        let with_journal = self.read == Read::Unrolled;
        self.events.scan_those(state, projection, filters, limit, (&is_read, with_journal)).await
    }
}
