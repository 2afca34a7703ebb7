//! Batches and screens for the tests.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};

use crate::{Format, Screen, TimeZone, write_answer};

/// 2025-09-27T12:03:05.120Z.
pub(super) const START_MS: i64 = 1_758_974_585_120;

pub(super) fn screen(width: usize, color: bool) -> Screen {
    let time_zone = TimeZone::get("Europe/Berlin").expect("a zone of the bundled database");
    Screen { width: Some(width), color, time_zone, rows_max: Some(40) }
}

/// The answer in a format, as text. Escape characters are shown as `␛`.
pub(super) fn answer(format: Format, screen: &Screen, batches: &[RecordBatch]) -> String {
    let elapsed = Some(std::time::Duration::from_micros(12_300));
    let mut out = Vec::new();
    write_answer(&mut out, format, screen, batches[0].schema(), batches, elapsed).expect("memory takes any answer");
    String::from_utf8(out).expect("answers are UTF-8").replace('\u{1b}', "␛")
}

pub(super) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .expect("columns of one length")
}

pub(super) fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

pub(super) fn maybe(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

pub(super) fn integers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

pub(super) fn floats(values: &[Option<f64>]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

pub(super) fn times(offsets_ms: &[i64]) -> ArrayRef {
    let values = offsets_ms.iter().map(|offset| START_MS + offset);
    Arc::new(TimestampMillisecondArray::from_iter_values(values).with_timezone("UTC"))
}

/// Three rows of the table `events`, every column of it.
pub(super) fn events() -> RecordBatch {
    let nulls = || maybe(&[None, None, None]);
    batch(vec![
        ("id", texts(&["1758974585121-0", "1758974585164-0", "1758974627290-3"])),
        ("timestamp", times(&[0, 41, 42_163])),
        ("ingested_at", times(&[1, 44, 42_170])),
        ("service", texts(&["api-server", "worker", "connector"])),
        ("event_type", texts(&["job.created", "job.claimed", "connector.processing_failed"])),
        ("level", texts(&["info", "warn", "error"])),
        ("trace_id", nulls()),
        ("job_id", texts(&["job_123", "job_123", "job_123"])),
        ("worker_id", maybe(&[None, Some("worker-3"), Some("worker-3")])),
        ("machine_id", maybe(&[None, Some("machine-1"), Some("machine-1")])),
        ("user_id", nulls()),
        ("duration_ms", floats(&[None, Some(38.0), Some(42_121.062_5)])),
        (
            "data",
            texts(&[
                r#"{"jobType":"image.resize","priority":5}"#,
                r#"{"claimTimeMs":38,"queue":"default"}"#,
                r#"{"error":"connection reset by peer","processingTimeMs":42121.0625,"connectorType":"comfyui","attempt":1}"#,
            ]),
        ),
        ("date", texts(&["2025-09-27", "2025-09-27", "2025-09-27"])),
        ("hour", texts(&["12", "12", "12"])),
    ])
}
