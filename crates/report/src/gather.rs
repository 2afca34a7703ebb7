//! Reading from the store what a report tells.

use std::collections::{BTreeMap, HashMap};

use jiff::tz::TimeZone;

use emp_findings::{Anomalies, Changes, ErrorClass, Judged};
use emp_investigate::{
    Answering, ChangesQuestion, EVENTS_READ_MAX, Investigation, InvestigationError, PerfQuestion, Rows, changes,
    has_many_events, perf,
};
use emp_job::{Meaning, vocabulary};
use emp_query::{Engine, canned_queries, find, literal, moment_literal};
use emp_units::bucket_ms;

use super::completeness::completeness;
use super::data::{
    Completeness, Course, GapClass, Handoff, Latency, Rates, Report, ReportQuestion, Section, SlowJob, Totals,
};
use super::lives::{JOBS_MAX, Lives, lives_sql};

/// Buckets of time in a chart, at most.
const BUCKETS_MAX: i64 = 96;
/// Services with a colour of their own; the others are put together.
const SERVICES_MAX: usize = 7;
const EVENT_TYPES_MAX: usize = 14;
/// Types whose course over time is drawn.
const COURSES_MAX: usize = 6;
const ERRORS_MAX: usize = 12;
/// Events of one job that are drawn, the last ones: one that is open all year has a hundred thousand.
pub(super) const STEPS_MAX: usize = 1_000;
/// Bars of an error's course.
const COURSE_BARS: usize = 24;
const HOUR_MS: i64 = 3_600_000;

impl Report {
    /// Asks the store for everything; times will be shown in `zone`.
    ///
    /// # Errors
    /// [`InvestigationError`] where the store cannot be read.
    pub fn gather<'a>(
        investigation: &'a Investigation<'_>,
        question: ReportQuestion,
        zone: TimeZone,
    ) -> Answering<'a, Self> {
        Box::pin(async move {
            let engine = investigation.engine();
            let mut lives = Lives::of(engine, (question.since_ms, question.until_ms)).await?;
            let longest = lives.take_longest();
            // Side by side, as each waits for threads that read. What reads the data of events does it one after the other: these
            // may be large.
            let (counts, data) = futures::try_join!(
                Counts::of(engine, &question, lives, investigation.now_ms()),
                OfData::of(investigation, &question, longest),
            )?;
            let Counts { rates, latencies, completeness, course, totals, before, handoffs, gaps } = counts;
            let OfData { judged, anomalies, changes, errors, jobs } = data;
            Ok(Self {
                question,
                now_ms: investigation.now_ms(),
                zone,
                totals,
                before,
                completeness,
                judged,
                anomalies,
                changes,
                course,
                handoffs,
                jobs,
                gaps,
                errors,
                rates,
                latencies,
            })
        })
    }
}

/// What is told by counting events, how long they took, and the steps of jobs.
struct Counts {
    rates: Section<Rates>,
    latencies: Section<Vec<Latency>>,
    completeness: Completeness,
    course: Section<Course>,
    totals: Totals,
    before: Totals,
    handoffs: Section<Vec<Handoff>>,
    gaps: Section<Vec<GapClass>>,
}

impl Counts {
    async fn of(
        engine: &Engine,
        question: &ReportQuestion,
        lives: Lives,
        now_ms: i64,
    ) -> Result<Self, InvestigationError> {
        let range_before = (question.against_ms, question.against_until_ms());
        let rates = rates(engine, question).await?;
        let latencies = latencies(engine, question, now_ms).await?;
        Ok(Self {
            completeness: completeness(engine, question, &rates.content).await?,
            course: course(engine, question, &latencies.content).await?,
            totals: totals(engine, (question.since_ms, question.until_ms), lives).await?,
            before: totals(engine, range_before, Lives::of(engine, range_before).await?).await?,
            handoffs: handoffs(engine, question).await?,
            gaps: gaps(engine, question).await?,
            rates,
            latencies,
        })
    }
}

/// What is told by what events say.
struct OfData {
    judged: Judged,
    anomalies: Anomalies,
    changes: Option<Changes>,
    errors: Section<Vec<ErrorClass>>,
    jobs: Section<Vec<SlowJob>>,
}

