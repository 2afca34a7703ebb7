//! Sending messages, each until it is taken.

use std::sync::Arc;
use std::time::Duration;

use emp_system::Backoff;
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use super::{Message, Place, Shape, Target};

/// How long a target may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// The first wait after a failure, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));
/// How often a failure that lasts is said again.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// How often a message is tried that a target finds wrong in itself.
const TRIES_OF_WRONG: u32 = 3;
/// An alert that Alertmanager does not hear of again lasts so many looks.
const LOOKS_UNTIL_OVER: u32 = 5;
/// And so long at least.
const LASTS_MIN: Duration = Duration::from_secs(120);

/// Tells one target.
pub struct Courier {
    target: Target,
    page: Option<String>,
    place: Arc<Place>,
    http: reqwest::Client,
    /// How long an alert lasts that is not told again.
    lasts: Duration,
    waits: Backoff,
    said_at: Option<Instant>,
    tries: u32,
}

/// How a message fared.
enum Answer {
    Taken,
    /// It may be taken another time.
    Later(String),
    /// The target finds this message wrong.
    Wrong(String),
}

impl Courier {
    /// For that target; `every` is how often is looked.
    ///
    /// # Errors
    /// What keeps a client of HTTP from being made, in words.
    pub fn new(target: Target, page: Option<String>, place: Arc<Place>, every: Duration) -> Result<Self, String> {
        // An earlier client of this process may have done so.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let builder = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!("emp-events/", env!("CARGO_PKG_VERSION")))
            .timeout(ANSWER_TIME)
            // An address may be a secret that has no business elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .http1_only();
        let builder = if target.is_this_machine() { builder.no_proxy() } else { builder };
        let http = builder.build().map_err(|error| format!("cannot make a client of HTTP: {error}"))?;
        let lasts = LASTS_MIN.max(every * LOOKS_UNTIL_OVER);
        Ok(Self { target, page, place, http, lasts, waits: Backoff::new(WAITS.0, WAITS.1), said_at: None, tries: 0 })
    }

    /// Sends what waits and what comes, for ever.
    pub async fn run(mut self) {
        let mut changes = self.place.changes();
        loop {
            // Before the book is read, so that no change falls between the two.
            changes.borrow_and_update();
            match self.send_next().await {
                Some(Some(wait)) => sleep(wait).await,
                Some(None) => {}
                None => {
                    self.remind().await;
                    let _ = timeout(self.lasts / (LOOKS_UNTIL_OVER * 2), changes.changed()).await;
                }
            }
        }
    }

    /// Sends all that waits. Is all of it taken?
    pub async fn send_all(mut self, within: Duration) -> bool {
        let sent = timeout(within, async {
            while let Some(wait) = self.send_next().await {
                if let Some(wait) = wait {
                    sleep(wait).await;
                }
            }
        });
        sent.await.is_ok()
    }

    /// Sends the next message that waits, and says how long to wait then; nothing where none waits.
    async fn send_next(&mut self) -> Option<Option<Duration>> {
        let key = self.target.key();
        let message = self.place.read(|book| book.waiting(&key).cloned())?;
        let answer = self.post(&message).await;
        self.tries += 1;
        let why = match answer {
            Answer::Taken => {
                if self.said_at.take().is_some() {
                    info!("{} takes messages again", self.target);
                }
                self.is_done_with(&message);
                return Some(None);
            }
            Answer::Wrong(why) if self.tries >= TRIES_OF_WRONG => {
                error!("{} does not take the message about {}: {why}; it is given up", self.target, message.incident);
                self.is_done_with(&message);
                return Some(None);
            }
            Answer::Wrong(why) | Answer::Later(why) => why,
        };
        if self.said_at.is_none_or(|said_at| said_at.elapsed() >= SAY_EVERY) {
            self.said_at = Some(Instant::now());
            warn!("{} was not told: {why}; trying again", self.target);
        }
        Some(Some(self.waits.next_wait()))
    }

    fn is_done_with(&mut self, message: &Message) {
        self.tries = 0;
        self.waits.reset();
        if let Err(error) = self.place.change(|book| book.has_sent(&self.target.key(), &message.id())) {
            warn!("{error}; after a restart this is told once more");
        }
    }

    /// Tells Alertmanager of what goes on: it takes for over what it does not hear of again.
    async fn remind(&mut self) {
        if self.target.shape != Shape::Alertmanager {
            return;
        }
        let now_ms = Timestamp::now().as_millisecond();
        for message in self.place.read(|book| book.going_on(now_ms)) {
            if let Answer::Later(why) | Answer::Wrong(why) = self.post(&message).await {
                if self.said_at.is_none_or(|said_at| said_at.elapsed() >= SAY_EVERY) {
                    self.said_at = Some(Instant::now());
                    warn!("{} was not told what goes on: {why}", self.target);
                }
                return;
            }
        }
    }

    async fn post(&self, message: &Message) -> Answer {
        let until_ms = Timestamp::now().as_millisecond() + i64::try_from(self.lasts.as_millis()).unwrap_or(i64::MAX);
        let body = self.target.body(message, self.page.as_deref(), until_ms).to_string();
        let mut request = self.http.post(self.target.url.clone()).body(body);
        // The same each time: who has taken it, and whose answer got lost, can tell.
        if let Ok(id) = HeaderValue::from_str(&message.id()) {
            request = request.header(HeaderName::from_static("idempotency-key"), id);
        }
        match request.send().await {
            Ok(response) if response.status().is_success() => Answer::Taken,
            Ok(response) => {
                let status = response.status();
                let is_wrong = matches!(
                    status,
                    StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY
                );
                let why = format!("it answers {status}");
                if is_wrong { Answer::Wrong(why) } else { Answer::Later(why) }
            }
            // Without the address, which may be a secret.
            Err(error) if error.is_timeout() => Answer::Later("no answer in time".to_owned()),
            Err(error) if error.is_connect() => Answer::Later("cannot connect".to_owned()),
            Err(error) => Answer::Later(format!("the connection broke ({})", error.without_url())),
        }
    }
}
