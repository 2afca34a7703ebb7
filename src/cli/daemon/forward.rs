use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};

use super::collect::shutdown_on_signal;
use super::metrics::{MetricsOptions, OfDaemon};
use crate::cli::arguments::{first_line, variable, variable_of, with_manners};
use crate::cli::ask::FromStore;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::level;
use crate::cli::options::{FormatOption, Options, runtime};
use emp_event::Level;
use emp_forward::{
    Asked, Counts, Ending, Sample, Settings, Sieve, Signals, Source, Target, forward, replay_dead_letters,
};
use emp_units::{parse_bytes, parse_positive_duration};

/// The exit status of a `--once` that was stopped before its end.
const INTERRUPTED: u8 = 130;
/// The waits between attempts, where nothing else is said.
const BACKOFF_MS: (u64, u64) = (1_000, 30_000);

/// Send every event to Dash0, or to another OTLP receiver
///
/// Reads the stream as a consumer group of its own (emp-dash0), beside the collector, and acknowledges
/// an event only after the receiver's final answer. What Redis trimmed meanwhile is taken from the
/// store. The key is taken from DASH0_API_KEY or the file DASH0_API_KEY_FILE, never from an option.
#[derive(Debug, Args)]
#[command(after_help = "\
Environment: DASH0_OTEL_ENDPOINT, DASH0_API_KEY or DASH0_API_KEY_FILE, DASH0_DATASET, DASH0_SIGNALS; else
OTEL_EXPORTER_OTLP_ENDPOINT, …_LOGS_ENDPOINT, …_TRACES_ENDPOINT, …_HEADERS, …_TIMEOUT, …_COMPRESSION.

Examples:
  DASH0_API_KEY_FILE=key emp-events forward --endpoint https://ingress.eu-west-1.aws.dash0.com
  emp-events forward --once                                 deliver what is there, and end
  emp-events forward --min-level info --sample job.progress_updated=0.1
  emp-events forward --from-store --last 1h --dry-run       what would be sent again
  emp-events forward --from-store --since 09:00 --where \"service = 'worker'\"
  emp-events forward --replay-dead-letters                  what was refused, once it is mended")]
pub(crate) struct Forward {
    /// Deliver what is in the stream, and end
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    again: FromStore,
    /// Send what was refused for good once more; what is taken now leaves the dead letters
    #[arg(long, conflicts_with = "once")]
    replay_dead_letters: bool,
    #[command(flatten)]
    metrics: MetricsOptions,
}

#[derive(Debug, Clone, Args)]
struct How {
    /// The receiver; /v1/logs and /v1/traces are added [env: DASH0_OTEL_ENDPOINT]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The dataset, as the header Dash0-Dataset [env: DASH0_DATASET]
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// What is sent of an event [env: DASH0_SIGNALS] [default: logs]
    #[arg(long, value_enum)]
    signals: Option<SignalsOption>,
    /// Events of a request, at most
    #[arg(
        long,
        value_name = "N",
        env = "DASH0_BATCH_EVENTS",
        default_value = "100",
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    batch_events: u32,
    /// Bytes of a request before it is compressed, about, at most
    #[arg(long, value_name = "SIZE", env = "DASH0_BATCH_BYTES", default_value = "1MiB", value_parser = parse_bytes)]
    batch_bytes: u64,
    /// How long an event waits for others
    #[arg(long, value_name = "DURATION", env = "DASH0_BATCH_WAIT", default_value = "5s", value_parser = parse_positive_duration)]
    batch_wait: Duration,
    /// Requests under way at once, at most
    #[arg(
        long,
        value_name = "N",
        env = "DASH0_REQUESTS",
        default_value = "4",
        value_parser = clap::value_parser!(u32).range(1..=64)
    )]
    requests: u32,
    /// How far back events that the stream has trimmed are sent from the store
    #[arg(long, value_name = "AGE", env = "DASH0_MAX_AGE", default_value = "6h", value_parser = parse_positive_duration)]
    max_age: Duration,
    /// Leave out what is below this level: debug, info, warn, error
    #[arg(long, value_name = "LEVEL", env = "DASH0_MIN_LEVEL", value_parser = level)]
    min_level: Option<Level>,
    /// Keep that share of the traces of an event type, such as job.progress_updated=0.1; errors are always
    /// kept; several by commas
    #[arg(long, value_name = "TYPE=RATE", env = "DASH0_SAMPLE", value_delimiter = ',', value_parser = sample)]
    sample: Vec<Sample>,
    /// How long the receiver may take to answer [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = parse_positive_duration)]
    timeout: Option<Duration>,
    /// Allow an endpoint that is not encrypted and not on this machine
    #[arg(long, env = "DASH0_ALLOW_HTTP", value_parser = BoolishValueParser::new())]
    allow_http: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SignalsOption {
    Logs,
    Spans,
    Both,
}

