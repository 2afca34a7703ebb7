//! The paths of Jaeger's own API, which its page and Grafana ask.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::api::{Parameters, answer};
use super::routes::Shared;
use super::{Asked, Refusal};

/// What is understood of a search; whoever asks may say more.
const OF_SEARCH: [&str; 9] =
    ["service", "operation", "start", "end", "lookback", "limit", "minDuration", "maxDuration", "tags"];

/// `GET /api/services`.
pub(crate) async fn services(State(shared): State<Arc<Shared>>) -> Response {
    ask(shared, "jaeger-services", Vec::new()).await
}

/// `GET /api/services/<service>/operations`.
pub(crate) async fn operations(State(shared): State<Arc<Shared>>, Path(service): Path<String>) -> Response {
    ask(shared, "jaeger-operations", vec![("service".to_owned(), service)]).await
}

/// `GET /api/traces`.
pub(crate) async fn search(State(shared): State<Arc<Shared>>, Query(mut parameters): Query<Parameters>) -> Response {
    parameters.retain(|(name, value)| OF_SEARCH.contains(&name.as_str()) && !value.is_empty());
    ask(shared, "jaeger-traces", parameters).await
}

/// `GET /api/traces/<id>`.
pub(crate) async fn trace(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    ask(shared, "jaeger-trace", vec![("id".to_owned(), id)]).await
}

async fn ask(shared: Arc<Shared>, name: &str, parameters: Parameters) -> Response {
    // Jaeger's page and Grafana are programs to us, whatever they send along.
    match answer(shared, Asked { name: name.to_owned(), parameters }, &HeaderMap::new()).await {
        Ok(response) => response,
        Err(refusal) => refused(refusal),
    }
}

/// As Jaeger says it, and as we do.
fn refused(refusal: Refusal) -> Response {
    let error = json!({"message": refusal.message, "kind": refusal.kind.name()});
    let message = refusal.message.clone();
    let (parts, _) = refusal.into_response().into_parts();
    let code = parts.status.as_u16();
    let body = Json(json!({"data": null, "errors": [{"code": code, "msg": message}], "error": error}));
    (parts.status, parts.headers, body).into_response()
}
