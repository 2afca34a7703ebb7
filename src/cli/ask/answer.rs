//! Asking the store and showing what it answers: what every question has in common.

use std::io::{BufWriter, IsTerminal as _, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use emp_collect::Lag;
use emp_findings::Carried;
use emp_investigate::{
    ByClocks, EVENTS_READ_MAX, EVENTS_WITH_CLOCKS_MAX, Investigation, WithoutLevel, clocks_note, clocks_since,
    has_many_events,
};
use emp_prompt::clear;
use emp_query::{
    Answer, CannedQuery, Engine, Learning, OnLearning, QueryError, Settings, canned_queries, find, literal,
};
use emp_render::{AnswerWriter, Screen, visible};
use emp_store::StoreWriter;
use emp_units::parse_moment;

use super::asking::Asking;
use crate::cli::arguments::path_variable;
use crate::cli::failure::{Failure, Missing, Outcome};
use crate::cli::options::{FormatOption, Options};

/// The event of this very moment belongs to a range that ends now.
const NOW_MS: i64 = 1;

/// A time range, as every question about many jobs takes it.
#[derive(Debug, Args)]
pub(crate) struct TimeRange {
    /// Only events from then on: 1h, yesterday, 2025-09-27T14:00:00Z, an entry ID
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only events before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only events of the last 30m, 1h, 2d
    #[arg(long, value_name = "DURATION", conflicts_with = "since")]
    last: Option<String>,
}

impl TimeRange {
    /// As the first moment and the one after the last, ms since the epoch.
    /// It ends at `now_ms` where that was given by `--now`.
    pub fn bounds(&self, options: &Options, as_of: &AsOf, now_ms: i64) -> Result<(Option<i64>, Option<i64>), Failure> {
        let parse = |text: &Option<String>| text.as_deref().map(|text| moment(options, text, now_ms)).transpose();
        let since = parse(&self.since)?.or(parse(&self.last)?);
        let until = parse(&self.until)?.or(as_of.is_given().then_some(now_ms + NOW_MS));
        if since.zip(until).is_some_and(|(since, until)| since >= until) {
            return Err(Failure::Usage("--since is not before --until: no time lies between them".to_owned()));
        }
        Ok((since, until))
    }

    /// When it begins and when it ends, ms since the epoch: it ends now, and has that length, where neither was said.
    /// The moment of `--now` is its last.
    pub fn or_last(&self, options: &Options, now_ms: i64, length_ms: i64) -> Result<(i64, i64), Failure> {
        let (since, until) = self.bounds(options, &AsOf::default(), now_ms)?;
        let until = until.unwrap_or(now_ms);
        Ok((since.unwrap_or(until - length_ms), until))
    }

    /// Was any of it said?
    pub fn is_given(&self) -> bool {
        self.since.is_some() || self.until.is_some() || self.last.is_some()
    }

    /// When the range as long right before begins, which ends with `since_ms`.
    pub fn right_before(since_ms: i64, until_ms: i64, now_ms: i64) -> i64 {
        let end_ms = if until_ms == now_ms + NOW_MS { now_ms } else { until_ms };
        since_ms - (end_ms - since_ms)
    }

    /// As parameters of a canned query that is asked by the clock of `as_of`.
    pub fn parameters(self, options: &Options, as_of: &AsOf) -> Result<[Option<(String, String)>; 2], Failure> {
        let now_ms = as_of.given_ms(options)?.map(|now_ms| now_ms + NOW_MS);
        let until = self.until.or(now_ms.map(|ms| ms.to_string()));
        Ok([parameter("since", self.since.or(self.last)), parameter("until", until)])
    }
}

/// The parameter by which a canned query takes the producers' clocks as they are.
pub(super) fn clocks(raw: bool) -> Option<(String, String)> {
    parameter("clocks", raw.then(|| "raw".to_owned()))
}

/// One parameter of a canned query, where it was given.
pub(super) fn parameter(name: &str, value: Option<String>) -> Option<(String, String)> {
    Some((name.to_owned(), value?))
}

/// Runs the canned query of that name and shows its answer.
pub(super) async fn ask_canned(
    asking: &Asking<'_>,
    as_of: &AsOf,
    query: &CannedQuery,
    parameters: &[(String, String)],
) -> Outcome {
    ask(asking, as_of, async |engine| {
        asking.is_in_sql(&engine.filled(query, parameters)?);
        engine.canned(query, parameters).await
    })
    .await
}

/// The same of a query about times between producers, of all jobs or of one: says whose clocks are wrong in its range.
pub(super) async fn ask_by_clocks(
    asking: &Asking<'_>,
    as_of: &AsOf,
    name: &str,
    job: Option<String>,
    (parameters, exact): (Vec<Option<(String, String)>>, bool),
) -> Outcome {
    let queries = canned()?;
    let query = find(&queries, name)?;
    ask(asking, as_of, async |engine| {
        let job = match job {
            Some(job) => Some(known_job(asking, engine, job).await?),
            None => None,
        };
        let parameters: Vec<_> = parameters.into_iter().chain([parameter("job_id", job)]).flatten().collect();
        asking.is_in_sql(&engine.filled(query, &parameters)?);
        let by = match parameters.iter().any(|(name, _)| name == "clocks") {
            true => ByClocks::Raw,
            false => ByClocks::Corrected,
        };
        let of_clocks = |given: &&(String, String)| ["job_id", "since", "until"].contains(&given.0.as_str());
        let of_clocks: Vec<(String, String)> = parameters.iter().filter(of_clocks).cloned().collect();
        let of_clocks = if exact { of_clocks } else { of_last_week(asking, engine, as_of, of_clocks)? };
        let note = clocks_note(engine, &of_clocks, by).await?;
        let hint = if by == ByClocks::Corrected { "; --raw-clocks takes their word" } else { "" };
        asking.warn(note.map(|note| note + hint).as_slice());
        let events = if exact { u64::MAX } else { EVENTS_READ_MAX };
        if let Some(answer) = engine.canned_from_files(query, &parameters, events).await? {
            // The longest silences themselves are exact.
            if name != "gaps" {
                asking.warn(&["≈ p50, p95 and p99 are within 1 %; --exact reads each event".to_owned()]);
            }
            return Ok(answer);
        }
        Ok::<_, Failure>(engine.canned(query, &parameters).await?)
    })
    .await
}

/// Of a range with very many events, the part of which clocks are told.
fn of_last_week(
    asking: &Asking<'_>,
    engine: &Engine,
    as_of: &AsOf,
    mut given: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, Failure> {
    let now_ms = as_of.ms(asking, engine)?;
    let bound = |name: &str| -> Result<Option<i64>, Failure> {
        let text = given.iter().rev().find(|(given, _)| given == name);
        text.map(|(_, text)| moment(asking, text, now_ms)).transpose()
    };
    let (since_ms, until_ms) = (bound("since")?, bound("until")?);
    if given.iter().all(|(name, _)| name != "job_id")
        && has_many_events(engine, since_ms, until_ms, EVENTS_WITH_CLOCKS_MAX)?
    {
        given.push(("since".to_owned(), clocks_since(since_ms, until_ms.unwrap_or(now_ms)).to_string()));
    }
    Ok(given)
}

/// Every canned query, the user's own from `EMP_EVENTS_SQL` included.
pub(super) fn canned() -> Result<Vec<CannedQuery>, Failure> {
    let folder = path_variable("EMP_EVENTS_SQL");
    Ok(canned_queries(folder.as_deref())?)
}

/// Asks the engine and shows the answer as it comes.
pub(super) async fn ask<E: Into<Failure>>(
    asking: &Asking<'_>,
    as_of: &AsOf,
    question: impl AsyncFnOnce(&Engine) -> Result<Answer, E>,
) -> Outcome {
    ask_in(asking, as_of, false, question).await
}

/// The same, where rows are to stand upright and no text is to be cut, if `is_tall`.
pub(super) async fn ask_in<E: Into<Failure>>(
    asking: &Asking<'_>,
    as_of: &AsOf,
    is_tall: bool,
    question: impl AsyncFnOnce(&Engine) -> Result<Answer, E>,
) -> Outcome {
    let begun = Instant::now();
    let engine = as_of.engine(asking)?;
    stream(asking, &engine, begun, is_tall, question(&engine)).await?;
    Ok(ExitCode::SUCCESS)
}

/// Shows the answer to a question that was begun then, as it comes: how many rows.
pub(super) async fn stream<E: Into<Failure>>(
    asking: &Asking<'_>,
    engine: &Engine,
    begun: Instant,
    is_tall: bool,
    question: impl Future<Output = Result<Answer, E>>,
) -> Result<usize, Failure> {
    let screen = asking.screen();
    let mut out = BufWriter::new(asking);
    let mut answer = asking.watched(engine, question).await.map_err(Into::into)?;
    asking.warn(&answer.new_warnings());
    let schema = answer.schema.clone();
    let mut writer = match is_tall {
        true => AnswerWriter::tall(&mut out, &screen, schema),
        false => AnswerWriter::new(&mut out, asking.format(), &screen, schema),
    };
    let (mut rows, rows_max) = (0, asking.rows_max().unwrap_or(usize::MAX));
    while let Some(batch) = asking.watched(engine, answer.next()).await? {
        let batch = batch.slice(0, batch.num_rows().min(rows_max - rows));
        if batch.num_rows() == 0 {
            asking.warn(&[format!("the first {rows_max} rows of more: ask for fewer, or with a larger limit")]);
            break;
        }
        rows += batch.num_rows();
        writer.write(&batch)?;
    }
    asking.warn(&answer.new_warnings());
    writer.finish(Some(begun.elapsed()))?;
    out.flush()?;
    Ok(rows)
}

/// Shows an answer that is one value: as JSON where that was asked for, else for a person.
pub(super) fn show<T: Serialize>(
    asking: &Asking<'_>,
    answer: &T,
    for_person: impl FnOnce(&mut dyn Write, &Screen, &T) -> std::io::Result<()>,
) -> Result<(), Failure> {
    asking.allow_formats(&FormatOption::OF_VALUES)?;
    let mut out = BufWriter::new(asking);
    match asking.format {
        Some(FormatOption::Json | FormatOption::Ndjson) => write_json(&mut out, asking, answer)?,
        _ => for_person(&mut out, &asking.screen(), answer)?,
    }
    Ok(out.flush()?)
}

/// The same of a list, of which NDJSON has a line for each.
pub(super) fn show_list<T: Serialize>(
    asking: &Asking<'_>,
    answer: &[T],
    for_person: impl FnOnce(&mut dyn Write, &Screen) -> std::io::Result<()>,
) -> Result<(), Failure> {
    if asking.format != Some(FormatOption::Ndjson) {
        return show(asking, &answer, |out, screen, _| for_person(out, screen));
    }
    let mut out = BufWriter::new(asking);
    answer.iter().try_for_each(|one| write_json(&mut out, asking, one))?;
    Ok(out.flush()?)
}

/// The same of a value that is a list besides: NDJSON has a line for each of its parts.
pub(super) fn show_parts<T: Serialize, P: Serialize>(
    asking: &Asking<'_>,
    answer: &T,
    parts: &[P],
    for_person: impl FnOnce(&mut dyn Write, &Screen, &T) -> std::io::Result<()>,
) -> Result<(), Failure> {
    match asking.format {
        Some(FormatOption::Ndjson) => show_list(asking, parts, |_, _| Ok(())),
        _ => show(asking, answer, for_person),
    }
}

/// Asks for rows that are to be looked at as a whole.
pub(super) async fn gather(asking: &Asking<'_>, mut answer: Answer) -> Result<Vec<RecordBatch>, Failure> {
    let batches = answer.rest().await;
    asking.warn(&answer.new_warnings());
    Ok(batches?)
}

/// The store of the options, as of now.
pub(super) fn engine(options: &Options) -> Result<Engine, Failure> {
    Ok(engine_in(options, options.time_zone(), on_learning())?)
}

/// The same with a time zone that was understood before.
pub(super) fn engine_in(
    options: &Options,
    zone: TimeZone,
    on_learning: Option<OnLearning>,
) -> Result<Engine, QueryError> {
    engine_with(options, zone, Settings { on_learning, ..Settings::default() })
}

/// The same for programs that speak to PostgreSQL.
pub(super) fn engine_for_postgres(options: &Options) -> Result<Engine, QueryError> {
    engine_with(options, options.time_zone(), Settings { for_postgres: true, ..Settings::default() })
}

fn engine_with(options: &Options, zone: TimeZone, settings: Settings) -> Result<Engine, QueryError> {
    let settings = Settings { memory_bytes: options.asking.memory, ..settings };
    #[cfg(feature = "workers")]
    let settings = {
        let others = options.asking.workers.others().map_err(|failure| QueryError::Failed(failure.to_string()))?;
        Settings { spread: others, ..settings }
    };
    let engine = Engine::open_with(&options.asked_layout(asks_for_id())?, settings)?;
    let now_ms = now_ms(options, &engine)?;
    Ok(engine.with_clock(Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::MAX), zone))
}

/// Does what was typed name an id? It is a guess, by which more is fetched from a bucket at once.
fn asks_for_id() -> bool {
    const COMMANDS: [&str; 3] = ["timeline", "diagnose", "correlate"];
    const OPTIONS: [&str; 5] = ["--job-id", "--trace-id", "--worker-id", "--machine-id", "--user-id"];
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let is_option = |word: &String| OPTIONS.iter().any(|option| word.starts_with(option));
    let is_command = |word: &String| COMMANDS.contains(&word.as_str());
    words.iter().any(is_command) || words.iter().any(is_option)
}

/// Says on a terminal why a first question about ids, texts or whole hours takes longer.
pub(super) fn on_learning() -> Option<OnLearning> {
    let tell = |what: Learning, done: usize, all: usize| {
        let what = match what {
            Learning::Ids => "ids",
            Learning::Texts => "words",
            Learning::Hours => "events",
            Learning::Jobs => "jobs",
        };
        if done == all {
            clear();
        } else if done.is_multiple_of(64) {
            eprint!("\rreading the {what} of {all} files, for this and all further questions: {done}");
        }
    };
    std::io::stderr().is_terminal().then(|| Arc::new(tell) as OnLearning)
}

/// What now is where nobody says, ms since the epoch: the real time, or that of the newest event where no collector
/// writes.
pub(super) fn now_ms(options: &Options, engine: &Engine) -> Result<i64, QueryError> {
    let is_live = options.folders().iter().any(|layout| StoreWriter::is_locked(layout).unwrap_or(false));
    let newest_ms = if is_live { None } else { engine.newest_ms()? };
    Ok(newest_ms.unwrap_or_else(|| Timestamp::now().as_millisecond()))
}

/// As of when a question is asked.
#[derive(Debug, Default, Args)]
pub(crate) struct AsOf {
    /// As of then [default: now, or the store's newest event where no collector writes to it]
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
}

impl AsOf {
    fn is_given(&self) -> bool {
        self.now.is_some()
    }

    /// That moment, ms since the epoch, where it was said.
    pub fn given_ms(&self, options: &Options) -> Result<Option<i64>, Failure> {
        let real_ms = Timestamp::now().as_millisecond();
        self.now.as_deref().map(|given| moment(options, given, real_ms)).transpose()
    }

    /// The store, whose clock stands at that moment.
    pub fn engine(&self, asking: &Asking<'_>) -> Result<Engine, Failure> {
        let engine = asking.engine()?;
        let given_ms = self.given_ms(asking)?;
        asking.is_as_of(given_ms.map_or_else(|| now_ms(asking, &engine), Ok)?);
        Ok(match given_ms {
            Some(ms) => {
                engine.with_clock(Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX), asking.time_zone())
            }
            None => engine,
        })
    }

    /// As of when all of a range is judged, which is its end, and when it begins.
    pub fn at_end_of(
        &self,
        range: &TimeRange,
        asking: &Asking<'_>,
        engine: &Engine,
        length_ms: i64,
    ) -> Result<(Self, i64), Failure> {
        let now_ms = self.given_ms(asking)?.map_or_else(|| now_ms(asking, engine), Ok)?;
        asking.is_as_of(now_ms);
        let (since_ms, until_ms) = range.or_last(asking, now_ms, length_ms)?;
        let now = if range.until.is_some() { Some(until_ms.to_string()) } else { self.now.clone() };
        Ok((Self { now }, since_ms))
    }

    /// That moment, ms since the epoch. What is typed next is to ask the same store, as of the same moment.
    pub fn ms(&self, asking: &Asking<'_>, engine: &Engine) -> Result<i64, Failure> {
        let given_ms = self.given_ms(asking)?;
        emp_findings::carry(Carried { stores: asking.named_stores(), now_ms: given_ms });
        let now_ms = given_ms.map_or_else(|| now_ms(asking, engine), Ok)?;
        asking.is_as_of(now_ms);
        Ok(now_ms)
    }

    /// The store as of then. What it lacks of its stream is said first.
    pub async fn investigation<'a>(
        &self,
        asking: &Asking<'_>,
        engine: &'a Engine,
    ) -> Result<Investigation<'a>, Failure> {
        // Redis is asked meanwhile: it may be far, or not there.
        let missing = self.say_what_is_missing(asking, engine);
        let (said, opened) = tokio::join!(missing, self.investigation_quietly(asking, engine));
        said?;
        opened
    }

    /// The same where somebody else says what is missing.
    pub async fn investigation_quietly<'a>(
        &self,
        asking: &Asking<'_>,
        engine: &'a Engine,
    ) -> Result<Investigation<'a>, Failure> {
        Ok(Investigation::open(engine, self.ms(asking, engine)?).await?)
    }

    /// Says what the store lacks of its stream: nothing where a moment of the past was asked about.
    pub async fn say_what_is_missing(&self, asking: &Asking<'_>, engine: &Engine) -> Result<(), Failure> {
        let newest_ms = engine.newest_ms()?;
        let now_ms = self.ms(asking, engine)?;
        // What is in a bucket is what is over: nobody expects the last events there.
        if !asking.is_one_folder() || self.now.is_some() && newest_ms.is_some_and(|newest_ms| now_ms <= newest_ms) {
            return Ok(());
        }
        let lag = Lag::of(&asking.collect_settings(None)?).await;
        if let Some(missing) = lag.and_then(|lag| lag.in_words()) {
            asking.warn(&[missing]);
        }
        Ok(())
    }
}

