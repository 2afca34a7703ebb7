//! `watch`: tells people who are not looking.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::json;
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use emp_collect::Lag;
use emp_event::visible_lines;
use emp_findings::{Carried, Moment, carry};
use emp_investigate::Investigation;
use emp_query::Engine;
use emp_store::Layout;
use emp_units::{counted, millis, parse_duration, parse_positive_duration};
use emp_watch::{
    Book, Courier, Message, Place, Policy, Quiet, Seen, Shape, Since, State, Target, Told, Trial, is_within, seen,
    without_collector,
};

use super::answer::{AsOf, moment, runtime, write_json};
use super::asking::Asking;
use super::end_signals::EndSignals;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::{FormatOption, Options};

/// How long `--once` tries to send what it has to tell.
const ONCE_WITHIN: Duration = Duration::from_secs(60);
const DAY_MS: f64 = 24.0 * 3_600_000.0;

/// Tell people who are not looking: what goes wrong, once, and that it is over
///
/// Looks at the store again and again, by the judgement of `anomalies` and `diagnose --all`, and sends each incident to
/// webhooks: the verdict, since when, who, how many jobs, what to type, and where the page shows it. What was told is
/// remembered in the store: a restart tells nothing twice and forgets nothing. Ctrl-C or SIGTERM ends it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  EMP_EVENTS_SLACK=https://hooks.slack.com/services/… emp-events watch --quiet-hours 22:00-07:00
  emp-events watch --alertmanager http://127.0.0.1:9093 --page-url https://events.example.org
  emp-events watch --webhook https://example.org/hook --once      one look, as from cron
  emp-events watch --dry-run                                      what would be told, as it happens
  emp-events watch --backtest --last 7d                           what would have been told")]
pub(crate) struct Watch {
    /// Send each message there as JSON; several times for several
    #[arg(long, value_name = "URL", env = "EMP_EVENTS_WEBHOOK", hide_env_values = true)]
    webhook: Vec<String>,
    /// Send each message there in the shape of Slack's incoming webhooks
    #[arg(long, value_name = "URL", env = "EMP_EVENTS_SLACK", hide_env_values = true)]
    slack: Vec<String>,
    /// Keep that Alertmanager up to date
    #[arg(long, value_name = "URL", env = "EMP_EVENTS_ALERTMANAGER", hide_env_values = true)]
    alertmanager: Vec<String>,
    /// The address of the page, for links to it
    #[arg(long, value_name = "URL", env = "EMP_EVENTS_PAGE_URL")]
    page_url: Option<String>,
    /// How often to look
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = parse_positive_duration)]
    every: Duration,
    /// An incident that was not seen for so long is over; rates, latencies and error shares after three times that
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = parse_duration)]
    over_after: Duration,
    /// Tell nothing in these hours, in the time zone of --tz, and at their end what happened
    #[arg(long, value_name = "FROM-UNTIL")]
    quiet_hours: Option<String>,
    /// Tell what is that grave, or graver
    #[arg(long, value_enum, default_value = "alert")]
    min_severity: MinSeverity,
    /// Remember what was told in this folder [default: the store]
    #[arg(long, value_name = "FOLDER")]
    state: Option<std::path::PathBuf>,
    /// Look once, send what is to be told, and end
    #[arg(long, conflicts_with = "backtest")]
    once: bool,
    /// Print what would be told, and send and remember nothing
    #[arg(long, conflicts_with = "backtest")]
    dry_run: bool,
    /// Print what would have been told over a range of the past
    #[arg(long)]
    backtest: bool,
    /// With --backtest: how far back
    #[arg(long, value_name = "DURATION", default_value = "7d", requires = "backtest")]
    last: String,
    /// With --backtest: what is known to have been wrong, as `simulate --format json` tells it
    #[arg(long, value_name = "FILE", requires = "backtest")]
    truth: Option<std::path::PathBuf>,
    #[command(flatten)]
    as_of: AsOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MinSeverity {
    /// What somebody has to look at
    Alert,
    /// What is good to know, too
    Note,
}

