use std::io::{BufWriter, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use emp_investigate::check_names;
use emp_query::find;
use emp_render::write_answer;

use super::answer::{AsOf, TimeRange, canned, parameter};
use super::asking::Asking;
use crate::cli::failure::Outcome;

/// Find events whose names break the standard or are not understood, and events without the ids that they owe
///
/// Names are {entity}.{action}, {entity}.{status}_updated and {entity}.{action}_failed: lower snake
/// case with exactly one dot, and an action in the past or in -ing. Events of a job and of a connector
/// owe a job's id, those of workers, machines and users theirs. What is not understood means nothing to
/// `diagnose`: say what it means in the store's vocabulary.toml, or take the name suggested. Exit status 1
/// where there is something to mend, else 0.
#[derive(Debug, Args)]
#[command(after_help = "\
A team's own types, in vocabulary.toml in the store's folder, or in the file of --vocabulary:
  [job]                             # created, submitted, queued, delayed, claimed, started,
  submitted = [\"render.ordered\"]    # progressed, stalled, retried, attempt_failed, completed,
  failed = [\"render.spoilt\"]        # failed, cancelled, timed_out or not_created
  [webhook]
  delivered = [\"webhook.sent\"]      # sending, delivered, failed or given_up
  [work]
  ends = [\"sealed\"]                 # the last word of types that end a piece of work; begins
  [keys]
  connector = [\"engine\"]            # keys of data: connector, queue, job_type, error

Examples:
  emp-events check-names
  emp-events check-names --last 1d
  emp-events check-names --since yesterday --format markdown")]
pub(crate) struct CheckNames {
    #[command(flatten)]
    range: TimeRange,
    #[command(flatten)]
    as_of: AsOf,
}

impl CheckNames {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let begun = Instant::now();
        let engine = asking.engine()?;
        let now_ms = self.as_of.ms(asking, &engine)?;
        let (since_ms, until_ms) = self.range.bounds(asking, &self.as_of, now_ms)?;
        let text = |ms: i64| ms.to_string();
        let range = [parameter("since", since_ms.map(text)), parameter("until", until_ms.map(text))];
        let range: Vec<_> = range.into_iter().flatten().collect();
        let queries = canned()?;
        let mut answer = engine.canned(find(&queries, "event-names")?, &range).await?;
        let checked = check_names(&mut answer).await?;
        asking.warn(&answer.new_warnings());
        let mut out = BufWriter::new(asking);
        let (findings, screen) = (checked.findings, asking.screen());
        let count = findings.num_rows();
        write_answer(&mut out, asking.format(), &screen, findings.schema(), &[findings], Some(begun.elapsed()))?;
        out.flush()?;
        asking.tell(&verdict(count, checked.event_types));
        Ok(if count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn verdict(findings: usize, event_types: usize) -> String {
    let looked_at = match event_types {
        1 => "1 event type".to_owned(),
        count => format!("{count} event types"),
    };
    match findings {
        0 => format!("{looked_at}: all keep to the standard"),
        1 => format!("{looked_at}: 1 finding"),
        count => format!("{looked_at}: {count} findings"),
    }
}
