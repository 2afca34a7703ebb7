//! Errors that were never seen before, and outages of less than a minute.

use serde_json::json;

use super::world::{HOUR, MINUTE, SECOND, World, anomalies};

const LAST: i64 = 26 * HOUR;

/// A system that never had an error: one webhook every so often.
fn calm(every: i64, fails: std::ops::Range<i64>) -> World {
    let mut world = World::default();
    for (number, at) in (SECOND..LAST).step_by(every as usize).enumerate() {
        let job = format!("job_{number}");
        world.tell(at, "webhook-service", "webhook.delivering", &job, "", json!({}));
        let event_type = if fails.contains(&at) { "webhook.delivery_failed" } else { "webhook.delivered" };
        let error = if fails.contains(&at) {
            json!({"error": format!("customer answered 500 to {number}")})
        } else {
            json!({})
        };
        world.tell(at + 90, "webhook-service", event_type, &job, "", error);
    }
    world
}

#[test]
fn an_error_is_new_where_none_was_seen_before_and_no_job_is_named() {
    let mut world = calm(20 * SECOND, 0..0);
    for minute in 0..4 {
        let error = json!({"error": format!("cannot read tenant {minute}"), "level": "info"});
        world.tell(LAST - (10 - minute) * MINUTE, "api-server", "api.error", "", "", error);
    }
    world.tell(LAST - 5 * MINUTE, "api-server", "db.query_failed", "", "", json!({}));
    let (_redis, store) = world.stored();
    let new = anomalies(&store, LAST, "new_error");
    let of = |event_type: &str| new.iter().find(|one| one["subject"]["event_type"] == event_type).unwrap().clone();
    assert_eq!((&of("api.error")["severity"], &of("api.error")["n"]), (&"alert".into(), &4.into()), "{new:#?}");
    assert!(of("api.error")["message"].as_str().unwrap().contains("cannot read tenant"), "{new:#?}");
    assert_eq!(of("db.query_failed")["severity"], "note", "one alone is a note: {new:#?}");
}

#[test]
fn an_outage_of_less_than_a_minute_is_a_share_of_errors() {
    let began = LAST - 20 * MINUTE;
    let (_redis, store) = calm(3 * SECOND, began..began + 57 * SECOND).stored();
    let shares = anomalies(&store, LAST, "error_share");
    assert_eq!(shares.len(), 1, "{shares:#?}");
    assert_eq!(
        (&shares[0]["subject"]["service"], &shares[0]["severity"]),
        (&"webhook-service".into(), &"alert".into())
    );
    assert_eq!(anomalies(&store, began - MINUTE, "error_share"), Vec::<serde_json::Value>::new());
}
