//! What clients tell of themselves is no work of their services.

use serde_json::json;

use super::world::{HOUR, MINUTE, SECOND, World, anomalies, ask};

/// Two services that speak every ten seconds, of which one stops; its client tells of itself all the same.
#[test]
fn a_service_whose_client_alone_goes_on_is_silent_and_its_reports_are_no_rate() {
    let mut world = World::default();
    let (stops, now) = (5 * HOUR, 5 * HOUR + 20 * MINUTE);
    for at in (0..now).step_by(10 * SECOND as usize) {
        world.tell(at, "api-server", "http.request", "", "", json!({}));
        if at < stops {
            world.tell(at + 1, "webhook-service", "webhook.sent", "", "", json!({}));
        }
    }
    // Since an hour: as if the clients had been brought up to date.
    for at in (now - HOUR..now).step_by(2 * SECOND as usize) {
        world.tell(at + 2, "webhook-service", "telemetry.stats", "", "", json!({"emitted": 6}));
    }
    let (_redis, store) = world.stored();
    let silent = anomalies(&store, now, "silence");
    assert_eq!(silent.len(), 1, "{silent:?}");
    assert_eq!(silent[0]["subject"]["service"], "webhook-service");
    let all = ask(&store, now, &["anomalies"]);
    let of_clients = all.as_array().unwrap().iter().find(|one| one["subject"]["event_type"] == "telemetry.stats");
    assert_eq!(of_clients, None);
    let workers = ask(&store, now, &["workers"]);
    assert_eq!(workers["workers"], json!([]));
}
