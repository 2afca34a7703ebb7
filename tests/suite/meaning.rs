//! What events mean, of systems with habits of their own: other names, other orders, retries, delays, pauses.

use serde_json::{Value, json};

use crate::support::{Ended, Redis, Store};

/// 2025-09-27T10:13:20Z.
const BASE_MS: i64 = 1_758_968_000_000;
const MINUTE_MS: i64 = 60_000;
/// The incident of a test begins so long after the first healthy job.
const INCIDENT_MS: i64 = 20 * MINUTE_MS;

/// Events that a test makes up, at times of its own, in ms since [`BASE_MS`].
#[derive(Default)]
struct Told {
    events: Vec<(i64, Vec<(&'static str, String)>)>,
}

impl Told {
    fn tell(&mut self, at_ms: i64, job: &str, event_type: &str, worker: &str, data: &Value) {
        let entity = event_type.split('.').next().unwrap_or_default();
        let service = match (worker, entity) {
            (_, "webhook") => "notifier",
            ("", _) => "gateway",
            _ => "render-worker",
        };
        let mut fields = vec![
            ("timestamp", (BASE_MS + at_ms).to_string()),
            ("service", service.to_owned()),
            ("eventType", event_type.to_owned()),
            ("data", data.to_string()),
        ];
        fields.extend(
            [("jobId", job), ("workerId", worker)]
                .into_iter()
                .filter(|(_, id)| !id.is_empty())
                .map(|(name, id)| (name, id.to_owned())),
        );
        self.events.push((at_ms, fields));
    }

    /// A job up to its claim.
    fn begun(&mut self, at_ms: i64, job: &str, worker: &str) {
        self.tell(at_ms, job, "job.created", "", &json!({ "jobType": "thumbnail" }));
        self.tell(at_ms + 2, job, "job.queued", "", &json!({ "queueName": "default" }));
        self.claimed(at_ms + 5, job, worker);
    }

    fn claimed(&mut self, at_ms: i64, job: &str, worker: &str) {
        self.tell(at_ms, job, "job.claimed", worker, &json!({}));
        self.tell(at_ms + 1, job, "connector.processing_started", worker, &json!({ "connectorType": "resizer" }));
    }

    fn completed(&mut self, at_ms: i64, job: &str, worker: &str) {
        self.tell(at_ms, job, "connector.processing_completed", worker, &json!({ "connectorType": "resizer" }));
        self.tell(at_ms + 1, job, "job.completed", worker, &json!({}));
    }

    fn healthy(&mut self, at_ms: i64, job: &str, worker: &str) {
        let took_ms = 150 + at_ms * 7_919 % 100;
        self.begun(at_ms, job, worker);
        self.completed(at_ms + 6 + took_ms, job, worker);
    }

    /// Healthy jobs of four workers, one every other second, until then.
    fn system(until_ms: i64) -> Self {
        let mut told = Self::default();
        for (at_ms, number) in (0..until_ms).step_by(2_000).zip(1_i64..) {
            told.healthy(at_ms, &format!("t-{number}"), &format!("w{}", 1 + number % 4));
        }
        told
    }

    fn stored(mut self, redis: &Redis) -> World {
        self.events.sort_by_key(|(at_ms, _)| *at_ms);
        let mut pipe = redis::pipe();
        for (at_ms, fields) in &self.events {
            let add = pipe.cmd("XADD").arg("emp:events").arg(format!("{}-*", BASE_MS + at_ms + 1));
            fields.iter().for_each(|(name, value)| _ = add.arg(*name).arg(value));
            add.ignore();
        }
        pipe.exec(&mut redis.connection()).unwrap();
        let store = Store::of(redis);
        store.output(&["collect", "--once"]);
        World { store }
    }
}

struct World {
    store: Store,
}

impl World {
    fn ask(&self, words: &[&str], at_ms: i64) -> Ended {
        let now = (BASE_MS + at_ms).to_string();
        self.store.run(&[words, &["--format", "json", "--now", &now]].concat())
    }

    fn diagnosed(&self, job: &str, at_ms: i64) -> Value {
        serde_json::from_str(&self.ask(&["diagnose", job], at_ms).stdout).unwrap()
    }

    /// The jobs that need a look, with their verdicts.
    fn unhealthy(&self, at_ms: i64) -> Vec<(String, String)> {
        let all: Value = serde_json::from_str(&self.ask(&["diagnose", "--all", "--last", "5m"], at_ms).stdout).unwrap();
        let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
        all["unhealthy"].as_array().unwrap().iter().map(|one| (text(one, "job_id"), text(one, "verdict"))).collect()
    }
}

fn culprit(said: &Value) -> (&str, &str) {
    (said["culprit"]["kind"].as_str().unwrap_or_default(), said["culprit"]["id"].as_str().unwrap_or_default())
}

#[track_caller]
fn says(said: &Value, key: &str, words: &str) {
    assert!(said[key].to_string().contains(words), "`{words}` is not in {key} of {said:#}");
}

#[test]
fn a_webhook_whose_words_are_unknown_is_not_called_undelivered() {
    let redis = Redis::start();
    let mut told = Told::default();
    let words = [
        ("sending", "sent"),
        ("posting", "posted"),
        ("delivering", "sent"),
        ("calling", ""),
        ("delivery_started", "delivery_completed"),
    ];
    for (number, (begins, ends)) in words.iter().enumerate() {
        let (at_ms, job) = (number as i64 * 1_000, format!("order-{number}"));
        told.healthy(at_ms, &job, "w1");
        told.tell(at_ms + 500, &job, &format!("webhook.{begins}"), "", &json!({ "url": "https://a.example" }));
        if !ends.is_empty() {
            told.tell(at_ms + 520, &job, &format!("webhook.{ends}"), "", &json!({ "statusCode": 200 }));
        }
    }
    told.healthy(6_000, "order-lost", "w1");
    told.tell(6_500, "order-lost", "webhook.delivering", "", &json!({ "url": "https://a.example" }));
    let world = told.stored(&redis);
    assert_eq!(world.unhealthy(5 * MINUTE_MS), [("order-lost".to_owned(), "webhook_undelivered".to_owned())]);
    let said = world.diagnosed("order-0", 5 * MINUTE_MS);
    assert_eq!((said["verdict"].as_str(), said["confidence"].as_str()), (Some("done"), Some("likely")), "{said:#}");
    says(&said, "reason", "webhook.sent is no word that is understood");
    assert_eq!(world.diagnosed("order-4", 5 * MINUTE_MS)["confidence"], "proven");

    let ended = world.store.run(&["check-names", "--format", "json"]);
    let found: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
    let meant = |name: &str| found.iter().find(|one| one["event_type"] == name).map(|one| one["suggestion"].clone());
    assert_eq!(ended.status, 1);
    assert_eq!(meant("webhook.sent"), Some(json!("webhook.delivered")));
    assert_eq!(meant("webhook.sending"), Some(json!("webhook.delivering")));
    assert_eq!(meant("webhook.posted"), Some(json!("webhook.delivered")));
    assert_eq!(meant("webhook.delivery_completed"), None);
    assert!(found.iter().all(|one| one["problem"] == "no verdict understands it"), "{found:#?}");
}

#[test]
fn the_order_of_two_services_events_within_a_few_ms_decides_nothing() {
    let redis = Redis::start();
    let mut told = Told::system(INCIDENT_MS + 5 * MINUTE_MS);
    for (job, queued_ms) in [("queued-first", 2), ("queued-after", 7), ("queued-much-after", 400)] {
        told.tell(INCIDENT_MS, job, "job.created", "", &json!({ "jobType": "thumbnail" }));
        told.tell(INCIDENT_MS + queued_ms, job, "job.queued", "", &json!({ "queueName": "default" }));
        told.claimed(INCIDENT_MS + 5, job, "w1");
    }
    let world = told.stored(&redis);
    for after_ms in [2_000, 3 * MINUTE_MS] {
        let expected = world.diagnosed("queued-first", INCIDENT_MS + after_ms);
        assert_ne!(expected["verdict"], "waiting");
        assert_eq!(culprit(&expected), ("worker", "w1"), "{expected:#}");
        for job in ["queued-after", "queued-much-after"] {
            let said = world.diagnosed(job, INCIDENT_MS + after_ms);
            assert_eq!(said["verdict"], expected["verdict"], "{said:#}");
            assert_eq!(culprit(&said), ("worker", "w1"), "{said:#}");
        }
    }
    assert_eq!(world.diagnosed("queued-after", INCIDENT_MS + 3 * MINUTE_MS)["verdict"], "stuck");
}

#[test]
fn who_lost_a_job_is_blamed_and_not_who_took_it_over() {
    let redis = Redis::start();
    // In a store of minutes, and in one that knows what is typical.
    for healthy_ms in [MINUTE_MS, INCIDENT_MS] {
        let mut told = Told::system(healthy_ms);
        let at = healthy_ms;
        told.begun(at, "killed", "w1");
        told.claimed(at + 37_706, "killed", "w4");
        told.completed(at + 37_900, "killed", "w4");
        told.begun(at + 10, "stalled", "w1");
        told.tell(at + 30_000, "stalled", "job.stalled", "", &json!({}));
        told.claimed(at + 30_004, "stalled", "w3");
        told.completed(at + 30_200, "stalled", "w3");
        told.begun(at + 20, "frozen", "w2");
        told.claimed(at + 45_000, "frozen", "w3");
        told.completed(at + 45_200, "frozen", "w3");
        let mut frozen = Told { events: told.events.clone() };
        frozen.completed(at + 60_000, "frozen", "w2");
        let world = told.stored(&redis);
        for (job, worker, story) in [
            ("killed", "w1", "lost by w1, taken by w4 after 37.7 s"),
            ("stalled", "w1", "lost by w1, taken by w3 after 30 s"),
            ("frozen", "w2", "lost by w2, taken by w3 after 45 s"),
        ] {
            let said = world.diagnosed(job, at + 48_000);
            assert_eq!((said["verdict"].as_str(), culprit(&said)), (Some("done_slow"), ("worker", worker)), "{said:#}");
            says(&said, "reason", story);
        }
        says(&world.diagnosed("killed", at + 48_000), "same_cause", "stalled");
        // While the rescuer is at work on it.
        let said = world.diagnosed("frozen", at + 45_100);
        assert_eq!((said["verdict"].as_str(), culprit(&said)), (Some("running_slow"), ("worker", "w2")), "{said:#}");
        redis.command::<()>("FLUSHALL");
        let world = frozen.stored(&redis);
        let said = world.diagnosed("frozen", at + 70_000);
        assert_eq!(culprit(&said), ("worker", "w2"), "{said:#}");
        says(&said, "reason", "it ran twice, on w2 and w3");
        redis.command::<()>("FLUSHALL");
    }
}

#[test]
fn a_delayed_job_waits_as_asked() {
    let redis = Redis::start();
    let mut told = Told::system(INCIDENT_MS + 4 * MINUTE_MS);
    let due = BASE_MS + INCIDENT_MS + 120_000;
    let asked = [
        ("delay-1", "job.queued", json!({ "queueName": "default", "delayMs": 120_000 })),
        ("delay-2", "job.delayed", json!({ "queueName": "default", "until": due })),
        ("delay-3", "job.scheduled", json!({ "scheduledFor": "2025-09-27T10:35:20Z" })),
    ];
    for (job, event_type, data) in &asked {
        told.tell(INCIDENT_MS - 2, job, "job.created", "", &json!({ "jobType": "thumbnail" }));
        told.tell(INCIDENT_MS, job, event_type, "", data);
        told.claimed(INCIDENT_MS + 120_050, job, "w1");
        told.completed(INCIDENT_MS + 120_250, job, "w1");
    }
    let world = told.stored(&redis);
    for (job, ..) in &asked {
        let said = world.diagnosed(job, INCIDENT_MS + 100_000);
        assert_eq!((said["verdict"].as_str(), said["since"].as_str()), (Some("waiting"), None), "{said:#}");
        says(&said, "reason", "until 2025-09-27 10:35:20Z, as asked");
        let said = world.diagnosed(job, INCIDENT_MS + 3 * MINUTE_MS);
        assert_eq!(said["verdict"], "done", "{said:#}");
        says(&said, "budget", "delay, as asked");
    }
    assert_eq!(world.unhealthy(INCIDENT_MS + 100_000), []);
    assert_eq!(world.unhealthy(INCIDENT_MS + 3 * MINUTE_MS), []);
}

#[test]
fn a_job_that_its_worker_gives_back_again_and_again_is_neither_lost_nor_in_a_loop() {
    let redis = Redis::start();
    let mut told = Told::system(INCIDENT_MS + 5 * MINUTE_MS);
    told.tell(INCIDENT_MS, "limited", "job.created", "", &json!({ "jobType": "thumbnail" }));
    told.tell(INCIDENT_MS + 1, "limited", "job.queued", "", &json!({ "queueName": "default" }));
    for try_number in 0..8 {
        let at_ms = INCIDENT_MS + 10 + try_number * 2_000;
        told.claimed(at_ms, "limited", "w2");
        told.tell(at_ms + 40, "limited", "connector.processing_failed", "w2", &json!({ "error": "429" }));
        told.tell(at_ms + 50, "limited", "job.released", "", &json!({}));
    }
    let world = told.stored(&redis);
    let said = world.diagnosed("limited", INCIDENT_MS + 15_000);
    assert_eq!(said["verdict"], "waiting", "{said:#}");
    says(&said, "reason", "w2 has given it back. ");
    assert_eq!(world.unhealthy(INCIDENT_MS + 15_000), []);
}

#[test]
fn a_job_that_waits_for_others_is_as_well_as_they_are() {
    let redis = Redis::start();
    let mut told = Told::system(INCIDENT_MS + 9 * MINUTE_MS);
    for (album, parent) in [("album", None), ("book", Some("shelf")), ("shelf", None), ("alone", None)] {
        told.tell(INCIDENT_MS, album, "job.created", "", &json!({ "jobType": "album", "parentJobId": parent }));
        told.tell(INCIDENT_MS + 1, album, "job.waiting_children", "", &json!({ "queueName": "default" }));
    }
    let mut picture = |job: &str, parent: &str, is_done: bool| {
        told.tell(INCIDENT_MS + 2, job, "job.created", "", &json!({ "jobType": "thumbnail", "parentJobId": parent }));
        told.tell(INCIDENT_MS + 3, job, "job.queued", "", &json!({ "queueName": "default" }));
        told.claimed(INCIDENT_MS + 5, job, "w1");
        if is_done {
            told.completed(INCIDENT_MS + 150, job, "w1");
        }
    };
    picture("album-1", "album", true);
    picture("album-2", "album", true);
    picture("book-1", "book", true);
    picture("book-2", "book", false);
    let world = told.stored(&redis);

    let said = world.diagnosed("album", INCIDENT_MS + 100);
    assert_eq!(said["verdict"], "waiting", "{said:#}");
    says(&said, "reason", "of 2 that are known, 2 have not ended");
    assert_eq!(culprit(&said), ("", ""));
    // One of those that it waits for does not go on, and what waits for it in turn neither.
    for job in ["book", "shelf"] {
        let said = world.diagnosed(job, INCIDENT_MS + 3 * MINUTE_MS);
        assert_eq!((said["verdict"].as_str(), culprit(&said)), (Some("waiting"), ("job", "book-2")), "{said:#}");
        says(&said, "reason", "book-2 is stuck");
        says(&said, "next", "emp-events diagnose book-2");
    }
    // All that it waited for have ended; or nothing says what it waits for.
    for (job, words) in [("album", "2 of them are known, and ended"), ("alone", "no event says which these are")] {
        let said = world.diagnosed(job, INCIDENT_MS + 6 * MINUTE_MS);
        assert_eq!((said["verdict"].as_str(), culprit(&said)), (Some("waiting"), ("job", job)), "{said:#}");
        says(&said, "reason", words);
    }
    let unhealthy = world.unhealthy(INCIDENT_MS + 3 * MINUTE_MS);
    assert_eq!(
        unhealthy.iter().map(|(job, _)| &**job).collect::<Vec<_>>(),
        ["book", "book-2", "shelf"],
        "{unhealthy:?}"
    );
}

#[test]
fn a_queue_that_is_paused_is_told_from_one_that_moves() {
    let redis = Redis::start();
    for is_told in [true, false] {
        let mut told = Told::system(INCIDENT_MS);
        let at = INCIDENT_MS;
        if is_told {
            told.tell(at, "", "queue.paused", "", &json!({ "queueName": "default" }));
        }
        for number in 0..40 {
            let (after_ms, waits, other) = (at + 1_000 + number * 4_000, format!("p-{number}"), format!("b-{number}"));
            told.tell(after_ms, &waits, "job.created", "", &json!({ "jobType": "thumbnail" }));
            told.tell(after_ms + 2, &waits, "job.queued", "", &json!({ "queueName": "default" }));
            told.tell(after_ms, &other, "job.created", "", &json!({ "jobType": "thumbnail" }));
            told.tell(after_ms + 2, &other, "job.queued", "", &json!({ "queueName": "bulk" }));
            told.claimed(after_ms + 5, &other, "w1");
            told.completed(after_ms + 180, &other, "w1");
        }
        let world = told.stored(&redis);
        let said = world.diagnosed("p-0", at + 150_000);
        assert_eq!((said["verdict"].as_str(), culprit(&said)), (Some("waiting"), ("queue", "default")), "{said:#}");
        says(&said, "ruled_out", "from other queues meanwhile, and none from its own");
        if is_told {
            let said = world.diagnosed("p-0", at + 20_000);
            says(&said, "reason", "its queue is paused since 2025-09-27 10:33:20Z");
            assert_eq!(culprit(&said), ("queue", "default"));
            assert!(world.unhealthy(at + 20_000).iter().any(|(job, verdict)| job == "p-0" && verdict == "waiting"));
        }
        redis.command::<()>("FLUSHALL");
    }
}

#[test]
fn a_job_that_will_be_tried_again_has_not_failed() {
    let redis = Redis::start();
    let mut told = Told::system(INCIDENT_MS);
    let fails = |told: &mut Told, at_ms: i64, job: &str, event_type: &str, data: &Value| {
        told.tell(at_ms, job, "connector.processing_failed", "w2", &json!({ "error": "bad input 17" }));
        told.tell(at_ms + 1, job, event_type, "w2", data);
    };
    let at = INCIDENT_MS;
    told.begun(at, "told-at-failure", "w2");
    fails(
        &mut told,
        at + 100,
        "told-at-failure",
        "job.failed",
        &json!({ "error": "bad input 17", "attemptsMade": 1, "maxAttempts": 3 }),
    );
    told.tell(at, "told-at-first", "job.created", "", &json!({ "jobType": "thumbnail", "attempts": 2 }));
    told.claimed(at + 5, "told-at-first", "w2");
    fails(&mut told, at + 100, "told-at-first", "job.failed", &json!({ "error": "bad input 17" }));
    told.claimed(at + 20_000, "told-at-first", "w2");
    fails(&mut told, at + 20_100, "told-at-first", "job.failed", &json!({ "error": "bad input 18" }));
    told.begun(at, "attempt", "w2");
    fails(
        &mut told,
        at + 100,
        "attempt",
        "job.attempt_failed",
        &json!({ "error": "bad input 17", "nextRetryAt": BASE_MS + at + 30_000 }),
    );
    told.begun(at, "final", "w2");
    fails(&mut told, at + 100, "final", "job.failed", &json!({ "error": "bad input 19", "attempt": 1 }));
    let world = told.stored(&redis);
    for job in ["told-at-failure", "told-at-first"] {
        let said = world.diagnosed(job, at + 2_000);
        assert_eq!(said["verdict"], "waiting", "{said:#}");
        says(&said, "reason", "Attempt 1 failed: bad input 17; it will be tried again");
    }
    says(&world.diagnosed("attempt", at + 2_000), "reason", "next attempt, which is due in 28 s");
    assert_eq!(world.diagnosed("final", at + 2_000)["verdict"], "failed");
    let said = world.diagnosed("told-at-first", at + 25_000);
    assert_eq!(said["verdict"], "failed", "{said:#}");
    says(&said, "reason", "after 2 attempts, all on w2");
    let first = said["since"].as_str().unwrap();
    assert!(first.starts_with("2025-09-27T10:33:20.1"), "since the first attempt that failed, not {first}");
}

#[test]
fn a_webhook_whose_tries_are_over_is_undelivered_at_once_by_whom_refused_it() {
    let redis = Redis::start();
    let mut told = Told::system(INCIDENT_MS);
    let url = "https://customer.example/hook";
    let at = INCIDENT_MS;
    let mut tried = |job: &str, tries: i64, max: i64, answer: &Value| {
        told.healthy(at, job, "w1");
        for attempt in 1..=tries {
            let after_ms = at + 300 + attempt * 1_000;
            told.tell(after_ms, job, "webhook.delivering", "", &json!({ "url": url, "attempt": attempt }));
            let mut data = json!({ "url": url, "attempt": attempt, "maxAttempts": max });
            data.as_object_mut().unwrap().extend(answer.as_object().unwrap().clone());
            told.tell(after_ms + 15, job, "webhook.delivery_failed", "", &data);
        }
    };
    tried("over", 3, 3, &json!({ "error": "customer answered 500", "statusCode": 500 }));
    tried("by-text", 3, 3, &json!({ "error": "503 from customer endpoint" }));
    tried("goes-on", 2, 3, &json!({ "error": "customer answered 500", "statusCode": 500 }));
    let world = told.stored(&redis);
    for job in ["over", "by-text"] {
        let said = world.diagnosed(job, at + 5_000);
        assert_eq!(said["verdict"], "webhook_undelivered", "{said:#}");
        assert_eq!(culprit(&said), ("connector", url), "{said:#}");
        says(&said, "reason", "the last of 3 tries to https://customer.example/hook failed");
    }
    let said = world.diagnosed("goes-on", at + 5_000);
    assert_eq!((said["verdict"].as_str(), said["confidence"].as_str()), (Some("done"), Some("likely")), "{said:#}");
    says(&said, "reason", "its webhook is not delivered yet: 2 tries failed");
    assert_eq!(world.diagnosed("goes-on", at + 3 * MINUTE_MS)["verdict"], "webhook_undelivered");
}

#[test]
fn a_job_that_took_less_than_a_second_is_not_slow() {
    let redis = Redis::start();
    let mut told = Told::system(INCIDENT_MS);
    for (job, took_ms) in [("a-third-slower", 330), ("four-times", 950), ("noticed", 4_000)] {
        told.begun(INCIDENT_MS, job, "w1");
        told.completed(INCIDENT_MS + took_ms, job, "w1");
    }
    let world = told.stored(&redis);
    assert_eq!(world.unhealthy(INCIDENT_MS + 5_000), [("noticed".to_owned(), "done_slow".to_owned())]);
}

#[test]
fn jobs_with_different_errors_are_in_no_group_together() {
    let redis = Redis::start();
    let mut told = Told::system(INCIDENT_MS);
    for (number, error) in ["CUDA out of memory", "unsafe prompt", "upstream timeout after 30s"].into_iter().enumerate()
    {
        let job = format!("f-{number}");
        told.begun(INCIDENT_MS, &job, &format!("w{}", 1 + number));
        told.tell(INCIDENT_MS + 100, &job, "job.failed", &format!("w{}", 1 + number), &json!({ "error": error }));
    }
    let world = told.stored(&redis);
    let ended = world.ask(&["diagnose", "--all", "--last", "5m"], INCIDENT_MS + 5_000);
    let all: Value = serde_json::from_str(&ended.stdout).unwrap();
    let groups = all["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 3, "{groups:#?}");
    assert!(groups.iter().any(|group| group["cause"] == "CUDA out of memory"), "{groups:#?}");
    let said = world.diagnosed("f-2", INCIDENT_MS + 5_000);
    says(&said, "ruled_out", "one case does not tell whether it is of this job");
}
