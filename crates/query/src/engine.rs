//! The engine: one store, asked in SQL.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use datafusion::catalog::memory::DataSourceExec;
use datafusion::common::ParamValues;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig};
use datafusion::error::DataFusionError;
use datafusion::execution::{FunctionRegistry as _, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use datafusion::prelude::SessionContext;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use emp_catalog::ClosedDay;
use emp_event::EntryId;
use emp_job::Offsets;
use emp_store::{Hour, Layout, Partition, Writer};
use emp_typical::{Learning, Typical};

use super::canned::CannedQuery;
use super::clocks::{KnownOffsets, goes_by_clocks};
use super::optimize::counts_from_catalog;
use super::postgres::{self, Bound, Postgres};
use super::rollups::from_rollups;
use super::session::{self, Limits};
use super::spread::{self, Helped, Spread};
use super::transitions::{KnownJobs, TransitionsExec};
use super::translate::{Asked, translate, vanished};
use super::view::{OnLearning, Source, lock};
use super::{Answer, QueryError, functions, statement, tables};

/// Answers questions about one store, as it was when the engine was opened.
///
/// Opening is cheap, so a process opens one for each question that should see new events.
/// An engine looks again by itself where files have gone since.
pub struct Engine {
    pub(super) source: Arc<Source>,
    pub(super) context: SessionContext,
    limits: Limits,
    pub(super) clock: Clock,
    /// Whose clocks were behind in the ranges that were asked about last: several questions about one range go by them.
    pub(super) offsets: Mutex<KnownOffsets>,
    /// What is kept of jobs, once it was asked for.
    pub(super) job_rollups: Arc<Mutex<Option<KnownJobs>>>,
    /// The plan that runs, from which [`Self::progress`] reads how far it is.
    running: Mutex<Option<Arc<dyn ExecutionPlan>>>,
    /// What it has for programs that speak to PostgreSQL, where it was opened for them.
    postgres: Option<Postgres>,
    /// Who may help.
    spread: Option<Arc<dyn Spread>>,
    /// Held while a statement is planned: all its scans must see one snapshot.
    planning: tokio::sync::Mutex<()>,
}

/// What may be set for an engine.
#[derive(Default)]
pub struct Settings {
    /// What sorting, grouping and joining may use together; else a quarter of the machine.
    pub memory_bytes: Option<u64>,
    /// What they may write to temporary files where that is too little; else 16 GiB.
    pub spill_bytes: Option<u64>,
    /// Told while the ids of files are brought into the index, which a first question about ids
    /// has to wait for.
    pub on_learning: Option<OnLearning>,
    /// Is it for programs that speak to PostgreSQL, and ask about its catalog, too?
    pub for_postgres: bool,
    /// Others that may help with questions.
    pub spread: Option<Arc<dyn Spread>>,
}

/// What stands for the parameters of a statement.
pub(super) enum Given<'a> {
    Nothing,
    Values(ParamValues),
    /// Texts, which become what the statement needs.
    Texts(&'a [Bound]),
}

/// What one writer has in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    /// The highest ID of its events.
    pub newest: EntryId,
    /// How many they are; those of a damaged file are not known.
    pub events: u64,
}

/// What `1h` ago and `friday` are counted from.
#[derive(Clone)]
pub(super) struct Clock {
    pub now: Timestamp,
    pub tz: TimeZone,
}

impl Clock {
    /// As the session's own clock has it; nothing of interest happened before 1970.
    fn system_time(&self) -> SystemTime {
        let since_epoch = Duration::from_millis(self.now.as_millisecond().max(0).unsigned_abs());
        SystemTime::UNIX_EPOCH + since_epoch
    }
}

impl Engine {
    /// Looks at the store, and starts a session.
    ///
    /// # Errors
    /// [`QueryError::NoStore`] where the folder is missing, [`QueryError::Store`] where it
    /// cannot be read.
    pub fn open(layout: &Layout) -> Result<Self, QueryError> {
        Self::open_with(layout, Settings::default())
    }

