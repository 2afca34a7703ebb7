//! Workers as rows, for tables and for programs that read lines.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;

use emp_findings::{LostJob, Moment, WorkerState, Workers};

/// A row for each worker: who it is, whether it lives and since when not, what it has and lost, its speed against
/// its peers, its clock, and how much is known of it.
///
/// # Errors
/// [`ArrowError`] where the columns do not fit each other, which would be a mistake here.
pub fn workers_table(workers: &Workers) -> Result<RecordBatch, ArrowError> {
    let all = &workers.workers;
    let text = |of: &dyn Fn(&WorkerState) -> Option<String>| -> ArrayRef {
        Arc::new(all.iter().map(of).collect::<StringArray>())
    };
    let count =
        |of: &dyn Fn(&WorkerState) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(all.iter().map(of))) };
    let number = |of: &dyn Fn(&WorkerState) -> Option<f64>| -> ArrayRef {
        Arc::new(all.iter().map(of).collect::<Float64Array>())
    };
    let moment = |of: &dyn Fn(&WorkerState) -> Option<Moment>| -> ArrayRef {
        let moments = all.iter().map(|worker| of(worker).map(|moment| moment.0));
        Arc::new(moments.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("worker_id", text(&|one| Some(one.worker_id.clone()))),
        ("life", text(&|one| Some(one.life.as_str().to_owned()))),
        ("since", moment(&|one| one.since)),
        ("jobs", count(&|one| one.jobs.len() as i64)),
        ("lost", count(&|one| one.lost.len() as i64)),
        ("speed", number(&|one| one.speed.as_ref().map(|speed| speed.factor))),
        ("slow_since", moment(&|one| one.speed.as_ref().map(|speed| speed.since))),
        ("clock_ahead_ms", number(&|one| one.clock.as_ref().map(|clock| clock.ms as f64))),
        ("last_heard", moment(&|one| Some(one.last_heard))),
        ("habit_ms", number(&|one| one.habit_ms)),
        ("limit_ms", count(&|one| one.limit_ms)),
        ("restarts", count(&|one| one.restarts as i64)),
        ("restarted", moment(&|one| one.restarted)),
        ("events", count(&|one| i64::try_from(one.events).unwrap_or(i64::MAX))),
        ("machine_id", text(&|one| one.machine_id.clone())),
        ("has_jobs", text(&|one| joined(&one.jobs))),
        ("lost_jobs", text(&|one| joined(&one.lost.iter().map(lost).collect::<Vec<_>>()))),
    ];
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) =
        columns.into_iter().map(|(name, array)| (Field::new(name, array.data_type().clone(), true), array)).unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

fn lost(lost: &LostJob) -> String {
    match &lost.taken_by {
        Some(by) => format!("{} (taken by {by})", lost.job_id),
        None => lost.job_id.clone(),
    }
}

fn joined(texts: &[String]) -> Option<String> {
    (!texts.is_empty()).then(|| texts.join(", "))
}