impl Watch {
    pub fn run(self, options: &Options) -> Outcome {
        options.allow_formats(&FormatOption::OF_VALUES)?;
        let policy = self.policy(options)?;
        let targets = self.targets()?;
        if self.backtest {
            return runtime()?.block_on(self.look_back(options, &policy));
        }
        if targets.is_empty() && !self.dry_run {
            let message = "name somebody to tell: --webhook, --slack or --alertmanager; or see what would be told with \
                           --dry-run or --backtest";
            return Err(Failure::Usage(message.to_owned()));
        }
        options.expect_store()?;
        options.start_log();
        let place = match (&self.state, self.dry_run) {
            (_, true) => Place::nowhere(),
            (Some(folder), false) => Place::of(Layout::new(folder))?,
            (None, false) => Place::of(options.folder_layout()?)?,
        };
        let place = Arc::new(place);
        runtime()?.block_on(async {
            let mut signals = EndSignals::watch()?;
            let watching = Watching { command: &self, options, policy, place, keys: keys(&targets), missing: 0 };
            tokio::select! {
                () = signals.any() => Ok(ExitCode::SUCCESS),
                ended = watching.go_on(targets) => ended,
            }
        })
    }

    fn policy(&self, options: &Options) -> Result<Policy, Failure> {
        let quiet = self.quiet_hours.as_deref().map(|text| {
            let wrong = || Failure::Usage(format!("--quiet-hours {text}: expected hours such as 22:00-07:00"));
            Quiet::parse(text, options.time_zone()).ok_or_else(wrong)
        });
        let over_after_ms = i64::try_from(self.over_after.as_millis()).unwrap_or(i64::MAX);
        let with_notes = self.min_severity == MinSeverity::Note;
        Ok(Policy { with_notes, over_after_ms, quiet: quiet.transpose()? })
    }

    fn targets(&self) -> Result<Vec<Target>, Failure> {
        let mut targets = Vec::new();
        let shapes = [
            (Shape::Json, "--webhook", &self.webhook),
            (Shape::Slack, "--slack", &self.slack),
            (Shape::Alertmanager, "--alertmanager", &self.alertmanager),
        ];
        for (shape, named, addresses) in shapes {
            for address in addresses {
                let target = Target::new(shape, address, named);
                targets.push(target.map_err(|error| Failure::Usage(error.to_string()))?);
            }
        }
        Ok(targets)
    }

