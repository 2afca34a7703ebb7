//! What the cases of an alert have in common, as far as others do not have it: where to look.

use std::collections::{BTreeMap, BTreeSet};

use emp_findings::{Anomaly, AnomalyKind};
use emp_job::{History, JobEvent, Meaning, entity, error_text, fingerprint, vocabulary};
use emp_statistics::quantile;
use emp_units as units;

use super::detect::Windows;
use super::judge::clock;
use super::surroundings::Surroundings;
use super::webhook::endpoint_of;

/// So many of the cases have it...
const SHARE_MIN: f64 = 0.8;
/// ... and no more of the others.
const OTHERS_MAX: f64 = 0.6;
/// With fewer cases anything may be shared.
const CASES_MIN: usize = 3;
/// A quarter of the events of a type, the slowest, are the cases of an alert that it takes longer.
const SLOW_SHARE: usize = 4;
/// Of these, those that took so many times what is usual for their kind, where there are some.
const SLOW_FACTOR: f64 = 2.0;

/// What may be shared, the most telling first.
const TRAITS: [&str; 6] = ["connector", "endpoint", "worker", "machine", "queue", "kind"];

/// What the cases of an alert share, in words, and what alone.
struct Shared {
    said: String,
    what: Option<String>,
}

/// Adds to each alert about errors and latencies what its cases share.
pub(super) fn name_what_is_shared(anomalies: &mut [Anomaly], around: &Surroundings, windows: &Windows) {
    for anomaly in anomalies {
        let said = match anomaly.kind {
            AnomalyKind::NewError | AnomalyKind::ErrorShare => of_errors(anomaly, around, windows),
            AnomalyKind::Latency => of_latency(anomaly, around, windows),
            _ => None,
        };
        if let Some(Shared { said, what }) = said {
            anomaly.message += &format!("; {said}");
            anomaly.shared = what;
        }
    }
}

fn of_errors(anomaly: &Anomaly, around: &Surroundings, windows: &Windows) -> Option<Shared> {
    let (service, event_type) = (anomaly.subject.service.as_deref()?, anomaly.subject.event_type.as_deref()?);
    let of = entity(event_type);
    let about = around.events().filter(|event| {
        event.arrived_ms >= windows.begins_ms() && *event.service == *service && entity(&event.event_type) == of
    });
    // A new error is told by its text, which the message holds; what it is compared with are all other events.
    let is_case = |event: &&JobEvent| {
        event.is_error()
            && (anomaly.kind == AnomalyKind::ErrorShare
                || error_text(&event.data).is_some_and(|text| is_told(&anomaly.message, &text)))
    };
    let (cases, others): (Vec<&JobEvent>, Vec<&JobEvent>) = about.partition(is_case);
    shared(&cases, &others, around)
}

/// Is that the error of which the message tells, but for its ids and numbers?
fn is_told(message: &str, text: &str) -> bool {
    let example = message.split_once(": ").map_or(message, |(_, rest)| rest);
    fingerprint(example).starts_with(&fingerprint(text))
}

fn of_latency(anomaly: &Anomaly, around: &Surroundings, windows: &Windows) -> Option<Shared> {
    let event_type = anomaly.subject.event_type.as_deref()?;
    if vocabulary().meaning_anywhere(event_type) == Some(Meaning::Claimed)
        && let Some(paused) = paused(around, windows)
    {
        return Some(Shared { said: paused, what: None });
    }
    let all: Vec<Lasting<'_>> = around.events().filter_map(|event| Lasting::of(event, event_type, around)).collect();
    let (before, mut now): (Vec<&Lasting<'_>>, Vec<&Lasting<'_>>) =
        all.iter().partition(|one| one.event.arrived_ms < windows.begins_ms());
    // What always takes longer than other work is not what has become slow.
    let usual = medians(&before);
    let pooled = quantile(&mut before.iter().map(|one| one.ms).collect::<Vec<_>>(), 0.5);
    let usual_of = |one: &Lasting<'_>| usual.get(&one.kind).copied().or(pooled).unwrap_or(1.0).max(1.0);
    now.sort_by(|a, b| (b.ms / usual_of(b)).total_cmp(&(a.ms / usual_of(a))));
    let events: Vec<&JobEvent> = now.iter().map(|one| one.event).collect();
    // Few of them may be slow, and the rest of the quarter as usual.
    let slow = now.iter().filter(|one| one.ms >= SLOW_FACTOR * usual_of(one)).count();
    let most = events.len() / SLOW_SHARE;
    let (cases, others) = events.split_at(if slow >= CASES_MIN { slow.min(most) } else { most });
    shared(cases, others, around)
}

