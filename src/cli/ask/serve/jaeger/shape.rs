//! A history as one of Jaeger's traces: the same spans and unusual gaps as in the waterfall.

use serde_json::{Value, json};

use emp_event::EntryId;
use emp_findings::Judgement;
use emp_job::{History, JobEvent, Span};

/// Events that are shown with the span of the whole; of more it is said how many.
const EVENTS_MAX: usize = 2_000;
/// Whose the silence is nobody knows.
const NOBODY: &str = "(silence)";

/// The trace of that id, below a span of that name.
pub(super) fn trace_of((id, name): (&str, &str), history: &History, judgement: &Judgement) -> Value {
    let mut shape = Shape { trace: id, root: hex(root_id(history)), processes: Vec::new(), spans: Vec::new() };
    let spans = history.spans();
    let events = history.events();
    // Each event belongs to the work of its service that began last before it, else to the whole.
    let mut logs: Vec<Vec<Value>> = vec![Vec::new(); spans.len()];
    let (mut own, mut left_out) = (Vec::new(), 0);
    for event in events {
        match place_of(event, spans, history.end_ms()) {
            Some(place) if logs[place].len() < EVENTS_MAX => logs[place].push(log(event)),
            None if own.len() < EVENTS_MAX => own.push(log(event)),
            _ => left_out += 1,
        }
    }
    shape.add_whole(name, history, own, left_out);
    for (span, logs) in spans.iter().zip(logs) {
        shape.add_work(span, history, logs);
    }
    for gap in &judgement.gaps {
        let mut tags = vec![tag("emp.gap", json!(true))];
        tags.extend(gap.times_typical.map(|times| tag("emp.times_typical", json!(times))));
        let id = u64::MAX - span_id(events[gap.before].id);
        shape.add(NOBODY, &gap.kind.replace('-', " "), &hex(id), (gap.start_ms, gap.end_ms), tags, Vec::new());
    }
    let processes = shape.processes.iter().enumerate();
    let processes = processes.map(|(at, name)| (process(at), json!({"serviceName": name, "tags": []})));
    json!({
        "traceID": id,
        "spans": shape.spans,
        "processes": processes.collect::<serde_json::Map<_, _>>(),
        "warnings": judgement.notes,
    })
}

struct Shape<'a> {
    trace: &'a str,
    root: String,
    /// The services, by the number of their process.
    processes: Vec<String>,
    spans: Vec<Value>,
}

impl Shape<'_> {
    fn add_whole(&mut self, name: &str, history: &History, logs: Vec<Value>, left_out: usize) {
        let first = &history.events()[0];
        let has_failed = history.terminal().is_some_and(JobEvent::is_failure);
        let mut tags = vec![tag("emp.attempts", json!(history.attempts()))];
        tags.extend(first.job_id.as_deref().map(|job| tag("job.id", json!(job))));
        tags.extend(Some(history.job_type()).filter(|kind| !kind.is_empty()).map(|kind| tag("job.type", json!(kind))));
        tags.extend(has_failed.then(|| tag("error", json!(true))));
        tags.extend(history.terminal().is_none().then(|| tag("emp.unfinished", json!(true))));
        tags.extend((left_out > 0).then(|| tag("emp.events_left_out", json!(left_out))));
        let root = self.root.clone();
        self.add(&first.service, name, &root, (history.start_ms(), end_of(history)), tags, logs);
    }

    fn add_work(&mut self, span: &Span, history: &History, logs: Vec<Value>) {
        let mut tags = vec![tag("job.attempt", json!(span.attempt))];
        tags.extend(span.has_failed.then(|| tag("error", json!(true))));
        tags.extend(span.is_lost.then(|| tag("emp.lost", json!(true))));
        tags.extend(span.end_ms.is_none().then(|| tag("emp.unfinished", json!(true))));
        let end_ms = span.end_ms.unwrap_or_else(|| history.end_ms());
        let id = hex(span_id(history.events()[span.event].id));
        self.add(&span.service, &span.name, &id, (span.start_ms, end_ms), tags, logs);
    }

    fn add(
        &mut self,
        service: &str,
        name: &str,
        id: &str,
        (from_ms, until_ms): (i64, i64),
        tags: Vec<Value>,
        logs: Vec<Value>,
    ) {
        let known = self.processes.iter().position(|known| known == service);
        let at = known.unwrap_or_else(|| {
            self.processes.push(service.to_owned());
            self.processes.len() - 1
        });
        let parent = json!({"refType": "CHILD_OF", "traceID": self.trace, "spanID": self.root});
        self.spans.push(json!({
            "traceID": self.trace,
            "spanID": id,
            "operationName": name,
            "references": if id == self.root { json!([]) } else { json!([parent]) },
            "startTime": micros(from_ms),
            "duration": micros((until_ms - from_ms).max(0)),
            "tags": tags,
            "logs": logs,
            "processID": process(at),
            "warnings": null,
        }));
    }
}

/// The end of the job, and of what was told of it later.
pub(super) fn end_of(history: &History) -> i64 {
    history.end_ms().max(history.last().happened_ms())
}

/// The work of its service that began last before it, and goes on; among so many as may be under way at once.
fn place_of(event: &JobEvent, spans: &[Span], end_ms: i64) -> Option<usize> {
    const AT_ONCE_MAX: usize = 64;
    let at_ms = event.happened_ms();
    let begun = spans.partition_point(|span| span.start_ms <= at_ms);
    let covers = |span: &Span| span.service == event.service && at_ms <= span.end_ms.unwrap_or(end_ms);
    (begun.saturating_sub(AT_ONCE_MAX)..begun).rev().find(|place| covers(&spans[*place]))
}

fn log(event: &JobEvent) -> Value {
    let texts = [
        ("event", Some(event.event_type.to_string())),
        ("level", Some(event.level.to_string())),
        ("service", Some(event.service.to_string())),
        ("worker_id", event.worker_id.as_deref().map(str::to_owned)),
        ("id", Some(event.id.to_string())),
        ("data", serde_json::to_string(&event.data).ok().filter(|data| data != "{}")),
    ];
    let fields = texts.into_iter().filter_map(|(key, text)| Some(tag(key, json!(text?))));
    json!({"timestamp": micros(event.happened_ms()), "fields": fields.collect::<Vec<_>>()})
}

fn tag(key: &str, value: Value) -> Value {
    let kind = match &value {
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        _ => "string",
    };
    json!({"key": key, "type": kind, "value": value})
}

fn process(at: usize) -> String {
    format!("p{}", at + 1)
}

fn micros(ms: i64) -> i64 {
    ms.saturating_mul(1_000)
}

/// Of the span that this event opened, or alone tells of: an event does that for one.
fn span_id(event: EntryId) -> u64 {
    const SEQUENCE_BITS: u32 = 20;
    (event.ms << SEQUENCE_BITS) | (event.seq & ((1 << SEQUENCE_BITS) - 1))
}

/// Of the whole: no moment of our time has the first bit.
fn root_id(history: &History) -> u64 {
    const FIRST_BIT: u64 = 1 << 62;
    span_id(history.events()[0].id) | FIRST_BIT
}

fn hex(id: u64) -> String {
    format!("{id:016x}")
}
