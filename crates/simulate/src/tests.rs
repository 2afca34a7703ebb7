use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::sync::LazyLock;

use arrow::array::{Array as _, StringArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::*;
use emp_event::{EntryId, Level};
use emp_store::{Layout, Partition, Snapshot};
use emp_typical::{Typical, typical_at};

const FROM_MS: i64 = 1_758_844_800_000;
const DAY_MS: i64 = 86_400_000;

fn settings() -> Settings {
    Settings { from_ms: FROM_MS, ..Settings::default() }
}

fn during(settings: Settings, ms: i64) -> Vec<Arrival> {
    let end_ms = settings.from_ms + ms;
    Simulation::new(settings).take_while(|arrival| arrival.arrived_at_ms < end_ms).collect()
}

/// A stored event, as far as the tests ask.
struct Stored {
    arrived_at_ms: i64,
    timestamp: i64,
    event_type: String,
    trace_id: Option<String>,
    job_id: Option<String>,
    worker_id: Option<String>,
    duration_ms: Option<f64>,
    data: Value,
}

/// Decodes as the collector would.
fn stored(arrivals: &[Arrival]) -> Vec<Stored> {
    let decode = |(seq, arrival): (usize, &Arrival)| {
        let fields = arrival.draft.fields();
        let id = EntryId::new(arrival.arrived_at_ms as u64, seq as u64);
        let event = emp_event::decode(id, &fields).expect("every draft is an event");
        let owned = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(str::to_owned);
        Stored {
            arrived_at_ms: arrival.arrived_at_ms,
            timestamp: event.timestamp,
            event_type: event.event_type.to_string(),
            trace_id: owned(&event.trace_id),
            job_id: owned(&event.job_id),
            worker_id: owned(&event.worker_id),
            duration_ms: event.duration_ms,
            data: serde_json::from_str(&event.data).expect("JSON"),
        }
    };
    arrivals.iter().enumerate().map(decode).collect()
}

/// One day of the default load, simulated once for all tests.
fn day() -> &'static [Stored] {
    static DAY: LazyLock<Vec<Stored>> = LazyLock::new(|| stored(&during(settings(), DAY_MS)));
    &DAY
}

/// The events of each job, in order of arrival.
fn by_job(events: &[Stored]) -> BTreeMap<&str, Vec<&Stored>> {
    let mut jobs: BTreeMap<&str, Vec<&Stored>> = BTreeMap::new();
    for event in events {
        if let Some(job_id) = &event.job_id {
            jobs.entry(job_id).or_default().push(event);
        }
    }
    jobs
}

