use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, FromRedisValue, IntoConnectionInfo as _, Pipeline};

use super::StreamError;

/// How long an attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long Redis may take to answer. Longer than [`super::GroupReader::wait`] blocks.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(15);

/// Where Redis is. Shown without its password.
#[derive(Debug, Clone)]
pub struct RedisAddress {
    info: ConnectionInfo,
    shown: String,
}

impl RedisAddress {
    /// Reads `redis://[user:password@]host:port[/db]` or `unix://path`.
    ///
    /// # Errors
    /// [`StreamError::Address`] where the text is none.
    pub fn parse(url: &str) -> Result<Self, StreamError> {
        let invalid = |detail: String| StreamError::Address { address: without_password(url), detail };
        if url.starts_with("rediss://") {
            return Err(invalid("TLS is not supported yet; use a tunnel such as stunnel".to_owned()));
        }
        let info = url.into_connection_info().map_err(|_| invalid("it cannot be read as a URL".to_owned()))?;
        let shown = info.addr().to_string();
        Ok(Self { info, shown })
    }
}

impl std::fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}***{}", &url[..scheme + 3], &url[at..]),
        _ => url.to_owned(),
    }
}

/// A connection, and the names that its errors speak of.
#[derive(Clone)]
pub struct Connection {
    inner: MultiplexedConnection,
    address: String,
    pub(super) stream: String,
    pub(super) group: String,
}

impl Connection {
    /// Connects and logs in.
    ///
    /// # Errors
    /// [`StreamError::Unreachable`] or [`StreamError::Refused`].
    pub async fn open(address: &RedisAddress, stream: &str, group: &str) -> Result<Self, StreamError> {
        let failed = |error: &redis::RedisError| StreamError::from_redis(error, &address.shown, stream, group);
        let client = Client::open(address.info.clone()).map_err(|error| failed(&error))?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let inner =
            client.get_multiplexed_async_connection_with_config(&config).await.map_err(|error| failed(&error))?;
        Ok(Self { inner, address: address.shown.clone(), stream: stream.to_owned(), group: group.to_owned() })
    }

    pub(super) async fn query<T: FromRedisValue>(&mut self, pipeline: &Pipeline) -> Result<T, StreamError> {
        pipeline.query_async(&mut self.inner).await.map_err(|error| self.failed(&error))
    }

    pub(super) async fn command<T: FromRedisValue>(&mut self, command: &redis::Cmd) -> Result<T, StreamError> {
        command.query_async(&mut self.inner).await.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &redis::RedisError) -> StreamError {
        StreamError::from_redis(error, &self.address, &self.stream, &self.group)
    }
}
