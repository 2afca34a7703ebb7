//! Signing in: the token of a link becomes a cookie that no script can read.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;

use super::api::json_body;
use super::routes::Shared;
use super::settings::Token;
use super::{Kind, Refusal};

/// Where one signs in.
pub(crate) const PATH: &str = "/api/v1/session";

/// Does the request know what has to be known?
pub(crate) fn is_signed_in(shared: &Shared, headers: &HeaderMap) -> bool {
    let Some(token) = &shared.token else { return true };
    match bearer(headers) {
        Some(given) => token.is(given),
        None => cookies(headers, &shared.cookie).any(|given| token.is(given)),
    }
}

/// May it read the metrics?
pub(crate) fn may_scrape(shared: &Shared, headers: &HeaderMap) -> bool {
    let is_scraper = |token: &Token| bearer(headers).is_some_and(|given| token.is(given));
    shared.metrics_token.as_ref().is_some_and(is_scraper) || is_signed_in(shared, headers)
}

/// What is sent to sign in.
#[derive(Deserialize)]
struct SignIn {
    token: String,
}

/// `POST /api/v1/session`.
pub(crate) async fn sign_in(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Refusal> {
    let SignIn { token: given } = json_body(&headers, body)?;
    let Some(token) = &shared.token else { return Ok(state(true)) };
    if !token.is(given.trim()) {
        return Err(Refusal::new(
            Kind::Unauthorized,
            "this is not the token of this server: open the link that it has printed last",
        ));
    }
    let path = if shared.base_path.is_empty() { "/" } else { &shared.base_path };
    let secure = if shared.scheme == "https" { "; Secure" } else { "" };
    let cookie = format!("{}={}; Path={path}; HttpOnly; SameSite=Strict{secure}", shared.cookie, token.reveal());
    let mut response = state(true);
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// `GET /api/v1/session`.
pub(crate) async fn signed_in(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    state(is_signed_in(&shared, &headers))
}

fn state(is_signed_in: bool) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json!({"signed_in": is_signed_in}).to_string()).into_response()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, given) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(given.trim())
}

/// The values of that cookie.
fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter_map(move |(given, value)| (given == name).then_some(value))
}