fn has(events: &[&Stored], event_type: &str) -> bool {
    events.iter().any(|event| event.event_type == event_type)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn the_same_settings_give_the_same_events() {
    let with_incidents = || Settings { incidents: Incident::usual(FROM_MS, 4), ..settings() };
    let once = during(with_incidents(), DAY_MS / 6);
    assert_eq!(once, during(with_incidents(), DAY_MS / 6));
    assert_ne!(once, during(Settings { seed: 8, ..with_incidents() }, DAY_MS / 6));
}

/// The committed sample and the job ids that its README names rest on this: change it only
/// together with them.
#[test]
fn the_events_are_the_same_on_every_machine() {
    let settings = Settings { jobs_per_hour: 60.0, incidents: Incident::usual(FROM_MS, 48), ..settings() };
    let mut checksum = crc32fast::Hasher::new();
    for arrival in Simulation::new(settings).take(40_000) {
        checksum.update(&arrival.arrived_at_ms.to_le_bytes());
        for (name, value) in arrival.draft.fields() {
            checksum.update(name.as_bytes());
            checksum.update(&value);
        }
    }
    assert_eq!(format!("{:08x}", checksum.finalize()), "219d29ff");
}

#[test]
fn events_come_in_order_of_arrival_after_at_most_twenty_milliseconds() {
    for time_scale in [1.0, 0.05] {
        let settings = Settings { time_scale, machines: 1, jobs_per_hour: 2_000.0, ..settings() };
        let arrivals = during(settings, DAY_MS / 24);
        assert!(arrivals.is_sorted_by_key(|arrival| arrival.arrived_at_ms));
        // One machine: no clock is ahead. Events of one story may wait for the one before.
        let carried = arrivals.iter().map(|arrival| arrival.arrived_at_ms - arrival.draft.timestamp);
        assert!(carried.into_iter().all(|ms| (1..=21).contains(&ms)));
    }
}

#[test]
fn a_day_holds_every_type_of_event() {
    let seen: BTreeSet<String> = day().iter().map(|event| event.event_type.clone()).collect();
    let expected = "api.error connector.processing_completed connector.processing_failed \
        connector.processing_started health_check.performed job.claimed job.completed job.created \
        job.creation_failed job.failed job.progress_updated job.queued job.retry_scheduled \
        machine.hardware_detected machine.ready machine.services_ready machine.starting \
        monitor.alert_raised monitor.workers_counted pm2.service_failed pm2.service_started \
        pm2.service_starting redis_function.completed redis_function.executing redis_function.failed \
        server.ready server.shutting_down server.starting webhook.delivered webhook.delivering \
        webhook.delivery_failed websocket.connected websocket.disconnected websocket.subscribed \
        worker.ready worker.shutting_down worker.starting";
    assert_eq!(seen, expected.split_whitespace().map(str::to_owned).collect());
}

#[test]
fn nothing_is_marked_as_bad_and_durations_are_told() {
    for event in day() {
        let keys = event.data.as_object().expect("an object");
        assert!(keys.keys().all(|key| !key.starts_with('_')), "{:?}", event.data);
        assert!(event.trace_id.is_some(), "{} has no trace", event.event_type);
        let tells_duration = keys.keys().any(|key| key.ends_with("TimeMs"));
        assert_eq!(event.duration_ms.is_some(), tells_duration);
        assert!(event.duration_ms.is_none_or(|ms| ms >= 0.0), "{} {:?}", event.event_type, event.data);
    }
}

#[test]
fn producers_put_ids_into_data_where_they_do() {
    let arrivals = during(settings(), DAY_MS / 8);
    let of_type = |event_type: &str| {
        let arrival = arrivals.iter().find(|arrival| arrival.draft.event_type == event_type);
        &arrival.unwrap_or_else(|| panic!("no {event_type}")).draft
    };
    for (event_type, key) in [
        ("job.created", "userId"),
        ("job.claimed", "workerId"),
        ("connector.processing_started", "workerId"),
        ("redis_function.executing", "traceId"),
        ("pm2.service_starting", "machineId"),
    ] {
        let draft = of_type(event_type);
        assert!(draft.data.contains(&format!("\"{key}\":")), "{}", draft.data);
        let field = match key {
            "userId" => &draft.user_id,
            "workerId" => &draft.worker_id,
            "traceId" => &draft.trace_id,
            _ => &draft.machine_id,
        };
        assert_eq!(*field, None);
    }
    assert!(of_type("job.completed").worker_id.is_some());
}

#[test]
fn a_completed_job_walks_through_its_steps_in_one_trace() {
    let events = day();
    let jobs = by_job(events);
    let completed: Vec<_> = jobs.values().filter(|events| has(events, "job.completed")).collect();
    assert!(completed.len() > jobs.len() * 9 / 10);
    for events in &completed {
        let place = |event_type: &str| events.iter().position(|event| event.event_type == event_type);
        let steps = ["job.created", "job.queued", "job.claimed", "connector.processing_started"];
        let ends = ["connector.processing_completed", "job.completed", "webhook.delivering"];
        let places: Vec<_> = steps.into_iter().chain(ends).filter_map(place).collect();
        assert!(places.len() >= 6 && places.is_sorted());
        assert_eq!(places[0], 0);
        assert!(events.iter().all(|event| event.trace_id == events[0].trace_id));
    }
    let told: HashSet<_> = jobs.values().map(|events| events[0].trace_id.as_deref()).collect();
    let of_jobs = events.iter().filter(|event| told.contains(&event.trace_id.as_deref())).count();
    let per_job = of_jobs as f64 / jobs.len() as f64;
    assert!((12.0..16.0).contains(&per_job), "{per_job} events a job");
}

#[test]
fn durations_agree_with_the_timestamps_at_any_scale() {
    let settings = Settings { time_scale: 0.05, jobs_per_hour: 5_000.0, ..settings() };
    let events = &stored(&during(settings, DAY_MS / 48));
    let jobs = by_job(events);
    let mut lasted = Vec::new();
    for events in jobs.values().filter(|events| has(events, "job.completed")) {
        let last = |event_type: &str| events.iter().rev().find(|event| event.event_type == event_type).unwrap();
        let (started, completed) = (last("connector.processing_started"), last("connector.processing_completed"));
        assert_eq!((completed.timestamp - started.timestamp) as f64, completed.duration_ms.unwrap());
        let (created, claimed) = (last("job.created"), last("job.claimed"));
        assert_eq!((claimed.timestamp - created.timestamp) as f64, claimed.duration_ms.unwrap());
        lasted.push((last("job.completed").arrived_at_ms - created.arrived_at_ms) as f64);
    }
    assert!(median(lasted) < 2_000.0);
}

#[test]
fn a_job_that_fails_is_retried_after_the_backoff_it_was_told() {
    let events = day();
    let mut retries = 0;
    for events in by_job(events).values() {
        let Some(index) = events.iter().position(|event| event.event_type == "job.retry_scheduled") else { continue };
        let claims = events[index..].iter().find(|event| event.event_type == "job.claimed");
        let Some(claim) = claims else { continue };
        assert!(has(&events[..index], "connector.processing_failed"));
        assert_eq!(claim.data["attempt"], events[index].data["attempt"].as_i64().unwrap() + 1);
        let waited_ms = claim.arrived_at_ms - events[index].arrived_at_ms;
        let told_ms = events[index].data["nextRetryAt"].as_i64().unwrap() - events[index].timestamp;
        assert!(waited_ms > told_ms - 50, "{waited_ms} of {told_ms}");
        retries += 1;
    }
    assert!(retries > 20);
}

#[test]
fn a_few_jobs_start_and_are_never_heard_of_again() {
    let events = &stored(&during(settings(), 2 * DAY_MS));
    let is_stuck = |events: &&Vec<&Stored>| {
        let silent = matches!(
            events.last().unwrap().event_type.as_str(),
            "job.progress_updated" | "connector.processing_started"
        );
        silent && events.last().unwrap().arrived_at_ms < FROM_MS + 2 * DAY_MS - 3_600_000
    };
    let stuck = by_job(events).values().filter(is_stuck).count();
    assert!((1..20).contains(&stuck), "{stuck}");
}

#[test]
fn one_worker_is_slow_and_one_machine_ahead() {
    let events = day();
    let mut times: HashMap<&str, Vec<f64>> = HashMap::new();
    for event in events.iter().filter(|event| event.event_type == "connector.processing_completed") {
        times.entry(event.worker_id.as_deref().unwrap()).or_default().push(event.duration_ms.unwrap());
    }
    let medians: BTreeMap<&str, f64> = times.into_iter().map(|(worker, times)| (worker, median(times))).collect();
    let typical = median(medians.values().copied().collect());
    let slow: Vec<_> = medians.iter().filter(|(_, median)| **median > 2.0 * typical).map(|(id, _)| *id).collect();
    assert_eq!((medians.len(), slow), (6, vec!["worker-gpu02-1"]));

    let workers = events.iter().filter_map(|event| Some((event.worker_id.as_deref()?, event)));
    let ahead: BTreeSet<&str> =
        workers.filter(|(_, event)| event.timestamp > event.arrived_at_ms + 3_000).map(|(worker, _)| worker).collect();
    assert_eq!(ahead.into_iter().collect::<Vec<_>>(), ["worker-gpu03-1", "worker-gpu03-2"]);
}

/// Half a day of a healthy system with one incident in the middle.
fn planted(kind: IncidentKind, seed: u64) -> (Planted, Vec<Arrival>) {
    let incident = Incident { kind, at_ms: FROM_MS + DAY_MS / 4 };
    let mut simulation = Simulation::new(Settings {
        seed,
        jobs_per_hour: 147.0,
        incidents: vec![incident],
        lasting_faults: false,
        ..settings()
    });
    let arrivals: Vec<_> =
        simulation.by_ref().take_while(|arrival| arrival.arrived_at_ms < FROM_MS + DAY_MS / 2).collect();
    let [one] = simulation.planted() else { panic!("one is planted: {:?}", simulation.planted()) };
    (one.clone(), arrivals)
}

#[test]
fn what_is_planted_is_there() {
    for kind in IncidentKind::ALL {
        for seed in 1..=3 {
            let (one, arrivals) = planted(kind, seed);
            assert_eq!(one.kind, kind);
            check_planted(&one, &stored(&arrivals));
        }
    }
}

fn check_planted(one: &Planted, events: &[Stored]) {
    let jobs = by_job(events);
    let hit = |event_type: &str| one.jobs.iter().filter(|job| has(&jobs[job.as_str()], event_type)).count();
    let until_ms = one.until_ms.unwrap_or(i64::MAX);
    let during = || events.iter().filter(|event| (one.at_ms..until_ms).contains(&event.arrived_at_ms));
    match one.kind {
        IncidentKind::StuckJob => assert_eq!((hit("job.claimed"), hit("job.completed")), (1, 0)),
        IncidentKind::LostWebhook => assert_eq!((hit("job.completed"), hit("webhook.delivered")), (1, 0)),
        IncidentKind::RetryStorm => assert!(one.jobs.len() >= 10 && hit("job.retry_scheduled") == one.jobs.len()),
        IncidentKind::SlowWorker => assert!(one.jobs.len() >= 10 && one.culprit.0 == "worker"),
        IncidentKind::SkewedClock => {
            assert!(events.iter().any(|event| event.timestamp > event.arrived_at_ms + 6_000));
        }
        IncidentKind::SilentWorker => {
            let worker = Some(one.culprit.1.as_str());
            let silence_begins = jobs[one.jobs[0].as_str()].last().unwrap().arrived_at_ms;
            let later = events
                .iter()
                .find(|event| event.arrived_at_ms > silence_begins && event.worker_id.as_deref() == worker)
                .expect("the worker is replaced");
            assert_eq!(later.event_type, "worker.starting");
            assert!(later.arrived_at_ms - silence_begins > 1_200_000);
        }
        IncidentKind::SlowConnector => assert!(one.jobs.len() >= 5 && one.culprit.1 == "openai"),
        IncidentKind::FullQueue => {
            let stopped = during().filter(|event| event.event_type == "worker.shutting_down").count();
            assert!(stopped >= 3 && one.jobs.len() >= 10, "{stopped} are stopped, {} wait", one.jobs.len());
        }
        IncidentKind::NewError => assert!(one.jobs.len() >= 5 && hit("job.failed") == one.jobs.len()),
        IncidentKind::MissingStep => {
            assert!(one.jobs.len() >= 10 && hit("job.completed") == one.jobs.len());
            assert!(hit("connector.processing_completed") <= 1, "a retried job may have it");
        }
        IncidentKind::SilentService => {
            let is_heard =
                |event: &&Stored| event.arrived_at_ms > one.at_ms + 1_000 && event.event_type.starts_with("webhook.");
            assert_eq!(during().filter(is_heard).count(), 0);
            assert!(hit("job.completed") + hit("job.failed") == one.jobs.len() && one.jobs.len() >= 10);
        }
        IncidentKind::ErrorBurst => {
            assert!(one.jobs.len() >= 4 && hit("job.creation_failed") == one.jobs.len());
            assert!(during().any(|event| event.event_type == "server.starting"));
        }
        IncidentKind::LostJob => {
            let job = &jobs[one.jobs[0].as_str()];
            let claims: Vec<_> = job.iter().filter(|event| event.event_type == "job.claimed").collect();
            assert!(claims.len() == 2 && hit("job.stalled") == 1 && hit("job.completed") == 1);
        }
        IncidentKind::PausedQueue => {
            let told = |event_type: &str| events.iter().filter(|event| event.event_type == event_type).count();
            assert_eq!((told("queue.paused"), told("queue.resumed")), (1, 1));
            let claimed = during().filter(|event| event.event_type == "job.claimed");
            let held = claimed.filter(|event| one.jobs.iter().any(|job| event.job_id.as_deref() == Some(job))).count();
            assert!(held == 0 && one.jobs.len() >= 5, "{held} of {} were claimed meanwhile", one.jobs.len());
        }
        IncidentKind::EndpointDown => {
            assert!(one.jobs.len() >= 5 && hit("webhook.delivered") == 0, "{:?}", one.jobs);
        }
    }
}

#[test]
fn a_healthy_system_has_no_lasting_faults() {
    let simulation = Simulation::new(Settings { lasting_faults: false, ..settings() });
    assert_eq!(simulation.planted(), []);
    let arrivals: Vec<_> = simulation.take_while(|arrival| arrival.arrived_at_ms < FROM_MS + DAY_MS).collect();
    assert!(stored(&arrivals).iter().all(|event| event.timestamp <= event.arrived_at_ms));
}

#[test]
fn kinds_of_incidents_are_found_by_name() {
    for kind in IncidentKind::ALL {
        assert_eq!(IncidentKind::parse(kind.as_str()), Some(kind));
    }
    assert_eq!(IncidentKind::parse("flood"), None);
}

#[test]
fn settings_that_make_no_sense_still_give_events() {
    let settings = Settings { jobs_per_hour: 0.0, time_scale: 0.0, workers: 0, machines: 0, ..settings() };
    assert_eq!(Simulation::new(settings).take(1_000).count(), 1_000);
}

#[test]
fn a_store_holds_what_the_summary_says() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path().join("not-there-yet"));
    let mut told = Vec::new();
    let summary = into_store(&layout, settings(), 4, &mut |progress| told.push(progress)).unwrap();
    assert_eq!(told.len(), 4);
    assert_eq!(told[3], Progress { hours_done: 4, hours: 4, events: summary.events });

    let snapshot = Snapshot::read(&layout).unwrap();
    assert!(snapshot.skipped.is_empty() && snapshot.segments.is_empty());
    assert_eq!((snapshot.partitions.len() as u64, summary.files), (4, 4));
    assert_eq!(snapshot.partitions.iter().map(|partition| partition.bytes).sum::<u64>(), summary.bytes);
    let mut ids = HashSet::new();
    for partition in &snapshot.partitions {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&partition.path).unwrap()).unwrap();
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            let column = batch.column(0).as_any().downcast_ref::<StringArray>().unwrap();
            ids.extend(column.iter().map(|id| id.unwrap().to_owned()));
        }
    }
    assert_eq!(ids.len() as u64, summary.events);
    assert_eq!(during(settings(), 4 * 3_600_000).len() as u64, summary.events);
}

