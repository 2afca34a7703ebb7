use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use tokio::sync::{Semaphore, watch};

use super::assets::{Assets, asset, view};
use super::guard::{Hosts, guard};
use super::limits::Limits;
use super::looks::Looks;
use super::metrics::Metrics;
use super::settings::Token;
use super::{Kind, Questions, Refusal, api, follow, jaeger, session};

/// What every request is answered from.
pub(crate) struct Shared {
    pub questions: Arc<dyn Questions>,
    pub limits: Arc<Limits>,
    /// As many as may ask at once.
    pub turns: Arc<Semaphore>,
    pub assets: Assets,
    pub hosts: Hosts,
    pub base_path: String,
    pub scheme: &'static str,
    pub token: Option<Token>,
    pub metrics_token: Option<Token>,
    /// The cookie's name: with the port, since cookies of one host do not know ports.
    pub cookie: String,
    pub metrics: Arc<Metrics>,
    /// What is looked at again and again.
    pub looks: Looks,
    /// As many as may follow at once.
    pub streams: Arc<Semaphore>,
    /// Turns true once the server is to end.
    pub ending: watch::Receiver<bool>,
}

impl Shared {
    /// The same path without what stands before each path of this server.
    pub fn inside<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(&self.base_path).filter(|inside| inside.is_empty() || inside.starts_with('/'))
    }
}

/// All that can be asked for.
pub(crate) fn routes(shared: Arc<Shared>) -> Router {
    let api = Router::new()
        .route("/session", get(session::signed_in).post(session::sign_in))
        .route("/sql", post(api::ask_in_sql))
        .route("/tail", get(follow::tail))
        .route("/live", get(follow::live))
        .route("/openapi.json", get(described))
        .route("/query/{name}", get(api::ask_canned))
        .route("/{question}", get(api::ask))
        .fallback(nothing_here);
    let all = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/metrics", get(metrics))
        .route("/assets/{*path}", get(asset))
        .route("/favicon.ico", get(asset))
        .nest("/api/v1", api)
        .route("/api/services", get(jaeger::services))
        .route("/api/services/{service}/operations", get(jaeger::operations))
        .route("/api/traces", get(jaeger::search))
        .route("/api/traces/{id}", get(jaeger::trace))
        .route("/api", get(nothing_here))
        .route("/api/{*path}", get(nothing_here))
        .route("/", get(view))
        .route("/{*view}", get(view));
    let all = match shared.base_path.as_str() {
        "" => all,
        base_path => Router::new().nest(base_path, all.clone()).route(&format!("{base_path}/"), get(view)),
    };
    all.fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
        .layer(DefaultBodyLimit::max(shared.limits.body))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guard))
        .with_state(shared)
}

async fn nothing_here() -> Refusal {
    Refusal::new(Kind::NotFound, "there is nothing here; /api/v1/openapi.json says what can be asked")
}

async fn other_method() -> Refusal {
    Refusal::new(Kind::Method, "this path takes another method")
}

/// `GET /api/v1/openapi.json`.
async fn described(State(shared): State<Arc<Shared>>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], shared.questions.described().to_string()).into_response()
}

/// `GET /metrics`.
async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let text = shared.metrics.in_text();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