/// A time as people type it, ms since the epoch, counted from `now_ms`.
pub(super) fn moment(options: &Options, text: &str, now_ms: i64) -> Result<i64, Failure> {
    let now = Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::MAX);
    parse_moment(text, now, &options.time_zone()).map_err(|error| Failure::Usage(error.to_string()))
}

/// An answer as JSON: on one line where lines were asked for, else laid out for a person.
pub(super) fn write_json(out: &mut impl Write, options: &Options, answer: &impl Serialize) -> std::io::Result<()> {
    match options.format {
        Some(FormatOption::Ndjson) => serde_json::to_writer(&mut *out, answer)?,
        _ => serde_json::to_writer_pretty(&mut *out, answer)?,
    }
    writeln!(out)
}

/// Says that a job is not there, and which ones are near.
pub(super) async fn unknown_job(engine: &Engine, job: &str) -> Result<Failure, Failure> {
    let similar = engine.similar_jobs(job).await?;
    Ok(Missing(engine.why_no_job(job, &similar).await?).into())
}

/// That job, or the only one whose id begins so.
async fn known_job(asking: &Asking<'_>, engine: &Engine, job: String) -> Result<String, Failure> {
    match meant_by(asking, engine, &job).await? {
        Some(meant) => Ok(meant),
        None => Err(unknown_job(engine, &job).await?),
    }
}

