//! Who may ask: looked at before every route.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::routes::Shared;
use super::session;
use super::{Kind, Refusal};

/// Headers of every response. `base-uri 'self'` is for the `<base>` that leads the page's own links behind a proxy.
const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

/// The names by which this server is asked. Whatever else a browser was told to be this host is not.
#[derive(Debug)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    /// Those of the loopback with this port, and what was allowed as it was written.
    pub fn new(bound: Option<SocketAddr>, allowed: &[String]) -> Self {
        let loopback = ["localhost", "127.0.0.1", "[::1]"];
        let mut hosts: Vec<String> = allowed.iter().map(|host| host.to_ascii_lowercase()).collect();
        match bound.map(|address| address.port()) {
            Some(port) => hosts.extend(loopback.iter().map(|host| format!("{host}:{port}"))),
            None => hosts.push("localhost".to_owned()),
        }
        if bound.is_some_and(|address| [80, 443].contains(&address.port())) {
            hosts.extend(loopback.map(str::to_owned));
        }
        if let Some(address) = bound.filter(|address| address.ip().is_loopback()) {
            hosts.push(address.to_string());
        }
        Self(hosts)
    }

    fn has(&self, host: &str) -> bool {
        self.0.iter().any(|known| known.eq_ignore_ascii_case(host))
    }
}

/// Lets nobody in who was led here by somebody else, nor without what has to be known.
pub(crate) async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let is_api = shared.inside(&path).is_some_and(|inside| inside == "/api" || inside.starts_with("/api/"));
    let refused = refusal(&shared, &request, is_api);
    let mut response = match refused {
        Some(refusal) => refusal.into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

fn refusal(shared: &Shared, request: &Request, is_api: bool) -> Option<Refusal> {
    let host = match host(request) {
        Some(host) if shared.hosts.has(host) => host,
        host => return Some(strange_host(host)),
    };
    let is_safe = [Method::GET, Method::HEAD].contains(request.method());
    if (is_api || !is_safe) && is_cross_site(request.headers(), shared.scheme, host) {
        let message = "this request was sent by another site, and is refused";
        return Some(Refusal::new(Kind::Forbidden, message));
    }
    let inside = shared.inside(request.uri().path()).unwrap_or_default();
    let is_open = !is_api || inside == session::PATH;
    let is_metrics = inside == "/metrics";
    let may = match (is_metrics, is_open) {
        (true, _) => session::may_scrape(shared, request.headers()),
        (_, true) => true,
        _ => session::is_signed_in(shared, request.headers()),
    };
    (!may).then(|| {
        let message =
            "send the token that `emp-events serve` has printed: `Authorization: Bearer …`, or sign in on the page";
        Refusal::new(Kind::Unauthorized, message)
    })
}

fn strange_host(host: Option<&str>) -> Refusal {
    let message = match host {
        Some(host) => format!("`{host}` is not a name of this server: start it with --allow-host {host}"),
        None => "the request names no host".to_owned(),
    };
    Refusal::new(Kind::Forbidden, message)
}

/// The host that was asked for. A request that has two, or names it twice, has none.
fn host(request: &Request) -> Option<&str> {
    let mut given = request.headers().get_all(header::HOST).iter();
    let host = given.next()?.to_str().ok()?;
    let is_twice = given.next().is_some();
    let is_other = request.uri().authority().is_some_and(|authority| authority.as_str() != host);
    (!is_twice && !is_other).then_some(host)
}

/// Was it sent by a page of another site? Browsers say so; programs say nothing.
fn is_cross_site(headers: &HeaderMap, scheme: &str, host: &str) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text(HeaderName::from_static("sec-fetch-site")), text(header::ORIGIN)) {
        (Some(site), _) if site != "same-origin" && site != "none" => true,
        (_, Some(origin)) => !is_origin(origin, scheme, host),
        _ => false,
    }
}

/// A proxy may speak HTTPS in our place, so that the scheme is the browser's.
fn is_origin(origin: &str, scheme: &str, host: &str) -> bool {
    let of = |scheme: &str| origin.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://"));
    [scheme, "https"].into_iter().filter_map(of).any(|named| named.eq_ignore_ascii_case(host))
}
