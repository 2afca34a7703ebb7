//! Emits one event of each kind: `REDIS_URL=redis://127.0.0.1:6379 cargo run --example emit`.

use std::time::Duration;

use emp_events_client::{Ids, Trace, api_telemetry, with_trace_sync, worker_telemetry};
use serde_json::json;

fn main() {
    let api = api_telemetry();
    api.event("server.ready").field("port", 3000).emit();
    with_trace_sync(Trace::random(), || {
        api.job_event("job-1", "job.created")
            .user_id("user-7")
            .data(json!({"jobType": "image", "priority": "high"}))
            .emit();
        api.job_event("job-1", "job.queued").data(json!({"queueName": "default"})).emit();
    });

    let worker = worker_telemetry().child(Ids::new().worker_id("worker-1").machine_id("gpu-1").job_id("job-1"));
    worker.event("job.claimed").field("claimTimeMs", 12).emit();
    let rendered = worker
        .track_sync("connector.processing", json!({"connectorType": "comfyui"}), || Err::<(), _>("out of memory"));
    println!("the work: {rendered:?}");

    for client in [api, &worker] {
        let is_all_sent = client.close(Duration::from_secs(2));
        println!("all sent: {is_all_sent}, {:?}", client.stats());
    }
}
