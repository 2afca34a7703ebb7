//! A worker: reads files of its store for whoever knows its token.

use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;
use datafusion_distributed::{
    ChannelResolver, DistributedExt as _, WorkerPlanRewriteEvent, WorkerPlanRewriteEventResponse, WorkerQueryContext,
};
use tokio::net::TcpListener;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Status};
use tracing::info;

use emp_query::{Arriving, session_of_worker};
use emp_store::Layout;

use super::channels::{Channels, reason};
use super::shares::files_of;
use super::{DistributeError, Token, VERSION};

/// What a worker is to be.
#[derive(Debug)]
pub struct Worker {
    /// The store whose files it reads.
    pub layout: Layout,
    /// What whoever asks has to know; workers know it of each other.
    pub token: Token,
    /// By what it proves who it is; without, all is sent as it is.
    pub certificate: Option<Certificate>,
    /// What all that it computes may use together; else a quarter of the machine.
    pub memory_bytes: Option<u64>,
}

/// A certificate and its key, as PEM.
pub struct Certificate {
    /// The certificate, and those that vouch for it.
    pub certificate: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificate(…)")
    }
}

/// Answers at that address until `end`.
///
/// # Errors
/// [`DistributeError`] where it cannot begin, or the listener fails.
pub async fn serve(
    listener: TcpListener,
    worker: Worker,
    end: impl Future<Output = ()> + Send,
) -> Result<(), DistributeError> {
    let arriving = Arriving::at(worker.layout);
    let engine = |error: datafusion::error::DataFusionError| DistributeError::Engine(error.to_string());
    let runtime = arriving.runtime(worker.memory_bytes).map_err(engine)?;
    let others = Arc::new(Channels::new(&worker.token)?);
    let session = move |context: WorkerQueryContext| {
        let (arriving, others) = (arriving.clone(), Arc::clone(&others) as Arc<dyn ChannelResolver + Send + Sync>);
        async move { session_of_worker(builder(context.builder, arriving, others).build()) }
    };
    let answering = datafusion_distributed::Worker::from_session_builder(session)
        .with_runtime_env(runtime)
        .with_version(VERSION)
        .into_worker_server();
    let token = worker.token;
    let guarded = InterceptedService::new(answering, move |request: Request<()>| {
        let shown = request.metadata().get("authorization").map(|value| value.as_bytes());
        match token.is_shown(shown) {
            true => Ok(request),
            false => Err(Status::unauthenticated("this worker has another token")),
        }
    });
    let mut server = Server::builder();
    if let Some(Certificate { certificate, key }) = worker.certificate {
        let tls = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key));
        server = server.tls_config(tls).map_err(|error| DistributeError::Certificate(reason(&error)))?;
    }
    let serving = server.add_service(guarded).serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
    tokio::select! {
        served = serving => served.map_err(|error| DistributeError::Serving(reason(&error))),
        () = end => Ok(()),
    }
}

fn builder(
    mut builder: SessionStateBuilder,
    arriving: Arriving,
    others: Arc<dyn ChannelResolver + Send + Sync>,
) -> SessionStateBuilder {
    let config = builder.config().get_or_insert_default();
    config.set_distributed_channel_resolver(others);
    config.set_distributed_worker_plan_rewrite_handler(move |event: WorkerPlanRewriteEvent<'_>| {
        let plan = arriving.plan(event.plan)?;
        let (files, bytes) = files_of(&plan);
        info!(files, bytes, "a part of a question");
        Ok(WorkerPlanRewriteEventResponse::new(plan))
    });
    builder
}
