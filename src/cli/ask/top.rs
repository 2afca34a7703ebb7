use std::io::{self, IsTerminal as _, Write as _};
use std::pin::Pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ansi_to_tui::IntoText as _;
use clap::Args;
use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use ratatui::text::Text;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use emp_collect::{Status, check_health};
use emp_dashboard::{Dashboard, Overview, Request, StoreState, Trends};
use emp_investigate::{ChangesQuestion, changes};
use emp_render::{Screen, Times, write_changes, write_diagnosis, write_job};
use emp_units::parse_duration;

use super::answer::{AsOf, engine, runtime, unknown_job};
use super::asking::Asking;
use super::end_signals::EndSignals;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::{FormatOption, Options};

/// Trends cost more than the rest, and change slowly.
const TRENDS_EVERY: Duration = Duration::from_secs(15);
/// What is drawn where there is no terminal.
const PRINTED: (u16, u16) = (120, 40);

/// Watch the system: rates, lag, errors, slow types, anomalies, changes, and the jobs that need a look
///
/// Enter shows the timeline of the chosen job, d what is wrong with it, c what changed, ? all keys. In a pipe it prints
/// one look and ends.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events top
  emp-events top --every 10s
  emp-events --store data/sample top
  emp-events top | head -30                            one look, as text")]
pub(crate) struct Top {
    /// How often to look
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    every: String,
    #[command(flatten)]
    as_of: AsOf,
}

type Looked = Result<(Overview, StoreState), String>;

impl Top {
    pub fn run(self, options: &Options) -> Outcome {
        options.allow_formats(&FormatOption::OF_SENTENCES)?;
        let every = parse_duration(&self.every).map_err(|error| Failure::Usage(error.to_string()))?;
        if every < Duration::from_millis(100) {
            return Err(Failure::Usage(format!("--every {} is too short: 100ms at least", self.every)));
        }
        options.expect_store()?;
        let zone = options.time_zone();
        let dashboard = Dashboard::new(zone, options.colors(&io::stdout()));
        if !io::stdout().is_terminal() {
            return self.print(options, dashboard);
        }
        runtime()?.block_on(async {
            // Before the terminal is changed, so that no signal leaves it so.
            let mut signals = EndSignals::watch()?;
            let mut terminal = ratatui::try_init()?;
            let ended = tokio::select! {
                () = signals.any() => Ok(()),
                ended = self.watch(options, dashboard, &mut terminal, every) => ended,
            };
            ratatui::restore();
            ended.map(|()| ExitCode::SUCCESS)
        })
    }

    /// One look, as text.
    fn print(&self, options: &Options, mut dashboard: Dashboard) -> Outcome {
        let looked = runtime()?.block_on(self.look(options, None));
        let columns = Asking::at_shell(options).screen().width.and_then(|width| u16::try_from(width).ok());
        dashboard.update(Ok(looked.map_err(|failure| anyhow::anyhow!(failure))?));
        let mut terminal = Terminal::new(TestBackend::new(columns.unwrap_or(PRINTED.0), PRINTED.1))?;
        terminal.draw(|frame| dashboard.draw(frame))?;
        let mut out = io::stdout().lock();
        // The line of keys says nothing to a pipe.
        lines(terminal.backend().buffer()).iter().rev().skip(1).rev().try_for_each(|line| writeln!(out, "{line}"))?;
        Ok(ExitCode::SUCCESS)
    }

    async fn watch(
        &self,
        options: &Options,
        mut dashboard: Dashboard,
        terminal: &mut ratatui::DefaultTerminal,
        every: Duration,
    ) -> Result<(), Failure> {
        let mut events = input();
        let mut known: Option<(Instant, Trends)> = None;
        let mut looking: Option<Pin<Box<dyn Future<Output = Looked> + '_>>> = None;
        let mut next_look = tokio::time::Instant::now();
        loop {
            terminal.draw(|frame| dashboard.draw(frame))?;
            tokio::select! {
                event = events.recv() => {
                    let Some(event) = event else { return Ok(()) };
                    let Event::Key(key) = event else { continue };
                    if key.kind != KeyEventKind::Press {
                        continue;
                    }
                    match dashboard.press(key) {
                        Request::Show => {}
                        Request::Quit => return Ok(()),
                        Request::Look => next_look = tokio::time::Instant::now(),
                        Request::Job { job_id, is_diagnosis } => {
                            let width = terminal.size()?.width;
                            let text = self.about(options, &job_id, is_diagnosis, width).await;
                            dashboard.open(job_id, text);
                        }
                        Request::Changes => {
                            let width = terminal.size()?.width;
                            dashboard.open_changes(self.changes(options, width).await);
                        }
                    }
                }
                () = tokio::time::sleep_until(next_look), if looking.is_none() && !dashboard.is_paused() => {
                    let fresh = known.clone().filter(|(at, _)| at.elapsed() < TRENDS_EVERY).map(|(_, known)| known);
                    if fresh.is_none() {
                        known = None;
                    }
                    looking = Some(Box::pin(self.look(options, fresh)));
                }
                looked = async { looking.as_mut().expect("guarded: it is only polled while there is one").await },
                    if looking.is_some() =>
                {
                    looking = None;
                    next_look = tokio::time::Instant::now() + every;
                    if let (Ok((overview, _)), None) = (&looked, &known) {
                        known = Some((Instant::now(), overview.trends.clone()));
                    }
                    dashboard.update(looked);
                }
            }
        }
    }

