use std::sync::OnceLock;

use crate::EventClient;

macro_rules! ready_made {
    ($($name:ident, $service:literal;)*) => {
        $(
            #[doc = concat!("The client of the service `", $service, "`, as the environment describes it.")]
            pub fn $name() -> &'static EventClient {
                static CLIENT: OnceLock<EventClient> = OnceLock::new();
                CLIENT.get_or_init(|| EventClient::new($service))
            }
        )*
    };
}

ready_made! {
    api_telemetry, "api-server";
    worker_telemetry, "worker";
    machine_telemetry, "machine";
    webhook_telemetry, "webhook-service";
    monitor_telemetry, "monitor";
}
