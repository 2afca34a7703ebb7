//! Who asks workers: hands out the parts of a plan, and goes without those that fail.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::DFSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{EmptyRelation, LogicalPlan};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion_distributed::grpc::create_worker_client;
use datafusion_distributed::{
    ChannelResolver, DesiredTaskCountEvent, DesiredTaskCountEventResponse, DistributedExec, DistributedExt as _,
    GetWorkerInfoRequest, RouteTasksEvent, RouteTasksEventResponse, SessionStateBuilderExt as _, WorkerResolver,
};
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use tonic::Code;
use url::Url;

use emp_query::{Spread, Spreading, leaving};

use super::channels::{Channels, reason};
use super::held::held;
use super::shares::{Share, Shares, files_of};
use super::{DistributeError, Token, VERSION};

/// So long a worker may take to say who it is.
const GREETING_MAX: Duration = Duration::from_secs(10);
/// So often workers are asked before it is answered here.
const ATTEMPTS_MAX: usize = 2;

/// Told what whoever asks should know, in one line.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// Some workers.
pub struct Workers {
    urls: Vec<Url>,
    channels: Arc<Channels>,
    bytes_a_task: u64,
    shares: Arc<Shares>,
    tell: Tell,
}

/// The address of a worker.
///
/// # Errors
/// [`DistributeError::Address`] where the text is none.
pub fn address(text: &str) -> std::result::Result<Url, DistributeError> {
    let url = Url::parse(text.trim()).ok().filter(|url| {
        let is_bare = url.path() == "/" && url.query().is_none() && url.username().is_empty();
        ["http", "https"].contains(&url.scheme()) && url.host().is_some() && is_bare
    });
    url.ok_or_else(|| DistributeError::Address(text.to_owned()))
}

impl Workers {
    /// Those at these addresses, for questions that read more than so many bytes of files.
    ///
    /// # Errors
    /// [`DistributeError::UnfitToken`].
    pub fn new(
        urls: Vec<Url>,
        token: &Token,
        bytes_a_task: u64,
        tell: Tell,
    ) -> std::result::Result<Self, DistributeError> {
        let channels = Arc::new(Channels::new(token)?);
        Ok(Self { urls, channels, bytes_a_task: bytes_a_task.max(1), shares: Arc::default(), tell })
    }

    /// What each was given so far.
    pub fn shares(&self) -> Vec<(Url, Share)> {
        self.shares.so_far()
    }

    /// Those that answer, and why the others do not.
    async fn greet(&self) -> std::result::Result<(Vec<Url>, Vec<DistributeError>), DistributeError> {
        let greeted = join_all(self.urls.iter().map(|url| self.greet_one(url))).await;
        let (mut here, mut away) = (Vec::new(), Vec::new());
        for (url, greeted) in self.urls.iter().zip(greeted) {
            match greeted {
                Ok(()) => here.push(url.clone()),
                Err(error @ DistributeError::Away { .. }) => away.push(error),
                // Somebody has to put that right.
                Err(error) => return Err(error),
            }
        }
        Ok((here, away))
    }

    async fn greet_one(&self, url: &Url) -> std::result::Result<(), DistributeError> {
        let away = |detail: String| DistributeError::Away { url: url.clone(), detail };
        let channel = self.channels.to(url).await?;
        let mut client = create_worker_client(channel);
        let answered = tokio::time::timeout(GREETING_MAX, client.get_worker_info(GetWorkerInfoRequest {})).await;
        let answered = answered.map_err(|_| away(format!("nothing came for {} s", GREETING_MAX.as_secs())))?;
        let theirs = answered.map_err(|error| match refusal(&error) {
            Some(Code::Unauthenticated) => DistributeError::Token(url.clone()),
            _ => away(reason(&error)),
        })?;
        match theirs.version == VERSION {
            true => Ok(()),
            false => Err(DistributeError::Version { url: url.clone(), theirs: theirs.version }),
        }
    }

