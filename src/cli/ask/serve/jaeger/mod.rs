//! Jobs as traces in the shape of Jaeger's own API, which Jaeger's page and Grafana read.

mod search;
mod shape;

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use emp_investigate::Rows;
use emp_job::{Dialect, History, Role, entity, role, span_name};
use emp_query::{literal, moment_literal};

use crate::cli::ask::Asking;
use crate::cli::ask::answer::{AsOf, meant_by};
use crate::cli::failure::{Failure, Missing, Outcome};
use shape::trace_of;

/// The span of all that a job is, as it is called where events are forwarded, too.
const JOB: &str = "job";
/// So far back types of events are looked for.
const OPERATIONS_MS: i64 = 30 * 86_400_000;

#[derive(Subcommand)]
pub(super) enum Jaeger {
    /// The services
    #[command(name = "jaeger-services")]
    Services,
    /// The names of a service's spans
    #[command(name = "jaeger-operations")]
    Operations(Operations),
    /// The jobs of a service, as traces, those that were heard of last first
    #[command(name = "jaeger-traces")]
    Traces(search::Traces),
    /// A job as a trace, or all events of a trace
    #[command(name = "jaeger-trace")]
    Trace(Trace),
}

#[derive(Debug, Args)]
pub(super) struct Operations {
    /// The service
    #[arg(long)]
    service: String,
}

#[derive(Debug, Args)]
pub(super) struct Trace {
    /// The id of a job, its beginning, or the id of a trace
    #[arg(long)]
    id: String,
}

impl Jaeger {
    /// Each by the path at which it is asked, with those of its parameters that are part of the path.
    pub const PATHS: [(&str, &str, &[&str]); 4] = [
        ("jaeger-services", "/api/services", &[]),
        ("jaeger-operations", "/api/services/{service}/operations", &["service"]),
        ("jaeger-traces", "/api/traces", &[]),
        ("jaeger-trace", "/api/traces/{id}", &["id"]),
    ];

    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let data = match self {
            Self::Services => json!(asking.engine()?.newest_values("service").await?),
            Self::Operations(command) => command.names(asking).await?,
            Self::Traces(command) => command.traces(asking).await?,
            Self::Trace(command) => json!([command.trace(asking).await?]),
        };
        let total = data.as_array().map_or(0, Vec::len);
        let answer = json!({"data": data, "total": total, "limit": 0, "offset": 0, "errors": null});
        serde_json::to_writer(asking, &answer)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Operations {
    async fn names(&self, asking: &Asking<'_>) -> Result<Value, Failure> {
        let engine = asking.engine()?;
        let now_ms = AsOf::default().ms(asking, &engine)?;
        let sql = format!(
            "select event_type from events where service = {} and timestamp >= {} and timestamp < {} group by 1",
            literal(&self.service),
            moment_literal(now_ms - OPERATIONS_MS),
            moment_literal(now_ms + 1)
        );
        let types = Rows::ask(&engine, &sql).await?.map(|row| row.text("event_type"))?;
        let mut names = BTreeSet::from([JOB.to_owned()]);
        for event_type in &types {
            if let Role::Opens(name) | Role::Closes(name) = role(event_type, Dialect::default().meaning(event_type)) {
                names.insert(span_name(entity(event_type), name));
            }
        }
        Ok(json!(names))
    }
}

impl Trace {
    async fn trace(&self, asking: &Asking<'_>) -> Result<Value, Failure> {
        let engine = asking.engine()?;
        let investigation = AsOf::default().investigation_quietly(asking, &engine).await?;
        let job = meant_by(asking, &engine, &self.id).await?;
        let of_job = match &job {
            Some(job) => investigation.history(job).await?,
            None => None,
        };
        let (name, history): (&str, Option<History>) = match of_job {
            Some(history) => (JOB, Some(history)),
            None => ("trace", investigation.trace(&self.id).await?),
        };
        let missing = || Missing(format!("the store has no events of a job or trace `{}`", self.id));
        let history = history.ok_or_else(missing)?;
        let judgement = investigation.judge_timeline(&history, None);
        // Whoever asked by the beginning of an id is shown what was asked for, and the whole id among the tags.
        Ok(trace_of((&self.id, name), &history, &judgement))
    }
}
