//! What is told by the first signs of it, and what comes now and then and is no reason to call anybody.

use emp_event::{Draft, EntryId};
use emp_findings::{Anomaly, AnomalyKind, Severity};
use emp_investigate::Investigation;
use emp_query::{Engine, Settings};
use emp_simulate::{Incident, IncidentKind, Planted, World as Kind, into_store};
use emp_store::{Batch, Item, Layout, StoreWriter};

use crate::{FROM_MS, HOUR_MS, MINUTE_MS, block_on};

const SECOND_MS: i64 = 1_000;

/// A store, and what was planted in it.
struct Store {
    _folder: tempfile::TempDir,
    engine: Engine,
    planted: Vec<Planted>,
}

impl Store {
    fn alerts(&self, now_ms: i64) -> Vec<Anomaly> {
        let investigation = block_on(Investigation::open(&self.engine, now_ms)).unwrap();
        let mut found = block_on(investigation.anomalies()).unwrap().found;
        found.retain(|one| one.severity == Severity::Alert);
        found
    }

    /// That which is told of an incident as soon as so many of its signs were to be seen.
    #[track_caller]
    fn told_at_sign(&self, kind: IncidentKind, sign: usize, told_as: AnomalyKind, names: &str) {
        let planted = self.planted.iter().find(|planted| planted.kind == kind).unwrap();
        let alerts = self.alerts(planted.signs[sign - 1] + 2 * SECOND_MS);
        let is_it = |one: &&Anomaly| one.kind == told_as && format!("{:?}{}", one.subject, one.message).contains(names);
        assert!(alerts.iter().any(|one| is_it(&one)), "{kind} by {sign} signs: {alerts:#?}");
        // A minute before it began nothing of the kind was told.
        let before = self.alerts(planted.at_ms - MINUTE_MS);
        assert!(!before.iter().any(|one| is_it(&one)), "{before:#?}");
    }
}

/// Six healthy days, and then so many incidents, six hours apart.
fn after_six_days(world: &str, kinds: &[IncidentKind]) -> Store {
    const DAYS: i64 = 6;
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let at_ms = |number: i64| FROM_MS + DAYS * 24 * HOUR_MS + number * 6 * HOUR_MS;
    let incidents = kinds.iter().zip(0..).map(|(kind, number)| Incident { kind: *kind, at_ms: at_ms(number) });
    let settings = emp_simulate::Settings {
        seed: 21,
        from_ms: FROM_MS,
        incidents: incidents.collect(),
        lasting_faults: false,
        ..emp_simulate::Settings::of(Kind::named(world).unwrap())
    };
    let hours = DAYS * 24 + 6 * kinds.len() as i64;
    let planted = into_store(&layout, settings, hours as u32, &mut |_| ()).unwrap().incidents;
    let engine = Engine::open_with(&layout, Settings::default()).unwrap();
    Store { _folder: folder, engine, planted }
}

#[test]
fn what_never_was_is_told_by_its_first_case() {
    let kinds = [IncidentKind::NewError, IncidentKind::MissingStep, IncidentKind::SkewedClock];
    let store = after_six_days("emp", &kinds);
    store.told_at_sign(IncidentKind::NewError, 1, AnomalyKind::NewError, "tokenizer_config");
    store.told_at_sign(IncidentKind::MissingStep, 1, AnomalyKind::MissingStep, "connector.processing_completed");
    store.told_at_sign(IncidentKind::SkewedClock, 20, AnomalyKind::Skew, "gpu01");
}

/// Who takes four or five times as long is told by three or four pieces of work on the whole: by how many depends on how far
/// these were from what is usual.
#[test]
fn who_takes_far_longer_is_told_by_a_few_pieces_of_work() {
    let mut needed = Vec::new();
    for world in ["emp", "bullmq", "temporal"] {
        let store = after_six_days(world, &[IncidentKind::SlowConnector, IncidentKind::SlowWorker]);
        for planted in &store.planted {
            let name = &planted.culprit.1;
            let is_it = |one: &Anomaly| {
                let is_kind = matches!(one.kind, AnomalyKind::Outlier | AnomalyKind::Latency);
                is_kind && format!("{:?}{}", one.subject, one.message).contains(name)
            };
            let is_told = |ms: i64| store.alerts(ms).iter().any(is_it);
            assert!(!is_told(planted.at_ms - MINUTE_MS), "{name} was as usual before");
            let signs = planted.signs.iter().take(10).position(|ms| is_told(ms + 2 * SECOND_MS));
            needed.push(signs.unwrap_or_else(|| panic!("{} of {name} in {world}", planted.kind)) + 1);
        }
    }
    needed.sort_unstable();
    assert!(needed[needed.len() / 2] <= 4 && needed[needed.len() - 1] <= 8, "{needed:?}");
}

