//! What this server says of itself, as Prometheus reads it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use emp_metrics::{Kind, Text, tell_process};

/// Names of questions at most: what is asked for is chosen by whoever asks.
const NAMES_MAX: usize = 64;

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    questions: Mutex<BTreeMap<(String, &'static str), Counted>>,
    connections: AtomicU64,
    connections_refused: AtomicU64,
    streams: AtomicU64,
    running: AtomicU64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counted {
    count: u64,
    time: Duration,
}

/// What is counted while it lasts.
#[derive(Debug)]
pub(crate) struct Lasting(Arc<Metrics>, fn(&Metrics) -> &AtomicU64);

impl Drop for Lasting {
    fn drop(&mut self) {
        self.1(&self.0).fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// A question was answered, or was not, after so long.
    pub fn has_answered(&self, name: &str, outcome: &'static str, time: Duration) {
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = questions.len() < NAMES_MAX || questions.contains_key(&(name.to_owned(), outcome));
        let name = if is_known && outcome != "not_found" { name } else { "other" };
        let counted = questions.entry((name.to_owned(), outcome)).or_default();
        counted.count += 1;
        counted.time += time;
    }

    /// A connection was taken.
    pub fn connected(self: &Arc<Self>) -> Lasting {
        self.begin(|metrics| &metrics.connections)
    }

    /// A stream of live events has begun.
    pub fn follows(self: &Arc<Self>) -> Lasting {
        self.begin(|metrics| &metrics.streams)
    }

    /// A question is being answered.
    pub fn answers(self: &Arc<Self>) -> Lasting {
        self.begin(|metrics| &metrics.running)
    }

    /// A connection was one too many.
    pub fn refused_connection(&self) {
        self.connections_refused.fetch_add(1, Ordering::Relaxed);
    }

    fn begin(self: &Arc<Self>, count: fn(&Self) -> &AtomicU64) -> Lasting {
        count(self).fetch_add(1, Ordering::Relaxed);
        Lasting(Arc::clone(self), count)
    }

    /// All of it, in the text format of version 0.0.4.
    pub fn in_text(&self) -> String {
        let mut text = Text::default();
        let build = "emp_events_build_info";
        text.family(build, Kind::Gauge, "The version of this program.");
        text.number(build, &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        let questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (total, seconds) = ("emp_events_questions_total", "emp_events_question_seconds_total");
        text.family(total, Kind::Counter, "Questions by what was asked and how it ended.");
        for ((name, outcome), counted) in &questions {
            text.number(total, &[("kind", name), ("outcome", outcome), ("via", "http")], counted.count as f64);
        }
        text.family(seconds, Kind::Counter, "Time until answers began, added up.");
        for ((name, outcome), counted) in &questions {
            let labels = [("kind", name.as_str()), ("outcome", outcome), ("via", "http")];
            text.number(seconds, &labels, counted.time.as_secs_f64());
        }
        let refused = "emp_events_serve_connections_refused_total";
        let counts = [
            ("emp_events_serve_connections", Kind::Gauge, "Connections now.", &self.connections),
            (refused, Kind::Counter, "Connections too many.", &self.connections_refused),
            ("emp_events_questions_running", Kind::Gauge, "Questions that are being answered.", &self.running),
            ("emp_events_serve_streams", Kind::Gauge, "Streams of live events now.", &self.streams),
        ];
        for (name, kind, help, count) in counts {
            text.single(name, kind, help, count.load(Ordering::Relaxed) as f64);
        }
        tell_process(&mut text);
        text.into_string()
    }
}
