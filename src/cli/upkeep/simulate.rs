use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::{FormatOption, Options, runtime};
use emp_simulate::{Feed, Incident, IncidentKind, Progress, Settings, Summary, World, feed_stream, into_store};
use emp_store::{Hour, Layout};
use emp_stream::{Connection, Producer};
use emp_units::parse_positive_duration;

/// Make a lifelike load: into Redis, or straight into a store
///
/// Simulates an EMP job system: jobs walk from the API server over workers and connectors to
/// webhooks; some fail, are retried, get stuck or meet a slow worker. The same seed makes the
/// same jobs. Into Redis the jobs are sped up, so that they end within seconds.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events simulate --rate 200 --for 1m
  emp-events simulate --into /tmp/year --hours 8760 --jobs-per-hour 147 --seed 1
  emp-events simulate --into /tmp/day --healthy --incident silent-worker
  emp-events simulate --into /tmp/tasks --world celery --incident lost-job
  emp-events simulate --into /tmp/d --from 2025-09-27T00:00Z --incident full-queue@2025-09-27T14:00Z")]
pub(crate) struct Simulate {
    /// Events a second, about, into Redis
    #[arg(long, value_name = "EVENTS", default_value_t = 100.0, conflicts_with = "into")]
    rate: f64,
    /// End after that long [default: at Ctrl-C]
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_positive_duration, conflicts_with = "into")]
    duration: Option<Duration>,
    /// End after so many jobs were created
    #[arg(long, value_name = "JOBS", conflicts_with = "into")]
    jobs: Option<u64>,
    /// Two seeds, two different loads
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Write whole hours into this store instead
    #[arg(long, value_name = "STORE")]
    into: Option<PathBuf>,
    /// How many hours to write
    #[arg(long, requires = "into", default_value_t = 24)]
    hours: u32,
    /// Jobs created in an hour, on average [default: as the world has them, 147 where none is named]
    #[arg(long, requires = "into", value_name = "JOBS")]
    jobs_per_hour: Option<f64>,
    /// What kind of system: emp, plain, bullmq, celery, temporal, sidekiq, sparse or farm; they differ in names, levels,
    /// heartbeats, clocks, size and hours
    #[arg(long, value_name = "NAME", value_parser = world, default_value = "emp")]
    world: &'static World,
    /// When the first hour begins [default: so that the last one has just ended]
    #[arg(long, requires = "into", value_name = "TIME")]
    from: Option<Timestamp>,
    /// Plant this, and nothing else: stuck-job, silent-worker, slow-worker, slow-connector, full-queue,
    /// retry-storm, lost-webhook, skewed-clock, new-error, missing-step, silent-service, error-burst,
    /// lost-job, paused-queue, endpoint-down, or none; may be repeated [default time: three quarters into the hours; into Redis after 10 s]
    #[arg(long, value_name = "KIND[@TIME]", value_parser = incident)]
    incident: Vec<Wanted>,
    /// Without the slow worker, the clock that is ahead and the stuck jobs that there are else
    #[arg(long)]
    healthy: bool,
}

/// What is to be planted: no kind is none.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    kind: Option<IncidentKind>,
    at: Option<Timestamp>,
}

fn incident(text: &str) -> Result<Wanted, String> {
    let (name, at) = text.split_once('@').map_or((text, None), |(name, at)| (name, Some(at)));
    let at = at.map(str::parse::<Timestamp>).transpose();
    let at = at.map_err(|_| format!("`{text}` has no time after the @: try 2025-09-27T14:00:00Z"))?;
    if name == "none" {
        return Ok(Wanted { kind: None, at });
    }
    let known = || IncidentKind::ALL.map(IncidentKind::as_str).join(", ");
    let kind = IncidentKind::parse(name).ok_or_else(|| format!("there are {}, none", known()))?;
    Ok(Wanted { kind: Some(kind), at })
}

fn world(name: &str) -> Result<&'static World, String> {
    let known = || World::ALL.map(|world| format!("{} ({})", world.name, world.about)).join("; ");
    World::named(name).ok_or_else(|| format!("there are {}", known()))
}

impl Simulate {
    pub fn run(self, options: &Options) -> Outcome {
        options.allow_formats(&FormatOption::OF_VALUES)?;
        let strange = self.incident.iter().filter_map(|wanted| wanted.kind).find(|kind| !self.world.can_have(*kind));
        if let Some(kind) = strange {
            let playable: Vec<&str> =
                IncidentKind::ALL.iter().filter(|kind| self.world.can_have(**kind)).map(|kind| kind.as_str()).collect();
            let (world, playable) = (self.world.name, playable.join(", "));
            return Err(Failure::Usage(format!(
                "nothing in the world {world} tells of {kind}; it can have {playable}"
            )));
        }
        match self.into.clone() {
            Some(store) => self.fill_store(options, &Layout::new(store)),
            None => self.feed_redis(options),
        }
    }

