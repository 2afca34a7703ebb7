//! Incidents of every kind, planted among normal jobs, and what is said about them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod event_names;
mod few_signs;
mod timelines;
mod worlds;

use emp_findings::{Culprit, CulpritKind, Diagnosis, Judged, Verdict};
use emp_investigate::Investigation;
use emp_query::{Engine, Settings};
use emp_simulate::{Incident, IncidentKind, Planted, into_store};
use emp_store::Layout;

const FROM_MS: i64 = 1_758_844_800_000;
const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;
const SEEDS: std::ops::RangeInclusive<u64> = 11..=15;

/// A store with one incident after ten hours of a healthy system.
struct World {
    _folder: tempfile::TempDir,
    engine: Engine,
    planted: Planted,
}

fn world(kind: IncidentKind, seed: u64) -> World {
    plant(emp_simulate::World::named("emp").unwrap(), kind, seed)
}

/// One incident in a healthy system of that kind.
fn plant(system: &'static emp_simulate::World, kind: IncidentKind, seed: u64) -> World {
    simulate(system, seed, &[Incident { kind, at_ms: FROM_MS + 10 * HOUR_MS }])
}

/// Nothing goes wrong but by chance; what is planted is a skew of nobody.
fn healthy(system: &'static emp_simulate::World, seed: u64) -> World {
    simulate(system, seed, &[])
}

fn simulate(system: &'static emp_simulate::World, seed: u64, incidents: &[Incident]) -> World {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let settings = emp_simulate::Settings {
        seed,
        from_ms: FROM_MS,
        incidents: incidents.to_vec(),
        lasting_faults: false,
        ..emp_simulate::Settings::of(system)
    };
    let summary = into_store(&layout, settings, 13, &mut |_| ()).unwrap();
    // What is wrong all the time belongs to the system.
    let is_wanted = |planted: &Planted| incidents.iter().any(|incident| incident.kind == planted.kind);
    let planted = summary.incidents.into_iter().filter(|planted| planted.at_ms > FROM_MS).find(is_wanted);
    let nobody = Planted {
        kind: IncidentKind::SkewedClock,
        at_ms: FROM_MS,
        until_ms: None,
        culprit: ("job", String::new()),
        jobs: Vec::new(),
        also: Vec::new(),
        signs: Vec::new(),
        subject: String::new(),
    };
    assert_eq!(planted.is_some(), !incidents.is_empty(), "it was planted");
    let engine = Engine::open_with(&layout, Settings::default()).unwrap();
    World { _folder: folder, engine, planted: planted.unwrap_or(nobody) }
}