impl OfData {
    async fn of(
        investigation: &Investigation<'_>,
        question: &ReportQuestion,
        longest: Vec<String>,
    ) -> Result<Self, InvestigationError> {
        Ok(Self {
            // The jobs of the last hour with which something is wrong, and what is unusual now: both look at the same events.
            judged: investigation.diagnose_all(investigation.now_ms() - HOUR_MS).await?,
            anomalies: investigation.anomalies().await?,
            changes: what_changed(investigation.engine(), question).await?,
            errors: errors(investigation, question).await?,
            jobs: slow_jobs(investigation, question, longest).await?,
        })
    }
}

/// What is different from the earlier range; `None` where there is no such range.
async fn what_changed(engine: &Engine, question: &ReportQuestion) -> Result<Option<Changes>, InvestigationError> {
    let before = (question.against_ms, question.against_until_ms());
    match ChangesQuestion::new((question.since_ms, question.until_ms), before) {
        Ok(question) => Ok(Some(changes(engine, &question).await?)),
        Err(_) => Ok(None),
    }
}

/// The condition that an event is of a range.
fn within(since_ms: i64, until_ms: i64) -> String {
    format!("timestamp >= {} and timestamp < {}", moment_literal(since_ms), moment_literal(until_ms))
}

/// The condition that an event is of the report's range.
pub(super) fn in_range(question: &ReportQuestion) -> String {
    within(question.since_ms, question.until_ms)
}

/// The function that tells quantiles of the range: within 0.1 % of very many events, from what hours contribute.
fn quantile_of(engine: &Engine, question: &ReportQuestion) -> Result<&'static str, InvestigationError> {
    Ok(match has_many_events(engine, Some(question.since_ms), Some(question.until_ms), EVENTS_READ_MAX)? {
        true => "approx_quantile",
        false => "quantile_cont",
    })
}

async fn totals(
    engine: &Engine,
    (since_ms, until_ms): (i64, i64),
    mut lives: Lives,
) -> Result<Totals, InvestigationError> {
    let within = within(since_ms, until_ms);
    let types = |meaning| vocabulary().types(meaning).into_iter().map(literal).collect::<Vec<_>>().join(", ");
    let (completed, failed) = (types(Meaning::Completed), types(Meaning::Failed));
    let sql = format!(
        "select count(*) as events, count(*) filter (where level = 'error') as errors, \
         count(*) filter (where event_type in ({completed})) as completed, \
         count(*) filter (where event_type in ({failed})) as failed, \
         cast(min(timestamp) as bigint) as first from events where {within}"
    );
    let counts = Rows::ask(engine, &sql).await?.map(|row| {
        let number = |name| row.integer(name);
        Ok((number("events")?, number("errors")?, number("completed")?, number("failed")?, number("first")?))
    })?;
    let (events, errors, completed, failed, first_ms) = counts.first().copied().unwrap_or_default();
    let (jobs, job_p50_ms, job_p95_ms) = (lives.jobs(), lives.quantile(0.5), lives.quantile(0.95));
    let first_ms = (events > 0).then_some(first_ms);
    Ok(Totals { events, jobs, completed, failed, errors, job_p50_ms, job_p95_ms, first_ms })
}

async fn rates(engine: &Engine, question: &ReportQuestion) -> Result<Section<Rates>, InvestigationError> {
    let bucket_ms = bucket_ms(question.length_ms(), BUCKETS_MAX);
    let sql = format!(
        "select service, cast(floor(cast(timestamp as bigint) / {bucket_ms}.0) as bigint) as bucket, count(*) as events \
         from events where {} group by 1, 2 order by 1, 2",
        in_range(question)
    );
    let first = question.since_ms.div_euclid(bucket_ms);
    let buckets = ((question.until_ms - 1).div_euclid(bucket_ms) - first + 1) as usize;
    let minutes = bucket_ms as f64 / 60_000.0;
    let mut services: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    Rows::ask(engine, &sql).await?.map(|row| {
        let rates = services.entry(row.text("service")?).or_insert_with(|| vec![0.0; buckets]);
        if let Some(rate) = usize::try_from(row.integer("bucket")? - first).ok().and_then(|at| rates.get_mut(at)) {
            *rate = row.integer("events")? as f64 / minutes;
        }
        Ok(())
    })?;
    let mut services: Vec<_> = services.into_iter().collect();
    let total = |rates: &[f64]| rates.iter().sum::<f64>();
    services.sort_by(|(a, of_a), (b, of_b)| total(of_b).total_cmp(&total(of_a)).then(a.cmp(b)));
    if services.len() > SERVICES_MAX + 1 {
        let mut others = vec![0.0; buckets];
        for (_, rates) in services.drain(SERVICES_MAX..) {
            others.iter_mut().zip(rates).for_each(|(sum, rate)| *sum += rate);
        }
        services.push(("others".to_owned(), others));
    }
    Ok(Section { sql, command: None, content: Rates { from_ms: first * bucket_ms, bucket_ms, services } })
}

