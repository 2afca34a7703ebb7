use clap::Args;

use emp_event::Level;
use emp_query::Filter;

use crate::cli::failure::Failure;

/// Which events are asked for.
#[derive(Debug, Args)]
pub(crate) struct Filters {
    /// Only this job
    #[arg(long, value_name = "ID")]
    job_id: Option<String>,
    /// Only this service, or several: worker,machine
    #[arg(long)]
    service: Option<String>,
    /// Only this type, or several; `job.*` stands for all of a kind
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// Only this trace
    #[arg(long, value_name = "ID")]
    trace_id: Option<String>,
    /// Only this worker
    #[arg(long, value_name = "ID")]
    worker_id: Option<String>,
    /// Only this machine
    #[arg(long, value_name = "ID")]
    machine_id: Option<String>,
    /// Only this user
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,
    /// Only this level, or several: warn,error
    #[arg(long)]
    level: Option<String>,
    /// Only errors: short for --level error
    #[arg(long, conflicts_with = "level")]
    errors: bool,
    /// Only events with this in their type or data, in upper or lower case
    #[arg(long)]
    text: Option<String>,
    /// key=value, key!=value, key~=part or key~~=regex, of a column or a key of `data`; may be repeated
    #[arg(short, long = "filter", value_name = "FILTER")]
    filter: Vec<String>,
}

impl Filters {
    /// As conditions.
    pub fn filter(&self) -> Result<Filter, Failure> {
        let mut filter = Filter::default();
        let columns = [
            ("job_id", &self.job_id),
            ("service", &self.service),
            ("event_type", &self.event_type),
            ("trace_id", &self.trace_id),
            ("worker_id", &self.worker_id),
            ("machine_id", &self.machine_id),
            ("user_id", &self.user_id),
            ("level", &self.level()),
        ];
        for (column, value) in columns {
            if let Some(value) = value {
                filter.is(column, value);
            }
        }
        self.text.iter().for_each(|text| filter.text(text));
        for text in &self.filter {
            filter.add(text).map_err(|error| Failure::Usage(error.to_string()))?;
        }
        Ok(filter)
    }

    fn level(&self) -> Option<String> {
        if self.errors { Some(Level::Error.to_string()) } else { self.level.clone() }
    }
}
