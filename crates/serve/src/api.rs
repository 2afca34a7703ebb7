//! Questions over HTTP: so many at once.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use futures::stream;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Receiver;

use super::limits::Limits;
use super::reply::{Head, Part};
use super::routes::Shared;
use super::{Asked, Kind, Refusal, apart};

/// Parameters in their order; a name may come several times.
pub(crate) type Parameters = Vec<(String, String)>;

/// What of a text is not sent as it is in a header.
const IN_HEADER: AsciiSet = CONTROLS.add(b'%');
/// Larger ones are refused by some that stand between.
const HEADER_BYTES_MAX: usize = 4 << 10;
/// A question that computes notices late that its time is over; then nobody waits for it to.
const GRACE: Duration = Duration::from_secs(2);

/// `GET /api/v1/<question>?<option>=<value>`.
pub(crate) async fn ask(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    answer(shared, named(name, parameters, &headers), &headers).await
}

/// `GET /api/v1/query/<name>`: a canned query.
pub(crate) async fn ask_canned(
    State(shared): State<Arc<Shared>>,
    Path(query): Path<String>,
    Query(mut parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    parameters.push(("name".to_owned(), query));
    answer(shared, named("query".to_owned(), parameters, &headers), &headers).await
}

/// What is sent to be asked in SQL.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    statement: String,
    format: Option<String>,
    limit: Option<u64>,
    now: Option<String>,
    tz: Option<String>,
}

/// `POST /api/v1/sql`: never by a link, nor by a form.
pub(crate) async fn ask_in_sql(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let Statement { statement, format, limit, now, tz } = json_body(&headers, body)?;
    let given = [
        ("query", Some(statement)),
        ("format", format),
        ("limit", limit.map(|limit| limit.to_string())),
        ("now", now),
        ("tz", tz),
    ];
    let parameters = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    answer(shared, named("sql".to_owned(), parameters, &headers), &headers).await
}

/// The body as JSON, where it says that it is.
pub(crate) fn json_body<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<T, Refusal> {
    let stated = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !stated.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(Refusal::new(Kind::MediaType, "send JSON, with `Content-Type: application/json`"));
    }
    let body = body.map_err(|_| Refusal::new(Kind::TooLarge, "the body is larger than 64 KiB"))?;
    serde_json::from_slice(&body)
        .map_err(|error| Refusal::new(Kind::Usage, format!("the body cannot be read: {error}")))
}

/// The question in the form that the request asks for, where its parameters do not say.
fn named(name: String, mut parameters: Parameters, headers: &HeaderMap) -> Asked {
    let accepts = |kind: &str| {
        let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        accepted
            .flat_map(|value| value.split(','))
            .any(|one| one.split(';').next().is_some_and(|one| one.trim() == kind))
    };
    let known = [("ndjson", "application/x-ndjson"), ("csv", "text/csv")];
    let wanted = known.into_iter().find(|(_, kind)| accepts(kind));
    if let Some((format, _)) = wanted.filter(|_| !parameters.iter().any(|(name, _)| name == "format")) {
        parameters.push(("format".to_owned(), format.to_owned()));
    }
    Asked { name, parameters }
}

/// Asks in turn with others, and sends the answer as it comes.
pub(crate) async fn answer(shared: Arc<Shared>, asked: Asked, headers: &HeaderMap) -> Result<Response, Refusal> {
    let begun = Instant::now();
    // A page has signed in, and has no other way to say who it is.
    let is_from_page = headers.contains_key(header::COOKIE) && !headers.contains_key(header::AUTHORIZATION);
    shared.questions.was_asked(&asked, is_from_page);
    let mut parts = begin(&shared, &asked).await?;
    let first = tokio::time::timeout(shared.limits.time + GRACE, parts.recv()).await;
    let outcome = match first {
        Ok(Some(Part::Head(head))) => Ok(response(&shared, &asked, head, parts)),
        Ok(Some(Part::Refused(refusal))) => Err(refusal),
        Err(_) => Err(Refusal::new(Kind::TooLong, "the question does not end; it is given up")),
        Ok(_) => {
            Err(Refusal::new(Kind::Failed, "the question ended without an answer: that is an error of this program"))
        }
    };
    let kind = outcome.as_ref().err().map_or("answered", |refusal| refusal.kind.name());
    shared.metrics.has_answered(&asked.name, kind, begun.elapsed());
    outcome
}

/// The whole of an answer, which is told as it is.
pub(crate) async fn whole(shared: &Arc<Shared>, asked: &Asked) -> Result<String, Refusal> {
    let mut parts = begin(shared, asked).await?;
    let mut text = Vec::new();
    loop {
        match parts.recv().await {
            Some(Part::Head(_)) => {}
            Some(Part::Body(bytes)) => text.extend_from_slice(&bytes),
            Some(Part::End) => return Ok(String::from_utf8_lossy(&text).trim_end().to_owned()),
            Some(Part::Refused(refusal)) => return Err(refusal),
            None => return Err(Refusal::new(Kind::Failed, "the question ended without an answer")),
        }
    }
}

/// Begins to answer once it is its turn.
async fn begin(shared: &Arc<Shared>, asked: &Asked) -> Result<Receiver<Part>, Refusal> {
    begin_by(shared, shared.questions.program(), asked, &shared.limits).await
}

/// The same by another program, and within other limits.
pub(crate) async fn begin_by(
    shared: &Arc<Shared>,
    program: Command,
    asked: &Asked,
    limits: &Arc<Limits>,
) -> Result<Receiver<Part>, Refusal> {
    let turn = tokio::time::timeout(shared.limits.patience, Arc::clone(&shared.turns).acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        let message = format!("{} questions are being answered: ask again", shared.limits.questions);
        return Err(Refusal::new(Kind::Busy, message));
    };
    let running = shared.metrics.answers();
    apart::ask(program, asked, limits, (turn, running))
}

fn response(shared: &Shared, asked: &Asked, head: Head, parts: Receiver<Part>) -> Response {
    let body = stream::unfold(parts, async |mut parts| match parts.recv().await {
        Some(Part::Body(bytes)) => Some((Ok(bytes), parts)),
        Some(Part::End) => None,
        Some(Part::Refused(refusal)) => Some((Err(refusal), parts)),
        // The connection is broken off, so that nobody takes what there is for all.
        _ => Some((Err(Refusal::new(Kind::Failed, "the question ended before its answer did")), parts)),
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    let content_type = head.content_type.as_deref().and_then(|kind| HeaderValue::from_str(kind).ok());
    headers.insert(header::CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("application/json")));
    let file_name = head.file_name.as_ref().map(|name| format!("attachment; filename=\"{name}\""));
    let command = shared.questions.command_line(asked, head.now_ms);
    let notes = (!head.notes.is_empty()).then(|| serde_json::json!(head.notes).to_string());
    let said = [
        (header::CONTENT_DISPOSITION, file_name),
        (HeaderName::from_static("emp-events-command"), command.as_deref().map(in_header)),
        (HeaderName::from_static("emp-events-notes"), notes.as_deref().map(in_header)),
        (HeaderName::from_static("emp-events-sql"), head.sql.as_deref().map(in_header)),
    ];
    for (name, value) in said {
        if let Some(value) = value.filter(|value| value.len() <= HEADER_BYTES_MAX)
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            headers.insert(name, value);
        }
    }
    response
}

fn in_header(text: &str) -> String {
    utf8_percent_encode(text, &IN_HEADER).to_string()
}