/// An event that says how long it took, and what kind of work it was: its connector and kind of job.
struct Lasting<'a> {
    event: &'a JobEvent,
    kind: (Option<String>, Option<String>),
    ms: f64,
}

impl<'a> Lasting<'a> {
    fn of(event: &'a JobEvent, event_type: &str, around: &Surroundings) -> Option<Self> {
        let ms = event.duration_ms.filter(|_| *event.event_type == *event_type)?;
        Some(Self { event, kind: (trait_of("connector", event, around), trait_of("kind", event, around)), ms })
    }
}

/// How long half of each kind of work takes at most.
fn medians<'a>(all: &[&'a Lasting<'_>]) -> BTreeMap<&'a (Option<String>, Option<String>), f64> {
    let mut kinds: BTreeMap<_, Vec<f64>> = BTreeMap::new();
    all.iter().for_each(|one| kinds.entry(&one.kind).or_default().push(one.ms));
    kinds.into_iter().filter_map(|(kind, mut all)| Some((kind, quantile(&mut all, 0.5)?))).collect()
}

/// The queue that handed out no jobs for a while, and from when to when.
fn paused(around: &Surroundings, windows: &Windows) -> Option<String> {
    let told = around.events().filter(|event| event.arrived_ms >= windows.begins_ms());
    let mut told = told.filter_map(|event| Some((event, vocabulary().meaning(&event.event_type)?)));
    let (begun, _) = told.find(|(_, meaning)| *meaning == Meaning::QueuePaused)?;
    let ended = told.find(|(_, meaning)| *meaning == Meaning::QueueResumed);
    let queue = begun.queue().map(|queue| format!("queue {queue}")).unwrap_or_else(|| "every queue".to_owned());
    Some(match ended {
        Some((ended, _)) => {
            format!("{queue} was paused from {} to {}", clock(begun.happened_ms()), clock(ended.happened_ms()))
        }
        None => format!("{queue} is paused since {}", clock(begun.happened_ms())),
    })
}

/// `all 18 with connector comfyui, on 6 workers`.
fn shared(cases: &[&JobEvent], others: &[&JobEvent], around: &Surroundings) -> Option<Shared> {
    if cases.len() < CASES_MIN {
        return None;
    }
    let found = TRAITS.iter().find_map(|key| {
        let mut values: BTreeMap<String, usize> = BTreeMap::new();
        for value in cases.iter().filter_map(|event| trait_of(key, event, around)) {
            *values.entry(value).or_default() += 1;
        }
        let (value, count) = values.into_iter().max_by_key(|(_, count)| *count)?;
        let other = others.iter().filter(|event| trait_of(key, event, around).as_deref() == Some(&value)).count();
        let is_telling = count as f64 >= SHARE_MIN * cases.len() as f64
            && (other as f64) <= OTHERS_MAX * others.len().max(1) as f64
            && !others.is_empty();
        is_telling.then_some((*key, value, count))
    });
    let (key, value, count) = found?;
    let share = if count == cases.len() { format!("all {count}") } else { format!("{count} of {}", cases.len()) };
    let workers: BTreeSet<&str> = cases.iter().filter_map(|event| event.worker_id.as_deref()).collect();
    let on = match workers.len() {
        _ if key == "worker" => String::new(),
        0 => String::new(),
        1 => format!(", on {}", workers.iter().next().copied().unwrap_or_default()),
        many => format!(", on {}", units::counted(many, "worker", "workers")),
    };
    // Jobs of one kind may fail for any reason.
    let what = (key != "kind").then(|| format!("{key} {value}"));
    Some(Shared { said: format!("{share} with {key} {value}{on}"), what })
}

fn trait_of(key: &str, event: &JobEvent, around: &Surroundings) -> Option<String> {
    let history = || event.job_id.as_deref().and_then(|job| around.history(job));
    let of_job = |of: fn(&History) -> Option<&str>| history().and_then(of).map(str::to_owned);
    match key {
        "connector" => event.connector().map(str::to_owned).or_else(|| of_job(History::connector)),
        "endpoint" if entity(&event.event_type) == "webhook" => history().and_then(endpoint_of),
        "worker" => event.worker_id.as_deref().map(str::to_owned),
        "machine" => event.machine_id.as_deref().map(str::to_owned),
        "queue" => event.queue().map(str::to_owned).or_else(|| of_job(History::queue)),
        "kind" => history().map(|history| history.job_type().to_owned()).filter(|kind| !kind.is_empty()),
        _ => None,
    }
}