/// An event of a job, told by its service or by its worker.
fn draft(job: usize, at_ms: i64, event_type: &str, data: &str) -> Draft {
    let is_of_worker = ["job.claimed", "job.completed"].contains(&event_type);
    Draft {
        timestamp: at_ms,
        service: if is_of_worker { "worker" } else { "api" }.to_owned(),
        event_type: event_type.to_owned(),
        job_id: Some(format!("job_{job}")),
        worker_id: is_of_worker.then(|| "w1".to_owned()),
        data: data.to_owned(),
        ..Draft::default()
    }
}

/// A job that waits so long for its worker; of one that was to wait, too, so long before.
fn job(number: usize, at_ms: i64, (asked_ms, waits_ms): (i64, i64)) -> Vec<Draft> {
    let queued_ms = at_ms + asked_ms;
    let claimed_ms = queued_ms + waits_ms;
    let mut told = vec![draft(number, at_ms, "job.created", r#"{"jobType":"image"}"#)];
    if asked_ms > 0 {
        told.push(draft(number, at_ms + 1, "job.delayed", &format!(r#"{{"queueName":"q","delayMs":{asked_ms}}}"#)));
    }
    told.extend([
        draft(number, queued_ms + 2, "job.queued", r#"{"queueName":"q"}"#),
        draft(number, claimed_ms, "job.claimed", &format!(r#"{{"claimTimeMs":{}}}"#, claimed_ms - at_ms)),
        draft(number, claimed_ms + 4_000, "job.completed", "{}"),
    ]);
    told
}

/// A store of what had been told until a moment.
fn told_until(mut told: Vec<Draft>, now_ms: i64) -> Store {
    told.retain(|draft| draft.timestamp <= now_ms);
    told.sort_by_key(|draft| draft.timestamp);
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let fields: Vec<_> = told.iter().map(|draft| (draft.timestamp, draft.fields())).collect();
    let items = fields.iter().zip(0..).map(|((at_ms, fields), seq)| {
        Item::Event(emp_event::decode(EntryId::new(*at_ms as u64 + 3, seq), fields).unwrap())
    });
    let items: Vec<Item<'_>> = items.collect();
    let mut store = StoreWriter::open(&layout, "c0").unwrap();
    store.commit(&Batch { items: &items, position: 0, loss: None }).unwrap();
    let engine = Engine::open(&layout).unwrap();
    Store { _folder: folder, engine, planted: Vec::new() }
}

/// Three days of a job each minute, of which the last one of each fourth hour waits for 66 s.
fn three_days() -> Vec<Draft> {
    let jobs = (0..3 * 24 * 60).flat_map(|minute: i64| {
        let waits_ms = if minute % 240 == 239 { 66 * SECOND_MS } else { 300 + 7 * (minute % 50) };
        job(minute as usize, FROM_MS + minute * MINUTE_MS, (0, waits_ms))
    });
    jobs.collect()
}

#[test]
fn a_wait_that_comes_now_and_then_is_no_reason_to_call_anybody_and_one_that_never_was_is() {
    let end_ms = FROM_MS + 3 * 24 * HOUR_MS;
    let waiting = [draft(9_001, end_ms, "job.created", r#"{"jobType":"image"}"#)];
    let waiting = waiting.into_iter().chain([draft(9_001, end_ms + 2, "job.queued", r#"{"queueName":"q"}"#)]);
    let others = (1..5).flat_map(|minute: i64| job(9_100 + minute as usize, end_ms + minute * MINUTE_MS, (0, 400)));
    let told: Vec<Draft> = three_days().into_iter().chain(waiting).chain(others).collect();
    let stuck_at = |now_ms: i64| {
        let alerts = told_until(told.clone(), now_ms).alerts(now_ms);
        alerts.into_iter().filter(|one| one.kind == AnomalyKind::Stuck).collect::<Vec<_>>()
    };
    assert_eq!(stuck_at(end_ms + 65 * SECOND_MS), [], "as long as others now and then");
    assert_eq!(stuck_at(end_ms + 200 * SECOND_MS).len(), 1, "longer than any in three days");
}

/// Each claim says how long its job waited, also where it was to wait.
#[test]
fn jobs_that_were_to_wait_do_not_make_waits_longer() {
    let end_ms = FROM_MS + 3 * 24 * HOUR_MS;
    let last_hour = |asked_ms: i64, waits_ms: i64| {
        let jobs = (0..60).flat_map(move |number: i64| {
            let at_ms = end_ms + number * MINUTE_MS + 500;
            let delayed = job(8_000 + number as usize, at_ms - asked_ms - waits_ms, (asked_ms, waits_ms));
            delayed.into_iter().chain(job(9_000 + number as usize, at_ms, (0, 400)))
        });
        let now_ms = end_ms + HOUR_MS;
        let told: Vec<Draft> = three_days().into_iter().chain(jobs).collect();
        let alerts = told_until(told, now_ms).alerts(now_ms);
        alerts.into_iter().filter(|one| one.kind == AnomalyKind::Latency).collect::<Vec<_>>()
    };
    assert_eq!(last_hour(10 * MINUTE_MS, 500), [], "as they asked");
    assert_eq!(last_hour(0, 10 * MINUTE_MS).len(), 1, "nobody asked for that");
}
