use proptest::prelude::*;
use serde_json::json;

use emp_event::EntryId;

use super::*;

mod attempts;
mod offsets;
mod words;

fn event(at_ms: i64, seq: u64, event_type: &str) -> JobEvent {
    let service = match entity(event_type) {
        "webhook" => "webhook-service",
        "connector" => "worker",
        _ if matches!(event_type, "job.created" | "job.queued") => "api-server",
        _ => "worker",
    };
    JobEvent::from(EventFields {
        id: EntryId::new(at_ms as u64 + 5, seq),
        timestamp_ms: at_ms,
        arrived_ms: at_ms + 5,
        behind_ms: 0,
        service: service.into(),
        event_type: event_type.into(),
        level: "info".into(),
        job_id: Some("job_1".into()),
        trace_id: None,
        worker_id: (service == "worker").then(|| "worker-1".into()),
        machine_id: None,
        user_id: None,
        duration_ms: None,
        data: Data::default(),
    })
}

fn history(events: &[(i64, &str)], now_ms: i64) -> History {
    let events = events.iter().zip(0..).map(|((at_ms, event_type), seq)| event(*at_ms, seq, event_type)).collect();
    History::new(events, now_ms).unwrap()
}

const DONE: [(i64, &str); 6] = [
    (0, "job.created"),
    (10, "job.queued"),
    (510, "job.claimed"),
    (600, "connector.processing_started"),
    (4_600, "connector.processing_completed"),
    (4_700, "job.completed"),
];

#[test]
fn a_finished_job_is_taken_apart() {
    let history = history(&DONE, 10_000);
    assert_eq!(history.state(), State::Ended(5));
    let parts: Vec<(String, i64)> = budget(&history).iter().map(|part| (part.kind.label(), part.ms())).collect();
    let expected = [
        ("job.created → job.queued", 10),
        ("queue wait", 500),
        ("job.claimed → connector.processing_started", 90),
        ("connector.processing", 4_000),
        ("connector.processing_completed → job.completed", 100),
    ];
    assert_eq!(parts, expected.map(|(label, ms)| (label.to_owned(), ms)));
    let gaps: Vec<(GapKind, i64)> = history.gaps().iter().map(|gap| (gap.kind, gap.ms())).collect();
    assert_eq!(gaps[1], (GapKind::QueueWait, 500));
    assert_eq!(gaps.last(), Some(&(GapKind::Tail, 100)));
    assert_eq!(history.handoffs().len(), 1);
}

/// How long a piece of work took is rounded, and its end told a moment late.
#[test]
fn pieces_of_work_that_overlap_by_a_moment_are_both_work() {
    let mut events: Vec<JobEvent> =
        DONE.iter().zip(0..).map(|((at_ms, event_type), seq)| event(*at_ms, seq, event_type)).collect();
    let mut written = event(4_650, 6, "file.write_completed");
    written.duration_ms = Some(53.0);
    events.insert(5, written);
    let history = History::new(events, 10_000).unwrap();
    let parts: Vec<(String, i64)> = budget(&history).iter().map(|part| (part.kind.label(), part.ms())).collect();
    let of = |name: &str| parts.iter().find(|(label, _)| label == name).map(|(_, ms)| *ms);
    assert_eq!((of("connector.processing"), of("file.write")), (Some(3_997), Some(53)), "{parts:?}");
    assert_eq!(parts.len(), 6, "{parts:?}");
}

#[test]
fn what_an_unfinished_job_does_is_told_by_its_last_events() {
    assert_eq!(history(&DONE[..2], 9_000).state(), State::Waiting(1));
    assert_eq!(history(&DONE[..3], 9_000).state(), State::Claimed(2));
    assert_eq!(history(&DONE[..4], 9_000).state(), State::Working);
    assert_eq!(history(&DONE[..4], 9_000).end_ms(), 9_000);
    // Seen from before its end, it has not ended.
    assert_eq!(history(&DONE, 4_650).state(), State::Working);
}

#[test]
fn a_retry_is_waited_for_until_its_time() {
    let mut events: Vec<JobEvent> =
        DONE[..4].iter().zip(0..).map(|((at_ms, event_type), seq)| event(*at_ms, seq, event_type)).collect();
    events.push(event(2_000, 4, "connector.processing_failed"));
    let mut retry = event(2_010, 5, "job.retry_scheduled");
    retry.data = json!({ "attempt": 1, "nextRetryAt": 7_000 }).as_object().unwrap().clone().into();
    events.push(retry);
    let until = State::Deferred { event: 5, until_ms: 7_000 };
    assert_eq!(History::new(events.clone(), 6_000).unwrap().state(), until);
    assert_eq!(History::new(events.clone(), 8_000).unwrap().state(), State::Waiting(5));
    let seen = History::new(events, 6_000).unwrap();
    assert!(seen.spans()[0].has_failed);
    assert_eq!(budget(&seen).last().unwrap().kind, PartKind::Backoff);
}

