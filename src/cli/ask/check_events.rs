//! What `health` learns from the events themselves.

use emp_collect::{Check, Status};
use emp_findings::{AnomalyKind, Severity, command};
use emp_investigate::Investigation;
use emp_render::sentence;

use super::answer::AsOf;
use super::asking::Asking;
use crate::cli::failure::Failure;
use crate::cli::options::Options;

/// A sentence as a person is shown it: its moments by the clock of `--tz`, and nothing in it that a terminal obeys.
pub(crate) fn as_shown(text: &str, options: &Options) -> String {
    sentence(text, &options.time_zone())
}

/// As [`check_events`], asked at a shell.
pub(crate) async fn check_events_at_shell(options: &Options, as_of: &AsOf) -> Vec<Check> {
    check_events(&Asking::at_shell(options), as_of).await
}

/// What the events themselves tell: clocks that are ahead, and services that have gone silent.
pub(crate) async fn check_events(asking: &Asking<'_>, as_of: &AsOf) -> Vec<Check> {
    let ask = async || {
        let engine = asking.engine()?;
        let now = as_of.ms(asking, &engine)?;
        let anomalies = Investigation::open(&engine, now).await?.anomalies().await?;
        Ok::<_, Failure>(anomalies.found)
    };
    // What cannot be asked has been said by the check of the store.
    let anomalies = ask().await.unwrap_or_default();
    let of_kind = |kind| anomalies.iter().filter(move |one| one.kind == kind).map(|one| one.message.clone());
    let clocks: Vec<String> = of_kind(AnomalyKind::Skew).collect();
    // A clock that has been put right, or is off by less than half a second, is a note.
    let are_off = anomalies.iter().any(|one| one.kind == AnomalyKind::Skew && one.severity == Severity::Alert);
    let silent: Vec<String> = of_kind(AnomalyKind::Silence).collect();
    let mut checks = Vec::new();
    if !clocks.is_empty() {
        let remedy = Some("synchronise that host's clock (chrony, ntpd)".to_owned());
        checks.push(Check {
            name: "clocks",
            status: if are_off { Status::Degraded } else { Status::Good },
            detail: clocks.join("; "),
            remedy,
            counts: Vec::new(),
        });
    }
    if !silent.is_empty() {
        let remedy = Some(command(&["diagnose", "--all", "--last", "1h"]));
        checks.push(Check {
            name: "services",
            status: Status::Degraded,
            detail: silent.join("; "),
            remedy,
            counts: Vec::new(),
        });
    }
    checks
}
