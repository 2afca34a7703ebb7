//! One run of the application with all the faults, and what is said of each while it lasts and after it.

use serde_json::{Value, json};

use super::aged::Aged;
use super::app::App;
use crate::support::eventually;

/// What happened to the jobs of a run.
struct Run {
    /// Nothing. The first of them before any fault.
    healthy: Vec<String>,
    before: usize,
    /// It waits for an hour, as it was asked to.
    delayed: String,
    refused: String,
    poisoned: String,
    lost: Lost,
    /// Their connector took five times as long as any of the healthy ones before it.
    slow: Vec<String>,
}

/// Two jobs whose workers were killed and frozen.
struct Lost {
    jobs: [String; 2],
    killed: String,
    frozen: String,
}

#[test]
fn each_fault_is_named_and_the_healthy_jobs_are_left_alone() {
    let mut app = App::start();
    let run = all_that_may_go_wrong(&mut app);
    app.stop();
    each_event_of_the_queue_was_told_once(&app);
    let aged = Aged::of(&app.redis, &run.healthy[..run.before]);
    all_jobs_are_judged(&run, &aged.ask(&["diagnose", "--all"]));
    anomalies_tell_of(&run, &aged.ask(&["anomalies"]));
}

fn all_that_may_go_wrong(app: &mut App) -> Run {
    let mut healthy = some_jobs(app, 30);
    let before = healthy.len();
    healthy.extend(deployed(app));
    let refused = out_of_memory(app);
    let lost = lost(app);
    let (delayed, waited) = delayed(app);
    healthy.push(waited);
    paused(app);
    limited(app);
    album(app);
    let poisoned = poisoned(app);
    let slow = slow_connector(app, &healthy[..before]);
    lost.are_blamed_on_their_workers(app);
    healthy.extend(some_jobs(app, 10));
    for job in &healthy {
        let said = app.diagnose(job);
        assert_eq!(said["verdict"], "done", "{said:#}");
    }
    Run { healthy, before, delayed, refused, poisoned, lost, slow }
}

/// Jobs that are done, and of which the customer knows.
fn some_jobs(app: &App, count: usize) -> Vec<String> {
    let jobs = app.submit_all(count, &json!({}));
    app.until(&jobs, "webhook.delivered");
    jobs
}

/// All workers are told to end while they have work.
fn deployed(app: &mut App) -> Vec<String> {
    app.pace("comfyui", 200);
    let jobs = app.submit_all(12, &json!({}));
    app.until(&jobs[..1], "job.claimed");
    app.redeploy();
    app.until(&jobs, "webhook.delivered");
    app.pace("comfyui", 40);
    jobs
}

fn out_of_memory(app: &App) -> String {
    let _: () = app.redis.command("CONFIG SET maxmemory 1");
    let (status, job) = app.submit(&json!({}));
    assert_eq!(status, 503);
    let health = app.store.run(&["health"]);
    assert_ne!(health.status, 0);
    assert!(health.stdout.contains("maxmemory"), "{}", health.stdout);
    let _: () = app.redis.command("CONFIG SET maxmemory 0");
    app.until(std::slice::from_ref(&job), "job.creation_failed");
    let said = app.diagnose(&job);
    assert_eq!(said["verdict"], "failed", "{said:#}");
    assert!(said["reason"].as_str().unwrap().contains("OOM"), "{said:#}");
    job
}

fn lost(app: &mut App) -> Lost {
    app.pace("held", 3_600_000);
    let held = json!({ "connector": "held" });
    let of_killed = app.submit(&held).1;
    let killed = app.holder(&of_killed);
    app.kill(&killed);
    let of_frozen = app.submit(&held).1;
    let frozen = app.holder(&of_frozen);
    app.signal(&frozen, "STOP");
    app.pace("held", 40);
    // As PM2 does, or Kubernetes.
    app.start_worker(&killed);
    Lost { jobs: [of_killed, of_frozen], killed, frozen }
}

