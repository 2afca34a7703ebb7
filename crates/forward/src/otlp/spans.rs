//! Beginnings and ends of work joined into spans: as `timeline` does it, but event by event.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::attributes::Attributes;
use super::data::{cut, line, value};
use super::ids::{TraceId, root_span_id, span_id, trace_id, trace_id_of_job};
use super::{OwnedEvent, nanoseconds};
use emp_event::{EntryId, Level, Members};
use emp_job::{Attempt, Dialect, Meaning, Named, OpenWork, Role, entity, happened_ms, role, span_name, vocabulary};

/// Dash0's quota for a span.
const ATTRIBUTES_MAX: usize = 32;
/// Dash0's quota of spans for a trace, less the one that covers the job.
const CHILDREN_MAX: u32 = 1_999;

/// A span and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceSpan {
    /// The service that did the work.
    pub service: String,
    /// The span, ready to be sent.
    pub span: Span,
    /// The event that completed it.
    pub event: EntryId,
}

/// Joins beginnings and ends of work into spans, over batches. It remembers a bounded number of
/// jobs; of more the one that was first seen longest ago is forgotten.
#[derive(Debug)]
pub struct SpanJoiner {
    capacity: usize,
    jobs: HashMap<Arc<str>, Job>,
    /// The jobs in the order in which they were first seen.
    order: VecDeque<Arc<str>>,
}

/// What is remembered of a job.
#[derive(Debug)]
struct Job {
    /// Of its first event.
    service: String,
    start_ms: i64,
    trace: Option<Trace>,
    dialect: Dialect,
    attempt: Attempt,
    /// The type of its last event.
    last: String,
    has_ended: bool,
    children: u32,
    children_left_out: u32,
    open: OpenWork<Begun>,
}

#[derive(Debug)]
struct Trace {
    id: TraceId,
    /// The text that the id is a hash of.
    original: Option<Box<str>>,
}

/// What is kept of work that was begun.
#[derive(Debug)]
struct Begun {
    service: String,
    event: EntryId,
    start_ms: i64,
}

/// Work that is done.
struct Done {
    name: String,
    service: String,
    start: u64,
    /// The event that opened it, else the one that tells of it.
    event: EntryId,
}

impl SpanJoiner {
    /// Remembers that many jobs, and one at least.
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), jobs: HashMap::new(), order: VecDeque::new() }
    }

    /// The spans that these events complete, in their order.
    pub fn take(&mut self, events: &[OwnedEvent]) -> Vec<ServiceSpan> {
        let mut spans = Vec::new();
        for event in events {
            if let Some(job_id) = event.job_id.as_deref() {
                spans.extend(self.job(job_id, event).and_then(|job| job.take(job_id, event)));
            }
        }
        spans
    }

    /// What is remembered of that job, which begins with this event where nothing is.
    fn job(&mut self, job_id: &str, event: &OwnedEvent) -> Option<&mut Job> {
        if !self.jobs.contains_key(job_id) {
            if self.jobs.len() == self.capacity
                && let Some(oldest) = self.order.pop_front()
            {
                self.jobs.remove(&oldest);
            }
            let key: Arc<str> = Arc::from(job_id);
            self.order.push_back(Arc::clone(&key));
            self.jobs.insert(key, Job::new(event));
        }
        self.jobs.get_mut(job_id)
    }
}

impl Job {
    fn new(event: &OwnedEvent) -> Self {
        let is_whole = Dialect::default().meaning(&event.event_type).is_some_and(Meaning::is_end);
        // Where the end is all that is known of it, the end may say how long it took.
        let lasted_ms = event.duration_ms.filter(|ms| is_whole && *ms > 0.0).unwrap_or(0.0);
        Self {
            service: event.service.as_ref().to_owned(),
            start_ms: happened(event).saturating_sub(lasted_ms as i64),
            trace: None,
            dialect: Dialect::default(),
            attempt: Attempt::default(),
            last: String::new(),
            has_ended: false,
            children: 0,
            children_left_out: 0,
            open: OpenWork::default(),
        }
    }

    /// The span that this event completes.
    fn take(&mut self, job_id: &str, event: &OwnedEvent) -> Option<ServiceSpan> {
        let event_type = event.event_type.as_ref();
        if self.trace.is_none() {
            self.trace = event.trace_id.as_deref().map(Trace::new);
        }
        let meaning = self.dialect.meaning(event_type);
        self.follow_attempt(event, meaning);
        if meaning.is_some_and(Meaning::is_end) {
            return self.root(job_id, event);
        }
        if meaning.is_some_and(|meaning| meaning == Meaning::Claimed || meaning.is_put_back()) {
            self.has_ended = false;
        }
        if !self.has_ended {
            self.start_ms = self.start_ms.min(happened(event));
        }
        match role(event_type, meaning) {
            Role::Opens(name) => {
                self.open(span_name(entity(event_type), name), event);
                None
            }
            Role::Closes(name) => self.child(job_id, name, event),
            Role::Neither => None,
        }
    }

    fn follow_attempt(&mut self, event: &OwnedEvent, meaning: Option<Meaning>) {
        let event_type = event.event_type.as_ref();
        let stated = (meaning == Some(Meaning::Claimed)).then(|| stated_attempt(event)).flatten();
        self.attempt.follow(Some(&self.last), event_type, meaning, stated);
        event_type.clone_into(&mut self.last);
    }