    async fn ask_them(&self, plan: &Arc<dyn ExecutionPlan>, state: &SessionState, attempt: usize) -> Result<Spreading> {
        let Some(leaving) = leaving(plan)?.filter(|plan| files_of(plan).1 > self.bytes_a_task) else {
            return Ok(Spreading::Here);
        };
        let (here, away) = self.greet().await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        for error in &away {
            (self.tell)(&error.to_string());
        }
        if here.is_empty() {
            (self.tell)("no worker answers: answering here");
            return Ok(Spreading::Here);
        }
        let all = here.len();
        let state = self.session(state, leaving, here)?;
        let nothing =
            LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema: Arc::new(DFSchema::empty()) });
        let spread = state.query_planner().create_physical_plan(&nothing, &state).await?;
        if spread.downcast_ref::<DistributedExec>().is_none() {
            return Ok(Spreading::Here);
        }
        let answered = async { held(execute_stream(spread, state.task_ctx())?).await };
        match answered.await {
            Ok(rows) => Ok(Spreading::Rows(rows)),
            Err(error) => {
                let why = reason(&error);
                // What a worker says is said again by any other one; what comes of its death is not.
                let is_death = refusal(&error).is_some() || self.greet().await.is_ok_and(|(here, _)| here.len() < all);
                if is_death && attempt < ATTEMPTS_MAX {
                    (self.tell)(&format!("the workers failed: {why}; asking again"));
                    return Ok(Spreading::Lost);
                }
                (self.tell)(&format!("the workers failed: {why}; answering here"));
                Ok(Spreading::GivenUp)
            }
        }
    }

    /// The session with all that cuts a plan into parts for these workers.
    fn session(&self, state: &SessionState, plan: Arc<dyn ExecutionPlan>, here: Vec<Url>) -> Result<SessionState> {
        let (bytes_a_task, shares) = (self.bytes_a_task, Arc::clone(&self.shares));
        let desired = move |event: DesiredTaskCountEvent<'_>| {
            let bytes = if event.plan.children().is_empty() { files_of(event.plan).1 } else { 0 };
            // Where one task is enough it is done where it is asked, so a scan that is worth it has two.
            let tasks = usize::try_from(bytes.div_ceil(bytes_a_task)).unwrap_or(usize::MAX).max(2);
            (bytes > bytes_a_task).then(|| Ok(DesiredTaskCountEventResponse::desired(tasks)))
        };
        let workers = here.clone();
        let route =
            move |event: RouteTasksEvent<'_>| Some(shares.give(&event, &workers).map(RouteTasksEventResponse::new));
        let channels = Arc::clone(&self.channels) as Arc<dyn ChannelResolver + Send + Sync>;
        let tasks_max = here.len().max(2);
        Ok(SessionStateBuilder::new_from_existing(state.clone())
            .with_query_planner(Arc::new(AsItIs(plan)))
            .with_distributed_worker_resolver(Here(here))
            .with_distributed_channel_resolver(channels)
            .with_distributed_desired_task_count_handler(desired)
            .with_distributed_route_tasks_handler(route)
            .with_distributed_max_tasks_per_stage(tasks_max)?
            .with_distributed_metrics_collection(false)?
            .with_distributed_planner()
            .build())
    }
}

impl Spread for Workers {
    fn ask<'a>(
        &'a self,
        plan: Arc<dyn ExecutionPlan>,
        state: &'a SessionState,
        attempt: usize,
    ) -> BoxFuture<'a, Result<Spreading>> {
        async move { self.ask_them(&plan, state, attempt).await }.boxed()
    }
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workers").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// What a worker answered where it refused, wherever in the error that stands.
fn refusal(error: &DataFusionError) -> Option<Code> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(status) = error.downcast_ref::<tonic::Status>() {
            return Some(status.code());
        }
        cause = error.source();
    }
    None
}

/// The workers that answer.
struct Here(Vec<Url>);

#[async_trait]
impl WorkerResolver for Here {
    fn get_urls(&self) -> Result<Vec<Url>> {
        Ok(self.0.clone())
    }
}

/// Has planned already: what the engine chose and pruned is what is cut into parts.
#[derive(Debug)]
struct AsItIs(Arc<dyn ExecutionPlan>);

#[async_trait]
impl QueryPlanner for AsItIs {
    async fn create_physical_plan(&self, _: &LogicalPlan, _: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::clone(&self.0))
    }
}
