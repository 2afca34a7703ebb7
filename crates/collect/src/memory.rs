//! Redis' memory: looked at beside collecting, since producers are refused once it is full.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::{GROUP, Settings};
use emp_stream::{Connection, GroupReader, Memory, StreamError};

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often what lasts is said again.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// What to do about it.
pub(super) const REMEDY: &str = "raise maxmemory, or keep fewer entries in the stream: a full Redis refuses events";

/// From where on Redis' memory is worth a warning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MemoryLimits {
    /// Of all that Redis uses.
    pub used: MemoryLimit,
    /// Of the stream, in bytes.
    pub stream_bytes: u64,
}

/// A limit of all that Redis uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MemoryLimit {
    /// A share of `maxmemory`, 1 being all of it; no limit where Redis has none.
    Share(f64),
    /// Bytes.
    Bytes(u64),
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self { used: MemoryLimit::Share(0.8), stream_bytes: 64 << 20 }
    }
}

/// How much memory is in use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    pub memory: Memory,
    /// What the stream takes; `None` where there is none, or Redis does not say.
    pub stream_bytes: Option<u64>,
}

impl Usage {
    /// Asks Redis.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn of(reader: &mut GroupReader) -> Result<Self, StreamError> {
        let memory = reader.memory().await?;
        let stream_bytes = match reader.stream_bytes().await {
            // Who may not ask this, or has it renamed, may well read the stream.
            Err(StreamError::Refused { .. } | StreamError::NoCommand { .. }) => None,
            asked => asked?,
        };
        Ok(Self { memory, stream_bytes })
    }

    /// What is over its limit, in words; empty where nothing is.
    pub fn excess(&self, limits: &MemoryLimits) -> Vec<String> {
        let mut excess = Vec::new();
        let Memory { used, most } = self.memory;
        match (limits.used, most) {
            (MemoryLimit::Share(share), Some(most)) if used as f64 > share * most as f64 => excess.push(format!(
                "Redis uses {} of its {}, more than {:.0} %",
                size(used),
                size(most),
                share * 100.0
            )),
            (MemoryLimit::Bytes(limit), _) if used > limit => {
                excess.push(format!("Redis uses {}, more than {}", size(used), size(limit)));
            }
            _ => {}
        }
        if let Some(bytes) = self.stream_bytes.filter(|bytes| *bytes > limits.stream_bytes) {
            let limit = size(limits.stream_bytes);
            excess.push(format!("the stream takes {}, more than {limit}", size(bytes)));
        }
        excess
    }
}

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in use", size(self.memory.used))?;
        if let Some(most) = self.memory.most {
            write!(f, " of {}", size(most))?;
        }
        match self.stream_bytes {
            Some(bytes) => write!(f, ", {} by the stream", size(bytes)),
            None => Ok(()),
        }
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// Looks at the memory for ever, and logs what is over its limit. Where Redis is away nothing is
/// said: the collector says so itself.
pub(super) async fn watch(settings: Settings) {
    let mut reader = None;
    let mut warned = Warned::default();
    loop {
        match look(&settings, &mut reader).await {
            Ok(usage) => warned.say(&usage.excess(&settings.memory)),
            Err(error) => {
                debug!("cannot look at Redis' memory: {error}");
                reader = None;
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn look(settings: &Settings, reader: &mut Option<GroupReader>) -> Result<Usage, StreamError> {
    if reader.is_none() {
        let connection = Connection::open(&settings.address, &settings.stream, GROUP).await?;
        *reader = Some(GroupReader::new(connection, &settings.consumer));
    }
    // It has just been put there.
    Usage::of(reader.as_mut().expect("a connection")).await
}

/// What was said last.
#[derive(Default)]
struct Warned {
    at: Option<Instant>,
}

impl Warned {
    fn say(&mut self, excess: &[String]) {
        if excess.is_empty() {
            if self.at.take().is_some() {
                info!("Redis' memory is within its limits again");
            }
        } else if self.at.is_none_or(|at| at.elapsed() >= REPORT_EVERY) {
            self.at = Some(Instant::now());
            warn!("{}; {REMEDY}", excess.join("; "));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_a_limit_is_said() {
        let usage = |used, most, stream_bytes| Usage { memory: Memory { used, most }, stream_bytes };
        let limits = MemoryLimits::default();
        assert_eq!(usage(79, Some(100), Some(1 << 20)).excess(&limits), Vec::<String>::new());
        assert_eq!(usage(u64::MAX, None, None).excess(&limits), Vec::<String>::new());
        assert_eq!(
            usage(81_000_000, Some(100_000_000), Some(70_000_000)).excess(&limits),
            ["Redis uses 81.0 MB of its 100.0 MB, more than 80 %", "the stream takes 70.0 MB, more than 67.1 MB"]
        );
        let limits = MemoryLimits { used: MemoryLimit::Bytes(1_000_000), stream_bytes: u64::MAX };
        assert_eq!(usage(2_000_000, None, None).excess(&limits), ["Redis uses 2.0 MB, more than 1.0 MB"]);
    }
}