    async fn look(&self, options: &Options, known: Option<Trends>) -> Looked {
        let looked = async {
            // A new engine sees new events.
            let engine = engine(options)?;
            let investigation = self.as_of.investigation_quietly(&Asking::at_shell(options), &engine).await?;
            let overview = Overview::look(&investigation, known).await?;
            Ok::<_, Failure>((overview, store_state(options).await?))
        };
        looked.await.map_err(|failure| failure.to_string())
    }

    /// What is to be read about a job.
    async fn about(&self, options: &Options, job_id: &str, is_diagnosis: bool, width: u16) -> Text<'static> {
        let written = async {
            let engine = engine(options)?;
            let investigation = self.as_of.investigation_quietly(&Asking::at_shell(options), &engine).await?;
            let screen = screen_of(options, width)?;
            let mut out = Vec::new();
            if is_diagnosis {
                write_diagnosis(&mut out, &screen, &investigation.diagnose(job_id).await?)?;
            } else {
                let Some(history) = investigation.history(job_id).await? else {
                    return Err(unknown_job(&engine, job_id).await?);
                };
                let judgement = investigation.judge_timeline(&history, None);
                write_job(&mut out, &screen, &format!("Job {job_id}"), &history, &judgement, Times::Corrected)?;
            }
            Ok::<_, Failure>(out)
        };
        as_text(written.await)
    }

    /// What `changes` says as of now.
    async fn changes(&self, options: &Options, width: u16) -> Text<'static> {
        let written = async {
            let engine = engine(options)?;
            let question = ChangesQuestion::recent(self.as_of.ms(&Asking::at_shell(options), &engine)?);
            let mut out = Vec::new();
            write_changes(&mut out, &screen_of(options, width)?, &changes(&engine, &question).await?)?;
            Ok::<_, Failure>(out)
        };
        as_text(written.await)
    }
}

/// A screen as wide as the terminal.
fn screen_of(options: &Options, width: u16) -> Result<Screen, Failure> {
    let color = options.colors(&io::stdout());
    Ok(Screen { width: Some(usize::from(width)), color, time_zone: options.time_zone(), rows_max: None })
}

/// What was written, with its colors; else why it was not.
fn as_text(written: Result<Vec<u8>, Failure>) -> Text<'static> {
    match written {
        Ok(out) => out.into_text().unwrap_or_else(|_| Text::raw(String::from_utf8_lossy(&out).into_owned())),
        Err(failure) => Text::raw(failure.to_string()),
    }
}

/// How events get into the store, as `health` sees it.
async fn store_state(options: &Options) -> Result<StoreState, Failure> {
    if !options.is_one_folder() {
        let store = options.shown_store();
        return Ok(StoreState { store, behind: None, troubles: Vec::new() });
    }
    let checks = check_health(&options.collect_settings(None)?, Timestamp::now().as_millisecond()).await;
    let is_reached = checks.iter().any(|check| check.name == "redis" && check.status != Status::Bad);
    let behind = checks.iter().find(|check| check.name == "behind").map(|check| check.detail.clone());
    // Without a Redis it is a store to look back at, and nothing is missing.
    let troubles = checks.iter().filter(|check| is_reached && check.status != Status::Good);
    let troubles = troubles.map(|check| format!("{}: {}", check.name, check.detail)).collect();
    Ok(StoreState { store: options.shown_store(), behind, troubles })
}

/// Keys and changes of size, read by a thread of its own: reading them blocks.
fn input() -> UnboundedReceiver<Event> {
    let (sender, receiver) = unbounded_channel();
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.send(event).is_err() {
                return;
            }
        }
    });
    receiver
}

/// What is on a screen, without the blanks at the ends of lines.
fn lines(buffer: &Buffer) -> Vec<String> {
    let line = |row: u16| -> String {
        (0..buffer.area.width).filter_map(|column| buffer.cell((column, row))).map(|cell| cell.symbol()).collect()
    };
    (0..buffer.area.height).map(|row| line(row).trim_end().to_owned()).collect()
}
