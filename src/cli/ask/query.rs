use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use emp_query::{CannedQuery, Need, find};

use serde_json::{Value, json};

use super::answer::{AsOf, TimeRange, ask_canned, canned, show_list};
use super::asking::Asking;
use crate::cli::failure::Outcome;
use crate::cli::options::wrapped;

/// Run a canned query, or list them
///
/// The project's own are timeline, gaps, gap-classes, handoffs, perf and event-names. Files NAME.sql in the folder
/// EMP_EVENTS_SQL are found beside them; one of the same name takes the place of ours.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events query --list
  emp-events query gaps --param min_gap=30s --last 1h
  EMP_EVENTS_SQL=~/queries emp-events query my-query")]
pub(crate) struct Query {
    /// Which query
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// A parameter of it, as NAME=VALUE
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    param: Vec<(String, String)>,
    /// List the queries with what they answer and take
    #[arg(long, conflicts_with = "name")]
    list: bool,
    #[command(flatten)]
    range: TimeRange,
    #[command(flatten)]
    as_of: AsOf,
}

impl Query {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        match self.name {
            Some(name) => {
                let queries = canned()?;
                let query = find(&queries, &name)?;
                let takes = |name: &str| query.parameters.iter().any(|parameter| parameter.name == name);
                let is_given = self.range.is_given();
                let range = self.range.parameters(asking, &self.as_of)?.into_iter().flatten();
                // Of `--now` a query that takes no range knows without being told.
                let range = range.filter(|(name, _)| is_given || takes(name));
                let is_said = |name: &str| self.param.iter().any(|(said, _)| said == name);
                let range: Vec<_> = range.filter(|(name, _)| !is_said(name)).collect();
                ask_canned(asking, &self.as_of, query, &[self.param, range].concat()).await
            }
            None => list(asking, &canned()?),
        }
    }
}

fn list(asking: &Asking<'_>, queries: &[CannedQuery]) -> Outcome {
    let shown: Vec<Value> = queries.iter().map(as_json).collect();
    show_list(asking, &shown, |out, _| list_for_person(out, queries))?;
    Ok(ExitCode::SUCCESS)
}

fn as_json(query: &CannedQuery) -> Value {
    let parameters = query.parameters.iter().map(|parameter| {
        let (is_required, usual) = match &parameter.need {
            Need::Required => (true, None),
            Need::Optional => (false, None),
            Need::Default(value) => (false, Some(value)),
        };
        json!({"name": parameter.name, "meaning": parameter.meaning, "required": is_required, "default": usual})
    });
    json!({"name": query.name, "summary": query.summary, "parameters": parameters.collect::<Vec<_>>()})
}

fn list_for_person(out: &mut dyn Write, queries: &[CannedQuery]) -> std::io::Result<()> {
    for query in queries {
        writeln!(out, "{}\n    {}", query.name, wrapped(&query.summary, 4, 4))?;
        for parameter in &query.parameters {
            let need = match &parameter.need {
                Need::Required => "required".to_owned(),
                Need::Optional => "optional".to_owned(),
                Need::Default(value) => format!("default {value}"),
            };
            let line = format!("--param {}=…  {need}: {}", parameter.name, parameter.meaning);
            writeln!(out, "    {}", wrapped(&line, 4, 8))?;
        }
    }
    Ok(())
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| "expected NAME=VALUE".to_owned())
}
