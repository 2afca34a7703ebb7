//! How long events took, of whole hours, as it is kept.

use std::collections::BTreeMap;

use emp_catalog::Sealed;
use emp_rollup::{Durations, Rollups, each_bin, middle_of_bin};

use super::range::WholeHours;
use crate::QueryError;
use crate::engine::Engine;
use crate::view::Learning;

/// How often events of a type took so long, by the time in ms, within 0.1 %; shortest first.
pub type DurationCounts = BTreeMap<String, Vec<(f64, u64)>>;

impl Engine {
    /// How long the events of each type took, in the whole hours of a range that have been sealed, ms since the epoch.
    ///
    /// # Errors
    /// As [`Engine::sql`].
    pub async fn durations_of_hours(&self, since_ms: i64, until_ms: i64) -> Result<DurationCounts, QueryError> {
        let view = self.source.view_or_failure()?;
        let (layout, on_learning) = (self.source.layout().clone(), std::sync::Arc::clone(&self.source.on_learning));
        let hours = WholeHours::within(since_ms, until_ms);
        let task = tokio::task::spawn_blocking(move || {
            let files = view.sealed();
            let newest = files.files.iter().map(|file| file.partition.hour).max();
            let touches = |file: &&Sealed| {
                let times = file.facts.as_ref().ok().and_then(|facts| facts.timestamps);
                times.is_some_and(|(first_ms, last_ms)| hours.touch(first_ms, last_ms))
            };
            let is_over = |file: &&Sealed| newest.is_some_and(|newest| file.partition.hour < newest);
            let wanted: Vec<&Sealed> = files.files.iter().filter(is_over).filter(touches).collect();
            let rollups = Rollups::of(&layout, &wanted, &|done, all| on_learning(Learning::Hours, done, all));
            let mut bins: BTreeMap<Option<u32>, BTreeMap<u32, u64>> = BTreeMap::new();
            for row in wanted.iter().filter_map(|file| rollups.rows(file)).flatten() {
                let Some(Durations { sketch, .. }) = row.durations.as_ref().filter(|_| hours.contain(row.hour_ms))
                else {
                    continue;
                };
                let of_type = bins.entry(row.names[0]).or_default();
                each_bin(sketch.as_bytes(), |bin, count| *of_type.entry(bin).or_default() += count);
            }
            let name = |number: u32| rollups.texts().get(number as usize).map(ToString::to_string);
            let named = bins.into_iter().filter_map(|(number, bins)| {
                let counts = bins.into_iter().map(|(bin, count)| (middle_of_bin(bin), count)).collect::<Vec<_>>();
                Some((name(number?)?, counts))
            });
            named.collect()
        });
        // Joining fails only where the task panicked, and then the question panics with it, or while the runtime
        // is shut down.
        Ok(task.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())))
    }
}
