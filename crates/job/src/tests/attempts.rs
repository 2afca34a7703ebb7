//! Attempts, delays, and events that come in another order than what they tell of.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;

/// An event of a worker, or of the API where none is named.
fn told(at_ms: i64, seq: u64, event_type: &str, worker: &str, data: Value) -> JobEvent {
    let mut told = event(at_ms, seq, event_type);
    told.worker_id = Some(worker.into()).filter(|worker: &Arc<str>| !worker.is_empty());
    told.service = if worker.is_empty() { "api-server" } else { "worker" }.into();
    told.data = data.as_object().unwrap().clone().into();
    told
}

fn seen(events: &[(i64, &str, &str, Value)], now_ms: i64) -> History {
    let events = events.iter().zip(0..);
    let events =
        events.map(|((at_ms, event_type, worker, data), seq)| told(*at_ms, seq, event_type, worker, data.clone()));
    History::new(events.collect(), now_ms).unwrap()
}

fn plain(events: &[(i64, &str, &str)], now_ms: i64) -> History {
    let events: Vec<_> = events.iter().map(|(at_ms, of, worker)| (*at_ms, *of, *worker, json!({}))).collect();
    seen(&events, now_ms)
}

const LOST: [(i64, &str, &str); 7] = [
    (0, "job.created", ""),
    (2, "job.queued", ""),
    (5, "job.claimed", "w1"),
    (6, "connector.processing_started", "w1"),
    (37_700, "job.claimed", "w4"),
    (37_701, "connector.processing_started", "w4"),
    (37_900, "connector.processing_completed", "w4"),
];

#[test]
fn a_second_claim_ends_the_first_attempt_and_the_time_between_was_lost() {
    let history = plain(&LOST, 40_000);
    let (run, loss) = history.losses().next().unwrap();
    assert_eq!((run.worker.as_deref(), loss.last, loss.noticed, loss.taken), (Some("w1"), 3, 4, Some(4)));
    assert_eq!(history.holder(), Some("w4"));
    assert_eq!(history.worker_at(1_000), Some("w1"));
    let parts: Vec<(String, i64)> = budget(&history).iter().map(|part| (part.kind.label(), part.ms())).collect();
    assert!(parts.contains(&("lost by w1".to_owned(), 37_694)), "{parts:?}");
    let gap = history.gaps().iter().find(|gap| gap.ms() > 30_000).unwrap();
    assert_eq!(gap.kind, GapKind::Lost);
    let spans: Vec<_> = history.spans().iter().map(|span| (span.end_ms, span.is_lost)).collect();
    assert_eq!(spans, [(Some(6), true), (Some(37_900), false)]);
}

#[test]
fn a_worker_that_wakes_up_ends_its_own_work_and_not_that_of_the_other() {
    let late = [(37_800, "connector.processing_completed", "w1"), (37_801, "job.completed", "w1")];
    let after = [(37_950, "job.completed", "w4")];
    let history = plain(&[&LOST[..], &late, &after].concat(), 40_000);
    let ends: Vec<_> = history.spans().iter().map(|span| span.end_ms).collect();
    assert_eq!(ends, [Some(37_800), Some(37_900)]);
    let gap =
        history.gaps().iter().find(|gap| gap.ms() > 30_000).expect("it was nobody's, whatever is told of it later");
    assert_eq!((gap.kind, gap.end_ms), (GapKind::Lost, 37_700));
    let ended: Vec<_> = history.runs().iter().map(|run| run.end.map(|(_, meaning)| meaning)).collect();
    assert_eq!(ended, [Some(Meaning::Completed), Some(Meaning::Completed)]);
}

#[test]
fn an_attempt_that_failed_or_was_put_back_was_not_lost() {
    for between in
        ["connector.processing_failed", "job.retry_scheduled", "job.requeued", "connector.processing_completed"]
    {
        let middle = [(1_000, between, "w1")];
        let history = plain(&[&LOST[..4], &middle, &LOST[4..]].concat(), 40_000);
        assert_eq!(history.losses().count(), 0, "{between}");
    }
    for between in ["job.stalled", "job.requeued"] {
        // Somebody else noticed it.
        let middle = [(30_000, between, "")];
        let history = plain(&[&LOST[..4], &middle, &LOST[4..]].concat(), 40_000);
        let (run, loss) = history.losses().next().unwrap();
        assert_eq!((run.worker.as_deref(), loss.noticed, loss.taken), (Some("w1"), 4, Some(5)), "{between}");
    }
}