impl Forward {
    pub fn run(self, options: &Options) -> Outcome {
        options.allow_formats(&FormatOption::OF_SENTENCES)?;
        let settings = self.how.settings(self.once)?;
        if let Some(outcome) = self.again.run(options, &settings) {
            return outcome;
        }
        options.start_log();
        let source = source(options)?;
        runtime()?.block_on(async {
            if self.replay_dead_letters {
                let counts = replay_dead_letters(&source.layout, &settings).await?;
                tell(&counts);
                return Ok(if counts.dead > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS });
            }
            self.metrics.listen(|| OfDaemon { collector: None, forwarder: Some(source.clone()) }).await?;
            Ok(match forward(&source, &settings, shutdown_on_signal()?).await? {
                // What was to be delivered to its end was not.
                Ending::Stopped(_) if self.once => ExitCode::from(INTERRUPTED),
                Ending::Stopped(_) | Ending::Complete(_) => ExitCode::SUCCESS,
            })
        })
    }
}

/// Says what became of what was sent by hand.
pub(crate) fn tell(counts: &Counts) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    let Counts { sent, dead, refused, .. } = counts;
    eprintln!("sent {sent} events");
    if dead + refused > 0 {
        eprintln!("{dead} were refused for good (`select * from dead_letters`), {refused} left out by the receiver");
    }
}

/// Where events come from.
pub(super) fn source(options: &Options) -> Result<Source, Failure> {
    Ok(Source { address: options.redis()?, stream: options.stream.clone(), layout: options.folder_layout()? })
}

/// The settings of a forwarder within a collector: all from the environment.
pub(super) fn settings_from_environment(once: bool) -> Result<Settings, Failure> {
    #[derive(Parser)]
    struct NoWords {
        #[command(flatten)]
        how: How,
    }
    let mut command = with_manners(NoWords::command());
    let matches = command.try_get_matches_from_mut(["collect"]);
    let parsed = matches.and_then(|matches| NoWords::from_arg_matches(&matches)).map_err(|error| {
        let variable = variable_of(&error, &command).unwrap_or_else(|| "a DASH0_ variable".to_owned());
        Failure::Usage(format!("{variable}: {}", first_line(&error).trim_start_matches("error: ")))
    })?;
    parsed.how.settings(once)
}

impl How {
    fn settings(&self, once: bool) -> Result<Settings, Failure> {
        let asked = Asked {
            endpoint: self.endpoint.clone(),
            dataset: self.dataset.clone(),
            signals: self.signals.map(|signals| match signals {
                SignalsOption::Logs => Signals::Logs,
                SignalsOption::Spans => Signals::Spans,
                SignalsOption::Both => Signals::Both,
            }),
            timeout: self.timeout,
            allow_http: self.allow_http,
        };
        let target = Target::resolve(&asked, &variable).map_err(|error| Failure::Usage(error.to_string()))?;
        let (first, last) = backoff(variable("EMP_EVENTS_FORWARD_BACKOFF_MS"))?;
        Ok(Settings {
            target,
            batch_events: self.batch_events as usize,
            batch_bytes: usize::try_from(self.batch_bytes).unwrap_or(usize::MAX),
            batch_wait: self.batch_wait,
            requests: self.requests as usize,
            age_max: self.max_age,
            sieve: Sieve { min_level: self.min_level, samples: self.sample.clone() },
            backoff: (Duration::from_millis(first), Duration::from_millis(last)),
            once,
        })
    }
}

/// `1000,30000`: the first wait and the longest.
fn backoff(text: Option<String>) -> Result<(u64, u64), Failure> {
    let Some(text) = text else { return Ok(BACKOFF_MS) };
    let parsed = text.split_once(',').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    parsed.filter(|(first, last)| 0 < *first && first <= last).ok_or_else(|| {
        Failure::Usage("EMP_EVENTS_FORWARD_BACKOFF_MS: expected two numbers of ms, such as 1000,30000".to_owned())
    })
}

fn sample(text: &str) -> Result<Sample, String> {
    Sample::parse(text).ok_or_else(|| "expected an event type and a share, such as job.progress_updated=0.1".to_owned())
}