#[test]
fn a_second_end_does_not_count_and_a_second_attempt_does() {
    let twice = [&DONE[..], &[(4_800, "job.completed")]].concat();
    let seen = history(&twice, 10_000);
    assert_eq!((seen.end_ms(), seen.repeated_terminals()), (4_700, 1));
    let again = [&DONE[..5], &[(4_700, "job.failed"), (5_000, "job.claimed")]].concat();
    let seen = history(&again, 10_000);
    assert_eq!((seen.state(), seen.attempts()), (State::Claimed(6), 2));
}

#[test]
fn work_before_the_first_claim_is_of_the_first_attempt() {
    let seen = history(
        &[
            (0, "job.created"),
            (10, "planning.started"),
            (20, "planning.completed"),
            (30, "job.claimed"),
            (40, "connector.processing_started"),
            (50, "connector.processing_failed"),
            (60, "job.claimed"),
            (70, "connector.processing_started"),
        ],
        100,
    );
    let attempts: Vec<(&str, u32)> = seen.spans().iter().map(|span| (span.name.as_str(), span.attempt)).collect();
    assert_eq!(attempts, [("planning", 1), ("connector.processing", 1), ("connector.processing", 2)]);
    assert_eq!(seen.attempts(), 2);
}

#[test]
fn a_job_that_is_assigned_and_then_accepted_is_begun_once() {
    let begun = [(0, "job.created"), (10, "job.assigned"), (20, "job.accepted"), (30, "connector.processing_started")];
    let seen = history(&begun, 100);
    assert_eq!((seen.attempts(), seen.spans()[0].attempt), (1, 1));
    let again =
        [&begun[..], &[(40, "job.assigned"), (50, "job.accepted"), (60, "connector.processing_started")]].concat();
    let seen = history(&again, 100);
    assert_eq!((seen.attempts(), seen.spans()[1].attempt), (2, 2));
}

#[test]
fn an_attempt_does_not_end_the_work_of_another() {
    let seen = history(
        &[
            (0, "job.claimed"),
            (10, "connector.processing_started"),
            (20, "job.claimed"),
            (30, "connector.processing_failed"),
        ],
        100,
    );
    let ends: Vec<_> = seen.spans().iter().map(|span| (span.end_ms, span.is_lost)).collect();
    assert_eq!(ends, [(Some(10), true)], "it was lost with the attempt, and ended with its worker's last word");
}

#[test]
fn errors_that_differ_in_numbers_are_one() {
    let one = fingerprint("timeout of 300000ms exceeded at job_ab12cd");
    assert_eq!(one, fingerprint("timeout of 1500ms exceeded at job_9f"));
    assert_eq!(one, "timeout of # exceeded at #");
    let data = json!({ "error": { "message": "boom\n at x" } });
    assert_eq!(error_text(&data.as_object().unwrap().clone().into()).as_deref(), Some("boom"));
}

const TYPES: [&str; 13] = [
    "job.created",
    "job.queued",
    "job.claimed",
    "job.progress_updated",
    "connector.processing_started",
    "connector.processing_completed",
    "connector.processing_failed",
    "job.retry_scheduled",
    "job.completed",
    "job.failed",
    "webhook.delivering",
    "webhook.delivered",
    "redis_function.executing",
];

fn any_events() -> impl Strategy<Value = Vec<JobEvent>> {
    let one = (0_i64..10_000, 0..TYPES.len(), -3_000_i64..3_000, prop::option::of(0.0_f64..5_000.0));
    prop::collection::vec(one, 1..40).prop_map(|events| {
        let made = events.into_iter().zip(0..).map(|((at_ms, of_type, skew_ms, duration_ms), seq)| {
            let mut made = event(at_ms, seq, TYPES[of_type]);
            made.timestamp_ms += skew_ms;
            made.duration_ms = duration_ms;
            made
        });
        made.collect()
    })
}

proptest! {
    #[test]
    fn a_budget_tiles_the_life_of_a_job(events in any_events(), now_ms in 10_010_i64..20_000) {
        let history = History::new(events, now_ms).unwrap();
        let parts = budget(&history);
        let mut at = history.start_ms();
        for part in &parts {
            prop_assert_eq!(part.start_ms, at);
            prop_assert!(part.end_ms > part.start_ms);
            at = part.end_ms;
        }
        prop_assert_eq!(at, history.end_ms());
    }

    #[test]
    fn gaps_lie_within_the_life_of_a_job_and_overlap_no_span(events in any_events(), now_ms in 10_010_i64..20_000) {
        let history = History::new(events, now_ms).unwrap();
        for gap in history.gaps() {
            prop_assert!(gap.ms() > 0 && gap.start_ms >= history.start_ms() && gap.end_ms <= history.end_ms());
            // What a worker tells of a job that it had lost is no part of the time in which the job was nobody's.
            let lost_by = |span: &Span| {
                let worker = &history.events()[span.event].worker_id;
                worker.is_some() && history.losses().any(|(run, _)| run.attempt == span.attempt && run.worker == *worker)
            };
            for span in history.spans().iter().filter(|span| !lost_by(span)) {
                let Some(end_ms) = span.end_ms else { continue };
                prop_assert!(gap.end_ms <= span.start_ms || gap.start_ms >= end_ms, "{:?} overlaps {:?}", gap, span);
            }
        }
    }
}
