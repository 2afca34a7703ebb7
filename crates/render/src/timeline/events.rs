//! The events of a timeline as they are shown.

use std::collections::HashMap;
use std::sync::Arc;

use emp_findings::{FlaggedGap, Judgement};
use emp_job::{Data, History, JobEvent, Meaning, vocabulary};
use emp_units as units;

use crate::text::visible;

/// Clocks that are kept in step differ by less.
const SKEW_MS_MIN: i64 = 20;

/// An event of a timeline. Its texts are safe to show, except for those inside `data`.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// As it is shown.
    pub time_ms: i64,
    /// By how much its producer's clock is proven to be ahead, or, below zero, behind, where that is worth a word.
    pub off_ms: Option<i64>,
    /// Since the event before.
    pub delta_ms: Option<i64>,
    /// The gaps between the event before and this one, in order.
    pub gaps: Vec<Gap>,
    pub service: String,
    pub event_type: String,
    pub level: String,
    pub is_error: bool,
    /// Whether nothing more is to be expected of the job itself.
    pub is_end: bool,
    pub duration_ms: Option<f64>,
    pub worker_id: Option<String>,
    pub machine_id: Option<String>,
    pub data: Data,
}

/// A time in which nothing was heard, for longer than is usual.
#[derive(Debug, Clone)]
pub(crate) struct Gap {
    pub ms: i64,
    /// How unusual it is: `×31 typical · queue-wait`.
    pub note: String,
}

impl From<&FlaggedGap> for Gap {
    fn from(gap: &FlaggedGap) -> Self {
        let note = match gap.times_typical {
            Some(times) => format!("{} typical · {}", units::factor(times), gap.kind),
            None => format!("no baseline · {}", gap.kind),
        };
        Self { ms: gap.ms(), note }
    }
}

/// Which times of events a timeline shows, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// When each happened, as far as is known of clocks that are wrong.
    Corrected,
    /// As they were sent.
    Sent,
}

impl Times {
    fn of(self, event: &JobEvent) -> i64 {
        match self {
            Self::Corrected => event.happened_ms(),
            Self::Sent => event.timestamp_ms,
        }
    }
}

impl Event {
    pub fn new(event: &JobEvent, times: Times) -> Self {
        let shown = |text: &Option<Arc<str>>| text.as_deref().map(|text| visible(text).into_owned());
        let off_ms = event.timestamp_ms - event.happened_ms();
        Self {
            time_ms: times.of(event),
            off_ms: Some(off_ms).filter(|off_ms| off_ms.abs() > SKEW_MS_MIN),
            delta_ms: None,
            gaps: Vec::new(),
            service: visible(&event.service).into_owned(),
            event_type: visible(&event.event_type).into_owned(),
            level: visible(&event.level).into_owned(),
            is_error: event.is_error(),
            is_end: false,
            duration_ms: event.duration_ms,
            worker_id: shown(&event.worker_id),
            machine_id: shown(&event.machine_id),
            data: event.data.clone(),
        }
    }

    pub fn is_retry(&self) -> bool {
        self.event_type.contains("retry") || vocabulary().meaning(&self.event_type) == Some(Meaning::Retried)
    }
}

/// The events of a history in the order of these times, each with the gaps before it, and the gaps after the last one.
pub(super) fn of_history(history: &History, judgement: &Judgement, times: Times) -> (Vec<Event>, Vec<Gap>) {
    let mut gaps_after: HashMap<usize, Vec<Gap>> = HashMap::new();
    for gap in &judgement.gaps {
        gaps_after.entry(gap.before).or_default().push(Gap::from(gap));
    }
    let mut in_order: Vec<(usize, &JobEvent)> = history.events().iter().enumerate().collect();
    in_order.sort_by_key(|(_, event)| (times.of(event), event.id));
    let mut events = Vec::with_capacity(in_order.len());
    // A trace may be of several jobs, each with an end of its own.
    let is_one_job = history.events().windows(2).all(|pair| pair[0].job_id == pair[1].job_id);
    let mut gaps: Vec<Gap> = Vec::new();
    let mut last_ms = None;
    for (index, event) in in_order {
        let time_ms = times.of(event);
        // A gap is measured between the times at which events happened; those that were sent may be nearer.
        let longest_ms = gaps.iter().map(|gap| gap.ms).max().unwrap_or(i64::MIN);
        let delta_ms = last_ms.map(|last_ms: i64| (time_ms - last_ms).max(longest_ms));
        if let ([gap], Some(delta_ms)) = (gaps.as_mut_slice(), delta_ms) {
            // Where there is one gap between two events, it is shown as the time between them.
            gap.ms = delta_ms;
        }
        let is_end = match is_one_job {
            true => history.end_index() == Some(index),
            false => history.meaning(index).is_some_and(Meaning::is_end),
        };
        events.push(Event { delta_ms, gaps, is_end, ..Event::new(event, times) });
        gaps = gaps_after.remove(&index).unwrap_or_default();
        last_ms = Some(time_ms);
    }
    (events, gaps)
}
