//! What screens show, as JSON for programs. `docs/json.md` has the shapes.

use serde_json::{Value, json};

use emp_findings::{Judgement, Moment, TypicalTime};
use emp_job::{History, JobEvent, State};

/// An event: the columns of the table `events`, `data` as the object that it is.
pub(super) fn event_as_json(event: &JobEvent) -> Value {
    json!({
        "id": event.id.to_string(),
        "timestamp": Moment(event.timestamp_ms),
        "ingested_at": Moment(event.arrived_ms),
        "service": event.service,
        "event_type": event.event_type,
        "level": event.level,
        "trace_id": event.trace_id,
        "job_id": event.job_id,
        "worker_id": event.worker_id,
        "machine_id": event.machine_id,
        "user_id": event.user_id,
        "duration_ms": event.duration_ms,
        "data": event.data,
    })
}

/// A job's time line, with all that its screen says.
pub(super) fn timeline_as_json(title: (&str, &str), history: &History, judgement: &Judgement) -> Value {
    let events = history.events();
    let gaps = judgement.gaps.iter().map(|gap| {
        json!({
            "after_id": events[gap.before].id.to_string(),
            "before_id": events.get(gap.before + 1).map(|event| event.id.to_string()),
            "from": Moment(gap.start_ms),
            "until": Moment(gap.end_ms),
            "duration_ms": gap.ms(),
            "kind": gap.kind,
            "times_typical": gap.times_typical,
            "typical_p99_ms": gap.typical_p99_ms,
        })
    });
    let typical = judgement.spans.iter().copied().chain(std::iter::repeat(TypicalTime::default()));
    let spans = history.spans().iter().zip(typical).map(|(span, typical)| {
        json!({
            "name": span.name,
            "service": span.service,
            "from": Moment(span.start_ms),
            "until": span.end_ms.map(Moment),
            "duration_ms": span.end_ms.map(|end_ms| end_ms - span.start_ms),
            "has_failed": span.has_failed,
            "attempt": span.attempt,
            "typical_ms": typical.median_ms,
            "typical_p99_ms": typical.p99_ms,
        })
    });
    json!({
        title.0: title.1,
        "job_type": Some(history.job_type()).filter(|kind| !kind.is_empty()),
        "from": Moment(history.start_ms()),
        "until": Moment(history.end_ms()),
        "duration_ms": history.end_ms() - history.start_ms(),
        "has_ended": matches!(history.state(), State::Ended(_)),
        "attempts": history.attempts(),
        "errors": events.iter().filter(|event| event.is_error()).count(),
        "events": steps(history),
        "gaps": gaps.collect::<Vec<_>>(),
        "spans": spans.collect::<Vec<_>>(),
        "budget": judgement.budget,
        "notes": judgement.notes,
    })
}

/// Each event, with when it happened by Redis' clock where its own was wrong, and how long after the one before.
fn steps(history: &History) -> Vec<Value> {
    let mut before_ms = None;
    let step = |event: &JobEvent| {
        let happened_ms = event.happened_ms();
        let mut shown = event_as_json(event);
        shown["happened_at"] = json!(Moment(happened_ms));
        shown["delta_ms"] = json!(before_ms.replace(happened_ms).map(|before_ms: i64| happened_ms - before_ms));
        shown
    };
    history.events().iter().map(step).collect()
}
