//! A system of another trade: belts that inspect parcels, with whichever device, and route them; now and then a label
//! cannot be read, and is tried again.

use serde_json::{Value, json};

use super::world::{HOUR, MINUTE, SECOND, World, anomalies, ask};

const BELTS: [&str; 6] = ["belt-1", "belt-2", "belt-3", "belt-4", "belt-5", "belt-6"];
const DEVICES: [(&str, i64); 3] = [("scale", 400), ("xray", 640), ("camera", 280)];
const LAST: i64 = 3 * HOUR;
const SLOW: i64 = LAST - 30 * MINUTE;
/// One of so many labels cannot be read at first.
const UNREADABLE: usize = 97;

/// The x-ray takes four times as long from some moment on.
fn parcels() -> World {
    let mut world = World::default();
    for (number, at) in (SECOND..LAST).step_by(1_300).enumerate() {
        let ((device, usual), belt) = (DEVICES[number % DEVICES.len()], BELTS[number / 3 % BELTS.len()]);
        let kind = if number % 2 == 0 { "letter" } else { "parcel" };
        let usual = usual * if kind == "letter" { 1 } else { 2 } * (80 + (number as i64 * 7_919) % 41) / 100;
        let takes = if device == "xray" && at >= SLOW { 4 * usual } else { usual };
        let job = format!("PCL-{:08X}", number * 2_654_435_761 % 4_294_967_296);
        let mut tell = |at: i64, service, event_type: &str, belt, data: Value| {
            world.tell(at, service, event_type, &job, belt, data);
        };
        tell(at, "dock", "job.created", "", json!({"jobType": kind}));
        tell(at + 6, "dock", "job.queued", "", json!({"queueName": "incoming"}));
        let mut begun = at + 50;
        tell(begun, "conveyor", "job.claimed", belt, json!({}));
        tell(begun + 15, "conveyor", "inspection.started", belt, json!({"provider": device}));
        let is_unreadable = number % UNREADABLE == UNREADABLE - 1;
        if is_unreadable {
            let error =
                json!({"provider": device, "durationMs": takes, "error": format!("label unreadable at {number}")});
            tell(begun + 15 + takes, "conveyor", "inspection.failed", belt, error);
            let due = super::world::BEGIN_MS + begun + takes + 3_000;
            let again = json!({"attempt": 1, "maxAttempts": 3, "nextRetryAt": due});
            tell(begun + 25 + takes, "conveyor", "job.retry_scheduled", belt, again);
            begun += takes + 3_050;
            tell(begun, "conveyor", "job.claimed", belt, json!({"attempt": 2}));
            tell(begun + 15, "conveyor", "inspection.started", belt, json!({"provider": device}));
        }
        // What it says itself is rounded: it is a millisecond less, or more.
        let done = json!({"provider": device, "durationMs": takes - 1});
        tell(begun + 15 + takes, "conveyor", "inspection.completed", belt, done);
        if !is_unreadable {
            tell(begun + 22 + takes, "conveyor", "routing.completed", belt, json!({"durationMs": 8}));
        }
        tell(begun + 40 + takes, "conveyor", "job.completed", belt, json!({}));
    }
    world
}

#[test]
fn a_slow_device_is_told_by_its_own_work_and_a_retry_by_its_error() {
    let (_redis, store) = parcels().stored();
    let slow = anomalies(&store, LAST, "latency");
    let told = slow.iter().find_map(|one| one["message"].as_str().unwrap().strip_prefix("the connector xray takes ×"));
    let told = told.unwrap_or_else(|| panic!("{slow:#?}"));
    let factor: f64 = told.split(' ').next().unwrap().parse().unwrap();
    assert!((3.5..=4.5).contains(&factor), "what its jobs are routed by is none of its work: {told}");
    // A step that one of a hundred jobs never had is none that is missing, whichever worker had them.
    assert_eq!(anomalies(&store, LAST, "missing_step"), Vec::<Value>::new());

    let all = ask(&store, LAST, &["diagnose", "--all", "--last", "25m"]);
    let unhealthy = all["unhealthy"].as_array().unwrap();
    assert!(unhealthy.len() > 100, "{}", unhealthy.len());
    for one in unhealthy {
        let reason = one["reason"].as_str().unwrap();
        if reason.contains("retry backoff") {
            assert!(
                reason.contains("most of it for retry backoff (3") && !reason.contains("backoff (3 s, ×"),
                "{one:#}"
            );
            assert_eq!(one["culprit"]["kind"], "service", "an error of every device is of none: {one:#}");
        } else {
            assert_eq!(one["culprit"], json!({"kind": "connector", "id": "xray"}), "{one:#}");
            let work = ["most of it for inspection (", "most of it for silence after inspection.started ("];
            assert!(work.iter().any(|work| reason.contains(work)), "{reason}");
        }
    }
    let groups: Vec<&str> =
        all["groups"].as_array().unwrap().iter().map(|one| one["verdict"].as_str().unwrap()).collect();
    let done = groups.iter().filter(|verdict| **verdict == "done_slow").count();
    assert_eq!(done, 2, "the device, and the error: {all:#}");
}