    /// What would have been told, had this looked since then.
    async fn look_back(&self, options: &Options, policy: &Policy) -> Outcome {
        let asking = Asking::at_shell(options);
        let engine = asking.engine()?;
        let now_ms = self.as_of.ms(&asking, &engine)?;
        let since_ms = moment(options, &self.last, now_ms)?;
        let truth = self.truth.as_deref().map(super::anomalies::read_truth).transpose()?;
        let every_ms = i64::try_from(self.every.as_millis()).unwrap_or(i64::MAX).max(1_000);
        let investigation = Investigation::open(&engine, now_ms).await?;
        let (mut book, mut messages) = (Book::default(), Vec::new());
        let look = |now_ms, anomalies, judged| {
            // What is to be typed asks as of then.
            carry(Carried { stores: options.named_stores(), now_ms: Some(now_ms) });
            messages.extend(book.look(now_ms, seen(&anomalies, &judged), policy, &[]));
        };
        investigation.look_back(since_ms, every_ms, &super::anomalies::show_progress_at_shell, look).await?;
        let days = ((now_ms - since_ms) as f64 / DAY_MS).max(f64::EPSILON);
        let opened = messages.iter().filter(|message| message.state == State::Open).count();
        let trial = match &truth {
            Some(truth) => {
                let mut since = Vec::new();
                for incident in &truth.planted {
                    since.push(match is_within(incident, (since_ms, now_ms)) {
                        true => Since {
                            knowable: investigation.knowable_from(incident).await?,
                            earliest: investigation.earliest(incident).await?,
                        },
                        false => Since::default(),
                    });
                }
                Some(Trial::of(&messages, truth, &since, (since_ms, now_ms)))
            }
            None => None,
        };
        let page = self.page_url.as_deref();
        let mut out = &asking;
        match options.format {
            Some(FormatOption::Json) => {
                let told: Vec<_> = messages.iter().map(|message| told_as_json(message, page)).collect();
                let answer = json!({ "days": days, "incidents_per_day": opened as f64 / days, "messages": told, "trial": trial });
                write_json(&mut out, options, &answer)?;
            }
            _ => {
                messages.iter().try_for_each(|message| print(options, message, page))?;
                if options.format != Some(FormatOption::Ndjson) {
                    let incidents = counted(opened, "incident", "incidents");
                    let range = millis((now_ms - since_ms) as f64);
                    writeln!(out, "{incidents} in {range}: {:.1} a day", opened as f64 / days)?;
                    trial.iter().try_for_each(|trial| print_trial(&mut out, trial))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn keys(targets: &[Target]) -> Vec<String> {
    targets.iter().map(Target::key).collect()
}

/// A watch that goes on.
struct Watching<'a> {
    command: &'a Watch,
    options: &'a Options,
    policy: Policy,
    place: Arc<Place>,
    keys: Vec<String>,
    /// How many looks in a row found that nobody stores events, or is behind.
    missing: u32,
}

impl Watching<'_> {
    async fn go_on(mut self, targets: Vec<Target>) -> Outcome {
        let keys = self.keys.clone();
        self.place.change(|book| book.keep_targets(&keys))?;
        if self.command.once {
            let now_ms = self.look().await?;
            info!("looked as of {}", Moment(now_ms).time());
            return self.send_once(targets).await;
        }
        if !self.command.dry_run {
            for target in targets {
                info!("telling {target}");
                tokio::spawn(self.courier(target)?.run());
            }
        }
        let mut looks = tokio::time::interval(self.command.every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut trouble: Option<String> = None;
        loop {
            looks.tick().await;
            match self.look().await {
                Ok(_) => trouble = None,
                Err(failure) => {
                    let words = failure.to_string();
                    // What lasts is said once.
                    if trouble.as_ref() != Some(&words) {
                        warn!("cannot look: {}; trying again", visible_lines(&words));
                    }
                    trouble = Some(words);
                }
            }
        }
    }

    async fn send_once(&self, targets: Vec<Target>) -> Outcome {
        let mut is_all_told = true;
        if !self.command.dry_run {
            for target in targets {
                let name = target.to_string();
                if !self.courier(target)?.send_all(ONCE_WITHIN).await {
                    warn!("{name} has not taken all; the next time goes on there");
                    is_all_told = false;
                }
            }
        }
        Ok(if is_all_told { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn courier(&self, target: Target) -> Result<Courier, Failure> {
        let page = self.command.page_url.clone();
        let courier = Courier::new(target, page, Arc::clone(&self.place), self.command.every);
        courier.map_err(|error| Failure::Failed(anyhow::anyhow!(error)))
    }

    /// Looks once, and puts what is to be told into the book. As of when.
    async fn look(&mut self) -> Result<i64, Failure> {
        // A new engine sees new events.
        let engine = super::answer::engine(self.options)?;
        let (now_ms, mut seen) = self.seen(&engine).await?;
        seen.extend(self.lack().await?);
        let messages = self.place.change(|book| book.look(now_ms, seen, &self.policy, &self.keys))?;
        let page = self.command.page_url.as_deref();
        for message in messages {
            if self.command.dry_run {
                print(self.options, &message, page)?;
            } else {
                info!("{}: {}", message.id(), visible_lines(&message.headline()));
            }
        }
        Ok(now_ms)
    }

    async fn seen(&self, engine: &Engine) -> Result<(i64, Vec<Seen>), Failure> {
        let asking = Asking::at_shell(self.options);
        let now_ms = self.command.as_of.ms(&asking, engine)?;
        let given_ms = self.command.as_of.given_ms(self.options)?;
        carry(Carried { stores: self.options.named_stores(), now_ms: given_ms });
        let (anomalies, judged) = Investigation::open(engine, now_ms).await?.anomalies_and_jobs().await?;
        Ok((now_ms, seen(&anomalies, &judged)))
    }

    /// That nobody stores events, or is behind, where two looks in a row say so: one may fall into a restart.
    async fn lack(&mut self) -> Result<Option<Seen>, Failure> {
        if !self.options.is_one_folder() || self.command.as_of.given_ms(self.options)?.is_some() {
            return Ok(None);
        }
        let lag = Lag::of(&self.options.collect_settings(None)?).await;
        let Some(words) = lag.and_then(|lag| lag.in_words()) else {
            self.missing = 0;
            return Ok(None);
        };
        self.missing += 1;
        Ok((self.missing > 1).then(|| without_collector(&words)))
    }
}

/// What is known to have been wrong, when somebody would have been told, and what was told about nothing known.
fn print_trial(out: &mut impl Write, trial: &Trial) -> std::io::Result<()> {
    let after = |ms: Option<i64>| ms.map_or_else(|| "never".to_owned(), |ms| format!("after {}", millis(ms as f64)));
    for told in &trial.incidents {
        let Told { kind, at, culprit, after_ms, knowable, told_as, .. } = told;
        let known = knowable.map(|knowable| format!(" ({} of it could be known from)", after(Some(knowable.0 - at.0))));
        let told_as = told_as.as_ref().map(|words| format!(": {}", visible_lines(words))).unwrap_or_default();
        let (culprit, known) = (visible_lines(culprit), known.unwrap_or_default());
        writeln!(out, "{} {kind} of {culprit}: told {}{known}{told_as}", shown(*at), after(*after_ms))?;
    }
    for told in &trial.false_messages {
        let day = if told.is_of_healthy_day { ", on a healthy day" } else { "" };
        writeln!(out, "{} about nothing known{day}: {}", shown(told.at), visible_lines(&told.message))?;
    }
    let percent = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0));
    let (soon, knowable, told) = (percent(trial.told_soon), percent(trial.told_soon_knowable), percent(trial.told));
    writeln!(
        out,
        "told within five minutes: {soon}; of when it could be known: {knowable}; at all: {told}; about nothing known: {:.1} a day{}",
        trial.false_per_day,
        trial.false_per_healthy_day.map(|a_day| format!(", {a_day:.1} on a healthy one")).unwrap_or_default()
    )
}

fn shown(at: Moment) -> String {
    at.time().strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// With when it would have been told.
fn told_as_json(message: &Message, page: Option<&str>) -> serde_json::Value {
    let mut told = message.as_json(page);
    told["told"] = json!(Moment(message.at_ms));
    told
}

/// A message on stdout: for a program one line of JSON.
fn print(options: &Options, message: &Message, page: Option<&str>) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    if matches!(options.format, Some(FormatOption::Json | FormatOption::Ndjson)) {
        writeln!(out, "{}", told_as_json(message, page))?;
        return Ok(out.flush()?);
    }
    let at =
        Timestamp::from_millisecond(message.at_ms).unwrap_or(Timestamp::MAX).to_zoned_datetime(options.time_zone());
    let headline = visible_lines(&message.headline());
    writeln!(out, "{}  {headline}", at.strftime("%Y-%m-%d %H:%M:%S"))?;
    if message.state == State::Open {
        writeln!(out, "    {}\n    {}", visible_lines(&message.seen.message), message.seen.command)?;
    }
    Ok(out.flush()?)
}
