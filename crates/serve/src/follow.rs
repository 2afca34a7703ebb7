//! What goes on: events as they come, and answers as they change, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use serde_json::json;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;

use super::api::Parameters;
use super::routes::Shared;
use super::{Asked, Kind, Refusal};

/// How often something is said on a silent stream, so that nobody in between takes it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What waits for a slow reader; what is behind that waits where it comes from.
const WAITING_MAX: usize = 4;
/// Views of one stream.
const VIEWS_MAX: usize = 8;

/// What comes of following events.
#[derive(Debug)]
pub enum Followed {
    /// Events as a JSON array, of which the last has this ID.
    Events {
        /// That ID.
        id: String,
        /// The array.
        rows: String,
    },
    /// Events that were not shown, since more came than were wanted; the last of them has this ID.
    More {
        /// That ID.
        id: String,
        /// How many.
        count: u64,
    },
    /// Entries that were lost before anybody had read them.
    Lost {
        /// The ID of the last one that there was before.
        after: String,
        /// The ID of the first one that there is again.
        before: String,
        /// How many, where that is known.
        count: Option<u64>,
    },
    /// It cannot go on.
    Failed(Refusal),
}

/// `GET /api/v1/tail`.
pub(crate) async fn tail(
    State(shared): State<Arc<Shared>>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let (said, sayings) = channel(WAITING_MAX);
    follow_events(&shared, parameters, &headers, said)?;
    events(&shared, sayings)
}

/// `GET /api/v1/live`: answers to several questions as they change, and events beside them.
pub(crate) async fn live(
    State(shared): State<Arc<Shared>>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let (said, sayings) = channel(WAITING_MAX);
    let mut views: Vec<Asked> = Vec::new();
    for (name, value) in parameters {
        match name.as_str() {
            "views" => views.extend(value.split(',').filter(|view| !view.is_empty()).map(view)),
            "tail" => {
                let filters = serde_urlencoded_pairs(&value);
                follow_events(&shared, filters, &headers, said.clone())?;
            }
            _ => return Err(Refusal::new(Kind::Usage, format!("`live` takes no `{name}`; it takes views, tail"))),
        }
    }
    if views.len() > VIEWS_MAX {
        return Err(Refusal::new(Kind::Usage, format!("{} views are too many: {VIEWS_MAX} at most", views.len())));
    }
    for asked in views {
        tokio::spawn(tell_changes(shared.looks.at(&shared, &asked), asked.name, said.clone()));
    }
    events(&shared, sayings)
}

/// Tells each answer of a view as it comes.
async fn tell_changes(mut answers: watch::Receiver<Option<Arc<str>>>, name: String, said: Sender<Event>) {
    loop {
        let answer = answers.borrow_and_update().clone();
        if let Some(answer) = answer
            && said.send(Event::default().event(&name).data(&*answer)).await.is_err()
        {
            return;
        }
        tokio::select! {
            () = said.closed() => return,
            changed = answers.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

/// A view is a question, with its parameters behind a `?` where it has some.
fn view(text: &str) -> Asked {
    let (name, parameters) = text.split_once('?').unwrap_or((text, ""));
    Asked { name: name.to_owned(), parameters: serde_urlencoded_pairs(parameters) }
}

fn serde_urlencoded_pairs(text: &str) -> Parameters {
    let decoded =
        |text: &str| percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

fn follow_events(
    shared: &Arc<Shared>,
    mut parameters: Parameters,
    headers: &HeaderMap,
    said: Sender<Event>,
) -> Result<(), Refusal> {
    // A browser that comes back says where it was.
    if let Some(last) = headers.get("last-event-id").and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty()) {
        parameters.retain(|(name, _)| name != "after");
        parameters.push(("after".to_owned(), last.to_owned()));
    }
    let mut followed = shared.questions.follow(&Asked { name: "tail".to_owned(), parameters })?;
    tokio::spawn(async move {
        loop {
            let event = tokio::select! {
                () = said.closed() => return,
                next = followed.recv() => match next {
                    Some(next) => in_event(next),
                    None => return,
                },
            };
            if said.send(event).await.is_err() {
                return;
            }
        }
    });
    Ok(())
}

fn in_event(followed: Followed) -> Event {
    match followed {
        Followed::Events { id, rows } => Event::default().event("events").id(id).data(rows),
        Followed::More { id, count } => Event::default().event("more").id(id).data(json!({"n": count}).to_string()),
        Followed::Lost { after, before, count } => {
            Event::default().event("lost").data(json!({"n": count, "after": after, "before": before}).to_string())
        }
        Followed::Failed(refusal) => {
            let error = json!({"message": refusal.message, "kind": refusal.kind.name()});
            Event::default().event("failed").data(error.to_string())
        }
    }
}

/// The response, which lasts until its reader goes or the server ends.
fn events(shared: &Arc<Shared>, sayings: Receiver<Event>) -> Result<Response, Refusal> {
    let Ok(place) = Arc::clone(&shared.streams).try_acquire_owned() else {
        let message = format!("{} streams are being followed: close one, or ask again", shared.limits.streams);
        return Err(Refusal::new(Kind::Busy, message));
    };
    let lasting = shared.metrics.follows();
    let state = (sayings, shared.ending.clone(), place, lasting);
    let sayings = stream::unfold(state, async |(mut sayings, mut ending, place, lasting)| {
        let next = tokio::select! {
            next = sayings.recv() => next,
            () = is_true(&mut ending) => None,
        };
        next.map(|event| (Ok::<_, Infallible>(event), (sayings, ending, place, lasting)))
    });
    Ok(Sse::new(sayings).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

async fn is_true(value: &mut watch::Receiver<bool>) {
    // Where its sender has gone, the server has.
    let _ = value.wait_for(|value| *value).await;
}