impl Lost {
    fn are_blamed_on_their_workers(&self, app: &App) {
        app.until(&self.jobs, "webhook.delivered");
        for (job, worker) in self.jobs.iter().zip([&self.killed, &self.frozen]) {
            let said = app.diagnose(job);
            let culprit = &said["culprit"];
            assert_eq!((&said["verdict"], &culprit["kind"]), (&json!("done_slow"), &json!("worker")), "{said:#}");
            assert_eq!(culprit["id"], **worker, "{said:#}");
        }
        eventually("the frozen worker is silent", || state(app, "workers", &self.frozen)["life"] == "silent");
        let anomalies = app.store.run(&["anomalies", "--format", "json"]).stdout;
        let anomalies: Vec<Value> = serde_json::from_str(&anomalies).unwrap();
        // On a busy machine a worker may lose more than that.
        let has_lost =
            |worker: &Value, job: &str| worker["lost"].as_array().unwrap().iter().any(|lost| lost["job_id"] == *job);
        for (job, worker) in self.jobs.iter().zip([&self.killed, &self.frozen]) {
            let mut of_worker = anomalies.iter().filter(|one| one["subject"]["worker_id"] == **worker);
            let names_it = of_worker.any(|one| one["message"].as_str().unwrap().contains(&**job));
            assert!(names_it, "{worker} lost {job}: {anomalies:#?}");
            assert!(has_lost(&state(app, "workers", worker), job));
            assert!(has_lost(&state(app, "diagnose --all", worker), job));
        }
        app.signal(&self.frozen, "CONT");
        // Its work comes too late, and BullMQ takes none of it.
        let refused = format!(
            "select count(*) from events where event_type = 'worker.error' and worker_id = '{}' and data->>'error' like 'Missing lock%'",
            self.frozen
        );
        eventually("what it brings is refused", || app.store.number(&refused) > 0);
    }
}

/// What a command says of a worker.
fn state(app: &App, command: &str, worker: &str) -> Value {
    let words: Vec<&str> = command.split(' ').chain(["--format", "json"]).collect();
    let said: Value = serde_json::from_str(&app.store.run(&words).stdout).unwrap();
    let found = said["workers"].as_array().unwrap().iter().find(|one| one["worker_id"] == worker);
    found.cloned().unwrap_or_else(|| panic!("{command}: {said:#}"))
}

/// A job that is to wait for an hour, and one that has waited.
fn delayed(app: &App) -> (String, String) {
    let waits = app.submit(&json!({ "delayMs": 3_600_000 })).1;
    let waited = app.submit(&json!({ "delayMs": 1_500 })).1;
    app.until(&[waits.clone(), waited.clone()], "job.delayed");
    let said = app.diagnose(&waits);
    assert_eq!(said["verdict"], "waiting", "{said:#}");
    assert!(said["reason"].as_str().unwrap().contains("as asked"), "{said:#}");
    app.until(std::slice::from_ref(&waited), "webhook.delivered");
    (waits, waited)
}

fn paused(app: &App) {
    app.queue("pause");
    let jobs = app.submit_all(3, &json!({}));
    app.until(&jobs, "job.queued");
    let said = app.diagnose(&jobs[0]);
    assert_eq!((&said["verdict"], &said["culprit"]["kind"]), (&json!("waiting"), &json!("queue")), "{said:#}");
    assert!(said["reason"].as_str().unwrap().contains("paused"), "{said:#}");
    app.queue("resume");
    app.until(&jobs, "webhook.delivered");
}

/// A job that its worker gives back twice, as its connector asks it to: nobody has lost it, and no attempt has failed.
fn limited(app: &App) {
    app.limit("throttled", 2);
    let job = app.submit(&json!({ "connector": "throttled", "attempts": 1 })).1;
    let jobs = [job];
    app.until(&jobs, "job.released");
    app.until(&jobs, "webhook.delivered");
    let said = app.diagnose(&jobs[0]);
    // It has waited for two seconds, which for this system is long.
    assert!(["done", "done_slow"].contains(&said["verdict"].as_str().unwrap()), "{said:#}");
    assert_ne!(said["culprit"]["kind"], "worker", "{said:#}");
    let shown = app.store.output(&["timeline", &jobs[0]]);
    assert!(!shown.contains("lost") && shown.contains("job.released"), "{shown}");
    assert_eq!(times_lost(app, &jobs[0]), 0);
}

/// How many workers are said to have lost a job.
fn times_lost(app: &App, job: &str) -> usize {
    let said: Value = serde_json::from_str(&app.store.run(&["workers", "--format", "json"]).stdout).unwrap();
    let workers = said["workers"].as_array().unwrap();
    workers.iter().filter(|worker| worker["lost"].to_string().contains(job)).count()
}

