//! How long events took, of whole hours, as it is kept.

use std::collections::BTreeMap;

use emp_rollup::{DROPPED_BITS, Durations, each_bin, middle_of};

use super::range::WholeHours;
use super::split::totals_of;
use crate::QueryError;
use crate::background::in_background;
use crate::engine::Engine;

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
        let hours = WholeHours::of(Some(since_ms), Some(until_ms));
        let counted = move || {
            let files = view.sealed();
            let totals = totals_of(&files, hours, &layout, &on_learning);
            let mut bins: BTreeMap<Option<u32>, BTreeMap<u32, u64>> = BTreeMap::new();
            for row in &totals.rows {
                let Some(Durations { sketch, .. }) = &row.durations else { continue };
                let of_type = bins.entry(row.names[0]).or_default();
                each_bin(sketch.as_bytes(), |bin, count| *of_type.entry(bin).or_default() += count);
            }
            let name = |number: u32| totals.texts.get(number as usize).map(ToString::to_string);
            let named = bins.into_iter().filter_map(|(number, bins)| {
                let counts = bins
                    .into_iter()
                    .map(|(bin, count)| (middle_of(u64::from(bin), DROPPED_BITS), count))
                    .collect::<Vec<_>>();
                Some((name(number?)?, counts))
            });
            named.collect()
        };
        Ok(in_background(counted).await)
    }
}
