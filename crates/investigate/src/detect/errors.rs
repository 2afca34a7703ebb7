//! Errors: which share of the events they are.

use std::collections::BTreeMap;

use emp_findings::{AnomalyKind, Severity, Subject};
use emp_statistics::fisher_more;

use super::{Suspicion, Windows, in_base};
use crate::frame::{Frame, Row};

/// Services of which more fails than usual.
pub(crate) fn error_shares(frame: &Frame, windows: &Windows, base: &[(i64, i64)]) -> Vec<Suspicion> {
    let by_entity = |rows: &mut dyn Iterator<Item = &Row>| {
        let mut shares: BTreeMap<(u16, String), (u64, u64)> = BTreeMap::new();
        for row in rows {
            let entity = emp_job::entity(frame.name(row.event_type)).to_owned();
            let (errors, all) = shares.entry((row.service, entity)).or_default();
            *errors += u64::from(row.is_error);
            *all += 1;
        }
        shares
    };
    let now = by_entity(&mut frame.between(windows.begins_ms(), windows.now_ms).iter());
    let usual = by_entity(&mut in_base(frame, base));
    let tested = now.into_iter().filter_map(|((service, entity), (errors, all))| {
        let (base_errors, base_all) = usual.get(&(service, entity.clone())).copied().unwrap_or_default();
        let name = frame.name(service).to_owned();
        let what = format!("{entity} events of {name}");
        let subject = Subject { service: Some(name), event_type: Some(format!("{entity}.*")), ..Subject::default() };
        more_errors(AnomalyKind::ErrorShare, subject, &what, (errors, all), (base_errors, base_all))
    });
    tested.collect()
}

/// A larger share of errors, by Fisher.
pub(super) fn more_errors(
    kind: AnomalyKind,
    subject: Subject,
    what: &str,
    (errors, all): (u64, u64),
    (base_errors, base_all): (u64, u64),
) -> Option<Suspicion> {
    if all < 20 || base_all < 100 {
        return None;
    }
    let (share, base_share) = (errors as f64 / all as f64, base_errors as f64 / base_all as f64);
    Some(Suspicion {
        kind,
        severity: Severity::Alert,
        subject,
        value: (share * 1e4).round() / 1e4,
        baseline: Some((base_share * 1e4).round() / 1e4),
        n: all,
        p: Some(fisher_more(errors, all, base_errors, base_all)),
        is_large: errors >= 3 && share >= 2.0 * base_share && share - base_share >= 0.02,
        message: format!(
            "{:.1} % of the {what} are errors ({errors} of {all}), where {:.1} % are usual",
            share * 100.0,
            base_share * 100.0
        ),
    })
}
