//! One look at the store.

use std::collections::BTreeMap;

use emp_findings::{Anomalies, Changes, ErrorClass, Judged};
use emp_investigate::{Answering, ChangesQuestion, Investigation, InvestigationError, Rows, WithoutLevel, changes};
use emp_query::moment_literal;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Minutes whose rates are shown.
pub(super) const MINUTES: usize = 30;
const SLOW_TYPES_MAX: usize = 12;
/// Bars of an error's course over the hour.
const ERROR_BARS: usize = 12;

/// What a dashboard shows, as of one moment.
#[derive(Debug, Clone)]
pub struct Overview {
    /// As of when, ms since the epoch.
    pub now_ms: i64,
    /// The busiest service first.
    pub services: Vec<ServiceRate>,
    /// Errors of the last hour by fingerprint, the most frequent first.
    pub errors: Vec<ErrorClass>,
    /// Failures of the last hour that count as no errors, as they were stored without a level.
    pub without_level: WithoutLevel,
    /// The slowest types of events of the last hour, by p95.
    pub slow_types: Vec<SlowType>,
    /// The jobs of the last hour.
    pub judged: Judged,
    /// What is unusual, and what changed.
    pub trends: Trends,
}

/// What costs more than the rest of a look, and changes slowly.
#[derive(Debug, Clone)]
pub struct Trends {
    /// What is unusual.
    pub anomalies: Anomalies,
    /// What is different in the last two hours from the two before.
    pub changes: Changes,
}

/// How much a service sends.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceRate {
    /// The service.
    pub service: String,
    /// Events in each of the last 30 minutes; the last one is the one that goes on.
    pub per_minute: Vec<u64>,
}

/// How long events of a type take.
#[derive(Debug, Clone, PartialEq)]
pub struct SlowType {
    /// The type.
    pub event_type: String,
    /// Events that say how long they took.
    pub count: i64,
    /// Half took no longer, in ms.
    pub p50_ms: f64,
    /// 95 of 100 took no longer.
    pub p95_ms: f64,
}

/// How events get into the store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreState {
    /// Where the store is.
    pub store: String,
    /// How far behind the collector is, as `health` says it; `None` where no Redis was reached.
    pub behind: Option<String>,
    /// What else is not as it should be.
    pub troubles: Vec<String>,
}

impl Overview {
    /// Looks at the store. `known` is what was found a moment ago, where it is good enough.
    ///
    /// # Errors
    /// [`InvestigationError`] where the store cannot be read.
    pub fn look<'a>(investigation: &'a Investigation<'_>, known: Option<Trends>) -> Answering<'a, Self> {
        Box::pin(async move {
            let now_ms = investigation.now_ms();
            Ok(Self {
                now_ms,
                services: rates(investigation).await?,
                errors: investigation.errors((now_ms - HOUR_MS, now_ms + 1), ERROR_BARS).await?,
                without_level: WithoutLevel::of_range(investigation.engine(), Some(now_ms - HOUR_MS), Some(now_ms + 1))
                    .await?,
                slow_types: slow_types(investigation).await?,
                judged: investigation.diagnose_all(now_ms - HOUR_MS).await?,
                trends: match known {
                    Some(known) => known,
                    None => Trends {
                        anomalies: investigation.anomalies().await?,
                        changes: changes(investigation.engine(), &ChangesQuestion::recent(now_ms)).await?,
                    },
                },
            })
        })
    }
}

async fn rates(investigation: &Investigation<'_>) -> Result<Vec<ServiceRate>, InvestigationError> {
    let now_ms = investigation.now_ms();
    let since_ms = now_ms - MINUTES as i64 * MINUTE_MS;
    let sql = format!(
        "select service, cast((cast(ingested_at as bigint) - {since_ms}) / {MINUTE_MS} as bigint) as minute, \
         count(*) as events from events where ingested_at > {} and ingested_at <= {} group by 1, 2",
        moment_literal(since_ms),
        moment_literal(now_ms)
    );
    let mut services: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    Rows::ask(investigation.engine(), &sql).await?.map(|row| {
        let minutes = services.entry(row.text("service")?).or_insert_with(|| vec![0; MINUTES]);
        let minute = (row.integer("minute")?.max(0) as usize).min(MINUTES - 1);
        minutes[minute] += row.integer("events")? as u64;
        Ok(())
    })?;
    let mut services: Vec<ServiceRate> =
        services.into_iter().map(|(service, per_minute)| ServiceRate { service, per_minute }).collect();
    services.sort_by_key(|one| std::cmp::Reverse(one.per_minute.iter().sum::<u64>()));
    Ok(services)
}

async fn slow_types(investigation: &Investigation<'_>) -> Result<Vec<SlowType>, InvestigationError> {
    let now_ms = investigation.now_ms();
    let sql = format!(
        "select event_type, count(*) as count, quantile_cont(duration_ms, 0.5) as p50, \
         quantile_cont(duration_ms, 0.95) as p95 from events \
         where duration_ms is not null and ingested_at > {} and ingested_at <= {} \
         group by 1 order by p95 desc, event_type limit {SLOW_TYPES_MAX}",
        moment_literal(now_ms - HOUR_MS),
        moment_literal(now_ms)
    );
    Rows::ask(investigation.engine(), &sql).await?.map(|row| {
        Ok(SlowType {
            event_type: row.text("event_type")?,
            count: row.integer("count")?,
            p50_ms: row.number("p50")?.unwrap_or_default(),
            p95_ms: row.number("p95")?.unwrap_or_default(),
        })
    })
}
