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
    /// A variable that should be part of the address makes no sense.
    #[error("{name}={value} is no part of a Redis address; set it to a host name and a port number, or set REDIS_URL")]
    Parts {
        /// The variable.
        name: &'static str,
        /// What it is set to.
        value: String,
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
    /// Redis is there but cannot serve now: loading, a read-only replica.
    #[error("Redis at {address} cannot serve: {detail}")]
    Unavailable {
        /// Host and port.
        address: String,
        /// Redis' answer.
        detail: String,
    },
    /// Redis has reached `maxmemory`, and takes nothing new; reading and acknowledging go on.
    #[error("Redis at {address} is full and takes nothing new ({detail}); raise maxmemory")]
    Full {
        /// Host and port.
        address: String,
        /// Redis' answer.
        detail: String,
    },
    /// A command was renamed away, or Redis is too old for it.
    #[error(
        "Redis at {address} lacks a command ({detail}); Redis 7 or Valkey is needed, with its commands not renamed"
    )]
    NoCommand {
        /// Host and port.
        address: String,
        /// Redis' answer.
        detail: String,
    },
    /// Redis does not count what was added to a stream, so no loss could be counted.
    #[error(
        "Redis at {address} is too old: it does not count the entries added to a stream, without which no loss could be counted; Redis 7 or Valkey is needed"
    )]
    TooOld {
        /// Host and port.
        address: String,
    },
    /// In a cluster, the stream and its accounts have to lie in one slot.
    #[error(
        "Redis at {address} is a cluster, in which the keys of the stream `{stream}` lie apart; give it a name with a hash tag, such as `--stream {{emp}}:events`"
    )]
    CrossSlot {
        /// Host and port.
        address: String,
        /// The stream.
        stream: String,
    },
    /// Another node of the cluster has the stream.
    #[error("the stream `{stream}` is not at {address} but at another node of its cluster; set --redis redis://{node}")]
    OtherNode {
        /// Host and port.
        address: String,
        /// The stream.
        stream: String,
        /// Host and port of the node that has it.
        node: String,
    },
    /// Somebody else has begun to read under our name.
    #[error("another collector reads as `{consumer}` now")]
    TakenOver {
        /// The consumer.
        consumer: String,
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
        match self {
            Self::Address { .. } | Self::Parts { .. } => true,
            Self::Refused { .. } | Self::NotAStream { .. } | Self::NoCommand { .. } => true,
            Self::TooOld { .. } | Self::CrossSlot { .. } | Self::OtherNode { .. } | Self::TakenOver { .. } => true,
            Self::Unreachable { .. } | Self::NoGroup { .. } | Self::Unavailable { .. } => false,
            Self::Full { .. } | Self::Reply { .. } => false,
        }
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
            "OOM" => Self::Full { address, detail },
            "TOOOLD" => Self::TooOld { address },
            // Scripts could not begin with `#!lua` before Redis 7.
            "ERR" if words.starts_with("Error compiling script") => Self::TooOld { address },
            "CROSSSLOT" => Self::CrossSlot { address, stream: stream.to_owned() },
            "MOVED" => {
                let node = words.rsplit(' ').next().unwrap_or_default().to_owned();
                Self::OtherNode { address, stream: stream.to_owned(), node }
            }
            "ERR" if words.starts_with("unknown command") => Self::NoCommand { address, detail },
            _ => Self::Unavailable { address, detail },
        }
    }
}
