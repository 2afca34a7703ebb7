use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::TELEMETRY_CONFIG;
use crate::data::DataRules;
use crate::sampling::Sample;
use crate::spool::SpoolLimits;
use crate::{Level, config};

/// Called with what went wrong, in words.
pub(crate) type OnProblem = Arc<dyn Fn(&str) + Send + Sync>;

/// Everything that can be set, with what holds where nothing is.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) service: String,
    pub(crate) is_enabled: bool,
    /// `None`: the environment says.
    pub(crate) url: Option<String>,
    pub(crate) tls_root: Option<Vec<u8>>,
    pub(crate) stream: String,
    pub(crate) stream_length: u32,
    pub(crate) level: Level,
    pub(crate) samples: Vec<Sample>,
    pub(crate) rate: u32,
    pub(crate) burst: u32,
    pub(crate) secrets: Vec<String>,
    pub(crate) event_bytes: usize,
    pub(crate) queue_events: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) answer_timeout: Duration,
    pub(crate) memory_check: Duration,
    pub(crate) spool: Option<PathBuf>,
    pub(crate) spool_file_bytes: u64,
    pub(crate) spool_bytes: u64,
    pub(crate) on_problem: Option<OnProblem>,
    pub(crate) prints_problems: bool,
}

impl Settings {
    /// The defaults, and what the environment says.
    pub(crate) fn from_environment(service: String) -> Self {
        let samples = variable("EMP_EVENTS_SAMPLE").map(|text| Sample::parse_all(&text));
        Self {
            service,
            is_enabled: variable("TELEMETRY_ENABLED").is_none_or(|text| !text.eq_ignore_ascii_case("false")),
            url: None,
            tls_root: None,
            stream: variable("EMP_EVENTS_STREAM").unwrap_or_else(|| TELEMETRY_CONFIG.stream_name.to_owned()),
            stream_length: TELEMETRY_CONFIG.max_length,
            level: variable("EMP_EVENTS_LEVEL").and_then(|text| text.parse().ok()).unwrap_or(Level::Debug),
            samples: samples.unwrap_or_default(),
            rate: 1_000,
            burst: 2_000,
            secrets: Vec::new(),
            event_bytes: 16 << 10,
            queue_events: config::QUEUE_EVENTS,
            queue_bytes: config::QUEUE_BYTES,
            answer_timeout: Duration::from_secs(5),
            memory_check: Duration::from_secs(10),
            spool: variable("EMP_EVENTS_SPOOL").map(PathBuf::from),
            spool_file_bytes: 16 << 20,
            spool_bytes: 128 << 20,
            on_problem: None,
            prints_problems: false,
        }
    }

    /// Where Redis is, in words.
    pub(crate) fn address(&self) -> String {
        let from_parts = || {
            let (host, port) = (variable("REDIS_HOST"), variable("REDIS_PORT"));
            let host = host.unwrap_or_else(|| "127.0.0.1".to_owned());
            format!("redis://{host}:{}", port.unwrap_or_else(|| "6379".to_owned()))
        };
        self.url.clone().or_else(|| variable("REDIS_URL")).unwrap_or_else(from_parts)
    }

    pub(crate) fn spool_limits(&self) -> Option<SpoolLimits> {
        let (file_bytes_max, bytes_max) = (self.spool_file_bytes, self.spool_bytes);
        self.spool.clone().map(|folder| SpoolLimits { folder, file_bytes_max, bytes_max })
    }

    pub(crate) fn data_rules(&self) -> DataRules {
        DataRules::new(&self.secrets, self.event_bytes)
    }
}

/// What is set, and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}
