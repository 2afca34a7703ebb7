//! What Prometheus is told of forwarding. All of it is kept beside the stream, so that a restart sets nothing back.

use std::time::Duration;

use emp_metrics::{Kind, Text};
use emp_stream::RedisAddress;
use tokio::time::timeout;

use super::{Forwarding, check_forwarder};

/// Whoever scrapes does not wait longer for a Redis that may not be there.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tells how the forwarder of that stream does. Nothing is told where Redis is away, or nobody has forwarded yet.
pub async fn tell_forwarder(address: &RedisAddress, stream: &str, text: &mut Text) {
    let asked = timeout(PATIENCE, check_forwarder(address, stream)).await.ok().and_then(Result::ok).flatten();
    if let Some(forwarding) = asked {
        tell(&forwarding, text);
    }
}

fn tell(forwarding: &Forwarding, text: &mut Text) {
    let counts = forwarding.counts;
    let counts = [
        ("sent", "Events that the receiver has taken.", counts.sent),
        ("retried", "Requests that were sent again.", counts.retried),
        ("refused", "Records that the receiver left out of what it took.", counts.refused),
        ("dead_letters", "Events that the receiver refuses for good.", counts.dead),
        ("skipped", "Events left out by level or sampling.", counts.skipped),
        ("too_old", "Events trimmed from the stream, and older than the receiver takes.", counts.too_old),
        ("missing", "Events trimmed from the stream, and not in the store.", counts.missing),
        ("not_events", "Entries that are no events.", counts.not_events),
    ];
    for (name, help, count) in counts {
        text.single(&format!("emp_events_forwarder_{name}_total"), Kind::Counter, help, count as f64);
    }
    let Forwarding { pending, unread, trimmed, oldest_ms, last_error, blocked, .. } = forwarding;
    let mut gauge = |name: &str, help: &str, value: Option<f64>| {
        text.known(&format!("emp_events_forwarder_{name}"), Kind::Gauge, help, value);
    };
    gauge("pending_entries", "Entries given to the forwarder and not answered for good.", Some(*pending as f64));
    gauge("unread_entries", "Entries that the forwarder has not been given yet.", Some(*unread as f64));
    let help = "Entries trimmed before the forwarder was given them, to be taken from the store.";
    gauge("trimmed_entries", help, Some(*trimmed as f64));
    let help = "How long the oldest event that is not sent has been in the stream; 0 where there is none.";
    gauge("oldest_unsent_seconds", help, Some(oldest_ms.unwrap_or_default() as f64 / 1e3));
    let help = "1 where the receiver does not let us in: nothing is sent until somebody mends the key or the endpoint.";
    gauge("blocked", help, Some(f64::from(u8::from(blocked.is_some()))));
    let at = last_error.as_ref().map(|(_, at)| *at as f64 / 1e3);
    gauge("error_timestamp_seconds", "When a request failed last; missing where none has.", at);
}
