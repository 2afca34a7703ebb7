//! Beside how long things take: how many times as long as others, as every other command says it.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Float64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema};

use emp_findings::{CulpritKind, Speed};
use emp_job::{Named, vocabulary};
use emp_query::column_as;

use super::investigation::{Investigation, InvestigationError};
use super::speed::Slowness;

impl Investigation<'_> {
    /// Adds to the rows of [`super::perf`] by worker or connector how many times as long as its peers each takes for
    /// the same work, and since when: `times_others` and `slow_since`. Rows by anything else stay as they are.
    ///
    /// # Errors
    /// As [`Investigation::open`].
    pub async fn with_speeds(
        &self,
        rows: RecordBatch,
        by: &str,
        since_ms: i64,
    ) -> Result<RecordBatch, InvestigationError> {
        let kind = match by {
            "worker_id" => CulpritKind::Worker,
            key if vocabulary().is_key(Named::Connector, key) => CulpritKind::Connector,
            _ => return Ok(rows),
        };
        let (around, _) = self.around_range(since_ms).await?;
        let names = column_as(&rows, by, &DataType::Utf8)?;
        let names = names.as_string::<i32>();
        let speeds = around.speeds(self.typical());
        let speed_of = |name: Option<&str>| speeds.of_subject(kind, name?).map(Slowness::shown);
        let found: Vec<Option<Speed>> = names.iter().map(speed_of).collect();
        let times = found.iter().map(|speed| speed.as_ref().map(|speed| speed.factor)).collect::<Float64Array>();
        let since = found.iter().map(|speed| speed.as_ref().map(|speed| speed.since.0));
        let since = since.collect::<TimestampMillisecondArray>().with_timezone("UTC");
        let added: [(&str, ArrayRef); 2] = [("times_others", Arc::new(times)), ("slow_since", Arc::new(since))];
        let mut fields: Vec<Field> = rows.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
        let mut columns = rows.columns().to_vec();
        for (name, column) in added {
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(column);
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    }
}
