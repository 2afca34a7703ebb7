use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::forward::{settings_from_environment, source};
use super::metrics::{MetricsOptions, OfDaemon};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::memory_options::MemoryOptions;
use crate::cli::options::{FormatOption, Options, runtime};
use emp_bucket::Address;
use emp_collect::{ArchiveSettings, CollectorMetrics};
use emp_store::Retention;
use emp_units::{parse_bytes, parse_positive_duration};

/// Where `NODE_ENV=development` has the event log.
const DEVELOPMENT_LOG: &str = "logs/telemetry-events.log";
/// The exit status of a process that a second Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Drain the stream into the store: the daemon
///
/// Reads the stream as a consumer group, makes every event durable before it is acknowledged,
/// and seals each hour into a Parquet file. Waits for Redis where it is not there. Stop it with
/// Ctrl-C or SIGTERM: what was read is sealed, nothing is left unwritten.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events collect
  emp-events collect --once                        drain what is there, seal, and end
  emp-events --redis redis://10.0.0.5:6379 --store /var/lib/emp-events collect
  emp-events collect --retain 90d --retain-bytes 50GiB
  emp-events collect --archive s3://my-bucket/production    and put each hour that is over into a bucket
  emp-events collect --archive s3://my-bucket/production --keep-local 7d --retain 365d    a week here, a year there
  DASH0_ENABLED=true emp-events collect             and forward to Dash0: see `emp-events forward --help`
  emp-events collect --adopt web2-91c4e07a5d20b3f8  and store what a collector that is gone had read
  emp-events collect --metrics-listen 127.0.0.1:9464    and tell Prometheus how it goes
  emp-events collect --log-events logs/events.log  and one JSON line an event, for tail -f")]
pub(crate) struct Collect {
    /// Drain what is in the stream, seal it, and end
    #[arg(long)]
    once: bool,
    /// The name of the consumer in the group and of the writer in the store, to which the store's id is added
    /// [default: this host's name]
    #[arg(long, value_name = "NAME", env = "EMP_EVENTS_CONSUMER")]
    consumer: Option<String>,
    /// First take over what this consumer was given and has not acknowledged: the collector of another
    /// store, gone for good (`health` names it)
    #[arg(long, value_name = "CONSUMER")]
    adopt: Option<String>,
    /// Forward to Dash0 as well, set by the environment: see `emp-events forward --help`
    #[arg(long, env = "DASH0_ENABLED", value_parser = BoolishValueParser::new())]
    forward: bool,
    /// Write one JSON line an event to this file [default: logs/telemetry-events.log where
    /// NODE_ENV=development]
    #[arg(long, value_name = "PATH", env = "EMP_EVENTS_LOG")]
    log_events: Option<PathBuf>,
    /// Seal that often even within an hour, so that other engines see new events: 5m, 30s
    #[arg(long, value_name = "DURATION", value_parser = parse_positive_duration)]
    seal_every: Option<Duration>,
    /// Remove hours that ended longer ago than that: 90d, 36h; with --archive from the bucket, too, an hour later
    /// [default: keep all]
    #[arg(long, value_name = "AGE", value_parser = parse_positive_duration, env = "EMP_EVENTS_RETAIN")]
    retain: Option<Duration>,
    /// Remove the oldest hours where the sealed files take more than that: 50GiB [default: keep all]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, env = "EMP_EVENTS_RETAIN_BYTES")]
    retain_bytes: Option<u64>,
    /// Put each hour that is over into this bucket, beside the other work: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX,
    /// az://CONTAINER/PREFIX (see `emp-events archive --help`)
    #[arg(long, value_name = "URL", env = "EMP_EVENTS_ARCHIVE")]
    archive: Option<Address>,
    /// Remove an hour from this disk so long after its end, once it is proven to be in the bucket: 7d, 36h; questions fetch
    /// it from there [default: keep all]
    #[arg(long, value_name = "AGE", value_parser = parse_positive_duration, env = "EMP_EVENTS_KEEP_LOCAL", requires = "archive")]
    keep_local: Option<Duration>,
    #[command(flatten)]
    memory: MemoryOptions,
    #[command(flatten)]
    metrics: MetricsOptions,
}

impl Collect {
    pub fn run(self, options: &Options) -> Outcome {
        options.allow_formats(&FormatOption::OF_SENTENCES)?;
        let mut settings = options.collect_settings(self.consumer)?;
        settings.once = self.once;
        settings.adopt = self.adopt;
        settings.retention = Retention { age: self.retain, bytes: self.retain_bytes, even_if_odd: false };
        settings.seal_every = self.seal_every;
        settings.archive = self.archive.map(|address| ArchiveSettings { address, keep_local: self.keep_local });
        settings.memory = self.memory.limits();
        let in_development = std::env::var("NODE_ENV").is_ok_and(|value| value == "development");
        settings.event_log = self.log_events.or_else(|| in_development.then(|| DEVELOPMENT_LOG.into()));
        let forwarding = self.forward.then(|| settings_from_environment(self.once)).transpose()?;
        options.start_log();
        runtime()?.block_on(async {
            let shutdown = shutdown_on_signal()?;
            let forwarded = if forwarding.is_some() { Some(source(options)?) } else { None };
            let told = || OfDaemon { collector: Some(CollectorMetrics::new(settings.clone())), forwarder: forwarded };
            self.metrics.listen(told).await?;
            let forwarder =
                forwarding.map(|settings| spawn_forwarder(options, settings, shutdown.clone())).transpose()?;
            let collected = emp_collect::collect(&settings, shutdown).await;
            if let Some(forwarder) = forwarder {
                // It has been told to stop as well; with --once it delivers what is there.
                if !tokio::task::spawn_blocking(move || forwarder.join()).await.is_ok_and(|joined| joined.is_ok()) {
                    error!("the forwarder's thread has panicked; what it had not delivered is sent at the next start");
                }
            }
            collected?;
            Ok::<_, Failure>(())
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Forwards on a thread with a runtime of its own, so that neither waits for the other.
fn spawn_forwarder(
    options: &Options,
    settings: emp_forward::Settings,
    shutdown: watch::Receiver<bool>,
) -> Result<std::thread::JoinHandle<()>, Failure> {
    let source = source(options)?;
    let work = move || {
        let forwarded = runtime()
            .map_err(anyhow::Error::from)
            .and_then(|runtime| Ok(runtime.block_on(emp_forward::forward(&source, &settings, shutdown))?));
        if let Err(error) = forwarded {
            error!("forwarding has ended: {error}; the collector goes on without it");
        }
    };
    Ok(std::thread::Builder::new().name("forwarder".to_owned()).spawn(work)?)
}

/// Turns true at the first SIGTERM or Ctrl-C; the second ends the process at once, which
/// loses nothing: the journal has it.
pub(super) fn shutdown_on_signal() -> std::io::Result<watch::Receiver<bool>> {
    let (sender, receiver) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        info!("stopping: sealing what was read (once more to leave that to the next start)");
        // `false` says that nobody listens any more: the collector has ended.
        let _ = sender.send(true);
        either(&mut terminate, &mut interrupt).await;
        warn!("stopped; what is not sealed is safe in the journal");
        std::process::exit(INTERRUPTED);
    });
    Ok(receiver)
}

async fn either(first: &mut Signal, second: &mut Signal) {
    tokio::select! {
        _ = first.recv() => {}
        _ = second.recv() => {}
    }
}