/// The id of that job, or of the only one whose id begins so; `None` where there is neither.
pub(super) async fn meant_by(asking: &Asking<'_>, engine: &Engine, job: &str) -> Result<Option<String>, Failure> {
    let mut of_job = engine.sql(&format!("select 1 from events where job_id = {} limit 1", literal(job))).await?;
    if of_job.next().await?.is_some_and(|batch| batch.num_rows() > 0) {
        return Ok(Some(job.to_owned()));
    }
    job_meant(asking, engine, job).await
}

/// The one job whose id begins so, which is said; `None` where there is none, or several.
pub(super) async fn job_meant(asking: &Asking<'_>, engine: &Engine, job: &str) -> Result<Option<String>, Failure> {
    let beginning = job.strip_suffix('*').unwrap_or(job);
    let meant = engine.only_job_like(beginning).await?.filter(|meant| meant != job);
    if let Some(meant) = &meant {
        asking.tell(&format!("{} is taken for {}, the only job whose id begins so", visible(job), visible(meant)));
    }
    Ok(meant)
}

/// A runtime for queries: as many threads as the machine has cores.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Says how many failures of a range count as no errors, where there are some.
pub(super) async fn note_failures_without_level(
    asking: &Asking<'_>,
    engine: &Engine,
    (since_ms, until_ms): (Option<i64>, Option<i64>),
) -> Result<(), Failure> {
    let note = WithoutLevel::of_range(engine, since_ms, until_ms).await?.note();
    asking.warn(note.as_slice());
    Ok(())
}