async fn latencies(
    engine: &Engine,
    question: &ReportQuestion,
    now_ms: i64,
) -> Result<Section<Vec<Latency>>, InvestigationError> {
    let quantile = quantile_of(engine, question)?;
    let shares = [("0.05", "p5"), ("0.25", "p25"), ("0.5", "p50"), ("0.75", "p75"), ("0.95", "p95"), ("0.99", "p99")];
    let quantiles = shares.map(|(share, name)| format!("{quantile}(duration_ms, {share}) as {name}"));
    let sql = format!(
        "select event_type, count(duration_ms) as count, {}, max(duration_ms) as max \
         from events where {} group by event_type having count(duration_ms) > 0 \
         order by p50 * count desc, event_type limit {EVENT_TYPES_MAX}",
        quantiles.join(", "),
        in_range(question)
    );
    let compared = PerfQuestion {
        by: "event_type".to_owned(),
        since_ms: Some(question.since_ms),
        until_ms: Some(question.until_ms),
        against_ms: Some(question.against_ms),
        now_ms,
        limit: 1_000,
        exact: false,
    };
    let compared = Rows(vec![perf(engine, &compared).await?.0]);
    type Change = (Option<f64>, Option<f64>, Option<bool>);
    let mut changes: HashMap<String, Change> = HashMap::new();
    compared.map(|row| {
        let is_real = row.optional_text("is_real")?.map(|text| text == "true");
        changes.insert(row.text("event_type")?, (row.number("p50_before_ms")?, row.number("change")?, is_real));
        Ok(())
    })?;
    let content = Rows::ask(engine, &sql).await?.map(|row| {
        let event_type = row.text("event_type")?;
        let mut quantiles = [0.0; 7];
        for (value, name) in quantiles.iter_mut().zip(["p5", "p25", "p50", "p75", "p95", "p99", "max"]) {
            *value = row.number(name)?.unwrap_or_default();
        }
        let (before_p50_ms, change, is_real) = changes.remove(&event_type).unwrap_or_default();
        Ok(Latency { event_type, count: row.integer("count")?, quantiles, before_p50_ms, change, is_real })
    })?;
    let command = Some(format!("emp-events perf {}", range_options(question)));
    Ok(Section { sql, command, content })
}

async fn course(
    engine: &Engine,
    question: &ReportQuestion,
    latencies: &[Latency],
) -> Result<Section<Course>, InvestigationError> {
    let bucket_ms = bucket_ms(question.length_ms(), BUCKETS_MAX);
    let shown: Vec<&str> = latencies.iter().take(COURSES_MAX).map(|one| one.event_type.as_str()).collect();
    let names: Vec<String> = shown.iter().map(|name| literal(name)).collect();
    let quantile = quantile_of(engine, question)?;
    let among = if names.is_empty() { "false".to_owned() } else { format!("event_type in ({})", names.join(", ")) };
    let sql = format!(
        "select event_type, cast(floor(cast(timestamp as bigint) / {bucket_ms}.0) as bigint) as bucket, \
         {quantile}(duration_ms, 0.5) as p50, {quantile}(duration_ms, 0.95) as p95 from events \
         where {among} and {} group by 1, 2 having count(duration_ms) > 0 order by 1, 2",
        in_range(question)
    );
    let mut event_types: Vec<(String, Vec<_>)> = shown.iter().map(|name| ((*name).to_owned(), Vec::new())).collect();
    Rows::ask(engine, &sql).await?.map(|row| {
        let event_type = row.text("event_type")?;
        let number = |name| Ok::<_, InvestigationError>(row.number(name)?.unwrap_or_default());
        if let Some((_, points)) = event_types.iter_mut().find(|(name, _)| *name == event_type) {
            points.push((row.integer("bucket")? * bucket_ms, number("p50")?, number("p95")?));
        }
        Ok(())
    })?;
    Ok(Section { sql, command: None, content: Course { event_types } })
}

/// As the command line takes the range.
fn range_options(question: &ReportQuestion) -> String {
    format!("--since {} --until {}", question.since_ms, question.until_ms)
}

