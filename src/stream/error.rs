use redis::{ErrorKind, RedisError};

/// What can go wrong between us and Redis. Every message names the server or the stream.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The address makes no sense.
    #[error("`{address}` is no Redis address ({detail}); expected `redis://[user:password@]host:port[/db]`")]
    Address {
        /// What was given, without a password.
        address: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Nobody answers, or the connection broke.
    #[error("cannot reach Redis at {address} ({detail}); start it, or set --redis")]
    Unreachable {
        /// Host and port.
        address: String,
        /// The system's answer.
        detail: String,
    },
    /// Redis wants other credentials.
    #[error("Redis at {address} refuses us ({detail}); check the user and password in --redis")]
    Refused {
        /// Host and port.
        address: String,
        /// Redis' answer.
        detail: String,
    },
    /// The key holds something else.
    #[error("the key `{stream}` is not a stream; set --stream, or remove the key")]
    NotAStream {
        /// The key.
        stream: String,
    },
    /// The consumer group is gone: FLUSHALL, DEL, a restart without persistence.
    #[error("the stream `{stream}` has no consumer group `{group}` any more")]
    NoGroup {
        /// The stream.
        stream: String,
        /// The group.
        group: String,
    },
    /// Redis is there but cannot serve now: loading, out of memory, a read-only replica.
    #[error("Redis at {address} cannot serve: {detail}")]
    Unavailable {
        /// Host and port.
        address: String,
        /// Redis' answer.
        detail: String,
    },
    /// An answer that no version of Redis we know gives.
    #[error("Redis gave an answer to {command} that makes no sense: {detail}")]
    Reply {
        /// The command.
        command: &'static str,
        /// What is wrong with the answer.
        detail: String,
    },
}

impl StreamError {
    /// Will trying again not help? Then a person has to change something first.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Address { .. } | Self::Refused { .. } | Self::NotAStream { .. })
    }

    /// Sorts what the client library reports by what we do about it.
    pub(super) fn from_redis(error: &RedisError, address: &str, stream: &str, group: &str) -> Self {
        let answer = Answer::of(error);
        let (address, detail) = (address.to_owned(), answer.line());
        match (answer.code.as_str(), error.kind()) {
            ("WRONGTYPE", _) => Self::NotAStream { stream: stream.to_owned() },
            ("NOGROUP" | "UNBLOCKED", _) => Self::NoGroup { stream: stream.to_owned(), group: group.to_owned() },
            _ if answer.detail.starts_with("no such key") => {
                Self::NoGroup { stream: stream.to_owned(), group: group.to_owned() }
            }
            ("NOAUTH" | "WRONGPASS" | "NOPERM", _) | (_, ErrorKind::AuthenticationFailed) => {
                Self::Refused { address, detail }
            }
            (_, ErrorKind::InvalidClientConfig) => Self::Address { address, detail },
            (_, ErrorKind::Server(_) | ErrorKind::Extension) => Self::Unavailable { address, detail },
            _ => Self::Unreachable { address, detail },
        }
    }
}

/// What the server said, else what the system said.
struct Answer {
    code: String,
    detail: String,
}

impl Answer {
    /// Of a pipeline that failed in several places, the first tells why.
    fn of(error: &RedisError) -> Self {
        let in_pipeline = error.clone().into_server_errors();
        let first = in_pipeline.as_ref().and_then(|errors| errors.first());
        let (code, detail) = match first {
            Some((_, error)) => (Some(error.code()), error.details()),
            None => (error.code(), error.detail()),
        };
        let detail = detail.map_or_else(|| error.to_string(), str::to_owned);
        Self { code: code.unwrap_or_default().to_owned(), detail }
    }

    fn line(&self) -> String {
        let detail = self.detail.lines().next().unwrap_or_default();
        format!("{} {detail}", self.code).trim_start().to_owned()
    }
}