    /// As [`Self::open`], with settings.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(layout: &Layout, settings: Settings) -> Result<Self, QueryError> {
        let mut limits = Limits::of_machine();
        limits.memory_bytes = settings.memory_bytes.unwrap_or(limits.memory_bytes);
        limits.spill_bytes = settings.spill_bytes.unwrap_or(limits.spill_bytes);
        if std::fs::metadata(layout.root()).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Err(QueryError::NoStore { root: layout.root().to_owned() });
        }
        // The store is looked at beside what follows.
        let source = Arc::new(Source::open(layout, settings.on_learning));
        let session = session::start(&limits, settings.for_postgres);
        let asked = Asked { sql: "", limits: &limits, state: None };
        let context = session.and_then(|state| with_tables(state, &source));
        let context = context.map_err(|error| translate(&error, &asked))?;
        if settings.spread.is_some() {
            spread::prepare(&context).map_err(|error| translate(&error, &asked))?;
        }
        let clock = Clock { now: Timestamp::now(), tz: TimeZone::system() };
        Ok(Self {
            source,
            context,
            limits,
            clock,
            offsets: Mutex::default(),
            job_rollups: Arc::default(),
            running: Mutex::default(),
            postgres: settings.for_postgres.then(Postgres::default),
            spread: settings.spread,
            planning: tokio::sync::Mutex::default(),
        })
    }

    /// The same engine with another clock, for `now()`, `since()` and the parameters of canned queries, and another time
    /// zone for those.
    #[must_use]
    pub fn with_clock(self, now: Timestamp, tz: TimeZone) -> Self {
        self.context.register_udf(functions::since(tz.clone()));
        Self { clock: Clock { now, tz }, ..self }
    }

    /// Answers one statement that reads: SELECT, EXPLAIN, SHOW, DESCRIBE.
    ///
    /// # Errors
    /// [`QueryError`]: see its cases.
    pub async fn sql(&self, text: &str) -> Result<Answer, QueryError> {
        self.sql_within(text, None, None).await
    }

    /// The same of one that asks about a range, ms since the epoch: by that, `happened_at()` knows whose clocks to look at.
    ///
    /// # Errors
    /// As [`Self::sql`].
    pub async fn sql_within(
        &self,
        text: &str,
        since_ms: Option<i64>,
        until_ms: Option<i64>,
    ) -> Result<Answer, QueryError> {
        let offsets = match goes_by_clocks(text) {
            true => Some(self.offsets(since_ms, until_ms).await?),
            false => None,
        };
        self.run(text, Given::Nothing, offsets).await
    }

    /// Answers a canned query. `given` are its parameters as text, by name; of two with one
    /// name the last counts.
    ///
    /// # Errors
    /// A [`QueryError`] about a parameter that is unknown, missing or not of its type; else
    /// as [`Self::sql`].
    pub async fn canned(&self, query: &CannedQuery, given: &[(String, String)]) -> Result<Answer, QueryError> {
        let values = query.bind(given, &self.clock)?;
        let offsets = self.offsets_for(&query.sql, &values).await?;
        self.run(&query.sql, Given::Values(values), Some(offsets)).await
    }

    /// When the newest event arrived, ms since the epoch; `None`
    /// where there is none.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn newest_ms(&self) -> Result<Option<i64>, QueryError> {
        Ok(self.newest_id()?.and_then(EntryId::ingested_at))
    }

    /// How many events arrived between two moments, ms since the epoch, at most: as many as those files and segments hold
    /// that have any of that time.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn arrived_at_most(&self, from_ms: i64, until_ms: i64) -> Result<u64, QueryError> {
        let view = self.source.view_or_failure()?;
        let is_then = |(first_ms, last_ms): (i64, i64)| first_ms <= until_ms && from_ms <= last_ms;
        let sealed = view.sealed();
        let facts = sealed.files.iter().filter_map(|file| file.facts.as_ref().ok());
        let of_files = facts.filter(|facts| facts.ingested.is_none_or(is_then)).map(|facts| facts.rows);
        let segments = view.snapshot.segments.iter();
        let segments = segments.filter(|segment| is_then((segment.hour.start_ms(), segment.hour.end_ms())));
        let of_segments = segments.flat_map(|segment| &segment.batches).map(|batch| batch.num_rows() as u64);
        Ok(of_files.chain(of_segments).sum())
    }

    /// The ID of the event that arrived last; `None` where there is none.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn newest_id(&self) -> Result<Option<EntryId>, QueryError> {
        let (view, sealed) = self.source.part_or_failure(|closed| vec![false; closed.days.len()])?;
        let listed = sealed.files.iter().map(|file| file.partition.name.ids.last);
        let closed = view.closed();
        let kept = closed.days.iter().filter_map(ClosedDay::newest);
        Ok(listed.chain(kept).chain(view.snapshot.segments.iter().map(|segment| segment.ids.last)).max())
    }

    /// What each writer has in the store. What a collector stores has ever higher IDs, and so have the lines of a
    /// spool; other imports add below, too. IDs of several writers may come in any order.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn kept_by_writers(&self) -> Result<BTreeMap<Writer, Kept>, QueryError> {
        let view = self.source.view_or_failure()?;
        let sealed = view.sealed();
        let sealed = sealed.files.iter().map(|file| {
            let name = &file.partition.name;
            (&name.writer, name.ids.last, file.facts.as_ref().map_or(0, |facts| facts.rows))
        });
        let segments = view.snapshot.segments.iter();
        let journal = segments.map(|segment| (&segment.name.writer, segment.ids.last, segment.rows()));
        let mut all: BTreeMap<Writer, Kept> = BTreeMap::new();
        for (writer, last, events) in sealed.chain(journal) {
            let kept = all.entry(writer.clone()).or_default();
            kept.newest = last.max(kept.newest);
            kept.events += events;
        }
        Ok(all)
    }

    /// What was typical in the store at that moment, ms since the epoch.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn typical(&self, now_ms: i64) -> Result<Typical, QueryError> {
        self.typical_by(&mut self.learning(now_ms), now_ms)
    }

    /// What is needed to ask what was typical at one moment after the other, from this one on.
    pub fn learning(&self, from_ms: i64) -> Learning {
        Learning::begin(self.source.layout(), from_ms)
    }

    /// What was typical at a moment, which is no earlier than those that were asked about with it before.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn typical_by(&self, learning: &mut Learning, now_ms: i64) -> Result<Typical, QueryError> {
        let known = learning.known_through().map_or(i64::MIN, Hour::end_ms);
        let is_needed = |day: &ClosedDay| day.end_ms() > known;
        let (view, sealed) = self.source.part_or_failure(|closed| closed.days.iter().map(is_needed).collect())?;
        let files: Vec<&Partition> = sealed.files.iter().map(|file| &file.partition).collect();
        Ok(learning.typical(&files, &view.snapshot.segments, now_ms))
    }

    /// How many files the question that was asked last has read or skipped, and of how many; `None`
    /// where it reads none.
    pub fn progress(&self) -> Option<(usize, usize)> {
        let plan = lock(&self.running).clone()?;
        let (done, all) = files_of(&plan);
        (all > 0).then_some((done, all))
    }

    /// As [`Self::run_unboxed`], behind a pointer. What a future does is compiled by whoever awaits it: without
    /// this each crate that asks would compile DataFusion's planning again.
    pub(super) fn run<'a>(
        &'a self,
        text: &'a str,
        given: Given<'a>,
        offsets: Option<Arc<Offsets>>,
    ) -> BoxFuture<'a, Result<Answer, QueryError>> {
        self.run_unboxed(text, given, offsets).boxed()
    }

    /// Where a file goes before the first rows are there, the collector has put its events into
    /// another one: the statement is planned anew over what is there then.
    async fn run_unboxed(
        &self,
        text: &str,
        given: Given<'_>,
        offsets: Option<Arc<Offsets>>,
    ) -> Result<Answer, QueryError> {
        self.set_up_for(text).await?;
        let mut state = self.context.state();
        // Functions travel by their names, and clocks that were found to be behind are no part of one.
        let is_any_behind = offsets.as_ref().is_some_and(|offsets| offsets.is_any_behind());
        let mut helped = Helped::by(self.spread.as_ref().filter(|_| !is_any_behind));
        if let Some(offsets) = offsets {
            state.config_mut().set_extension(Arc::clone(&offsets));
            let registered = state.register_udf(Arc::new(functions::happened_at(offsets)));
            registered.map_err(|error| translate(&error, &Asked { sql: text, limits: &self.limits, state: None }))?;
        }
        state.execution_props_mut().query_execution_start_time = Some(self.clock.system_time().into());
        let asked = Asked { sql: text, limits: &self.limits, state: Some(&state) };
        let mut attempt = 1;
        loop {
            let begun = match self.plan(&state, &asked, &given).await? {
                Ok(plan) => {
                    *lock(&self.running) = Some(Arc::clone(&plan));
                    match helped.begin(plan, &state).await {
                        Some(begun) => begun,
                        // A plan that has run in part remembers that.
                        None => continue,
                    }
                }
                Err(error) => Err(error),
            };
            match begun {
                Ok((first, stream)) => {
                    return Ok(Answer::new(first, stream, self.source.seen(), self.limits));
                }
                Err(error) if vanished(&error).is_some() && attempt < ATTEMPTS_MAX => self.source.refresh(),
                Err(error) => return Err(self.source.failure().unwrap_or_else(|| translate(&error, &asked))),
            }
            attempt += 1;
        }
    }

    /// An answer that was found without a statement.
    pub(super) fn answer(&self, stream: SendableRecordBatchStream) -> Answer {
        Answer::new(None, stream, self.source.seen(), self.limits)
    }

    /// Makes known to the session what only that statement needs.
    async fn set_up_for(&self, text: &str) -> Result<(), QueryError> {
        let asked = Asked { sql: text, limits: &self.limits, state: None };
        match &self.postgres {
            Some(postgres) => postgres.set_up(&self.context, &asked).await,
            None => Ok(()),
        }
    }

    /// A statement as it was understood, which is not run.
    pub(super) async fn understand(&self, text: &str) -> Result<(SessionState, LogicalPlan), QueryError> {
        self.set_up_for(text).await?;
        let state = self.context.state();
        let asked = Asked { sql: text, limits: &self.limits, state: Some(&state) };
        let statement = statement::parse(&state, &asked, self.postgres.as_ref())?;
        let _one_at_a_time = self.planning.lock().await;
        let logical = emp_sql::plan(&state, statement).await.map_err(|error| translate(&error, &asked))?;
        statement::check_plan(&logical)?;
        Ok((state, logical))
    }

    /// The outer error is about the statement, the inner one about planning it.
    async fn plan(
        &self,
        state: &SessionState,
        asked: &Asked<'_>,
        given: &Given<'_>,
    ) -> Result<Result<Arc<dyn ExecutionPlan>, DataFusionError>, QueryError> {
        let statement = statement::parse(state, asked, self.postgres.as_ref())?;
        let _one_at_a_time = self.planning.lock().await;
        let logical = match emp_sql::plan(state, statement).await {
            Ok(logical) => logical,
            Err(error) => return Ok(Err(error)),
        };
        statement::check_plan(&logical)?;
        let values = match given {
            Given::Nothing => None,
            Given::Values(values) => Some(values.clone()),
            Given::Texts(texts) => postgres::values(&logical, texts)?,
        };
        let bound = match values {
            Some(values) => logical.with_param_values(values),
            None => Ok(logical),
        };
        Ok(match bound {
            Ok(logical) => state.create_physical_plan(&logical).await,
            Err(error) => Err(error),
        })
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The files that the scans of a plan are through with, and all of them.
fn files_of(plan: &Arc<dyn ExecutionPlan>) -> (usize, usize) {
    let scanned = plan.downcast_ref::<DataSourceExec>().and_then(|scan| {
        let config = scan.data_source().downcast_ref::<FileScanConfig>()?;
        let all = config.file_groups.iter().map(FileGroup::len).sum();
        let done = plan.metrics().and_then(|metrics| metrics.sum_by_name("files_processed"));
        Some((done.map_or(0, |done| done.as_usize()), all))
    });
    let walked = plan.downcast_ref::<TransitionsExec>().map(TransitionsExec::files);
    let below = plan.children().into_iter().map(files_of);
    below.chain(scanned).chain(walked).fold((0, 0), |(done, all), (more_done, more)| (done + more_done, all + more))
}

/// Files may come and go that often before it is said that they do.
pub(super) const ATTEMPTS_MAX: usize = 3;

fn with_tables(state: SessionState, source: &Arc<Source>) -> Result<SessionContext, DataFusionError> {
    let schema = state.schema_for_ref(tables::NAMES[0])?;
    for (name, table) in tables::all(source) {
        schema.register_table(name.to_owned(), table)?;
    }
    let context = SessionContext::new_with_state(state);
    context.add_optimizer_rule(Arc::new(counts_from_catalog(source)));
    context.add_optimizer_rule(Arc::new(from_rollups(source)));
    Ok(context)
}