/// A canned query over the range.
async fn canned(
    engine: &Engine,
    question: &ReportQuestion,
    name: &str,
    limit: usize,
) -> Result<(String, Rows), InvestigationError> {
    let queries = canned_queries(None)?;
    let query = find(&queries, name)?;
    let parameters = [
        ("since", question.since_ms.to_string()),
        ("until", question.until_ms.to_string()),
        ("limit", limit.to_string()),
    ];
    let sql = parameters.iter().fold(query.sql.clone(), |sql, (name, value)| {
        sql.replace(&format!("${name}"), &if *name == "limit" { value.clone() } else { moment_literal_of(value) })
    });
    let given: Vec<(String, String)> = parameters.map(|(name, value)| (name.to_owned(), value)).into();
    // What no report sets is as it is by default.
    let sql = sql.replace("$job_id", "null").replace("$clocks", "'corrected'");
    let sql = sql.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
    let answer = match engine.canned_from_files(query, &given, EVENTS_READ_MAX).await? {
        Some(answer) => answer,
        None => engine.canned(query, &given).await?,
    };
    Ok((sql.trim().to_owned(), Rows(answer.batches().await?)))
}

fn moment_literal_of(ms: &str) -> String {
    ms.parse().map_or_else(|_| literal(ms), moment_literal)
}

async fn handoffs(engine: &Engine, question: &ReportQuestion) -> Result<Section<Vec<Handoff>>, InvestigationError> {
    let (sql, rows) = canned(engine, question, "handoffs", 50).await?;
    let content = rows.map(|row| {
        Ok(Handoff {
            from: row.text("from_service")?,
            to: row.text("to_service")?,
            count: row.integer("handoffs")?,
            p50_ms: row.number("p50_ms")?,
            p95_ms: row.number("p95_ms")?,
            p99_ms: row.number("p99_ms")?,
            skewed: row.integer("skewed")?,
            worst_job: row.optional_text("worst_job")?,
        })
    })?;
    Ok(Section { sql, command: Some(format!("emp-events handoffs {}", range_options(question))), content })
}

async fn gaps(engine: &Engine, question: &ReportQuestion) -> Result<Section<Vec<GapClass>>, InvestigationError> {
    let (sql, rows) = canned(engine, question, "gap-classes", 12).await?;
    let content = rows.map(|row| {
        let number = |name| Ok::<_, InvestigationError>(row.number(name)?.unwrap_or_default());
        Ok(GapClass {
            from_event: row.text("from_event")?,
            from_service: row.text("from_service")?,
            to_event: row.text("to_event")?,
            to_service: row.text("to_service")?,
            count: row.integer("gaps")?,
            p50_ms: number("p50_ms")?,
            p95_ms: number("p95_ms")?,
            max_ms: number("max_ms")?,
            worst_job: row.text("worst_job")?,
        })
    })?;
    let sql = sql.replace("$min_gap", "5000");
    Ok(Section { sql, command: Some(format!("emp-events gaps --by class {}", range_options(question))), content })
}

async fn slow_jobs(
    investigation: &Investigation<'_>,
    question: &ReportQuestion,
    longest: Vec<String>,
) -> Result<Section<Vec<SlowJob>>, InvestigationError> {
    let mut content = Vec::new();
    for job_id in longest {
        if let Some((history, is_cut)) = investigation.last_steps(&job_id, STEPS_MAX).await? {
            let judgement = investigation.judge_timeline(&history, None);
            content.push(SlowJob { job_id, history, judgement, is_cut });
        }
    }
    let sql =
        format!("{} order by ms desc, job_id limit {JOBS_MAX}", lives_sql((question.since_ms, question.until_ms)));
    Ok(Section { sql, command: None, content })
}

async fn errors(
    investigation: &Investigation<'_>,
    question: &ReportQuestion,
) -> Result<Section<Vec<ErrorClass>>, InvestigationError> {
    let mut content = investigation.errors((question.since_ms, question.until_ms), COURSE_BARS).await?;
    content.truncate(ERRORS_MAX);
    let sql = format!(
        "select service, event_type, data->>'error' as error, timestamp, job_id from events \
         where level = 'error' and {}\n-- then put together by fingerprint: the text with ids and numbers masked",
        in_range(question)
    );
    let command = Some(format!("emp-events search --level error {}", range_options(question)));
    Ok(Section { sql, command, content })
}
