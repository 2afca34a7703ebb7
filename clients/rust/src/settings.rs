use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::TELEMETRY_CONFIG;
use crate::data::DataRules;
use crate::sampling::Sample;
use crate::spool::SpoolLimits;
use crate::testing::RecordedEvents;
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
    /// How often the client tells of itself; `None`: never.
    pub(crate) stats_every: Option<Duration>,
    pub(crate) spool: Option<PathBuf>,
    pub(crate) spool_file_bytes: u64,
    pub(crate) spool_bytes: u64,
    pub(crate) on_problem: Option<OnProblem>,
    pub(crate) prints_problems: bool,
    /// Takes the events, and nothing is sent.
    pub(crate) recording: Option<RecordedEvents>,
}

impl Settings {
    /// The defaults, and what the environment says.
    pub(crate) fn from_environment(service: String) -> Self {
        let samples = variable("EMP_EVENTS_SAMPLE").map(|text| Sample::parse_all(&text));
        Self {
            service,
            is_enabled: flag("TELEMETRY_ENABLED").unwrap_or(true),
            url: None,
            tls_root: None,
            stream: variable("EMP_EVENTS_STREAM").unwrap_or_else(|| TELEMETRY_CONFIG.stream_name.to_owned()),
            stream_length: TELEMETRY_CONFIG.max_length,
            level: level("EMP_EVENTS_LEVEL").unwrap_or(Level::Debug),
            samples: samples.unwrap_or_default(),
            rate: 1_000,
            burst: 2_000,
            secrets: Vec::new(),
            event_bytes: 16 << 10,
            queue_events: config::QUEUE_EVENTS,
            queue_bytes: config::QUEUE_BYTES,
            answer_timeout: Duration::from_secs(5),
            memory_check: Duration::from_secs(10),
            stats_every: flag("EMP_EVENTS_STATS").unwrap_or(true).then_some(Duration::from_secs(60)),
            spool: variable("EMP_EVENTS_SPOOL").map(PathBuf::from),
            spool_file_bytes: 16 << 20,
            spool_bytes: 128 << 20,
            on_problem: None,
            prints_problems: false,
            recording: None,
        }
    }

    /// Where Redis is, in words.
    pub(crate) fn address(&self) -> String {
        let from_parts = || from_parts(variable("REDIS_HOST"), variable("REDIS_PORT"));
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

/// A level. What is none is told of, and counts as not set.
fn level(name: &str) -> Option<Level> {
    variable(name)?.parse().inspect_err(|error| eprintln!("emp-events-client: {name}: {error}")).ok()
}

/// A switch. What is neither on nor off is told of, and counts as not set.
fn flag(name: &str) -> Option<bool> {
    let text = variable(name)?;
    let is_on = parse_flag(&text);
    if is_on.is_none() {
        eprintln!("emp-events-client: {name} is neither true nor false, and is left aside");
    }
    is_on
}

fn parse_flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// The address of a host and a port. Kubernetes sets `REDIS_PORT` to `tcp://10.0.0.1:6379` for a service named redis.
fn from_parts(host: Option<String>, port: Option<String>) -> String {
    let port = port.unwrap_or_else(|| "6379".to_owned());
    let linked = port.strip_prefix("tcp://").and_then(|linked| linked.rsplit_once(':'));
    let (linked_host, port) = linked.map_or((None, port.as_str()), |(host, port)| (Some(host), port));
    let host = host.as_deref().or(linked_host).unwrap_or("127.0.0.1");
    if host.contains(':') && !host.starts_with('[') {
        format!("redis://[{host}]:{port}")
    } else {
        format!("redis://{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_on_or_off_in_many_words() {
        assert_eq!(["1", "TRUE", "yes", "On"].map(parse_flag), [Some(true); 4]);
        assert_eq!(["0", "false", "No", "OFF"].map(parse_flag), [Some(false); 4]);
        assert_eq!(parse_flag("maybe"), None);
    }

    #[test]
    fn host_and_port_come_as_people_and_kubernetes_set_them() {
        let parts = |host: &str, port: &str| {
            from_parts(Some(host.to_owned()).filter(|it| !it.is_empty()), Some(port.to_owned()))
        };
        assert_eq!(from_parts(None, None), "redis://127.0.0.1:6379");
        assert_eq!(parts("::1", "6379"), "redis://[::1]:6379");
        assert_eq!(parts("", "tcp://10.0.0.1:6380"), "redis://10.0.0.1:6380");
        assert_eq!(parts("h", "tcp://10.0.0.1:6380"), "redis://h:6380");
    }
}
