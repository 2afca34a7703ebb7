//! Where events go, and how: from options, then from the environment.

use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::otlp::Signals;
use super::sieve::Sieve;

/// How long a connection may take to come about.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What OTLP adds to an endpoint.
const LOGS_PATH: &str = "/v1/logs";
const TRACES_PATH: &str = "/v1/traces";

/// What a forwarder sends, where to, and in which portions.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The receiver.
    pub target: Target,
    /// Events of a request, at most.
    pub batch_events: usize,
    /// Bytes of a request before it is compressed, about, at most.
    pub batch_bytes: usize,
    /// How long an event waits for others.
    pub batch_wait: Duration,
    /// Requests under way at once, at most.
    pub requests: usize,
    /// Events of the store that are older than that are not sent: the receiver would drop them.
    pub age_max: Duration,
    /// What is left out.
    pub sieve: Sieve,
    /// The wait after the first failure, and the longest.
    pub backoff: (Duration, Duration),
    /// Until all that is there is delivered; else until told to stop.
    pub once: bool,
}

/// An OTLP receiver.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where logs are posted.
    pub logs_url: String,
    /// Where spans are posted.
    pub traces_url: String,
    /// Names and values of headers; the values may be secret.
    pub headers: Headers,
    /// What is sent of an event.
    pub signals: Signals,
    /// Compress what is sent?
    pub gzip: bool,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// Headers of each request. Shown without their values.
#[derive(Clone, Default)]
pub struct Headers(pub Vec<(String, String)>);

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// What was asked for on the command line; what is `None` is looked up in the environment.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// `--endpoint`.
    pub endpoint: Option<String>,
    /// `--dataset`.
    pub dataset: Option<String>,
    /// `--signals`.
    pub signals: Option<Signals>,
    /// `--timeout`.
    pub timeout: Option<Duration>,
    /// `--allow-http`.
    pub allow_http: bool,
}

/// A setting that makes no sense. Its text never holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Nobody said where to.
    #[error(
        "no endpoint to forward to; set --endpoint or DASH0_OTEL_ENDPOINT, such as https://ingress.eu-west-1.aws.dash0.com"
    )]
    NoEndpoint,
    /// Not an address of the web.
    #[error("{0} is no endpoint; expected a URL such as https://ingress.eu-west-1.aws.dash0.com")]
    Endpoint(String),
    /// The key would be readable on the way.
    #[error("{0} is not encrypted: events and the key could be read on the way; use https, or --allow-http")]
    PlainHttp(String),
    /// A file with the key that cannot be read.
    #[error("cannot read the key from DASH0_API_KEY_FILE={path}: {detail}")]
    KeyFile {
        /// The file.
        path: String,
        /// The system's answer.
        detail: String,
    },
    /// What was set there, such as a variable, holds what no header can.
    #[error("{0} holds characters that no HTTP header can carry")]
    Header(&'static str),
    /// A variable's value.
    #[error("{name}: expected {expected}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// What it takes.
        expected: &'static str,
    },
}

/// The environment's variables, by name.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Target {
    /// Puts together what was asked for and what the environment says: Dash0's own variables
    /// first, then those of the OpenTelemetry specification.
    ///
    /// # Errors
    /// [`SettingsError`] about the first thing that makes no sense.
    pub fn resolve(asked: &Asked, variables: Variables<'_>) -> Result<Self, SettingsError> {
        let base = asked.endpoint.clone().or_else(|| variables("DASH0_OTEL_ENDPOINT"));
        let general = base.clone().or_else(|| variables("OTEL_EXPORTER_OTLP_ENDPOINT"));
        // A variable of one signal is the whole address; it yields to what is about Dash0.
        let own = |name: &str| base.is_none().then(|| variables(name)).flatten();
        let url = |name: &str, path: &str| match own(name) {
            Some(url) => Ok(url),
            None => endpoint_of_signal(general.as_deref().ok_or(SettingsError::NoEndpoint)?, path),
        };
        let target = Self {
            logs_url: url("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", LOGS_PATH)?,
            traces_url: url("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", TRACES_PATH)?,
            headers: headers(asked, variables)?,
            signals: signals(asked, variables)?,
            gzip: gzip(variables)?,
            timeout: timeout(asked, variables)?,
        };
        [&target.logs_url, &target.traces_url].into_iter().try_for_each(|url| check(url, asked.allow_http))?;
        Ok(target)
    }

    /// Where to, as people are told: without user and password.
    pub fn shown(&self) -> String {
        let url = if self.signals == Signals::Spans { &self.traces_url } else { &self.logs_url };
        reqwest::Url::parse(url).map_or_else(|_| "?".to_owned(), |url| url.origin().ascii_serialization())
    }
}

/// The address of one signal below an endpoint, which may have a path and a query, and may be that of a signal
/// already: then it is the one beside it.
fn endpoint_of_signal(endpoint: &str, path: &str) -> Result<String, SettingsError> {
    let mut url = reqwest::Url::parse(endpoint).map_err(|_| SettingsError::Endpoint(shown(endpoint)))?;
    if url.cannot_be_a_base() {
        return Err(SettingsError::Endpoint(shown(endpoint)));
    }
    let base = url.path().trim_end_matches('/');
    let base = [LOGS_PATH, TRACES_PATH].iter().find_map(|signal| base.strip_suffix(signal)).unwrap_or(base);
    let joined = format!("{}{path}", base.trim_end_matches('/'));
    url.set_path(&joined);
    url.set_fragment(None);
    Ok(url.into())
}