#[test]
fn hours_that_were_simulated_before_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let quiet = || Settings { jobs_per_hour: 10.0, ..settings() };
    into_store(&layout, quiet(), 2, &mut |_| {}).unwrap();
    let again = Settings { from_ms: FROM_MS + 3_600_000, ..quiet() };
    let error = into_store(&layout, again, 2, &mut |_| {}).unwrap_err();
    assert!(matches!(&error, SimulateError::HoursTaken { .. }), "{error}");
    assert!(error.to_string().contains("--from"));
    let after = Settings { from_ms: FROM_MS + 2 * 3_600_000, ..quiet() };
    into_store(&layout, after, 1, &mut |_| {}).unwrap();
}

#[test]
fn what_the_disk_refuses_ends_the_simulation() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("date=2025-09-26"), "in the way").unwrap();
    let error = into_store(&Layout::new(folder.path()), settings(), 400, &mut |_| {}).unwrap_err();
    assert!(matches!(&error, SimulateError::Store(_)), "{error}");
}

#[test]
fn what_is_kept_is_what_is_walked_anew() {
    const FROM_MS: i64 = 1_758_844_800_000;
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let settings = Settings { from_ms: FROM_MS, ..Settings::default() };
    into_store(&layout, settings, 9, &mut |_| ()).unwrap();
    let snapshot = Snapshot::read(&layout).unwrap();
    let files: Vec<&Partition> = snapshot.partitions.iter().collect();
    let path = layout.index().join("typical.v5");
    let ask = |now_ms: i64| typical_at(&layout, &files, &snapshot.segments, now_ms);
    let now_ms = FROM_MS + 9 * 3_600_000 - 1;
    let kept = ask(now_ms);
    assert!(path.exists() && kept.completed("image_generation") > 200);
    for damage in [None, Some(&b"EMPTYP4\nnonsense"[..]), Some(b"")] {
        match damage {
            None => std::fs::remove_file(&path).unwrap(),
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
        }
        let anew = ask(now_ms);
        let step = |typical: &Typical| typical.step("image_generation", "job.queued", "job.claimed").cloned();
        assert_eq!(anew.completed("image_generation"), kept.completed("image_generation"));
        assert_eq!((step(&anew), anew.worker("worker-gpu01-1")), (step(&kept), kept.worker("worker-gpu01-1")));
    }
    // As of an earlier time, nothing that came later counts.
    let earlier = ask(FROM_MS + 4 * 3_600_000);
    assert!(earlier.completed("image_generation") < kept.completed("image_generation"));
}

