//! SQL functions that questions about jobs need and the query engine lacks. `docs/functions.md`
//! describes them, with examples.

mod duration;
mod gap;
mod happened;
mod mentions;
mod numbers;
mod plain;
mod quantile;
mod since;
mod told;

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry as _, SessionState};
use datafusion::functions::datetime::date_bin;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use jiff::tz::TimeZone;

use emp_job::Offsets;

pub(super) use happened::HAPPENED_AT;
pub(super) use mentions::MENTIONS;
pub(super) use plain::OverPlainJson;
pub(super) use quantile::APPROXIMATE_QUANTILE;

/// `since()`, whose times are of that zone where they name none.
pub(super) fn since(zone: TimeZone) -> ScalarUDF {
    ScalarUDF::from(since::Since::in_zone(zone))
}

/// `happened_at()`, by these clocks.
pub(super) fn happened_at(offsets: Arc<Offsets>) -> ScalarUDF {
    ScalarUDF::from(happened::HappenedAt::by(offsets))
}

/// As `approx_quantile()`, over sketches and single values.
pub(super) fn quantile_of_sketches() -> AggregateUDF {
    AggregateUDF::from(quantile::Quantile::of_sketches())
}

/// Makes the functions known to a session.
pub(super) fn register(state: &mut SessionState) -> Result<()> {
    state.register_udf(Arc::new(since(TimeZone::system())))?;
    state.register_udf(Arc::new(happened_at(Arc::default())))?;
    state.register_udf(Arc::new(ScalarUDF::from(duration::FormatDuration::new())))?;
    state.register_udf(Arc::new(ScalarUDF::from(mentions::Mentions::new())))?;
    for what in emp_job::Told::ALL {
        state.register_udf(Arc::new(ScalarUDF::from(told::Function::new(what))))?;
    }
    state.register_function_rewrite(Arc::new(numbers::BesideNumbers))?;
    // Under DuckDB's name, too.
    state.register_udf(Arc::new(date_bin().as_ref().clone().with_aliases(["time_bucket"])))?;
    state.register_udaf(Arc::new(AggregateUDF::from(quantile::Quantile::exact())))?;
    state.register_udaf(Arc::new(AggregateUDF::from(quantile::Quantile::approximate())))?;
    state.register_udwf(Arc::new(WindowUDF::from(gap::GapMs::new())))?;
    Ok(())
}
