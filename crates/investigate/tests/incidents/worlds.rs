//! The incidents over worlds unlike each other: what is said of them is counted, and has to be right nearly always.

use std::fmt::Write as _;

use emp_findings::{CulpritKind, Diagnosis, Judged, Severity, Verdict};
use emp_simulate::{IncidentKind, Planted, World as Kind};

use crate::{HOUR_MS, MINUTE_MS, World, block_on, plant};

/// How many of how many were right.
#[derive(Default)]
struct Score {
    verdicts: (usize, usize),
    culprits: (usize, usize),
    healthy: (usize, usize),
    /// Verdicts whose beginning is that of the trouble.
    since: (usize, usize),
    alerts: (usize, usize),
    wrong: String,
}

impl Score {
    fn verdict(&mut self, is_right: bool, what: impl FnOnce() -> String) {
        count(&mut self.verdicts, is_right);
        self.note(is_right, "verdict", what);
    }

    fn culprit(&mut self, is_right: bool, what: impl FnOnce() -> String) {
        count(&mut self.culprits, is_right);
        self.note(is_right, "culprit", what);
    }

    fn note(&mut self, is_right: bool, of: &str, what: impl FnOnce() -> String) {
        if !is_right {
            // Writing to a text cannot fail.
            let _ = writeln!(self.wrong, "{of}: {}", what());
        }
    }

    /// Jobs that the incident does not hit may fail or be slow by chance, but nothing holds them.
    fn others(&mut self, judged: &Judged, planted: &Planted, about: &str) {
        let is_other = |one: &&Diagnosis| !planted.jobs.contains(&one.job_id);
        let held: Vec<&Diagnosis> =
            judged.unhealthy.iter().filter(is_other).filter(|one| is_held(one.verdict)).collect();
        self.healthy.1 += judged.jobs;
        self.healthy.0 += judged.jobs - held.len();
        if let Some(first) = held.first() {
            self.note(false, "healthy", || format!("{about}: {} others, such as {}", held.len(), told(first)));
        }
    }

    #[track_caller]
    fn check(&self) {
        let share = |(right, of): (usize, usize)| right as f64 / of.max(1) as f64;
        println!(
            "verdicts {:?}, culprits {:?}, healthy {:?}, since {:?}, alerts {:?}\n{}",
            self.verdicts, self.culprits, self.healthy, self.since, self.alerts, self.wrong
        );
        assert!(share(self.verdicts) >= 0.95, "verdicts {:?}\n{}", self.verdicts, self.wrong);
        assert!(share(self.culprits) >= 0.95, "culprits {:?}\n{}", self.culprits, self.wrong);
        assert!(share(self.healthy) >= 0.99, "healthy {:?}\n{}", self.healthy, self.wrong);
    }
}

fn count((right, of): &mut (usize, usize), is_right: bool) {
    *of += 1;
    *right += usize::from(is_right);
}

fn is_held(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::NoData
            | Verdict::WorkerSilent
            | Verdict::ClaimedNotStarted
            | Verdict::Stuck
            | Verdict::WebhookUndelivered
            | Verdict::Waiting
    )
}

fn told(one: &Diagnosis) -> String {
    format!(
        "{} {:?} {:?} {}: {}",
        one.job_id,
        one.verdict,
        one.culprit.kind,
        one.culprit.id.as_deref().unwrap_or("-"),
        one.reason
    )
}

fn names(one: &Diagnosis, planted: &Planted) -> bool {
    one.culprit.id.as_deref() == Some(&planted.culprit.1)
}

/// One job that was hit, as of then: one of these verdicts, and the planted culprit.
fn one(score: &mut Score, world: &World, now_ms: i64, verdicts: &[Verdict], about: &str) {
    let planted = &world.planted;
    let said = world.first(now_ms);
    score.verdict(verdicts.contains(&said.verdict), || format!("{about}: {}", told(&said)));
    let age_ms = now_ms - planted.at_ms;
    let off_ms = said.since.map_or(i64::MAX, |since| (since.0 - planted.at_ms).abs());
    let is_near = off_ms <= MINUTE_MS.max(age_ms / 10) + took_to_begin_ms(planted.kind);
    count(&mut score.since, is_near);
    score.note(is_near, "since", || format!("{about}: {:?} for {}, {off_ms} ms off", said.since, planted.at_ms));
    let is_job = planted.culprit.0 == "job" && said.culprit.kind == Some(CulpritKind::Job);
    score.culprit(names(&said, planted) || is_job, || format!("{about}: {}, not {:?}", told(&said), planted.culprit));
    let judged = world.all(now_ms);
    if planted.kind != IncidentKind::PausedQueue {
        score.others(&judged, planted, about);
    }
}