#[test]
fn worlds_differ_in_names_levels_heartbeats_and_clocks() {
    for world in World::ALL {
        let settings = Settings { from_ms: 1_758_844_800_000, ..Settings::of(world) };
        let arrivals: Vec<_> = Simulation::new(settings).take(4_000).collect();
        let has = |event_type: &str| arrivals.iter().any(|arrival| arrival.draft.event_type == event_type);
        let is_own = |arrival: &&Arrival| arrival.draft.level == Level::of_type(&arrival.draft.event_type);
        assert!(arrivals.windows(2).all(|pair| pair[0].arrived_at_ms <= pair[1].arrived_at_ms), "{}", world.name);
        assert_eq!(
            arrivals.iter().all(|arrival| is_own(&arrival)),
            !["emp", "farm"].contains(&world.name),
            "{}",
            world.name
        );
        assert_eq!(has("worker.heartbeat") || has("worker-heartbeat"), world.has_heartbeats(), "{}", world.name);
        assert!(has(world.first_word()), "{} begins jobs with {}", world.name, world.first_word());
        let ahead = arrivals.iter().map(|arrival| arrival.draft.timestamp - arrival.arrived_at_ms).max().unwrap();
        assert_eq!(ahead > 60_000, world.name == "plain", "{} is {ahead} ms ahead", world.name);
    }
}

#[test]
fn a_world_has_only_incidents_of_which_it_tells() {
    for world in World::ALL {
        for kind in IncidentKind::ALL.into_iter().filter(|kind| world.can_have(*kind)) {
            let at_ms = 1_758_844_800_000 + 3_600_000;
            let mut simulation = Simulation::new(Settings {
                lasting_faults: false,
                incidents: vec![Incident { kind, at_ms }],
                jobs_per_hour: world.jobs_per_hour.min(400.0),
                workers: world.workers.min(16),
                ..Settings::of(world)
            });
            let _ = simulation.by_ref().take_while(|arrival| arrival.arrived_at_ms < at_ms + 1_800_000).count();
            let planted = simulation.planted().iter().find(|planted| planted.kind == kind && planted.at_ms >= at_ms);
            assert!(planted.is_some_and(|planted| !planted.culprit.1.is_empty()), "{} {kind}", world.name);
        }
    }
}
