use std::fmt::Display;
use std::time::Instant;

use serde_json::{Map, Value};

use crate::EventClient;

/// Tells how long something takes.
#[derive(Debug, Clone, Copy)]
pub struct Timer(Instant);

impl Timer {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds so far, to the microsecond.
    pub fn elapsed_ms(&self) -> f64 {
        self.0.elapsed().as_micros() as f64 / 1_000.0
    }
}

impl EventClient {
    /// Emits `{name}_started`, runs the future, and emits `{name}_completed` or `{name}_failed`
    /// with `durationMs`. A name without a dot is an entity: `connector.started`. The result is
    /// passed on as it is. A future that is dropped or panics has failed too.
    ///
    /// # Errors
    /// Those of the future.
    pub async fn track<T, E: Display>(
        &self,
        name: &str,
        data: Value,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let tracked = Tracked::start(self, name, data);
        let result = work.await;
        tracked.end(&result);
        result
    }

    /// As [`EventClient::track`], for code that does not wait.
    ///
    /// # Errors
    /// Those of the call.
    pub fn track_sync<T, E: Display>(
        &self,
        name: &str,
        data: Value,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let tracked = Tracked::start(self, name, data);
        let result = work();
        tracked.end(&result);
        result
    }
}

/// Work under way. Where it is dropped without an end, the work was given up.
struct Tracked {
    client: EventClient,
    /// Everything of the type up to the last word.
    beginning: String,
    data: Map<String, Value>,
    timer: Timer,
    is_over: bool,
}

impl Tracked {
    fn start(client: &EventClient, name: &str, data: Value) -> Self {
        let data = match data {
            Value::Object(members) => members,
            Value::Null => Map::new(),
            other => Map::from_iter([("value".to_owned(), other)]),
        };
        let tracked =
            Self { client: client.clone(), beginning: beginning(name), data, timer: Timer::start(), is_over: false };
        client.event(tracked.event_type("started")).data(Value::Object(tracked.data.clone())).emit();
        tracked
    }

    fn event_type(&self, action: &str) -> String {
        format!("{}{action}", self.beginning)
    }

    fn end<T, E: Display>(mut self, result: &Result<T, E>) {
        match result {
            Ok(_) => {
                let data = Value::Object(std::mem::take(&mut self.data));
                self.client.event(self.event_type("completed")).data(data).timed(&self.timer).emit();
            }
            Err(error) => self.fail(error.to_string()),
        }
        self.is_over = true;
    }

    fn fail(&mut self, error: String) {
        let data = Value::Object(std::mem::take(&mut self.data));
        self.client.event(self.event_type("failed")).data(data).field("error", error).timed(&self.timer).emit();
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        if !self.is_over {
            self.fail(if std::thread::panicking() { "it panicked" } else { "it was given up" }.to_owned());
        }
    }
}

/// `job.processing` gives `job.processing_`, and `connector` gives `connector.`.
pub(crate) fn beginning(name: &str) -> String {
    format!("{name}{}", if name.contains('.') { '_' } else { '.' })
}
