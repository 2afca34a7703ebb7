//! Time lines of jobs on screens of several widths.

mod jobs;

use insta::assert_snapshot;

use emp_findings::FlaggedGap;
use emp_job::History;
use emp_render::{Screen, Times};

use crate::jobs::*;

#[test]
fn a_job_with_gaps_a_run_an_error_and_a_retry_at_80_columns() {
    assert_snapshot!(timeline(&screen(80, false), "job_123", &eventful_job()), @r#"
Job job_123 · 20 events · 4 services · 2025-09-27 14:03:05 → 14:04:34 · 1 m 29 s

Time                Δ  Service          Event
──────────────────────────────────────────────────────────────────────
14:03:05.120           api-server       job.created
                         jobType=image.resize priority=5 payloadBytes=1.2 MB
14:03:05.161   +41 ms  worker           job.claimed
                         took 38 ms worker=worker-3 queue=default
                       ⚠ 42.1 s gap  no baseline · handoff
14:03:47.261  +42.1 s  connector        connector.processing_started
                         connectorType=comfyui traceId=4bf92f3577b34da6
14:03:50.361   +3.1 s  worker           job.progress_updated ×12
                         3.1 s apart · 10 % → 87 %
14:04:25.661   +1.2 s  connector        connector.processing_failed
                         ✗ connection reset by peer while reading the response
                         of the image service
                         took 38.4 s statusCode=502
14:04:26.001  +340 ms  worker           job.retry_scheduled
                         attempt=1 maxAttempts=3 delay=8 s
14:04:29.860   +3.9 s  webhook-service  webhook.delivered
                         took 112 ms statusCode=200
14:04:34.051   +4.2 s  connector        connector.processing_started
                         attempt=2 connectorType=comfyui
14:04:34.060    +9 ms  worker           job.completed
                         took 1 m 36 s status=ok outputs=["a.png","b.png"]

1 gap (42.1 s) · 1 error · 1 retry
  ⚠ 42.1 s between job.claimed (worker) → connector.processing_started
    (connector)
  ✗ connector.processing_failed
  ⚠ clock skew: 1 event is stamped up to 4.2 s ahead of arrival
    (webhook-service), and shown as of then
"#);
}

#[test]
fn the_same_at_100_columns() {
    assert_snapshot!(timeline(&screen(100, false), "job_123", &eventful_job()), @r#"
Job job_123 · 20 events · 4 services · 2025-09-27 14:03:05 → 14:04:34 · 1 m 29 s

Time                Δ  Service          Event
──────────────────────────────────────────────────────────────────────
14:03:05.120           api-server       job.created
                         jobType=image.resize priority=5 payloadBytes=1.2 MB
14:03:05.161   +41 ms  worker           job.claimed
                         took 38 ms worker=worker-3 queue=default
                       ⚠ 42.1 s gap  no baseline · handoff
14:03:47.261  +42.1 s  connector        connector.processing_started
                         connectorType=comfyui traceId=4bf92f3577b34da6
14:03:50.361   +3.1 s  worker           job.progress_updated ×12
                         3.1 s apart · 10 % → 87 %
14:04:25.661   +1.2 s  connector        connector.processing_failed
                         ✗ connection reset by peer while reading the response of the image service
                         took 38.4 s statusCode=502
14:04:26.001  +340 ms  worker           job.retry_scheduled
                         attempt=1 maxAttempts=3 delay=8 s
14:04:29.860   +3.9 s  webhook-service  webhook.delivered
                         took 112 ms statusCode=200
14:04:34.051   +4.2 s  connector        connector.processing_started
                         attempt=2 connectorType=comfyui
14:04:34.060    +9 ms  worker           job.completed
                         took 1 m 36 s status=ok outputs=["a.png","b.png"]

1 gap (42.1 s) · 1 error · 1 retry
  ⚠ 42.1 s between job.claimed (worker) → connector.processing_started (connector)
  ✗ connector.processing_failed
  ⚠ clock skew: 1 event is stamped up to 4.2 s ahead of arrival (webhook-service), and shown as of
    then

Spans, over 1 m 29 s
  connector.processing                            ████████████████████           38.4 s
  webhook                                                                █       112 ms
  connector.processing                                                    ▒  9 ms, open
"#);
}

#[test]
fn the_same_at_140_columns() {
    assert_snapshot!(timeline(&screen(140, false), "job_123", &eventful_job()), @r#"
Job job_123 · 20 events · 4 services · 2025-09-27 14:03:05 → 14:04:34 · 1 m 29 s

Time                Δ  Service          Event                         Details
────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
14:03:05.120           api-server       job.created                   jobType=image.resize priority=5 payloadBytes=1.2 MB
14:03:05.161   +41 ms  worker           job.claimed                   took 38 ms worker=worker-3 queue=default
                       ⚠ 42.1 s gap  no baseline · handoff
14:03:47.261  +42.1 s  connector        connector.processing_started  connectorType=comfyui traceId=4bf92f3577b34da6
14:03:50.361   +3.1 s  worker           job.progress_updated ×12      3.1 s apart · 10 % → 87 %
14:04:25.661   +1.2 s  connector        connector.processing_failed
                         ✗ connection reset by peer while reading the response of the image service
                         took 38.4 s statusCode=502
14:04:26.001  +340 ms  worker           job.retry_scheduled           attempt=1 maxAttempts=3 delay=8 s
14:04:29.860   +3.9 s  webhook-service  webhook.delivered             took 112 ms statusCode=200
14:04:34.051   +4.2 s  connector        connector.processing_started  attempt=2 connectorType=comfyui
14:04:34.060    +9 ms  worker           job.completed                 took 1 m 36 s status=ok outputs=["a.png","b.png"]

1 gap (42.1 s) · 1 error · 1 retry
  ⚠ 42.1 s between job.claimed (worker) → connector.processing_started (connector)
  ✗ connector.processing_failed
  ⚠ clock skew: 1 event is stamped up to 4.2 s ahead of arrival (webhook-service), and shown as of then

Spans, over 1 m 29 s
  connector.processing                            ████████████████████           38.4 s
  webhook                                                                █       112 ms
  connector.processing                                                    ▒  9 ms, open
"#);
}

#[test]
fn the_same_in_colour() {
    assert_snapshot!(timeline(&screen(140, true), "job_123", &eventful_job()), @r#"
␛[1mJob job_123 · 20 events · 4 services · 2025-09-27 14:03:05 → 14:04:34 · 1 m 29 s␛[0m

␛[1mTime        ␛[0m  ␛[1m      Δ␛[0m  ␛[1mService        ␛[0m  ␛[1mEvent                       ␛[0m  ␛[1mDetails␛[0m
␛[2m────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────␛[0m
14:03:05.120  ␛[2m       ␛[0m  ␛[36mapi-server     ␛[0m  job.created                   jobType=image.resize priority=5 payloadBytes=1.2 MB
14:03:05.161  ␛[2m +41 ms␛[0m  ␛[35mworker         ␛[0m  job.claimed                   took 38 ms worker=worker-3 queue=default
␛[33m                       ⚠ 42.1 s gap  no baseline · handoff␛[0m
14:03:47.261  ␛[33m+42.1 s␛[0m  ␛[32mconnector      ␛[0m  connector.processing_started  connectorType=comfyui traceId=4bf92f3577b34da6
14:03:50.361  ␛[2m +3.1 s␛[0m  ␛[35mworker         ␛[0m  job.progress_updated ×12      3.1 s apart · 10 % → 87 %
14:04:25.661  ␛[2m +1.2 s␛[0m  ␛[32mconnector      ␛[0m  ␛[31mconnector.processing_failed␛[0m
␛[31m                         ✗ connection reset by peer while reading the response of the image service␛[0m
␛[2m                         took 38.4 s statusCode=502␛[0m
14:04:26.001  ␛[2m+340 ms␛[0m  ␛[35mworker         ␛[0m  ␛[33mjob.retry_scheduled         ␛[0m  attempt=1 maxAttempts=3 delay=8 s
14:04:29.860  ␛[2m +3.9 s␛[0m  ␛[96mwebhook-service␛[0m  webhook.delivered             took 112 ms statusCode=200
14:04:34.051  ␛[2m +4.2 s␛[0m  ␛[32mconnector      ␛[0m  connector.processing_started  attempt=2 connectorType=comfyui
14:04:34.060  ␛[2m  +9 ms␛[0m  ␛[35mworker         ␛[0m  job.completed                 took 1 m 36 s status=ok outputs=["a.png","b.png"]

␛[1m1 gap (42.1 s) · 1 error · 1 retry␛[0m
␛[33m  ⚠ 42.1 s between job.claimed (worker) → connector.processing_started (connector)␛[0m
␛[31m  ✗ connector.processing_failed␛[0m
␛[33m  ⚠ clock skew: 1 event is stamped up to 4.2 s ahead of arrival (webhook-service), and shown as of then␛[0m

␛[1mSpans, over 1 m 29 s␛[0m
  ␛[31mconnector.processing␛[0m  ␛[2m ␛[0m  ␛[31m                       ████████████████████     ␛[0m  ␛[31m    38.4 s␛[0m
  ␛[96mwebhook             ␛[0m  ␛[2m ␛[0m  ␛[96m                                              █ ␛[0m  ␛[96m    112 ms␛[0m
  ␛[32mconnector.processing␛[0m  ␛[2m ␛[0m  ␛[32m                                               ▒␛[0m  ␛[32m9 ms, open␛[0m
"#);
}

#[test]
fn as_sent_an_event_stands_where_its_clock_says() {
    let history = History::new(eventful_job(), i64::MAX).expect("a job has events");
    let shown = shown_timeline(&screen(140, false), "job_123", &history, Vec::new(), Times::Sent);
    let place = |words: &str| shown.find(words).unwrap_or_else(|| panic!("no {words} in\n{shown}"));
    assert!(place("connector.processing_started  attempt=2") < place("14:04:34.060    +9 ms  webhook-service"));
    assert!(shown.contains("1 event is stamped up to 4.2 s ahead of arrival (webhook-service)\n"), "{shown}");
}

#[test]
fn a_job_with_one_event() {
    let one = job_events(START_MS, &[step(0, "api-server", "job.created", r#"{"jobType":"image.resize"}"#)]);
    assert_snapshot!(timeline(&screen(80, false), "job_1", &one), @"
Job job_1 · 1 event · 1 service · 2025-09-27 14:03:05

Time          Δ  Service     Event        Details
────────────────────────────────────────────────────────────────────────────────
14:03:05.120     api-server  job.created  jobType=image.resize

No gaps · no errors
  ⚠ not ended: nothing after job.created (api-server)
");
}

#[test]
fn an_error_and_a_gap_are_never_folded_away() {
    let heartbeat = || step(1_000, "worker", "job.progress_updated", "{}");
    let mut steps: Vec<Step> = (0..15).map(|_| heartbeat()).collect();
    steps[6].level = "error";
    steps[6].data = r#"{"error":{"code":"E42","message":"disk full"}}"#.to_owned();
    steps[9].after_ms = 7_000;
    assert_snapshot!(timeline(&screen(100, false), "job_1", &job_events(START_MS, &steps)), @r#"
Job job_1 · 15 events · 1 service · 2025-09-27 14:03:06 → 14:03:26 · 20 s

Time             Δ  Service  Event                    Details
────────────────────────────────────────────────────────────────────────────────────────────────────
14:03:06.120        worker   job.progress_updated ×6  1 s apart · worker=worker-3
14:03:12.120  +1 s  worker   job.progress_updated     ✗ disk full
14:03:13.120  +1 s  worker   job.progress_updated
14:03:14.120  +1 s  worker   job.progress_updated
                    ⚠ 7 s gap  no baseline · silent-run
14:03:21.120  +7 s  worker   job.progress_updated ×6  1 s apart

1 gap (7 s) · 1 error
  ⚠ 7 s between job.progress_updated (worker) → job.progress_updated (worker)
  ✗ job.progress_updated
  ⚠ not ended: nothing after job.progress_updated (worker)
"#);
}

#[test]
fn a_new_day_has_a_line_of_its_own() {
    let late = START_MS + 9 * 3_600_000 + 56 * 60_000;
    let steps = [
        step(0, "api-server", "job.created", "{}"),
        step(120_000, "worker", "job.claimed", "{}"),
        step(3, "worker", "job.completed", "{}"),
    ];
    assert_snapshot!(timeline(&screen(100, false), "job_1", &job_events(late, &steps)), @r#"
Job job_1 · 3 events · 2 services · 2025-09-27 23:59:05 → 2025-09-28 00:01:05 · 2 m

Time              Δ  Service     Event          Details
────────────────────────────────────────────────────────────────────────────────────────────────────
23:59:05.120         api-server  job.created
── 2025-09-28 ──
                     ⚠ 2 m gap  no baseline · queue-wait
00:01:05.120   +2 m  worker      job.claimed    worker=worker-3
00:01:05.123  +3 ms  worker      job.completed

1 gap (2 m) · no errors
  ⚠ 2 m between job.created (api-server) → job.claimed (worker)
"#);
}

#[test]
fn hostile_and_broken_data_stay_on_their_line() {
    let steps = [
        step(0, "api\u{1b}[2Jserver", "job\n.created", r#"{"a\nb":"\u001b[31mred","wide":"日本語"}"#),
        step(5, "worker", "job.noted", "not json"),
        step(5, "worker", "job.noted", "[1,2]"),
        step(
            5,
            "worker",
            "job.step_failed",
            r#"{"error":"\u001b]0;owned\u0007 line\nbreak","empty":"","list":[],"nothing":null}"#,
        ),
    ];
    let shown = timeline(&screen(100, false), "job\u{1b}c", &job_events(START_MS, &steps));
    assert!(!shown.contains('␛'), "{shown}");
    assert_snapshot!(shown, @r"
Job job\u{1b}c · 4 events · 2 services · 2025-09-27 14:03:05 → 14:03:05 · 15 ms

Time              Δ  Service             Event            Details
────────────────────────────────────────────────────────────────────────────────────────────────────
14:03:05.120         api\u{1b}[2Jserver  job\n.created    a\nb=\u{1b}[31mred wide=日本語
14:03:05.125  +5 ms  worker              job.noted        worker=worker-3
14:03:05.130  +5 ms  worker              job.noted
14:03:05.135  +5 ms  worker              job.step_failed  ✗ \u{1b}]0;owned\u{7} line\nbreak

No gaps · 1 error
  ✗ job.step_failed
  ⚠ not ended: nothing after job.step_failed (worker)
");
}

#[test]
fn no_line_is_wider_than_the_screen() {
    for width in [34, 40, 60, 80, 100, 140] {
        for line in timeline(&screen(width, false), &"long-job-id-".repeat(20), &eventful_job()).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn on_no_screen_all_details_stay_on_their_line() {
    let shown = timeline(&Screen::plain(), "job_123", &eventful_job());
    assert!(shown.contains("connector.processing_failed   ✗ connection reset by peer while reading"), "{shown}");
}

#[test]
fn each_gap_between_two_events_has_a_line_of_its_own() {
    let steps = [step(0, "api-server", "job.created", "{}"), step(60_000, "worker", "job.claimed", "{}")];
    let history = History::new(job_events(START_MS, &steps), START_MS + 200_000).expect("a job has events");
    let gap = |before: usize, start_ms: i64, end_ms: i64| FlaggedGap {
        before,
        start_ms: START_MS + start_ms,
        end_ms: START_MS + end_ms,
        kind: "silent-run",
        times_typical: None,
        typical_p99_ms: None,
    };
    let gaps = vec![gap(0, 0, 20_000), gap(0, 30_000, 60_000), gap(1, 60_000, 200_000)];
    let shown = judged_timeline(&screen(80, false), "job_1", &history, gaps);
    assert!(shown.contains("⚠ 20 s gap") && shown.contains("⚠ 30 s gap"), "{shown}");
    assert!(shown.contains("2 gaps (50 s)"), "{shown}");
    assert!(shown.contains("⚠ nothing for 2 m 20 s since then"), "{shown}");
}
