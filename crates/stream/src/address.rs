use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisConnectionInfo};

use super::StreamError;

/// Where Redis is. Shown without its password.
#[derive(Debug, Clone)]
pub struct RedisAddress {
    info: ConnectionInfo,
    shown: String,
}

impl RedisAddress {
    /// Reads `redis://[user:password@]host:port[/db]`, the same with `rediss://` for TLS, or `unix://path`.
    /// Of a cluster, `redis+cluster://host:port,host:port`, the first node is asked.
    ///
    /// # Errors
    /// [`StreamError::Address`] where the text is none.
    pub fn parse(url: &str) -> Result<Self, StreamError> {
        let invalid = |detail: &str| StreamError::Address { address: without_secrets(url), detail: detail.to_owned() };
        if url.contains("+sentinel://") {
            return Err(invalid("sentinels are known to producers alone; give the address of the master itself"));
        }
        if has_stray_at(url) {
            return Err(invalid("a `/`, `?` or `#` in the password has to be written as %2F, %3F or %23"));
        }
        let one = first_node(url);
        let info = one.as_str().into_connection_info().map_err(|_| invalid("it cannot be read as a URL"))?;
        if matches!(info.addr(), ConnectionAddr::TcpTls { insecure: true, .. }) {
            return Err(invalid("certificates are always checked; name their authority by SSL_CERT_FILE"));
        }
        let shown = info.addr().to_string();
        Ok(Self { info, shown })
    }

    pub(super) fn server(&self) -> &ConnectionAddr {
        self.info.addr()
    }

    pub(super) fn login(&self) -> &RedisConnectionInfo {
        self.info.redis_settings()
    }

    /// Host and port, or the socket's path.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

impl std::fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
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
pub fn without_secrets(url: &str) -> String {
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