/// A queue hands a job out before the call that put it there has returned.
#[test]
fn what_is_told_a_moment_late_decides_nothing() {
    let early = [(0, "job.created", ""), (3, "job.claimed", "w1"), (3, "connector.processing_started", "w1")];
    let late = |at_ms, event_type| plain(&[&early[..], &[(at_ms, event_type, "")]].concat(), 90_000);
    assert_eq!(late(5, "job.queued").state(), State::Working);
    assert_eq!(late(5, "job.queued").holder(), Some("w1"));
    assert!(matches!(late(30_000, "job.queued").state(), State::Waiting(3)), "half a minute is no moment");
    assert!(matches!(late(5, "job.requeued").state(), State::Working));
    let done = [(0, "job.created", ""), (3, "job.claimed", "w1"), (4, "job.completed", "w1"), (6, "job.queued", "")];
    assert_eq!(plain(&done, 90_000).state(), State::Ended(2));
    let swapped = [(1, "job.queued", ""), (3, "job.claimed", "w1"), (4, "job.created", "")];
    assert_eq!(plain(&swapped, 90_000).state(), State::Claimed(1));
    // After a failure it was put back.
    let again = [(0, "job.created", ""), (3, "job.claimed", "w1"), (4, "job.failed", "w1"), (6, "job.queued", "")];
    assert_eq!(plain(&again, 90_000).state(), State::Waiting(3));
}

/// BullMQ's queue says at once that a job is back, and its worker once the call that gave it back has returned.
#[test]
fn a_worker_that_says_a_moment_late_that_it_failed_has_not_lost_the_job() {
    let begun = [(0, "job.created", "", json!({})), (3, "job.claimed", "w1", json!({ "attempt": 1 }))];
    let again = |at_ms, worker| (at_ms, "job.claimed", worker, json!({ "attempt": 2 }));
    let late = (1_002, "job.retry_scheduled", "w1", json!({ "attempt": 1 }));
    for (back, worker) in [("job.queued", "w2"), ("job.queued", "w1"), ("job.delayed", "w2")] {
        let back = (1_000, back, "", json!({}));
        let running = [&begun[..], &[back.clone(), again(1_001, worker), late.clone()]].concat();
        let history = seen(&running, 90_000);
        assert_eq!(history.losses().count(), 0, "{back:?}");
        assert_eq!((history.state(), history.holder()), (State::Claimed(3), Some(worker)));
        let done = (1_001, "job.completed", worker, json!({ "attempt": 2 }));
        let done = [&begun[..], &[back.clone(), again(1_001, worker), done, late.clone()]].concat();
        assert!(seen(&done, 90_000).is_completed());
        assert!(matches!(seen(&[&begun[..], &[back, late.clone()]].concat(), 90_000).state(), State::Waiting(3)));
    }
    // The claim that ends a delay is also what moves the job into the queue.
    let waited = [late.clone(), (1_100, "job.claimed", "w2", json!({})), (1_101, "job.queued", "", json!({}))];
    let history = seen(&[&begun[..], &waited].concat(), 90_000);
    assert_eq!(history.losses().count(), 0);
    assert_eq!((history.state(), history.holder()), (State::Claimed(3), Some("w2")));
    // A worker that asks its job to wait puts it back, whoever tells of it.
    let asked = [(500, "job.delayed", "", json!({ "until": 2_000 })), again(2_001, "w2")];
    assert_eq!(seen(&[&begun[..], &asked].concat(), 90_000).losses().count(), 0);
}

#[test]
fn a_failure_after_which_another_attempt_is_allowed_ends_no_job() {
    let cases = [
        (json!({}), json!({ "attempt": 2, "maxAttempts": 5 }), true),
        (json!({}), json!({ "attempt": 5, "maxAttempts": 5 }), false),
        (json!({}), json!({ "attemptsMade": 1, "max_attempts": 3 }), true),
        (json!({ "attempts": 3 }), json!({ "attempt": 1 }), true),
        (json!({ "attempts": 3 }), json!({ "attempt": 3 }), false),
        (json!({ "attempts": 3 }), json!({}), true),
        (json!({ "maxRetries": 0 }), json!({}), false),
        (json!({}), json!({ "retries": 0, "max_retries": 3 }), true),
        (json!({}), json!({ "willRetry": true }), true),
        (json!({ "attempts": 3 }), json!({ "willRetry": false }), false),
        (json!({}), json!({ "retriesLeft": 0 }), false),
        // How often it was tried, and nothing of how often it may be.
        (json!({}), json!({ "attempts": 3 }), false),
        (json!({}), json!({ "attempt": 1 }), false),
    ];
    for (made, failed, goes_on) in cases {
        let events = [
            (0, "job.created", "", made.clone()),
            (3, "job.claimed", "w1", json!({})),
            (9, "job.failed", "w1", failed.clone()),
        ];
        let state = seen(&events, 50).state();
        assert_eq!(state, if goes_on { State::Waiting(2) } else { State::Ended(2) }, "{made} {failed}");
    }
}

