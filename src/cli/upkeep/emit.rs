use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::{FormatOption, Options, level, runtime};
use emp_event::{Draft, EntryId, Level, decode};
use emp_stream::{Connection, Producer};

/// Add one event to the stream by hand
///
/// Prints the ID that Redis gave it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events emit job.created --service api-server --job-id job_123
  emp-events emit job.failed --service worker --job-id job_123 --level error --data '{\"error\":\"out of memory\"}'")]
pub(crate) struct Emit {
    /// What happened, as {entity}.{action}
    #[arg(value_name = "TYPE")]
    event_type: String,
    /// Who says so
    #[arg(long)]
    service: String,
    /// The job
    #[arg(long, value_name = "ID")]
    job_id: Option<String>,
    /// The trace
    #[arg(long, value_name = "ID")]
    trace_id: Option<String>,
    /// The worker
    #[arg(long, value_name = "ID")]
    worker_id: Option<String>,
    /// The machine
    #[arg(long, value_name = "ID")]
    machine_id: Option<String>,
    /// The user
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,
    /// debug, info, warn or error [default: error where the type tells of a failure, else info]
    #[arg(long, value_parser = level)]
    level: Option<Level>,
    /// More about it, as a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}")]
    data: String,
}

impl Emit {
    pub fn run(self, options: &Options) -> Outcome {
        options.allow_formats(&FormatOption::OF_SENTENCES)?;
        let draft = Draft {
            timestamp: Timestamp::now().as_millisecond(),
            service: self.service,
            level: self.level.unwrap_or_else(|| Level::of_type(&self.event_type)),
            event_type: self.event_type,
            trace_id: self.trace_id,
            job_id: self.job_id,
            worker_id: self.worker_id,
            machine_id: self.machine_id,
            user_id: self.user_id,
            data: self.data,
        };
        refuse_what_is_no_event(&draft)?;
        let ids = runtime()?.block_on(async {
            let mut producer = Producer::new(Connection::open(&options.redis()?, &options.stream, "").await?);
            Ok::<_, Failure>(producer.add(&[draft]).await?)
        })?;
        for id in ids {
            println!("{id}");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What the collector would put into the quarantine is refused here, where its author can mend it.
fn refuse_what_is_no_event(draft: &Draft) -> Result<(), Failure> {
    match decode(EntryId::new(1, 0), &draft.fields()) {
        Ok(_) => Ok(()),
        Err(rejection) => Err(Failure::Usage(format!("this is no event: {rejection}"))),
    }
}
