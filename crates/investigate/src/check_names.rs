//! Which events break the standard for their names, have names that mean nothing here, or lack an id that they owe.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};

use emp_job::{Meaning, entity, vocabulary};
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
pub async fn check_names(answer: &mut Answer) -> Result<NameCheck, InvestigationError> {
    let all = Rows(answer.rest().await?).map(|row| {
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
    let sums = sums(&all);
    findings.extend(sums.iter().filter_map(|seen| bad_name(seen, &good)));
    findings.extend(sums.iter().filter_map(not_understood));
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

/// Each type of each service once.
fn sums(all: &[Seen]) -> Vec<Seen> {
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
    sums.into_values().collect()
}

fn bad_name(seen: &Seen, good: &[&str]) -> Option<Finding> {
    let problem = fault(&seen.event_type)?;
    Some(Finding { problem, suggestion: better(&seen.event_type, good.iter().copied()), seen: seen.clone() })
}

/// A name that keeps to the standard, and whose word no verdict understands though another one is near: of a job, a
/// queue or a webhook. What no word is near may well mean nothing for the course of a job, and is left alone, except
/// of webhooks, of which every word means something.
fn not_understood(seen: &Seen) -> Option<Finding> {
    let (name, vocabulary) = (seen.event_type.as_str(), vocabulary());
    let entity = entity(name);
    let is_judged = matches!(entity, "job" | "queue" | "webhook") && fault(name).is_none();
    if !is_judged || vocabulary.meaning(name).is_some() {
        return None;
    }
    let types = Meaning::ALL.into_iter().flat_map(|(_, _, meaning)| vocabulary.types(meaning));
    let of_entity = types.filter(|known| known.strip_prefix(entity).is_some_and(|rest| rest.starts_with('.')));
    let action = |name: &str| name.split_once('.').map(|(_, action)| action.to_owned()).unwrap_or_default();
    let far = action(name).len() / 4;
    let near = of_entity.map(|known| (strsim::osa_distance(&action(known), &action(name)), known));
    let near = near.filter(|(distance, _)| *distance <= far).min().map(|(_, known)| known);
    let suggestion = vocabulary.meant_by(name).or(near).map(str::to_owned);
    (suggestion.is_some() || entity == "webhook").then(|| Finding {
        problem: "no verdict understands it".to_owned(),
        suggestion,
        seen: seen.clone(),
    })
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
