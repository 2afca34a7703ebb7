use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, ValueEnum};

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
    /// Which of them; may be repeated [default: all]. That of the worker takes longest: what the others have is known of
    /// whole hours
    #[arg(long, value_enum, value_name = "FACET")]
    of: Vec<Facet>,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    range: TimeRange,
    #[command(flatten)]
    as_of: AsOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Facet {
    Service,
    #[value(name = "event_type")]
    EventType,
    Level,
    #[value(name = "worker_id")]
    WorkerId,
}

impl Facet {
    /// Is it known of whole hours, without reading their events?
    fn is_hourly(self) -> bool {
        self != Self::WorkerId
    }

    fn column(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::EventType => "event_type",
            Self::Level => "level",
            Self::WorkerId => "worker_id",
        }
    }
}

impl Facets {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let begun = Instant::now();
        let engine = asking.engine()?;
        let now_ms = self.as_of.ms(asking, &engine)?;
        let (filter, _) = counted(asking, (&self.filters, &self.range, &self.as_of), now_ms)?;
        let wanted = |facet: &Facet| self.of.is_empty() || self.of.contains(facet);
        let wanted: Vec<Facet> = Facet::value_variants().iter().copied().filter(wanted).collect();
        let condition = filter.sql();
        let hourly: Vec<&str> = wanted.iter().filter(|facet| facet.is_hourly()).map(|facet| facet.column()).collect();
        let others = wanted.iter().filter(|facet| !facet.is_hourly()).map(|facet| {
            let column = facet.column();
            format!(
                "select '{column}' as facet, {column} as value, count(*) as count from events where {condition} \
                 group by {column}"
            )
        });
        let together = (!hourly.is_empty()).then(|| counted_together(&hourly, &condition));
        let counted = together.into_iter().chain(others).collect::<Vec<_>>().join(" union all ");
        let sql = format!(
            "select facet, value, count from (select *, row_number() over (partition by facet order by count desc, value) \
             as place from ({counted}) where value is not null) where place <= {VALUES_MAX} order by facet, count desc, value"
        );
        asking.is_in_sql(&sql);
        stream(asking, &engine, begun, false, engine.sql(&sql)).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// One look counts these columns together, and each is then counted from the few groups that it has left.
fn counted_together(columns: &[&str], condition: &str) -> String {
    let (all, sets) = (columns.join(", "), columns.join("), ("));
    let facet: String = columns.iter().map(|column| format!("when grouping({column}) = 0 then '{column}' ")).collect();
    format!(
        "select case {facet}end as facet, coalesce({all}) as value, cast(sum(events) as bigint) as count from \
         (select {all}, count(*) as events from events where {condition} group by {all}) group by grouping sets (({sets}))"
    )
}
