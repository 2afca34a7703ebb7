//! Events over time, and what may have been meant where there are none.

use arrow::array::{ArrayRef, AsArray as _};
use arrow::datatypes::{DataType, Int64Type};

use emp_event::Level;
use emp_findings::{Bucket, Moment};
use emp_query::{EVENT_COLUMNS, Engine, Filter, any_of, column_as, nearest, suggestion};
use emp_units::bucket_ms;

use super::investigation::InvestigationError;

/// Buckets, at most about.
const BUCKETS_MAX: i64 = 40;

/// How many events there were over the range of the filter, else over theirs, empty buckets included;
/// `None` where there are none and no range is given.
///
/// # Errors
/// [`InvestigationError`] where the store cannot be read.
pub async fn histogram(engine: &Engine, filter: &Filter) -> Result<Option<Vec<Bucket>>, InvestigationError> {
    let ends = ends(engine, filter).await?;
    let since = filter.since_ms.or(ends.map(|(first, _)| first));
    let until = filter.until_ms.or(ends.map(|(_, last)| last + 1));
    let (Some(since), Some(until)) = (since, until) else { return Ok(None) };
    let length = bucket_ms(until - since, BUCKETS_MAX);
    let (first, last) = (since.div_euclid(length), (until - 1).max(since).div_euclid(length));
    let empty = |bucket: i64| Bucket { from: Moment(bucket * length), events: 0, errors: 0 };
    let mut buckets: Vec<Bucket> = (first..=last).map(empty).collect();
    let sql = format!(
        "select floor(cast(timestamp as bigint) / {length}.0) as bucket, count(*) as events, \
         count(*) filter (where level = 'error') as errors from events where {} group by 1",
        filter.sql()
    );
    for batch in &engine.sql(&sql).await?.batches().await? {
        let number = |name: &str| column_as(batch, name, &DataType::Int64);
        let (at, events, errors) = (number("bucket")?, number("events")?, number("errors")?);
        for row in 0..batch.num_rows() {
            let value = |column: &ArrayRef| column.as_primitive::<Int64Type>().value(row);
            let place = usize::try_from(value(&at) - first).ok().and_then(|place| buckets.get_mut(place));
            if let Some(bucket) = place {
                (bucket.events, bucket.errors) = (value(&events) as u64, value(&errors) as u64);
            }
        }
    }
    Ok(Some(buckets))
}

/// The first and the last moment.
async fn ends(engine: &Engine, filter: &Filter) -> Result<Option<(i64, i64)>, InvestigationError> {
    let sql = format!(
        "select cast(min(timestamp) as bigint) as first, cast(max(timestamp) as bigint) as last from events where {}",
        filter.sql()
    );
    let batches = engine.sql(&sql).await?.batches().await?;
    let Some(batch) = batches.first() else { return Ok(None) };
    let value = |name: &str| -> Result<Option<i64>, InvestigationError> {
        let column = column_as(batch, name, &DataType::Int64)?;
        Ok(column.as_primitive::<Int64Type>().iter().next().flatten())
    };
    Ok(value("first")?.zip(value("last")?))
}

/// What may have been meant by a filter that no event matches: the end of a sentence, or nothing.
///
/// # Errors
/// [`InvestigationError`] where the store cannot be read.
pub async fn why_nothing(engine: &Engine, filter: &Filter) -> Result<String, InvestigationError> {
    if let Some(asked) = filter.exactly("level").filter(|asked| Level::parse(asked).is_none()) {
        let near = nearest(asked, Level::ALL.iter().map(|level| level.as_str()));
        return Ok(format!(": there is no level `{asked}`{}", suggestion(near.as_ref())));
    }
    for name in ["service", "event_type", "worker_id", "machine_id"] {
        let Some(asked) = filter.exactly(name) else { continue };
        let sql = format!("select distinct {name} from events where {name} is not null limit 500");
        let mut known: Vec<String> = Vec::new();
        for batch in &engine.sql(&sql).await?.batches().await? {
            known.extend(
                column_as(batch, name, &DataType::Utf8)?.as_string::<i32>().iter().flatten().map(str::to_owned),
            );
        }
        if !known.iter().any(|value| value == asked) {
            let near = nearest(asked, known.iter().map(String::as_str));
            return Ok(format!(": there is no {name} `{asked}`{}", suggestion(near.as_ref())));
        }
    }
    if filter.data_keys().next().is_some() {
        let known = engine.data_keys().await?;
        if let Some(asked) = filter.data_keys().find(|asked| !known.iter().any(|key| key == asked)) {
            return Ok(format!(": {}", no_such_key(asked, &known)));
        }
    }
    match filter.exactly("job_id") {
        Some(job) => Ok(any_of(&engine.similar_jobs(job).await?)),
        None => Ok(String::new()),
    }
}

/// That nothing is called so, neither a column nor a key of `data`, and which one is near.
pub fn no_such_key(asked: &str, known: &[String]) -> String {
    let near = nearest(asked, known.iter().map(String::as_str).chain(EVENT_COLUMNS.split(", ")));
    format!("there is no column and no key of data `{asked}`{}", suggestion(near.as_ref()))
}
