use std::process::ExitCode;
use std::time::Duration;

use emp_events_client::EventClient;

fn order(client: &EventClient, job: &str) {
    client.job_event(job, "job.created").field("jobType", "order").emit();
}

fn main() -> ExitCode {
    let client = EventClient::new("api-server");
    order(&client, "job-1");
    if client.close(Duration::from_secs(60)) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[test]
fn an_order_is_told() {
    let (client, recorded) = EventClient::builder("api-server").record();
    order(&client, "job-1");
    assert_eq!(recorded.of_job("job-1")[0].data["jobType"], "order");
}
