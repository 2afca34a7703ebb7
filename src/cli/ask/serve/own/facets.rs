use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use super::counted;
use crate::cli::ask::Asking;
use crate::cli::ask::answer::{AsOf, TimeRange, stream};
use crate::cli::ask::filters::Filters;
use crate::cli::failure::Outcome;

/// Values of a column, the most frequent first.
const VALUES_MAX: usize = 20;

/// Count the values of service, type, level and worker
#[derive(Debug, Args)]
pub(in crate::cli) struct Facets {
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    range: TimeRange,
    #[command(flatten)]
    as_of: AsOf,
}

impl Facets {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let begun = Instant::now();
        let engine = asking.engine()?;
        let now_ms = self.as_of.ms(asking, &engine)?;
        let (filter, _) = counted(asking, (&self.filters, &self.range, &self.as_of), now_ms)?;
        // One look at the events counts all of them.
        let counted = format!(
            "select case when grouping(service) = 0 then 'service' when grouping(event_type) = 0 then 'event_type' \
             when grouping(level) = 0 then 'level' else 'worker_id' end as facet, \
             coalesce(service, event_type, level, worker_id) as value, count(*) as count from events where {} \
             group by grouping sets ((service), (event_type), (level), (worker_id))",
            filter.sql()
        );
        let sql = format!(
            "select facet, value, count from (select *, row_number() over (partition by facet order by count desc, value) \
             as place from ({counted}) where value is not null) where place <= {VALUES_MAX} order by facet, count desc, value"
        );
        asking.is_in_sql(&sql);
        stream(asking, &engine, begun, false, engine.sql(&sql)).await?;
        Ok(ExitCode::SUCCESS)
    }
}