/// Many jobs that were hit: a group of one of these verdicts with the planted culprit.
fn many(score: &mut Score, world: &World, now_ms: i64, verdicts: &[Verdict], least: usize, about: &str) {
    let planted = &world.planted;
    let judged = world.all(now_ms);
    let with: Vec<&Diagnosis> = judged.unhealthy.iter().filter(|one| verdicts.contains(&one.verdict)).collect();
    score.verdict(with.len() >= least, || format!("{about}: {} of {} are {verdicts:?}", with.len(), judged.jobs));
    let named = with.iter().filter(|one| names(one, planted)).count();
    score.culprit(named >= least, || {
        let others: Vec<String> = with.iter().filter(|one| !names(one, planted)).take(2).map(|one| told(one)).collect();
        format!("{about}: {named} of {} name {:?}, others {others:?}", with.len(), planted.culprit)
    });
    if !matches!(planted.kind, IncidentKind::SilentService | IncidentKind::FullQueue | IncidentKind::EndpointDown) {
        score.others(&judged, planted, about);
    }
}

/// The worker that stood still is known to have lost the job, and the job to be done.
fn taken_over(score: &mut Score, world: &World, about: &str) {
    let planted = &world.planted;
    let now_ms = world.until_ms() + 20 * MINUTE_MS;
    let said = world.first(now_ms);
    let is_done = matches!(said.verdict, Verdict::Done | Verdict::DoneSlow);
    score.verdict(is_done, || format!("{about}: {}", told(&said)));
    let is_blamed = said.verdict == Verdict::Done || names(&said, planted);
    score.culprit(is_blamed, || format!("{about}: {}, not {:?}", told(&said), planted.culprit));
    let workers = block_on(world.at(now_ms).workers(now_ms - 2 * HOUR_MS)).unwrap().workers;
    let lost =
        workers.iter().find(|worker| worker.worker_id == planted.culprit.1).map_or(&[][..], |worker| &worker.lost);
    score.culprit(lost.iter().any(|lost| lost.job_id == planted.jobs[0]), || format!("{about}: it lost {lost:?}"));
}

/// A job that is planted gets to where it stays only after a while.
fn took_to_begin_ms(kind: IncidentKind) -> i64 {
    if matches!(kind, IncidentKind::StuckJob | IncidentKind::SilentWorker | IncidentKind::LostWebhook) {
        2 * MINUTE_MS
    } else {
        0
    }
}

/// Somebody is called: an alert names who is behind it.
fn called(score: &mut Score, world: &World, now_ms: i64, about: &str) {
    let planted = &world.planted;
    let found = block_on(world.at(now_ms).anomalies()).unwrap().found;
    let alerts: Vec<_> = found.iter().filter(|found| found.severity == Severity::Alert).collect();
    let names = |found: &&&emp_findings::Anomaly| {
        let id = &planted.culprit.1;
        let subject = serde_json::to_string(&found.subject).unwrap_or_default();
        // Workers tell of their clocks, and do not always say on which machine they are.
        let clock = id.replace("machine-", "worker-");
        found.message.contains(id.as_str()) || subject.contains(id.as_str()) || found.message.contains(&clock)
    };
    let is_named = alerts.iter().any(|found| names(&found));
    count(&mut score.alerts, is_named);
    score.note(is_named, "alert", || {
        let said: Vec<&str> = alerts.iter().map(|found| found.message.as_str()).collect();
        format!("{about}: {:?} is not named in {said:?}", planted.culprit)
    });
}

