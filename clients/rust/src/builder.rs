use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::address::{Address, AddressError};
use crate::sampling::Sample;
use crate::settings::Settings;
use crate::testing::RecordedEvents;
use crate::{EventClient, Level};

/// Sets up an [`EventClient`]. What is not set here is taken from the environment, and else as
/// the crate's README says.
#[must_use]
#[derive(Clone)]
pub struct EventClientBuilder {
    settings: Settings,
}

impl EventClientBuilder {
    pub(crate) fn new(service: String) -> Self {
        Self { settings: Settings::from_environment(service) }
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Where Redis is: `redis://`, `rediss://` (TLS), `unix://`,
    /// `redis+sentinel://host:port,host:port/master` or `redis+cluster://host:port,host:port`.
    pub fn url(self, url: impl Into<String>) -> Self {
        self.set(|settings| settings.url = Some(url.into()))
    }

    /// The certificate of the authority that Redis' own was signed by, as PEM; without it, those
    /// that the system trusts.
    pub fn tls_root_certificate(self, pem: impl Into<Vec<u8>>) -> Self {
        self.set(|settings| settings.tls_root = Some(pem.into()))
    }

    /// Does it emit at all?
    pub fn enabled(self, is_enabled: bool) -> Self {
        self.set(|settings| settings.is_enabled = is_enabled)
    }

    /// The stream that is written to.
    pub fn stream(self, name: impl Into<String>) -> Self {
        self.set(|settings| settings.stream = name.into())
    }

    /// About how many events the stream is kept at.
    pub fn stream_length(self, events: u32) -> Self {
        self.set(|settings| settings.stream_length = events.max(1))
    }

    /// Events below this level are left out.
    pub fn level(self, level: Level) -> Self {
        self.set(|settings| settings.level = level)
    }

    /// Keeps only a share of a type's events, or of all types that begin alike (`websocket.*`).
    /// Errors are always kept.
    pub fn sample(self, event_type: &str, rate: f64) -> Self {
        self.set(|settings| settings.samples.push(Sample::new(event_type, rate)))
    }

    /// Events a second that are allowed of each type, and how many at once; 0 a second allows all.
    pub fn rate_limit(self, per_second: u32, burst: u32) -> Self {
        self.set(|settings| (settings.rate, settings.burst) = (per_second, burst))
    }

    /// Further keys whose values are secrets. A key is one too where it ends like one of these;
    /// case, `_` and `-` make no difference.
    pub fn redact<K: Into<String>>(self, keys: impl IntoIterator<Item = K>) -> Self {
        self.set(|settings| settings.secrets.extend(keys.into_iter().map(Into::into)))
    }

    /// How much the data of one event may hold.
    pub fn max_event_bytes(self, bytes: usize) -> Self {
        self.set(|settings| settings.event_bytes = bytes)
    }

    /// How many events may wait, and how much they may hold.
    pub fn queue(self, events: usize, bytes: usize) -> Self {
        self.set(|settings| (settings.queue_events, settings.queue_bytes) = (events, bytes))
    }

    /// How long Redis may take to answer.
    pub fn answer_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.answer_timeout = timeout)
    }

    /// Where events go while Redis is short of memory or away for long; see the README.
    pub fn spool_dir(self, folder: impl Into<PathBuf>) -> Self {
        self.set(|settings| settings.spool = Some(folder.into()))
    }

    /// How large a spool file may become.
    pub fn max_spool_file_bytes(self, bytes: u64) -> Self {
        self.set(|settings| settings.spool_file_bytes = bytes)
    }

    /// How much the spool's folder may hold, whichever processes wrote there.
    pub fn max_spool_bytes(self, bytes: u64) -> Self {
        self.set(|settings| settings.spool_bytes = bytes)
    }

    /// How often Redis is asked how full its memory is; only with a spool.
    pub fn memory_check(self, every: Duration) -> Self {
        self.set(|settings| settings.memory_check = every)
    }

    /// How often an event `telemetry.stats` tells what became of the others; `None`: never. Default: once a minute, unless
    /// `EMP_EVENTS_STATS` is off.
    pub fn stats_every(self, every: Option<Duration>) -> Self {
        self.set(|settings| settings.stats_every = every)
    }

    /// Called with what went wrong, at most once a minute, from the client's own thread.
    pub fn on_problem(self, call: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.set(|settings| settings.on_problem = Some(Arc::new(call)))
    }

    /// Prints what went wrong to standard error, at most a line a minute.
    pub fn print_problems(self) -> Self {
        self.set(|settings| settings.prints_problems = true)
    }

    /// The client. It connects when the first event is emitted.
    ///
    /// # Errors
    /// The address of Redis cannot be read.
    pub fn build(self) -> Result<EventClient, AddressError> {
        let address = Address::parse(&self.settings.address())?;
        Ok(EventClient::open(self.settings, address))
    }

    /// A client for tests, and what it is going to emit: nothing is sent, whatever the environment says.
    pub fn record(mut self) -> (EventClient, RecordedEvents) {
        let recorded = RecordedEvents::default();
        self.settings.is_enabled = true;
        self.settings.recording = Some(recorded.clone());
        (EventClient::open(self.settings, Address::default()), recorded)
    }

    /// As [`EventClientBuilder::build`]; but where the address cannot be read, that is told on
    /// standard error, and the client does nothing.
    pub fn build_or_disabled(mut self) -> EventClient {
        let address = Address::parse(&self.settings.address()).unwrap_or_else(|error| {
            eprintln!("emp-events-client: no events are emitted: {error}");
            self.settings.is_enabled = false;
            Address::default()
        });
        EventClient::open(self.settings, address)
    }
}