#[test]
fn a_job_waits_as_long_as_it_was_asked_to() {
    let base = 1_758_968_000_000_i64;
    let until = |event_type: &str, data: Value| {
        let events = [(base, "job.created", "", json!({})), (base + 2, event_type, "", data)];
        match seen(&events, base + 100).state() {
            State::Deferred { until_ms, .. } => Some(until_ms - base),
            _ => None,
        }
    };
    assert_eq!(until("job.queued", json!({ "delayMs": 120_000 })), Some(120_002));
    assert_eq!(until("job.queued", json!({ "delay": 120_000 })), Some(120_002));
    assert_eq!(until("job.delayed", json!({ "until": base + 120_000 })), Some(120_000));
    assert_eq!(until("job.delayed", json!({ "delay": base + 120_000 })), Some(120_000));
    assert_eq!(until("job.scheduled", json!({ "scheduledFor": "2025-09-27T10:15:20Z" })), Some(120_000));
    assert_eq!(until("job.retry_scheduled", json!({ "next_retry_at": base / 1_000 + 60 })), Some(60_000));
    assert_eq!(until("job.queued", json!({ "delay": 0 })), None);
    let events = [
        (0, "job.created", "", json!({})),
        (2, "job.delayed", "", json!({ "delayMs": 60_000 })),
        (61_000, "job.claimed", "w1", json!({})),
        (61_500, "job.completed", "w1", json!({})),
    ];
    let parts: Vec<(PartKind, i64)> =
        budget(&seen(&events, 70_000)).into_iter().map(|part| (part.kind.clone(), part.ms())).collect();
    assert!(parts.contains(&(PartKind::Delay, 60_000)) && parts.contains(&(PartKind::QueueWait, 998)), "{parts:?}");
}

#[test]
fn what_a_worker_gives_back_is_not_lost() {
    let given_back = [
        (0, "job.created", ""),
        (2, "job.queued", ""),
        (10, "job.claimed", "w1"),
        (20, "connector.processing_started", "w1"),
        (50, "job.released", ""),
    ];
    let waits = plain(&given_back, 90_000);
    assert_eq!((waits.state(), waits.losses().count()), (State::Waiting(4), 0));
    let again = [&given_back[..], &[(60, "job.claimed", "w2"), (90, "job.completed", "w2")]].concat();
    let done = plain(&again, 90_000);
    assert!(done.runs()[0].is_given_back() && !done.runs()[1].is_given_back());
    assert_eq!((done.is_completed(), done.losses().count(), done.holder()), (true, 0, Some("w2")));
    // Somebody else says that it waits again, and not why.
    let taken =
        given_back.map(|(at_ms, of, worker)| (at_ms, if of == "job.released" { "job.queued" } else { of }, worker));
    assert_eq!(plain(&taken, 90_000).losses().count(), 1);
}

#[test]
fn a_job_that_waits_for_others_waits_for_no_worker() {
    let events = [
        (0, "job.created", "", json!({})),
        (1, "job.waiting_children", "", json!({})),
        (5_000, "job.queued", "", json!({})),
        (5_010, "job.claimed", "w1", json!({})),
        (5_100, "job.completed", "w1", json!({})),
    ];
    assert_eq!(seen(&events[..2], 3_000).state(), State::Blocked(1));
    assert_eq!(seen(&events[..3], 5_005).state(), State::Waiting(2));
    let done = seen(&events, 9_000);
    let parts: Vec<(PartKind, i64)> = budget(&done).into_iter().map(|part| (part.kind.clone(), part.ms())).collect();
    assert!(parts.contains(&(PartKind::OtherJobs, 4_999)) && parts.contains(&(PartKind::QueueWait, 10)), "{parts:?}");
    assert_eq!(done.gaps().iter().find(|gap| gap.before == 1).map(|gap| gap.kind.as_str()), Some("other-jobs"));
    // One that has begun, and then waits for what it has begun.
    let within = [&events[3..4], &[(5_020, "job.waiting_children", "", json!({}))]].concat();
    let within = seen(&within, 9_000);
    assert_eq!((within.state(), within.losses().count()), (State::Blocked(1), 0));
}