fn play(score: &mut Score, kind: &'static Kind, incident: IncidentKind, seed: u64) {
    use Verdict as V;
    let about = format!("{} {incident} {seed}", kind.name);
    let world = plant(kind, incident, seed);
    let at_ms = world.planted.at_ms;
    if !matches!(incident, IncidentKind::LostWebhook | IncidentKind::LostJob) {
        let after_ms = match incident {
            // A few jobs an hour tell slowly of who is slow.
            IncidentKind::SlowWorker => 90 * MINUTE_MS,
            IncidentKind::SlowConnector => 38 * MINUTE_MS,
            _ => 18 * MINUTE_MS,
        };
        called(score, &world, at_ms + after_ms, &about);
    }
    match incident {
        IncidentKind::StuckJob => one(score, &world, at_ms + 20 * MINUTE_MS, &[V::Stuck], &about),
        IncidentKind::SilentWorker => {
            // Without heartbeats an idle worker may be silent for long.
            let verdicts: &[V] = if kind.has_heartbeats() { &[V::WorkerSilent] } else { &[V::WorkerSilent, V::Stuck] };
            one(score, &world, at_ms + 25 * MINUTE_MS, verdicts, &about);
        }
        IncidentKind::LostWebhook => one(score, &world, at_ms + 15 * MINUTE_MS, &[V::WebhookUndelivered], &about),
        IncidentKind::RetryStorm => {
            many(score, &world, world.until_ms() + 5 * MINUTE_MS, &[V::Failed, V::RetryLoop], 5, &about);
        }
        IncidentKind::SlowWorker | IncidentKind::SlowConnector => {
            many(score, &world, world.until_ms(), &[V::DoneSlow, V::RunningSlow], 3, &about);
        }
        IncidentKind::FullQueue => many(score, &world, at_ms + 25 * MINUTE_MS, &[V::Waiting], 3, &about),
        IncidentKind::NewError => many(score, &world, world.until_ms(), &[V::Failed], 3, &about),
        IncidentKind::SilentService => {
            many(score, &world, world.until_ms() - MINUTE_MS, &[V::WebhookUndelivered], 3, &about);
        }
        IncidentKind::ErrorBurst => many(score, &world, world.until_ms(), &[V::Failed], 3, &about),
        IncidentKind::LostJob => taken_over(score, &world, &about),
        IncidentKind::PausedQueue => {
            one(score, &world, at_ms + 5 * MINUTE_MS, &[V::Waiting], &about);
            let said = world.first(at_ms + 5 * MINUTE_MS);
            score.verdict(said.reason.contains("paused"), || format!("{about}: {}", told(&said)));
        }
        IncidentKind::EndpointDown => {
            many(score, &world, world.until_ms() + 5 * MINUTE_MS, &[V::WebhookUndelivered], 3, &about);
        }
        // Notes of healthy jobs.
        IncidentKind::SkewedClock | IncidentKind::MissingStep => {
            let judged = world.all(at_ms + HOUR_MS);
            score.others(&judged, &world.planted, &about);
        }
    }
}

/// All incidents that a world can have, one after the other.
#[track_caller]
fn play_all(name: &str, seeds: std::ops::RangeInclusive<u64>) {
    let kind = Kind::named(name).unwrap();
    let mut score = Score::default();
    for seed in seeds {
        for incident in IncidentKind::ALL.into_iter().filter(|incident| kind.can_have(*incident)) {
            play(&mut score, kind, incident, seed);
        }
    }
    score.check();
}

#[test]
fn what_is_said_in_the_usual_world_is_right() {
    play_all("emp", 21..=22);
}

#[test]
fn what_is_said_without_levels_and_with_heartbeats_is_right() {
    play_all("plain", 21..=21);
}

#[test]
fn what_is_said_of_bullmq_is_right() {
    play_all("bullmq", 21..=22);
}

#[test]
fn what_is_said_of_celery_is_right() {
    play_all("celery", 21..=22);
}

#[test]
fn what_is_said_of_temporal_is_right() {
    play_all("temporal", 21..=22);
}

#[test]
fn what_is_said_of_sidekiq_is_right() {
    play_all("sidekiq", 21..=22);
}

#[test]
fn what_is_said_of_few_events_is_right() {
    play_all("sparse", 21..=23);
}

/// A million events a day, clocks up to 0.4 s apart, and most workers idle at any moment: of each incident one.
#[test]
fn what_is_said_of_five_hundred_workers_is_right() {
    use IncidentKind as I;
    let kind = Kind::named("farm").unwrap();
    let mut score = Score::default();
    for incident in [I::StuckJob, I::SilentWorker, I::SlowConnector, I::NewError, I::EndpointDown] {
        play(&mut score, kind, incident, 21);
    }
    score.check();
}

/// On a healthy day nothing is held, and at most one alert is raised in four looks.
#[test]
fn healthy_days_are_healthy_in_every_world() {
    for kind in Kind::ALL.into_iter().filter(|kind| kind.name != "farm") {
        let world = crate::healthy(kind, 31);
        let mut alerts = Vec::new();
        let (mut jobs, mut held) = (0, Vec::new());
        for hours in [6, 8, 10, 12] {
            let now_ms = crate::FROM_MS + hours * HOUR_MS;
            let judged = world.all(now_ms);
            jobs += judged.jobs;
            held.extend(judged.unhealthy.iter().filter(|one| is_held(one.verdict)).map(told));
            let found = block_on(world.at(now_ms).anomalies()).unwrap().found;
            let is_alert = |found: &&emp_findings::Anomaly| {
                found.severity == Severity::Alert && found.kind != emp_findings::AnomalyKind::Skew
            };
            alerts.extend(found.iter().filter(is_alert).map(|found| found.message.clone()));
        }
        println!("{}: {jobs} jobs, held {held:#?}, alerts {alerts:#?}", kind.name);
        assert!(held.len() * 100 <= jobs, "{}: {held:#?}", kind.name);
        assert!(alerts.len() <= 1, "{}: {alerts:#?}", kind.name);
    }
}