    fn fill_store(&self, options: &Options, layout: &Layout) -> Outcome {
        let now = Hour::of_ms(Timestamp::now().as_millisecond());
        let hour_ms = now.end_ms() - now.start_ms();
        let latest = now.start_ms() - i64::from(self.hours) * hour_ms;
        let from_ms = self.from.map_or(latest, Timestamp::as_millisecond);
        let from_ms = Hour::of_ms(from_ms).start_ms();
        let settings = Settings {
            seed: self.seed,
            from_ms,
            jobs_per_hour: self.jobs_per_hour.unwrap_or(self.world.jobs_per_hour),
            incidents: self.incidents(from_ms),
            lasting_faults: !self.healthy,
            ..Settings::of(self.world)
        };
        let summary = into_store(layout, settings, self.hours, &mut show_progress)?;
        let mut out = std::io::stdout().lock();
        if matches!(options.format, Some(FormatOption::Json | FormatOption::Ndjson)) {
            writeln!(out, "{}", as_json(&summary))?;
            return Ok(ExitCode::SUCCESS);
        }
        writeln!(
            out,
            "{} events in {} files, {:.1} MB, in {:.1} s ({:.0} events/s)",
            summary.events,
            summary.files,
            summary.bytes as f64 / 1e6,
            summary.elapsed.as_secs_f64(),
            summary.events_per_second()
        )?;
        for incident in &summary.incidents {
            writeln!(out, "planted: {incident}")?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What to plant in a store whose hours begin then.
    fn incidents(&self, from_ms: i64) -> Vec<Incident> {
        if self.incident.is_empty() {
            return if self.healthy { Vec::new() } else { self.usual(from_ms) };
        }
        let usual_ms = from_ms + i64::from(self.hours) * 2_700_000;
        let wanted = self.incident.iter().filter_map(|wanted| {
            Some(Incident { kind: wanted.kind?, at_ms: wanted.at.map_or(usual_ms, Timestamp::as_millisecond) })
        });
        wanted.collect()
    }

    /// The usual incidents, as far as the world can have them.
    fn usual(&self, from_ms: i64) -> Vec<Incident> {
        let mut usual = Incident::usual(from_ms, self.hours);
        usual.retain(|incident| self.world.can_have(incident.kind));
        usual
    }

    fn feed_redis(&self, options: &Options) -> Outcome {
        let feed = Feed {
            world: self.world,
            seed: self.seed,
            events_per_second: self.rate,
            duration: self.duration,
            jobs: self.jobs,
            incidents: self.incident.iter().filter_map(|wanted| wanted.kind).collect(),
            lasting_faults: !self.healthy,
        };
        let address = options.redis()?;
        eprintln!("simulating about {} events/s into {} at {address}; Ctrl-C ends it", self.rate, options.stream);
        let fed = runtime()?.block_on(async {
            let mut producer = Producer::new(Connection::open(&address, &options.stream, "").await?).that_trims();
            let stop = async { _ = tokio::signal::ctrl_c().await };
            Ok::<_, Failure>(feed_stream(&mut producer, &feed, stop).await?)
        })?;
        println!("{} events of {} jobs in {:.1} s", fed.events, fed.jobs, fed.elapsed.as_secs_f64());
        fed.planted.iter().for_each(|incident| println!("planted: {incident}"));
        Ok(ExitCode::SUCCESS)
    }
}

fn as_json(summary: &Summary) -> Value {
    let time =
        |ms: i64| Timestamp::from_millisecond(ms).map(|time| time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()).ok();
    let planted = summary.incidents.iter().map(|one| {
        json!({
            "kind": one.kind.as_str(),
            "at": time(one.at_ms),
            "until": one.until_ms.and_then(time),
            "culprit": { "kind": one.culprit.0, "id": one.culprit.1 },
            "jobs": one.jobs,
            "also": one.also,
            "signs": one.signs.iter().map(|ms| time(*ms)).collect::<Vec<_>>(),
        })
    });
    json!({
        "events": summary.events,
        "files": summary.files,
        "bytes": summary.bytes,
        "seconds": summary.elapsed.as_secs_f64(),
        "planted": planted.collect::<Vec<_>>(),
    })
}

/// One line on a terminal, written over itself.
fn show_progress(progress: Progress) {
    let mut stderr = std::io::stderr();
    if !stderr.is_terminal() {
        return;
    }
    let Progress { hours_done, hours, events } = progress;
    let end = if hours_done == hours { "\n" } else { "" };
    // Progress that cannot be shown is no reason to stop.
    let _ = write!(stderr, "\r{hours_done} of {hours} hours, {events} events{end}");
}
