//! "No events of job X; did you mean …".

use arrow::array::AsArray as _;
use arrow::datatypes::TimestampMillisecondType;
use jiff::Timestamp;

use emp_store::Hour;

use super::nearest::no_such_job;
use super::{Engine, QueryError, literal};

/// Names at most.
const NAMES_MAX: usize = 3;
/// Sealed bytes to look through, the newest first: about a million events.
const SEALED_BYTES_MAX: u64 = 32 << 20;
/// Different jobs to compare with.
const JOBS_MAX: usize = 200_000;

/// A piece of an id shorter than this is of too many.
const PIECE_LETTERS_MIN: usize = 5;
/// Different keys of `data` to compare with.
const KEYS_MAX: usize = 10_000;

impl Engine {
    /// Up to three jobs of the newest part of the store whose ids begin like `job_id`, or
    /// differ from it by a slip or two; the closest first. The work is bounded, so a job that
    /// is long past may not be found.
    ///
    /// # Errors
    /// As [`Engine::sql`].
    pub async fn similar_jobs(&self, job_id: &str) -> Result<Vec<String>, QueryError> {
        let since = self.newest_hours()?;
        let sql = format!(
            "select distinct job_id from events where job_id is not null and ingested_at >= timestamp '{since}' \
             limit {JOBS_MAX}"
        );
        let mut answer = self.sql(&sql).await?;
        let mut near: Vec<(usize, String)> = Vec::new();
        while let Some(batch) = answer.next().await? {
            let jobs = batch.column(0).as_string::<i32>().iter().flatten();
            near.extend(jobs.filter_map(|job| Some((distance(job_id, job)?, job.to_owned()))));
            near.sort();
            near.truncate(NAMES_MAX);
        }
        Ok(near.into_iter().map(|(_, job)| job).collect())
    }

    /// Why nothing was found of a job, and which ones are near, in a sentence.
    ///
    /// # Errors
    /// As [`Engine::sql`].
    pub async fn why_no_job(&self, job_id: &str, similar: &[String]) -> Result<String, QueryError> {
        let sql = format!("select min(timestamp) from events where job_id = {}", literal(job_id));
        let batches = self.sql(&sql).await?.batches().await?;
        let first = batches.iter().find_map(|batch| {
            let firsts = batch.column(0).as_primitive_opt::<TimestampMillisecondType>()?;
            Timestamp::from_millisecond(firsts.iter().next()??).ok()
        });
        Ok(match first {
            Some(first) => format!("job `{job_id}` has no event before {first}: set --now to a later time"),
            None => no_such_job(job_id, similar),
        })
    }

    /// The one job of the newest part of the store whose id begins so; `None` where there is none, or several.
    ///
    /// # Errors
    /// As [`Engine::sql`].
    pub async fn only_job_like(&self, beginning: &str) -> Result<Option<String>, QueryError> {
        if beginning.is_empty() {
            return Ok(None);
        }
        let jobs = self.newest_jobs_like(beginning, 2).await?;
        Ok(if let [only] = &jobs[..] { Some(only.clone()) } else { None })
    }

    /// Jobs of the newest part of the store whose ids begin so, that many at most.
    ///
    /// # Errors
    /// As [`Engine::sql`].
    pub async fn newest_jobs_like(&self, beginning: &str, most: usize) -> Result<Vec<String>, QueryError> {
        self.newest_like("job_id", beginning, most).await
    }

    /// The same of another column of `events`.
    ///
    /// # Errors
    /// As [`Engine::sql`].
    pub async fn newest_like(&self, column: &str, beginning: &str, most: usize) -> Result<Vec<String>, QueryError> {
        let since = self.newest_hours()?;
        let sql = format!(
            "select distinct {column} from events where starts_with({column}, {}) and ingested_at >= timestamp '{since}' \
             limit {most}",
            literal(beginning)
        );
        self.texts(&sql).await
    }

    /// The keys of `data` in the newest part of the store.
    ///
    /// # Errors
    /// As [`Engine::sql`].
    pub async fn data_keys(&self) -> Result<Vec<String>, QueryError> {
        let since = self.newest_hours()?;
        let sql = format!(
            "select distinct key from (select unnest(json_object_keys(data)) as key from events \
             where ingested_at >= timestamp '{since}') limit {KEYS_MAX}"
        );
        self.texts(&sql).await
    }

    /// The texts of the first column of an answer; what is null is left out.
    pub(super) async fn texts(&self, sql: &str) -> Result<Vec<String>, QueryError> {
        let batches = self.sql(sql).await?.batches().await?;
        let columns = batches.iter().map(|batch| batch.column(0).as_string::<i32>());
        Ok(columns.flat_map(|texts| texts.iter().flatten().map(str::to_owned)).collect())
    }

    /// The beginning of the hour from which on the sealed files are few enough to look through.
    pub(super) fn newest_hours(&self) -> Result<Timestamp, QueryError> {
        Ok(Timestamp::from_millisecond(self.newest_hour()?.start_ms()).unwrap_or(Timestamp::MIN))
    }

    /// The first of those hours.
    pub(super) fn newest_hour(&self) -> Result<Hour, QueryError> {
        let view = self.source.view_or_failure()?;
        let sealed = view.sealed();
        let mut bytes = 0;
        let enough = sealed.files.iter().rev().find(|file| {
            bytes += file.partition.bytes;
            bytes > SEALED_BYTES_MAX
        });
        Ok(enough.or(sealed.files.first()).map_or(Hour::of_ms(0), |file| file.partition.hour))
    }
}

/// How far a job is from the one asked for; `None` where it is not near.
fn distance(asked: &str, job: &str) -> Option<usize> {
    if asked.is_empty() {
        return None;
    }
    let (asked, job) = (asked.to_lowercase(), job.to_lowercase());
    if job.starts_with(&asked) {
        return Some(0);
    }
    // A piece out of the middle, as people read it to each other.
    if asked.chars().count() >= PIECE_LETTERS_MIN && job.contains(&asked) {
        return Some(1);
    }
    let slips_max = (asked.chars().count() / 4).clamp(1, 3);
    let slips = strsim::osa_distance(&asked, &job);
    (slips <= slips_max).then_some(slips)
}
