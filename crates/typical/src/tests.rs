use proptest::prelude::*;

use emp_job::Offsets;

use super::names::Names;
use super::sketch::Sketch;
use super::table::Typical;
use super::walk::{Step, Walk};

#[test]
fn names_come_back_from_their_numbers() {
    let mut names = Names::default();
    let (a, b) = (names.number("a"), names.number("b"));
    assert_eq!((names.number("a"), names.name(b), names.find("c")), (a, "b", None));
    let again = Names::from(Vec::from(names));
    assert_eq!((again.find("a"), again.name(b)), (Some(a), "b"));
}

proptest! {
    #[test]
    fn a_sketch_is_within_a_percent_of_the_exact_quantile(mut times in prop::collection::vec(1_i64..10_000_000, 1..400)) {
        let mut sketch = Sketch::default();
        times.iter().for_each(|ms| sketch.add(*ms));
        times.sort_unstable();
        for share in [0.0, 0.25, 0.5, 0.9, 0.99, 1.0] {
            let exact = times[(share * (times.len() - 1) as f64).round() as usize] as f64;
            let about = sketch.quantile(share).unwrap();
            prop_assert!((about - exact).abs() <= exact * 0.011 + 0.5, "{share}: {about} for {exact}");
        }
    }

    #[test]
    fn two_sketches_add_up(a in prop::collection::vec(0_i64..100_000, 0..50), b in prop::collection::vec(0_i64..100_000, 0..50)) {
        let sketch = |times: &[i64]| times.iter().fold(Sketch::default(), |mut sketch, ms| { sketch.add(*ms); sketch });
        let mut sum = sketch(&a);
        sum.merge(&sketch(&b));
        prop_assert_eq!(sum, sketch(&[a, b].concat()));
    }
}

fn tell(walk: &mut Walk, table: &mut Typical, job: &str, at_ms: i64, event_type: &str) {
    let job_type = (event_type == "job.created").then_some("image");
    let step = Step {
        timestamp_ms: at_ms,
        arrived_ms: at_ms + 5,
        event_type,
        job_id: Some(job),
        worker_id: event_type.starts_with("connector.").then_some("worker-1"),
        producer: "",
        job_type,
    };
    walk.step(table, &Offsets::default(), step);
}

#[test]
fn steps_spans_totals_and_events_of_jobs_are_counted_by_kind() {
    let (mut walk, mut table) = (Walk::default(), Typical::default());
    for number in 0..10 {
        let (job, at) = (format!("job_{number}"), number * 100_000);
        for (after, event_type) in [
            (0, "job.created"),
            (10, "job.queued"),
            (510, "job.claimed"),
            (600, "connector.processing_started"),
            (4_600, "connector.processing_completed"),
            (4_700, "job.completed"),
        ] {
            tell(&mut walk, &mut table, &job, at + after, event_type);
        }
    }
    let wait = table.step("image", "job.queued", "job.claimed").unwrap();
    assert_eq!((wait.count(), wait.max_ms()), (10, 500));
    assert_eq!(table.span("image", "connector.processing").unwrap().max_ms(), 4_000);
    assert_eq!(table.total("image").unwrap().max_ms(), 4_700);
    assert_eq!((table.completed("image"), table.attempts_p99("image")), (10, Some((1, 10))));
    assert_eq!(table.usual_events("image", 0.99).len(), 6);
    assert_eq!(table.worker("worker-1").unwrap().count(), 19);
    let way: Vec<&str> = table.usual_way("image").iter().map(|(event_type, _)| *event_type).collect();
    assert_eq!((way.len(), way[2]), (6, "job.claimed"));
    assert_eq!(
        (table.step("video", "job.queued", "job.claimed"), table.state("image", "job.queued").count()),
        (None, 10)
    );
}

#[test]
fn a_clock_that_is_ahead_is_not_taken_for_a_wait() {
    let (mut walk, mut table) = (Walk::default(), Typical::default());
    let mut step = |timestamp_ms, arrived_ms, event_type, job_type| {
        let job_id = Some("job_1");
        walk.step(
            &mut table,
            &Offsets::default(),
            Step { timestamp_ms, arrived_ms, event_type, job_id, worker_id: None, producer: "", job_type },
        );
    };
    step(0, 5, "job.created", Some("image"));
    step(4_700, 505, "job.claimed", None);
    step(600, 605, "webhook.delivering", None);
    assert_eq!(table.step("image", "job.created", "job.claimed").unwrap().max_ms(), 505);
    assert_eq!(table.step("image", "job.claimed", "webhook.delivering").unwrap().max_ms(), 95);
}

#[test]
fn of_a_hundred_thousand_jobs_at_once_a_part_tells_what_is_typical_in_little_memory() {
    let (mut walk, mut table) = (Walk::default(), Typical::default());
    for number in 0..100_000_i64 {
        let (job, at) = (format!("job_{number}"), number * 10);
        tell(&mut walk, &mut table, &job, at, "job.created");
        tell(&mut walk, &mut table, &job, at + 10 + number % 1_000, "job.completed");
    }
    let total = table.total("image").unwrap();
    assert!((20_000..60_000).contains(&total.count()), "{}", total.count());
    for share in [0.1, 0.5, 0.9] {
        let (about, exact) = (total.quantile(share).unwrap(), 10.0 + 1_000.0 * share);
        assert!((about - exact).abs() < 0.05 * exact, "{share}: {about} for {exact}");
    }
    let held = postcard::to_allocvec(&walk).unwrap().len();
    assert!(held < 1_000_000, "{held} bytes");
    // Once there are few again, all of them are learned from.
    for hour in 1..10 {
        walk.forget_old(1_000_000 + hour * 3_600_000);
    }
    let (before, at) = (table.completed("image"), 40_000_000);
    for number in 0..100 {
        let job = format!("later_{number}");
        tell(&mut walk, &mut table, &job, at, "job.created");
        tell(&mut walk, &mut table, &job, at + 10, "job.completed");
    }
    assert_eq!(table.completed("image") - before, 100);
}
