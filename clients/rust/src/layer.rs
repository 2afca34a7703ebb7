//! A layer that turns the spans and events of `tracing` into telemetry.

use std::cell::Cell;
use std::time::Instant;

use serde_json::{Map, Value};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::layer_fields::Fields;
use crate::track::beginning;
use crate::{EventClient, Ids, Level};

thread_local! {
    /// Set on a client's own thread: what it has to say must not become events that it then sends.
    static IS_SILENT: Cell<bool> = const { Cell::new(false) };
}

pub(crate) fn silence_this_thread() {
    IS_SILENT.set(true);
}

/// Emits what a service tells `tracing`.
///
/// - A span with the field `telemetry = "job.processing"` gives `job.processing_started`, and at
///   its end `job.processing_completed`, or `job.processing_failed` where the field `error` was
///   recorded or an event of level `ERROR` with such a field happened in it.
/// - An event with the field `telemetry = "job.claimed"` gives an event of that type.
/// - Any other event of at least the layer's level gives `log.info`, `log.warn`, …, with its
///   `message` and `target`.
///
/// The fields `job_id`, `worker_id`, `machine_id`, `user_id` and `trace_id`, of the event or of a
/// span around it, become ids; all other fields become data.
#[derive(Clone)]
pub struct TelemetryLayer {
    client: EventClient,
    level: tracing::Level,
}

impl TelemetryLayer {
    /// Emits through that client; plain events from level `INFO`.
    pub fn new(client: EventClient) -> Self {
        Self { client, level: tracing::Level::INFO }
    }

    /// Takes plain events only from this level.
    #[must_use]
    pub fn plain_events_from(mut self, level: tracing::Level) -> Self {
        self.level = level;
        self
    }

    fn emit(&self, event_type: String, level: Option<Level>, ids: Ids, data: Map<String, Value>) {
        let draft = self.client.event(event_type).ids(ids).data(Value::Object(data));
        match level {
            Some(level) => draft.level(level).emit(),
            None => draft.emit(),
        }
    }

    fn end(&self, mut span: SpanState) {
        let Some(name) = span.fields.telemetry.take() else { return };
        let mut data = span.fields.data;
        let action = match span.error {
            Some(error) => {
                data.entry("error").or_insert(error);
                "failed"
            }
            None if data.contains_key("error") => "failed",
            None => "completed",
        };
        data.insert("durationMs".to_owned(), (span.began.elapsed().as_micros() as f64 / 1_000.0).into());
        self.emit(beginning(&name) + action, None, span.fields.ids, data);
    }
}

/// What is known of a span.
struct SpanState {
    fields: Fields,
    began: Instant,
    /// What an event of level `ERROR` in it said.
    error: Option<Value>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TelemetryLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id).filter(|_| !IS_SILENT.get()) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(parent) = span.parent()
            && let Some(parent) = parent.extensions().get::<SpanState>()
        {
            fields.ids = fields.ids.or(&parent.fields.ids);
        }
        if let Some(name) = &fields.telemetry {
            self.emit(beginning(name) + "started", None, fields.ids.clone(), fields.data.clone());
        }
        span.extensions_mut().insert(SpanState { fields, began: Instant::now(), error: None });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(state) = span.extensions_mut().get_mut::<SpanState>() {
            values.record(&mut state.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if IS_SILENT.get() || event.metadata().target().starts_with(env!("CARGO_CRATE_NAME")) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let level = level_of(metadata.level());
        if let Some(span) = context.event_span(event)
            && let Some(state) = span.extensions_mut().get_mut::<SpanState>()
        {
            fields.ids = fields.ids.or(&state.fields.ids);
            if level == Level::Error && state.error.is_none() {
                state.error = fields.data.get("error").cloned();
            }
        }
        match fields.telemetry.take() {
            Some(event_type) => {
                let named = Level::of_type(&event_type);
                self.emit(event_type, Some(level.max(named)), fields.ids, fields.data);
            }
            // In `tracing`, what is less grave is greater.
            None if metadata.level() <= &self.level => {
                fields.data.insert("target".to_owned(), metadata.target().into());
                self.emit(format!("log.{}", level.as_str()), Some(level), fields.ids, fields.data);
            }
            None => {}
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let state = span.extensions_mut().remove::<SpanState>();
        if let Some(state) = state {
            self.end(state);
        }
    }
}

fn level_of(level: &tracing::Level) -> Level {
    match *level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        _ => Level::Debug,
    }
}
