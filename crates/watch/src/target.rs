use std::fmt;

use reqwest::Url;
use serde_json::{Value, json};

use super::Message;

/// In which shape a target takes messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Each as an object of JSON.
    Json,
    /// As Slack takes it.
    Slack,
    /// As the alerts of Alertmanager's API of version 2.
    Alertmanager,
}

/// That is nowhere to send messages to.
#[derive(Debug, thiserror::Error)]
#[error("{0} is no address of HTTP, such as https://example.org/hook")]
pub struct TargetError(&'static str);

/// Who is told. Its address may hold a secret, and is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// In which shape.
    pub shape: Shape,
    pub(super) url: Url,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// As much of the address as is no secret.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => write!(f, "{host}:{port}"),
            None => write!(f, "{host}"),
        }
    }
}

impl Target {
    /// At that address; `named` is how the user gave it.
    ///
    /// # Errors
    /// Where it is none of HTTP.
    pub fn new(shape: Shape, address: &str, named: &'static str) -> Result<Self, TargetError> {
        let mut url = Url::parse(address.trim()).map_err(|_| TargetError(named))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(TargetError(named));
        }
        if shape == Shape::Alertmanager {
            let path = format!("{}/api/v2/alerts", url.path().trim_end_matches('/').trim_end_matches("/api/v2/alerts"));
            url.set_path(&path);
        }
        Ok(Self { shape, url })
    }

    /// By which the book knows it again; the address itself is not written down.
    pub fn key(&self) -> String {
        format!("{:016x}", xxhash_rust::xxh3::xxh3_64(self.url.as_str().as_bytes()))
    }

    /// Is it on this machine, and not by a name that some server could resolve to another one?
    pub(super) fn is_this_machine(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        let address: Result<std::net::IpAddr, _> = host.trim_matches(['[', ']']).parse();
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    }

    /// A message in its shape.
    pub(super) fn body(&self, message: &Message, page: Option<&str>, until_ms: i64) -> Value {
        match self.shape {
            Shape::Json => message.as_json(page),
            Shape::Slack => message.as_slack(page),
            Shape::Alertmanager => json!([message.as_alert(page, until_ms)]),
        }
    }
}
