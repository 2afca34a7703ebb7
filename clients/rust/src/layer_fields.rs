use std::error::Error;
use std::fmt::Debug;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};

use crate::Ids;

/// The fields of a span or an event of `tracing`, sorted.
#[derive(Default)]
pub(crate) struct Fields {
    /// The type to emit.
    pub(crate) telemetry: Option<String>,
    pub(crate) ids: Ids,
    pub(crate) data: Map<String, Value>,
}

impl Fields {
    fn take(&mut self, name: &str, value: Value) {
        let id = match name {
            "telemetry" => &mut self.telemetry,
            "trace_id" | "traceId" => &mut self.ids.trace_id,
            "job_id" | "jobId" => &mut self.ids.job_id,
            "worker_id" | "workerId" => &mut self.ids.worker_id,
            "machine_id" | "machineId" => &mut self.ids.machine_id,
            "user_id" | "userId" => &mut self.ids.user_id,
            _ => {
                self.data.insert(name.to_owned(), value);
                return;
            }
        };
        *id = Some(match value {
            Value::String(text) => text,
            other => other.to_string(),
        });
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.take(field.name(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON knows no infinity.
        let number = Value::from(value);
        self.take(field.name(), if number.is_null() { value.to_string().into() } else { number });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field.name(), value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.take(field.name(), value.to_string().into());
    }
}
