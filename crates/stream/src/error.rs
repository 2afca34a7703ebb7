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

    /// Sorts what Redis answers by what we do about it: `CODE and some words`.
    pub(super) fn from_answer(line: &str, address: &str, stream: &str, group: &str) -> Self {
        let (code, words) = line.split_once(' ').unwrap_or((line, ""));
        let (address, detail) = (address.to_owned(), line.to_owned());
        let no_group = || Self::NoGroup { stream: stream.to_owned(), group: group.to_owned() };
        match code {
            "WRONGTYPE" => Self::NotAStream { stream: stream.to_owned() },
            "NOGROUP" | "UNBLOCKED" => no_group(),
            _ if words.starts_with("no such key") => no_group(),
            "NOAUTH" | "WRONGPASS" | "NOPERM" => Self::Refused { address, detail },
            _ => Self::Unavailable { address, detail },
        }
    }
}
