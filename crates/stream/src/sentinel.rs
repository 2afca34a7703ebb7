//! Sentinels: which server is the master now.

use redis::{ConnectionAddr, RedisConnectionInfo, Value, cmd};

use super::address::Place;
use super::{Connection, RedisAddress, StreamError};

impl RedisAddress {
    /// The server to connect to: where sentinels know it, the one that the first of them to answer names.
    ///
    /// # Errors
    /// Why the last of the sentinels named none.
    pub(super) async fn server(&self) -> Result<ConnectionAddr, StreamError> {
        let (addresses, master, is_tls) = match self.place() {
            Place::Server(server) => return Ok(server.clone()),
            Place::Sentinels { addresses, master, is_tls } => (addresses, master, *is_tls),
        };
        let mut trouble = StreamError::Unreachable { address: self.to_string(), detail: "there is none".to_owned() };
        for sentinel in addresses {
            match named_by(sentinel, master, self.login()).await {
                Ok((host, port)) if is_tls => {
                    return Ok(ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None });
                }
                Ok((host, port)) => return Ok(ConnectionAddr::Tcp(host, port)),
                Err(error) => trouble = error,
            }
        }
        Err(trouble)
    }
}

/// Host and port of the master, as that sentinel knows it.
async fn named_by(
    sentinel: &ConnectionAddr,
    master: &str,
    login: &RedisConnectionInfo,
) -> Result<(String, u16), StreamError> {
    let mut connection = Connection::connect(sentinel, "", "").await?;
    let mut question = cmd("SENTINEL");
    question.arg("get-master-addr-by-name").arg(master);
    let answer = match connection.command(&question).await {
        // The login is the servers'; a sentinel is told it only where it wants one.
        Err(StreamError::Refused { .. }) => {
            connection.log_in(login).await?;
            connection.command(&question).await?
        }
        answer => answer?,
    };
    let text = |value: &Value| match value {
        Value::BulkString(text) => String::from_utf8(text.clone()).ok(),
        _ => None,
    };
    let named = match &answer {
        Value::Array(parts) => match parts.as_slice() {
            [host, port] => text(host).zip(text(port).and_then(|port| port.parse().ok())),
            _ => None,
        },
        _ => None,
    };
    named.ok_or_else(|| StreamError::Unavailable {
        address: sentinel.to_string(),
        detail: format!("it is a sentinel that knows no master `{master}`"),
    })
}
