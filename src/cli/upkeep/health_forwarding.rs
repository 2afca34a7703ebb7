//! What `health` says of the forwarder.

use crate::cli::failure::Failure;
use crate::cli::options::Options;
use emp_collect::{Check, Status};
use emp_forward::{Forwarding, check_forwarder};

/// How long an event may wait to be forwarded while all is well.
const FORWARD_AGE_MS_MAX: i64 = 60_000;

/// How forwarding goes, where somebody forwards.
pub(super) async fn check_forwarding(options: &Options) -> Result<Option<Check>, Failure> {
    let address = options.redis()?;
    // Where Redis does not answer, its own check has said so.
    let asked = check_forwarder(&address, &options.stream).await;
    Ok(asked.ok().flatten().map(|forwarding| forwarding_check(&forwarding)))
}

fn forwarding_check(forwarding: &Forwarding) -> Check {
    let counts: Vec<String> = forwarding
        .counts
        .named()
        .iter()
        .filter(|(name, count)| *count > 0 || matches!(*name, "sent" | "retried" | "refused" | "dead" | "skipped"))
        .map(|(name, count)| format!("{name} {count}").replace('_', " "))
        .collect();
    let mut detail = counts.join(", ");
    let waiting = forwarding.pending + forwarding.unread;
    if forwarding.trimmed > 0 {
        detail += &format!("; {} that the stream has trimmed are still to be taken from the store", forwarding.trimmed);
    }
    match forwarding.oldest_ms {
        Some(age_ms) if waiting > 0 => {
            detail += &format!(
                "; {} pending and {} unread, the oldest for {:.1} s",
                forwarding.pending,
                forwarding.unread,
                age_ms as f64 / 1_000.0
            );
        }
        _ if forwarding.trimmed > 0 => {}
        _ => detail += "; nothing is pending",
    }
    if let Some((error, at)) = &forwarding.last_error {
        let at = jiff::Timestamp::from_millisecond(*at).map_or_else(|_| "?".to_owned(), |at| format!("{at:.0}"));
        detail += &format!("; last error at {at}: {error}");
    }
    let is_late = waiting > 0 && forwarding.oldest_ms.is_some_and(|age_ms| age_ms > FORWARD_AGE_MS_MAX);
    let (status, remedy) = match &forwarding.blocked {
        Some(why) => (Status::Bad, Some(format!("the receiver refuses us ({why}): check endpoint and key"))),
        None if is_late => {
            (Status::Degraded, Some("see that `emp-events forward` runs, and that the receiver answers".to_owned()))
        }
        None if forwarding.counts.missing > 0 => (
            Status::Good,
            Some("what is missing was trimmed before a collector stored it: `select * from losses`".to_owned()),
        ),
        None => (Status::Good, None),
    };
    Check { name: "forwarder", status, detail, remedy, counts: counts_of(forwarding) }
}

fn counts_of(forwarding: &Forwarding) -> Vec<(&'static str, u64)> {
    let mut counts =
        vec![("pending", forwarding.pending), ("unread", forwarding.unread), ("trimmed", forwarding.trimmed)];
    counts.extend(forwarding.oldest_ms.map(|age_ms| ("oldest_ms", age_ms.unsigned_abs())));
    counts.extend(forwarding.counts.named());
    counts
}