impl World {
    fn at(&self, now_ms: i64) -> Investigation<'_> {
        block_on(Investigation::open(&self.engine, now_ms)).unwrap()
    }

    /// The first hit job, as of then.
    fn first(&self, now_ms: i64) -> Diagnosis {
        block_on(self.at(now_ms).diagnose(&self.planted.jobs[0])).unwrap()
    }

    /// Every job of the two hours before then.
    fn all(&self, now_ms: i64) -> Judged {
        block_on(self.at(now_ms).diagnose_all(now_ms - 2 * HOUR_MS)).unwrap()
    }

    fn until_ms(&self) -> i64 {
        self.planted.until_ms.unwrap()
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn culprit(kind: CulpritKind, id: &str) -> Culprit {
    Culprit { kind: Some(kind), id: Some(id.to_owned()) }
}

/// How many jobs a group of that verdict and culprit has.
fn jobs_of(judged: &Judged, verdict: Verdict, of: &Culprit) -> usize {
    let group = judged.groups.iter().find(|group| group.verdict == verdict && group.culprit == *of);
    group.map_or(0, |group| group.jobs.len())
}

/// Jobs that the incident does not hit may fail, but nothing holds them.
#[track_caller]
fn the_others_are_well(judged: &Judged, planted: &Planted) {
    const SILENT: [Verdict; 6] = [
        Verdict::NoData,
        Verdict::RetryLoop,
        Verdict::WorkerSilent,
        Verdict::ClaimedNotStarted,
        Verdict::Stuck,
        Verdict::WebhookUndelivered,
    ];
    for other in judged.unhealthy.iter().filter(|one| !planted.jobs.contains(&one.job_id)) {
        assert!(!SILENT.contains(&other.verdict), "{}: {other:#?}", planted.kind);
    }
}

#[test]
fn a_stuck_job_is_stuck_by_itself() {
    for seed in SEEDS {
        let world = world(IncidentKind::StuckJob, seed);
        let now_ms = world.planted.at_ms + 20 * MINUTE_MS;
        let said = world.first(now_ms);
        assert_eq!(
            (said.verdict, &said.culprit),
            (Verdict::Stuck, &culprit(CulpritKind::Job, &said.job_id)),
            "{said:#?}"
        );
        assert!(said.evidence.iter().any(|shown| Some(shown.id) == said.last_event.as_ref().map(|last| last.id)));
        assert!(said.ruled_out.iter().any(|text| text.contains("lives")), "{:?}", said.ruled_out);
        the_others_are_well(&world.all(now_ms), &world.planted);
    }
}

#[test]
fn a_worker_that_died_is_named_while_it_is_silent_and_after() {
    for seed in SEEDS {
        let world = world(IncidentKind::SilentWorker, seed);
        let named = culprit(CulpritKind::Worker, &world.planted.culprit.1);
        for now_ms in [world.planted.at_ms + 25 * MINUTE_MS, world.until_ms() + 10 * MINUTE_MS] {
            let said = world.first(now_ms);
            assert_eq!((said.verdict, &said.culprit), (Verdict::WorkerSilent, &named), "{said:#?}");
            the_others_are_well(&world.all(now_ms), &world.planted);
        }
    }
}

#[test]
fn a_webhook_that_was_lost_is_missed() {
    for seed in SEEDS {
        let world = world(IncidentKind::LostWebhook, seed);
        let now_ms = world.planted.at_ms + 15 * MINUTE_MS;
        let said = world.first(now_ms);
        let named = culprit(CulpritKind::Service, "webhook-service");
        assert_eq!((said.verdict, &said.culprit), (Verdict::WebhookUndelivered, &named), "{said:#?}");
        the_others_are_well(&world.all(now_ms), &world.planted);
    }
}

#[test]
fn a_connector_that_is_down_is_behind_its_retries_and_failures() {
    for seed in SEEDS {
        let world = world(IncidentKind::RetryStorm, seed);
        let named = culprit(CulpritKind::Connector, "comfyui");
        let midst = world.all(world.planted.at_ms + 12 * MINUTE_MS);
        let after = world.all(world.until_ms() + 5 * MINUTE_MS);
        assert!(jobs_of(&midst, Verdict::RetryLoop, &named) + jobs_of(&midst, Verdict::Failed, &named) >= 5);
        assert!(jobs_of(&after, Verdict::Failed, &named) >= 10, "{:#?}", after.groups);
        let failed = after.unhealthy.iter().find(|one| one.culprit == named).unwrap();
        assert!(failed.same_cause.jobs >= 10 && failed.reason.contains("ECONNREFUSED"), "{failed:#?}");
        the_others_are_well(&after, &world.planted);
    }
}

#[test]
fn a_worker_that_is_slow_among_its_peers_is_behind_slow_jobs() {
    for seed in SEEDS {
        let world = world(IncidentKind::SlowWorker, seed);
        let judged = world.all(world.until_ms());
        let named = culprit(CulpritKind::Worker, &world.planted.culprit.1);
        assert!(jobs_of(&judged, Verdict::DoneSlow, &named) >= 3, "{:#?}", judged.groups);
        the_others_are_well(&judged, &world.planted);
    }
}

#[test]
fn a_connector_that_is_slow_everywhere_is_behind_slow_jobs() {
    for seed in SEEDS {
        let world = world(IncidentKind::SlowConnector, seed);
        let judged = world.all(world.until_ms());
        let named = culprit(CulpritKind::Connector, "openai");
        assert!(jobs_of(&judged, Verdict::DoneSlow, &named) >= 3, "{:#?}", judged.groups);
        the_others_are_well(&judged, &world.planted);
    }
}

#[test]
fn a_full_queue_is_behind_jobs_that_wait_and_that_waited() {
    for seed in SEEDS {
        let world = world(IncidentKind::FullQueue, seed);
        let midst = world.all(world.planted.at_ms + 20 * MINUTE_MS);
        let waiting: Vec<&Diagnosis> = midst.unhealthy.iter().filter(|one| one.verdict == Verdict::Waiting).collect();
        assert!(waiting.len() >= 3, "{:#?}", midst.groups);
        assert!(waiting.iter().all(|one| one.culprit.kind == Some(CulpritKind::Queue)), "{waiting:#?}");
        let after = world.all(world.until_ms() + 20 * MINUTE_MS);
        assert!(
            jobs_of(&after, Verdict::DoneSlow, &culprit(CulpritKind::Queue, "default")) >= 3,
            "{:#?}",
            after.groups
        );
    }
}

#[test]
fn a_new_error_is_of_the_connector_that_has_it() {
    for seed in SEEDS {
        let world = world(IncidentKind::NewError, seed);
        let judged = world.all(world.until_ms());
        let named = culprit(CulpritKind::Connector, "comfyui");
        assert!(jobs_of(&judged, Verdict::Failed, &named) >= 3, "{:#?}", judged.groups);
        let said = world.first(world.until_ms());
        assert!(said.verdict == Verdict::Failed && said.reason.contains("tokenizer_config"), "{said:#?}");
        the_others_are_well(&judged, &world.planted);
    }
}

#[test]
fn a_service_that_has_gone_silent_is_behind_webhooks_that_were_not_sent() {
    for seed in SEEDS {
        let world = world(IncidentKind::SilentService, seed);
        let judged = world.all(world.until_ms() - MINUTE_MS);
        let named = culprit(CulpritKind::Service, "webhook-service");
        assert!(jobs_of(&judged, Verdict::WebhookUndelivered, &named) >= 5, "{:#?}", judged.groups);
        let groups = judged.groups.iter().filter(|group| group.culprit != named);
        assert!(groups.map(|group| group.verdict).all(|verdict| verdict != Verdict::Stuck), "{:#?}", judged.groups);
    }
}

#[test]
fn errors_after_a_deploy_are_of_the_service() {
    for seed in SEEDS {
        let world = world(IncidentKind::ErrorBurst, seed);
        let judged = world.all(world.until_ms());
        let named = culprit(CulpritKind::Service, "api-server");
        assert!(jobs_of(&judged, Verdict::Failed, &named) >= 3, "{:#?}", judged.groups);
        the_others_are_well(&judged, &world.planted);
    }
}

#[test]
fn a_skewed_clock_and_a_missing_step_are_notes_of_healthy_jobs() {
    for seed in SEEDS {
        let skewed = world(IncidentKind::SkewedClock, seed);
        let now_ms = skewed.planted.at_ms + HOUR_MS;
        let machine = skewed.planted.culprit.1.replace("machine-", "worker-");
        let about = skewed.all(now_ms);
        the_others_are_well(&about, &skewed.planted);
        let sql = format!(
            "select job_id from events where worker_id like '{machine}%' and event_type = 'job.completed' and \
             ingested_at > to_timestamp_millis({}) limit 1",
            skewed.planted.at_ms + 10 * MINUTE_MS
        );
        let rows = block_on(async { skewed.engine.sql(&sql).await.unwrap().batches().await.unwrap() });
        let job = arrow::array::AsArray::as_string::<i32>(rows[0].column(0)).value(0).to_owned();
        let said = block_on(skewed.at(now_ms).diagnose(&job)).unwrap();
        assert!(said.completeness.notes.iter().any(|note| note.contains("at least 6.")), "{said:#?}");

        let missing = world(IncidentKind::MissingStep, seed);
        let said = missing.first(missing.until_ms());
        let lacks = |note: &String| note.contains("it has no connector.processing_completed");
        assert!(said.completeness.notes.iter().any(lacks), "{said:#?}");
        the_others_are_well(&missing.all(missing.until_ms()), &missing.planted);
    }
}

#[test]
fn an_unknown_job_is_answered_with_those_that_are_near() {
    let world = world(IncidentKind::StuckJob, 1);
    let near = &world.planted.jobs[0];
    let said = block_on(world.at(FROM_MS + 12 * HOUR_MS).diagnose(&near[..near.len() - 1])).unwrap();
    assert_eq!(said.verdict, Verdict::NotFound);
    assert!(said.reason.contains(near.as_str()), "{}", said.reason);
}

/// A replay holds what it has read for the next look; it says what somebody says who looks then for the first time.
#[test]
fn a_replay_says_what_a_single_look_says() {
    for kind in [IncidentKind::RetryStorm, IncidentKind::FullQueue] {
        let world = world(kind, 11);
        let until_ms = world.planted.at_ms + 26 * MINUTE_MS;
        let mut replayed = Vec::new();
        let replay = world.at(until_ms);
        let looks =
            replay.look_back(until_ms - 36 * MINUTE_MS, 4 * MINUTE_MS, &|_, _| (), |now_ms, anomalies, judged| {
                replayed.push((now_ms, anomalies.found, judged.groups));
            });
        block_on(looks).unwrap();
        assert_eq!(replayed.len(), 9);
        assert!(replayed.iter().any(|(_, found, _)| found.len() >= 2), "{kind} is told");
        for (now_ms, found, groups) in replayed {
            let (anomalies, judged) = block_on(world.at(now_ms).anomalies_and_jobs()).unwrap();
            assert_eq!((found, groups), (anomalies.found, judged.groups), "{kind} at {now_ms}");
        }
    }
}