fn check(text: &str, allow_http: bool) -> Result<(), SettingsError> {
    let invalid = || SettingsError::Endpoint(shown(text));
    let url = reqwest::Url::parse(text).map_err(|_| invalid())?;
    match url.scheme() {
        "https" => Ok(()),
        "http" if allow_http || is_this_machine(text) => Ok(()),
        "http" => Err(SettingsError::PlainHttp(url.origin().ascii_serialization())),
        _ => Err(invalid()),
    }
}

/// Does the address name this machine, and not by a name that some server could resolve to another one?
pub(super) fn is_this_machine(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let Some(host) = url.host_str() else { return false };
    let address: Result<std::net::IpAddr, _> = host.trim_matches(['[', ']']).parse();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// An endpoint as people are told of it. Of what is no address nobody knows which part is a password: where it may
/// hold one, nothing of it is shown.
fn shown(text: &str) -> String {
    let may_be_secret = text.contains(['@', '?']);
    if may_be_secret { "what is set (not shown: it may hold a password)".to_owned() } else { format!("`{text}`") }
}

const KEY: &str = "DASH0_API_KEY";
const KEY_FILE: &str = "DASH0_API_KEY_FILE";
const DATASET: &str = "DASH0_DATASET";

fn headers(asked: &Asked, variables: Variables<'_>) -> Result<Headers, SettingsError> {
    let mut headers = Vec::new();
    if let Some(list) = variables("OTEL_EXPORTER_OTLP_HEADERS") {
        headers = listed_headers(&list)?;
    }
    if let Some((key, name)) = key(variables)? {
        put(&mut headers, "authorization", fit(format!("Bearer {key}"), name)?);
    }
    let dataset = asked.dataset.clone().map(|dataset| (dataset, "--dataset"));
    if let Some((dataset, name)) = dataset.or_else(|| Some((variables(DATASET)?, DATASET))) {
        put(&mut headers, "dash0-dataset", fit(dataset, name)?);
    }
    Ok(Headers(headers))
}

/// A value as it is, where a header can carry it; `name` is where it was set.
fn fit(value: String, name: &'static str) -> Result<String, SettingsError> {
    match reqwest::header::HeaderValue::from_str(&value) {
        Ok(_) => Ok(value),
        Err(_) => Err(SettingsError::Header(name)),
    }
}

fn put(headers: &mut Vec<(String, String)>, name: &str, value: String) {
    headers.retain(|(other, _)| other != name);
    headers.push((name.to_owned(), value));
}

/// The key, and where it was set.
fn key(variables: Variables<'_>) -> Result<Option<(String, &'static str)>, SettingsError> {
    if let Some(path) = variables(KEY_FILE) {
        return match std::fs::read_to_string(&path) {
            Ok(key) => Ok(Some((key.trim().to_owned(), KEY_FILE))),
            Err(error) => Err(SettingsError::KeyFile { path, detail: error.to_string() }),
        };
    }
    Ok(variables(KEY).map(|key| (key, KEY)))
}

/// `name=value,name=value`, values percent-encoded, as the OpenTelemetry specification has it.
fn listed_headers(list: &str) -> Result<Vec<(String, String)>, SettingsError> {
    const NAME: &str = "OTEL_EXPORTER_OTLP_HEADERS";
    let wrong = || SettingsError::Variable { name: NAME, expected: "name=value,name=value" };
    let mut headers = Vec::new();
    for pair in list.split(',').filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
        let name = name.trim().to_ascii_lowercase();
        reqwest::header::HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let value = percent_decode_str(value.trim()).decode_utf8().map_err(|_| wrong())?;
        put(&mut headers, &name, fit(value.into_owned(), NAME)?);
    }
    Ok(headers)
}

fn signals(asked: &Asked, variables: Variables<'_>) -> Result<Signals, SettingsError> {
    let wrong = SettingsError::Variable { name: "DASH0_SIGNALS", expected: "logs, spans or both" };
    match (asked.signals, variables("DASH0_SIGNALS")) {
        (Some(signals), _) => Ok(signals),
        (None, Some(text)) => Signals::parse(&text).ok_or(wrong),
        (None, None) => Ok(Signals::Logs),
    }
}

fn gzip(variables: Variables<'_>) -> Result<bool, SettingsError> {
    const NAME: &str = "OTEL_EXPORTER_OTLP_COMPRESSION";
    match variables(NAME).as_deref() {
        None | Some("gzip") => Ok(true),
        Some("none") => Ok(false),
        Some(_) => Err(SettingsError::Variable { name: NAME, expected: "gzip or none" }),
    }
}

fn timeout(asked: &Asked, variables: Variables<'_>) -> Result<Duration, SettingsError> {
    const NAME: &str = "OTEL_EXPORTER_OTLP_TIMEOUT";
    if let Some(timeout) = asked.timeout {
        return Ok(timeout);
    }
    match variables(NAME).map(|text| text.trim().parse().ok().filter(|ms| *ms > 0)) {
        None => Ok(Duration::from_secs(10)),
        Some(Some(ms)) => Ok(Duration::from_millis(ms)),
        Some(None) => Err(SettingsError::Variable { name: NAME, expected: "a number of milliseconds" }),
    }
}
