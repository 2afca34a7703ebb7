//! What kept the workers busy while a job waited for one of them.

use std::collections::BTreeMap;

use emp_findings::CulpritKind;

use super::judge::Case;
use super::speed::Slowness;

/// The slow connector, or else the slow worker, that had most of the work on jobs of its queue while a job waited: then
/// the queue was full since they took so long.
pub(super) fn busy_with<'a>(case: &Case<'a>, wait: (i64, i64)) -> Option<&'a Slowness> {
    let speeds = case.around.speeds(case.typical);
    let kinds = [CulpritKind::Connector, CulpritKind::Worker];
    if !kinds.into_iter().any(|kind| speeds.is_any_during(kind, wait)) {
        return None;
    }
    let queue = case.history.queue();
    let (mut all_ms, mut shares) = (0, BTreeMap::<(CulpritKind, &str), i64>::new());
    for worked in case.around.queues().worked(queue).iter().filter(|worked| *worked.job != *case.job_id) {
        let ms = shared_ms((worked.from_ms, worked.until_ms), wait);
        if ms == 0 {
            continue;
        }
        all_ms += ms;
        let names = [(CulpritKind::Connector, &worked.connector), (CulpritKind::Worker, &worked.worker)];
        for (kind, name) in names.into_iter().filter_map(|(kind, name)| Some((kind, name.as_deref()?))) {
            *shares.entry((kind, name)).or_default() += ms;
        }
    }
    kinds.into_iter().find_map(|kind| {
        let of_kind = shares.iter().filter(|((of, _), _)| *of == kind);
        let ((_, name), ms) = of_kind.max_by_key(|(_, ms)| **ms)?;
        speeds.during(kind, Some(name), wait).filter(|_| 2 * ms > all_ms)
    })
}

fn shared_ms(one: (i64, i64), other: (i64, i64)) -> i64 {
    (one.1.min(other.1) - one.0.max(other.0)).max(0)
}