    fn open(&mut self, name: String, event: &OwnedEvent) {
        let service = event.service.as_ref().to_owned();
        let begun = Begun { service, event: event.id, start_ms: happened(event) };
        self.open.begin(name, self.attempt.number(), begun);
    }

    /// The work that this event closes, or alone tells of.
    fn done(&mut self, name: &str, event: &OwnedEvent) -> Option<Done> {
        let of = entity(&event.event_type);
        if let Some((name, begun)) = self.open.end(of, name, self.attempt.number()) {
            let Begun { service, event, start_ms } = begun;
            return Some(Done { name, service, start: nanoseconds(start_ms), event });
        }
        let lasted_ms = event.duration_ms.filter(|ms| ms.is_finite() && *ms > 0.0)?;
        Some(Done {
            name: span_name(of, name),
            service: event.service.as_ref().to_owned(),
            start: nanoseconds(happened(event)).saturating_sub((lasted_ms * 1e6) as u64),
            event: event.id,
        })
    }

    fn child(&mut self, job_id: &str, name: &str, event: &OwnedEvent) -> Option<ServiceSpan> {
        let done = self.done(name, event)?;
        if self.children == CHILDREN_MAX {
            self.children_left_out += 1;
            return None;
        }
        self.children += 1;
        let attempt = self.attempt.number();
        let trace = self.trace(job_id);
        let mut span = Span { name: done.name, start_time_unix_nano: done.start, ..bare_span(trace, event) };
        span.span_id = span_id(job_id, &span.name, done.event).to_vec();
        span.parent_span_id = root_span_id(job_id).to_vec();
        let mut attributes = attributes(trace, attempt, event);
        attributes.text("emp.event_type", &event.event_type);
        Some(finished(done.service, span, attributes, event))
    }

    /// The span of the whole job, once each time that it ends.
    fn root(&mut self, job_id: &str, event: &OwnedEvent) -> Option<ServiceSpan> {
        if self.has_ended {
            return None;
        }
        self.has_ended = true;
        let (start_ms, attempt, left_out) = (self.start_ms, self.attempt.number(), self.children_left_out);
        let service = self.service.clone();
        let trace = self.trace(job_id);
        let mut span =
            Span { name: "job".to_owned(), start_time_unix_nano: nanoseconds(start_ms), ..bare_span(trace, event) };
        span.span_id = root_span_id(job_id).to_vec();
        span.parent_span_id = trace.id.parent.map_or_else(Vec::new, |id| id.to_vec());
        let mut attributes = attributes(trace, attempt, event);
        attributes.text("emp.event_type", &event.event_type);
        if left_out > 0 {
            attributes.integer("emp.spans_left_out", i64::from(left_out));
        }
        Some(finished(service, span, attributes, event))
    }

    /// The trace that all its spans are in: it does not change once one was sent.
    fn trace(&mut self, job_id: &str) -> &Trace {
        self.trace.get_or_insert_with(|| Trace { id: trace_id_of_job(job_id), original: None })
    }
}

impl Trace {
    fn new(text: &str) -> Self {
        let id = trace_id(text);
        Self { id, original: (!id.is_given).then(|| Box::from(text)) }
    }
}

/// The attempt that an event names.
fn stated_attempt(event: &OwnedEvent) -> Option<f64> {
    let members = Members::parse(&event.data).ok()?;
    value(&members, |key| key == "attempt")?.get().parse().ok()
}

fn happened(event: &OwnedEvent) -> i64 {
    happened_ms(event.timestamp, event.id.ingested_at().unwrap_or(event.timestamp))
}

/// What every span that this event completes has.
fn bare_span(trace: &Trace, event: &OwnedEvent) -> Span {
    Span {
        trace_id: trace.id.bytes.to_vec(),
        kind: SpanKind::Internal.into(),
        end_time_unix_nano: nanoseconds(happened(event)),
        ..Span::default()
    }
}

fn attributes(trace: &Trace, attempt: u32, event: &OwnedEvent) -> Attributes {
    let mut attributes = Attributes::new(ATTRIBUTES_MAX);
    attributes.text("span.record.uid", &event.id.to_string());
    attributes.ids(event);
    attributes.integer("job.attempt", i64::from(attempt));
    attributes.text_if("trace.original_id", trace.original.as_deref());
    attributes
}

fn finished(service: String, mut span: Span, attributes: Attributes, event: &OwnedEvent) -> ServiceSpan {
    let members = Members::parse(&event.data).ok();
    if event.level == Level::Error {
        let reason = members.as_ref().and_then(|members| line(members, vocabulary().keys(Named::Error)));
        let message = reason.map_or_else(|| event.event_type.as_ref().to_owned(), |line| cut(&line).0.into_owned());
        span.status = Some(Status { message, code: StatusCode::Error.into() });
    }
    // Two clocks may disagree, and no span ends before it begins.
    span.end_time_unix_nano = span.end_time_unix_nano.max(span.start_time_unix_nano);
    span.attributes = attributes.finish(event, members);
    ServiceSpan { service, span, event: event.id }
}
