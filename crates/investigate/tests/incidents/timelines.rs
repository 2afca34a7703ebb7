//! Gaps in a job's time line, and jobs beside each other.

use emp_event::EntryId;
use emp_findings::{ComparedStep, FlaggedGap};
use emp_investigate::Investigation;
use emp_job::{Data, EventFields, History, JobEvent};
use emp_query::Engine;
use emp_store::{Layout, StoreWriter};

use crate::{FROM_MS, block_on};

/// An event that happens so many ms after [`FROM_MS`].
fn event(after_ms: i64, event_type: &str, id: EntryId) -> JobEvent {
    JobEvent::from(EventFields {
        id,
        timestamp_ms: FROM_MS + after_ms,
        arrived_ms: FROM_MS + after_ms,
        behind_ms: 0,
        service: "worker".into(),
        event_type: event_type.into(),
        level: "info".into(),
        job_id: Some("job_1".into()),
        trace_id: None,
        worker_id: None,
        machine_id: None,
        user_id: None,
        duration_ms: None,
        data: Data::default(),
    })
}

/// A job of these steps, a second apart.
fn job<'a>(event_types: impl IntoIterator<Item = &'a str>) -> History {
    let events = event_types.into_iter().zip(0..).map(|(event_type, second)| {
        event(second * 1_000, event_type, EntryId::new((FROM_MS + second * 1_000) as u64, 0))
    });
    History::new(events.collect(), i64::MAX).unwrap()
}

/// Asks a store without events, in which nothing is typical.
fn ask<T>(question: impl FnOnce(&Investigation<'_>) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    drop(StoreWriter::open(&layout, "c0").unwrap());
    let engine = Engine::open(&layout).unwrap();
    question(&block_on(Investigation::open(&engine, FROM_MS)).unwrap())
}

#[test]
fn each_unusual_gap_is_told_apart_by_where_it_is() {
    // Files of other tools may hold ids that are no entry IDs: they all read as zero.
    let events =
        [(0, "job.created"), (20_000, "job.claimed"), (21_000, "job.progress_updated"), (90_000, "job.completed")];
    let events = events.map(|(after_ms, event_type)| event(after_ms, event_type, EntryId::ZERO));
    let history = History::new(events.to_vec(), FROM_MS + 100_000).unwrap();
    let gaps = ask(|investigation| investigation.judge_timeline(&history, Some(10_000)).gaps);
    let told = |gap: &FlaggedGap| (gap.before, gap.start_ms - FROM_MS, gap.ms());
    assert_eq!(gaps.iter().map(told).collect::<Vec<_>>(), [(0, 0, 20_000), (2, 21_000, 69_000)]);
}

/// How many steps are beside each other, only on the left, only on the right.
fn sums(steps: &[ComparedStep]) -> (usize, usize, usize) {
    let count = |left: bool, right: bool| {
        let is_so = |step: &&ComparedStep| (step.left_at_ms.is_some(), step.right_at_ms.is_some()) == (left, right);
        steps.iter().filter(is_so).count()
    };
    (count(true, true), count(true, false), count(false, true))
}

#[test]
fn jobs_are_compared_step_by_step() {
    let left = job(["job.created", "job.claimed", "job.retry", "job.claimed", "job.completed"]);
    let right = job(["job.created", "job.queued", "job.claimed", "job.completed"]);
    let steps = ask(|investigation| investigation.compare(&left, &right));
    assert_eq!(sums(&steps), (3, 2, 1), "{steps:#?}");
}

#[test]
fn jobs_of_any_length_are_compared() {
    const STEPS: usize = 50_000;
    let cycle = |types: &[&'static str]| -> Vec<&'static str> { types.iter().copied().cycle().take(STEPS).collect() };
    let (ab, abc) = (cycle(&["a.a", "b.b"]), cycle(&["a.a", "b.b", "c.c"]));
    let mut later = vec!["x.x"; 1];
    later.extend(&ab);
    ask(|investigation| {
        let (same, missing_step) = (job(ab.iter().copied()), job(later.iter().copied()));
        assert_eq!(sums(&investigation.compare(&same, &missing_step)), (STEPS, 0, 1));
        let (both, left, right) = sums(&investigation.compare(&same, &job(abc.iter().copied())));
        assert_eq!((both + left, both + right), (STEPS, STEPS), "every step is told once");
        assert!(both > STEPS / 4, "{both} of them beside each other");
    });
}
