//! Which events break the standard for their names, or lack an id that they owe.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};

use emp_query::Answer;

use super::event_name::{better, fault};
use super::investigation::InvestigationError;
use super::rows::Rows;

/// What checking names came to.
#[derive(Debug, Clone, PartialEq)]
pub struct NameCheck {
    /// How many event types were looked at.
    pub event_types: usize,
    /// What breaks the standard, the most frequent first: `problem`, `event_type`, `service`,
    /// `events`, `first_seen`, `last_seen`, `example_id`, `suggestion`.
    pub findings: RecordBatch,
}

/// Events of one type from one service.
#[derive(Debug, Clone)]
struct Seen {
    event_type: String,
    service: String,
    lacks: Option<String>,
    events: i64,
    first_ms: i64,
    last_ms: i64,
    example_id: String,
}

struct Finding {
    problem: String,
    suggestion: Option<String>,
    seen: Seen,
}

/// Judges the answer of the canned query `event-names`.
///
/// # Errors
/// [`InvestigationError`] where it cannot be read.
pub async fn check_names(answer: Answer) -> Result<NameCheck, InvestigationError> {
    let all = Rows(answer.batches().await?).map(|row| {
        Ok(Seen {
            event_type: row.text("event_type")?,
            service: row.text("service")?,
            lacks: row.optional_text("lacks")?,
            events: row.integer("events")?,
            first_ms: row.integer("first_seen")?,
            last_ms: row.integer("last_seen")?,
            example_id: row.text("example_id")?,
        })
    })?;
    let event_types: BTreeSet<&str> = all.iter().map(|seen| seen.event_type.as_str()).collect();
    let good: Vec<&str> = event_types.iter().copied().filter(|name| fault(name).is_none()).collect();
    let mut findings = missing_ids(&all);
    findings.extend(bad_names(&all, &good));
    let key = |finding: &Finding| (-finding.seen.events, finding.seen.event_type.clone(), finding.problem.clone());
    findings.sort_by_key(key);
    Ok(NameCheck { event_types: event_types.len(), findings: batch(&findings)? })
}

fn missing_ids(all: &[Seen]) -> Vec<Finding> {
    let finding = |seen: &Seen| {
        let lacks = seen.lacks.as_deref()?;
        // As the id is called on the wire.
        let suggestion = format!("send {}", lacks.replace("_id", "Id"));
        Some(Finding { problem: format!("no {lacks}"), suggestion: Some(suggestion), seen: seen.clone() })
    };
    all.iter().filter_map(finding).collect()
}

fn bad_names(all: &[Seen], good: &[&str]) -> Vec<Finding> {
    let mut sums: BTreeMap<(&str, &str), Seen> = BTreeMap::new();
    for seen in all {
        sums.entry((&seen.event_type, &seen.service))
            .and_modify(|sum| {
                sum.events += seen.events;
                sum.first_ms = sum.first_ms.min(seen.first_ms);
                sum.last_ms = sum.last_ms.max(seen.last_ms);
            })
            .or_insert_with(|| seen.clone());
    }
    let finding = |seen: Seen| {
        let problem = fault(&seen.event_type)?;
        Some(Finding { problem, suggestion: better(&seen.event_type, good.iter().copied()), seen })
    };
    sums.into_values().filter_map(finding).collect()
}

fn batch(findings: &[Finding]) -> Result<RecordBatch, InvestigationError> {
    let text = |value: fn(&Finding) -> Option<&str>| -> ArrayRef {
        Arc::new(findings.iter().map(value).collect::<StringArray>())
    };
    let time = |value: fn(&Finding) -> i64| -> ArrayRef {
        Arc::new(TimestampMillisecondArray::from_iter_values(findings.iter().map(value)).with_timezone("UTC"))
    };
    let events: ArrayRef = Arc::new(findings.iter().map(|finding| Some(finding.seen.events)).collect::<Int64Array>());
    let columns: [(&str, ArrayRef); 8] = [
        ("problem", text(|finding| Some(&finding.problem))),
        ("event_type", text(|finding| Some(&finding.seen.event_type))),
        ("service", text(|finding| Some(&finding.seen.service))),
        ("events", events),
        ("first_seen", time(|finding| finding.seen.first_ms)),
        ("last_seen", time(|finding| finding.seen.last_ms)),
        ("example_id", text(|finding| Some(&finding.seen.example_id))),
        ("suggestion", text(|finding| finding.suggestion.as_deref())),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}