/// A job that waits for two others, of which one is not done.
fn album(app: &App) {
    app.pace("drawn", 3_600_000);
    let (album, pictures) = app.submit_album(&json!({ "connector": "drawn", "pictures": 2 }));
    app.until(&pictures, "job.claimed");
    let said = app.diagnose(&album);
    assert_eq!(said["verdict"], "waiting", "{said:#}");
    let reason = said["reason"].as_str().unwrap();
    assert!(
        reason.contains("waits for other jobs") && reason.contains("of 2 that are known, 2 have not ended"),
        "{said:#}"
    );
    app.pace("drawn", 40);
    let all = [std::slice::from_ref(&album), &pictures].concat();
    app.until(&all, "webhook.delivered");
    let budget = app.diagnose(&album)["budget"].to_string();
    assert!(budget.contains("waiting for other jobs"), "{budget}");
}

fn poisoned(app: &App) -> String {
    let job = app.submit(&json!({ "prompt": "", "attempts": 5 })).1;
    app.until(std::slice::from_ref(&job), "job.failed");
    let said = app.diagnose(&job);
    assert_eq!(said["verdict"], "failed", "{said:#}");
    assert!(said["reason"].as_str().unwrap().contains("5 attempts"), "{said:#}");
    job
}

fn slow_connector(app: &App, healthy: &[String]) -> Vec<String> {
    // What two seconds are depends on how busy the machine was while it was learned what is usual.
    app.pace("comfyui", (5 * app.longest_ms(healthy)).max(2_000));
    let jobs = app.submit_all(30, &json!({}));
    app.until(&jobs, "webhook.delivered");
    app.pace("comfyui", 40);
    jobs
}

/// Two servers observe it.
fn each_event_of_the_queue_was_told_once(app: &App) {
    let of_queue = "from events where service = 'bullmq' and event_type";
    let added = app.store.number("select count(distinct job_id) from events where event_type = 'job.completed'");
    let created = app.store.number(&format!("select count(*) {of_queue} = 'job.created'"));
    // The one that waits, and the one that failed.
    assert_eq!(created, added + 2);
    assert_eq!(app.store.number(&format!("select count(*) {of_queue} in ('queue.paused', 'queue.resumed')")), 2);
    assert_eq!(app.store.number(&format!("select count(*) {of_queue} = 'job.stalled'")), 2);
    app.store.output(&["check-names"]);
}

fn all_jobs_are_judged(run: &Run, said: &Value) {
    let unhealthy = said["unhealthy"].as_array().unwrap();
    let of = |job: &String| unhealthy.iter().find(|one| one["job_id"] == **job);
    for (job, error) in [(&run.refused, "OOM"), (&run.poisoned, "422")] {
        let said = of(job).unwrap();
        assert_eq!(said["verdict"], "failed");
        assert!(said["reason"].as_str().unwrap().contains(error), "{said:#}");
    }
    for (job, worker) in run.lost.jobs.iter().zip([&run.lost.killed, &run.lost.frozen]) {
        assert_eq!(of(job).unwrap()["culprit"]["id"], **worker);
    }
    let connector = json!({ "kind": "connector", "id": "comfyui" });
    let slow: Vec<&Value> = run.slow.iter().map(|job| of(job).expect("its connector was slow")).collect();
    let blamed = slow.iter().filter(|said| said["culprit"] == connector).count();
    // A busy machine may make some of them wait longer for something else.
    let others: Vec<_> = slow.iter().map(|said| (&said["culprit"], &said["reason"])).collect();
    assert!(2 * blamed > slow.len(), "{blamed}: {others:#?}");
    assert_eq!(of(&run.delayed), None);
    for said in run.healthy.iter().filter_map(of) {
        // Nor is it wrong to name one that such a machine has made slow.
        let took_ms: i64 = said["budget"].as_array().unwrap().iter().map(|part| part["ms"].as_i64().unwrap()).sum();
        assert!(said["verdict"] == "done_slow" && took_ms >= 1_000, "{said:#}");
    }
}

fn anomalies_tell_of(run: &Run, said: &Value) {
    let all = said.as_array().unwrap();
    let tells = |kind: &str, words: &str| {
        let is_it = |one: &&Value| one["kind"] == kind && one["message"].as_str().unwrap().contains(words);
        assert!(all.iter().any(|one| is_it(&one)), "{kind}, {words}: {said:#}");
    };
    // It takes, or took: a busy machine decides whether what follows is as usual.
    tells("latency", "the connector comfyui t");
    tells("silence", &format!("{} on", run.lost.killed));
    tells("new_error", "OOM command not allowed");
    tells("new_error", "comfyui answers 422");
    tells("new_error", "Missing lock for job");
    for job in run.healthy.iter().chain([&run.delayed]) {
        assert!(!said.to_string().contains(job.as_str()), "{job}: {said:#}");
    }
}
