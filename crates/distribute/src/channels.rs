//! The ways to workers, each opened once.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use datafusion::error::DataFusionError;
use datafusion_distributed::grpc::{BoxCloneSyncChannel, create_worker_client};
use datafusion_distributed::{ChannelResolver, WorkerChannel};
use tonic::body::Body;
use tonic::codegen::http::header::AUTHORIZATION;
use tonic::codegen::http::{HeaderValue, Request};
use tonic::transport::{Channel, ClientTlsConfig};
use tower::ServiceExt as _;
use url::Url;

use super::{DistributeError, Token};

/// So long is waited for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// So often it is looked whether the other end is still there, and so long is waited for its answer.
const ALIVE_EVERY: Duration = Duration::from_secs(5);

/// Connections that show the token with each request.
pub(crate) struct Channels {
    token: HeaderValue,
    open: Mutex<HashMap<Url, BoxCloneSyncChannel>>,
}

impl Channels {
    pub fn new(token: &Token) -> Result<Self, DistributeError> {
        Ok(Self { token: token.header()?, open: Mutex::default() })
    }

    /// The way there.
    pub async fn to(&self, url: &Url) -> Result<BoxCloneSyncChannel, DistributeError> {
        // A map stays whole whoever panics.
        let known = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let opened = self.open(url).await?;
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(url.clone(), opened.clone());
        Ok(opened)
    }

    async fn open(&self, url: &Url) -> Result<BoxCloneSyncChannel, DistributeError> {
        let away = |error: tonic::transport::Error| DistributeError::Away { url: url.clone(), detail: reason(&error) };
        let mut endpoint = Channel::from_shared(url.to_string())
            .map_err(|_| DistributeError::Address(url.to_string()))?
            .connect_timeout(CONNECT_MAX)
            .http2_keep_alive_interval(ALIVE_EVERY)
            .keep_alive_timeout(ALIVE_EVERY)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true);
        if url.scheme() == "https" {
            endpoint = endpoint.tls_config(ClientTlsConfig::new().with_native_roots()).map_err(away)?;
        }
        let connection = endpoint.connect().await.map_err(away)?;
        let token = self.token.clone();
        let with_token = connection.map_request(move |mut request: Request<Body>| {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
            request
        });
        Ok(BoxCloneSyncChannel::new(with_token))
    }
}

#[async_trait]
impl ChannelResolver for Channels {
    async fn get_worker_client_for_url(&self, url: &Url) -> Result<Box<dyn WorkerChannel>, DataFusionError> {
        let channel = self.to(url).await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        Ok(create_worker_client(channel))
    }
}

/// The innermost reason: what stands around it is "transport error".
pub(crate) fn reason(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
