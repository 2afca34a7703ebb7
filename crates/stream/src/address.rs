use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisConnectionInfo};

use super::StreamError;

/// The port of a Redis that is named without one.
const PORT: &str = "6379";
/// The port of a sentinel that is named without one.
const SENTINEL_PORT: u16 = 26_379;

/// Where Redis is. Shown without its password.
#[derive(Debug, Clone)]
pub struct RedisAddress {
    place: Place,
    login: RedisConnectionInfo,
    shown: String,
}

/// Which server to connect to.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// The one at this address.
    Server(ConnectionAddr),
    /// The one that any of these sentinels knows by that name, at the moment.
    Sentinels { addresses: Vec<ConnectionAddr>, master: String, is_tls: bool },
}

impl RedisAddress {
    /// Reads `redis://[user:password@]host:port[/db]`, the same with `rediss://` for TLS, or `unix://path`.
    /// Of a cluster, `redis+cluster://host:port,host:port`, the first node is asked; of sentinels,
    /// `redis+sentinel://[user:password@]host:port,host:port/master[/db]`, all in turn.
    ///
    /// # Errors
    /// [`StreamError::Address`] where the text is none.
    pub fn parse(url: &str) -> Result<Self, StreamError> {
        let invalid = |detail: &str| StreamError::Address { address: without_secrets(url), detail: detail.to_owned() };
        match url.split_once("+sentinel://") {
            Some((scheme @ ("redis" | "rediss"), rest)) => Self::of_sentinels(scheme, rest).map_err(invalid),
            _ => Self::of_server(url).map_err(invalid),
        }
    }

    /// What `REDIS_HOST` and `REDIS_PORT` say, where they are set: this machine and the usual port else. Kubernetes sets
    /// `REDIS_PORT` to `tcp://10.0.0.1:6379` for a service named redis.
    ///
    /// # Errors
    /// [`StreamError::Parts`] where they make no address.
    pub fn from_parts(host: Option<&str>, port: Option<&str>) -> Result<Self, StreamError> {
        let given = port.unwrap_or(PORT);
        let linked = given.strip_prefix("tcp://").and_then(|linked| linked.rsplit_once(':'));
        let (linked_host, port) = linked.map_or((None, given), |(host, port)| (Some(host), port));
        let host = host.or(linked_host).unwrap_or("127.0.0.1");
        let invalid = |name, value: &str| StreamError::Parts { name, value: value.to_owned() };
        if port.parse::<u16>().is_err() {
            return Err(invalid("REDIS_PORT", given));
        }
        let is_bare = host.contains(':') && !host.starts_with('[');
        let host_in_url = if is_bare { format!("[{host}]") } else { host.to_owned() };
        Self::of_server(&format!("redis://{host_in_url}:{port}")).map_err(|_| invalid("REDIS_HOST", host))
    }

    fn of_server(url: &str) -> Result<Self, &'static str> {
        let info = connection_info(&first_node(url))?;
        let shown = shown(info.addr());
        Ok(Self { place: Place::Server(info.addr().clone()), login: info.redis_settings().clone(), shown })
    }

    /// `[user:password@]host:port,host:port/master[/db]`: each host is read as a URL of its own, so that ports,
    /// IPv6 and escapes mean the same everywhere.
    fn of_sentinels(scheme: &str, rest: &str) -> Result<Self, &'static str> {
        let (login, rest) = rest.rfind('@').map_or(("", rest), |at| rest.split_at(at + 1));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (master, database) = path.split_once('/').unwrap_or((path, "0"));
        if master.is_empty() {
            return Err("the master's name is missing behind the sentinels: redis+sentinel://host:port,host:port/name");
        }
        let mut infos = Vec::new();
        for host in hosts.split(',').map(str::trim) {
            let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
            let host = if has_port { host.to_owned() } else { format!("{host}:{SENTINEL_PORT}") };
            infos.push(connection_info(&format!("{scheme}://{login}{host}/{database}"))?);
        }
        let login = infos.first().map(|info| info.redis_settings().clone()).unwrap_or_default();
        let addresses = infos.iter().map(|info| info.addr().clone()).collect();
        let shown = format!("{hosts} (sentinels of {master})");
        Ok(Self {
            place: Place::Sentinels { addresses, master: master.to_owned(), is_tls: scheme == "rediss" },
            login,
            shown,
        })
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn login(&self) -> &RedisConnectionInfo {
        &self.login
    }
}

impl std::fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

/// With brackets around an IPv6 address, or its end would pass for the port.
fn shown(address: &ConnectionAddr) -> String {
    match address {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } if host.contains(':') => {
            format!("[{host}]:{port}")
        }
        address => address.to_string(),
    }
}

fn connection_info(url: &str) -> Result<ConnectionInfo, &'static str> {
    if has_stray_at(url) {
        return Err("a `/`, `?` or `#` in the password has to be written as %2F, %3F or %23");
    }
    let info = url.into_connection_info().map_err(|_| "it cannot be read as a URL")?;
    match info.addr() {
        ConnectionAddr::TcpTls { insecure: true, .. } => {
            Err("certificates are always checked; name their authority by SSL_CERT_FILE")
        }
        _ => Ok(info),
    }
}

/// `redis+cluster://[login@]host,host` as the address of its first host alone.
fn first_node(url: &str) -> String {
    match url.split_once("+cluster://") {
        Some((scheme @ ("redis" | "rediss"), rest)) => {
            let hosts_at = rest.rfind('@').map_or(0, |at| at + 1);
            let first = rest[hosts_at..].split(',').next().unwrap_or_default();
            format!("{scheme}://{}{first}", &rest[..hosts_at])
        }
        _ => url.to_owned(),
    }
}

/// Does a login seem to go on behind the host? Then a character of the password ends it too early, and what is
/// taken for host and port is a piece of the password.
fn has_stray_at(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    !scheme.contains("unix") && rest[authority_end..].contains('@')
}

/// The text of an address as it may be shown to anybody: without user, password and query. Where it cannot be
/// told what of it is a secret, nothing but the scheme is left.
pub(super) fn without_secrets(url: &str) -> String {
    let Some(last_at) = url.rfind('@') else {
        return match url.split_once(['?', '#']) {
            Some((before, _)) => format!("{before}?***"),
            None => url.to_owned(),
        };
    };
    let Some((scheme, rest)) = url.split_once("://") else { return "***".to_owned() };
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let host = &url[last_at + 1..];
    let host = &host[..host.find(['?', '#']).unwrap_or(host.len())];
    let login = rest.strip_suffix(&url[last_at..]).unwrap_or_default();
    match is_scheme {
        // An `@` may belong to a query, or a query to the password.
        true if login.contains(['/', '?', '#']) => format!("{scheme}://***"),
        true => format!("{scheme}://***@{host}"),
        false => "***".to_owned(),
    }
}
