//! The prompt: `emp-events sql` on a terminal.
//!
//! It reads statements with [`rustyline`], asks an [`Engine`] opened anew for each, so that every
//! answer has the newest events, and shows the answers with the means of `render`. What the user
//! types is kept in a history file; nothing else is written.

mod command;
mod complete;
mod highlight;
mod pager;
mod progress;
mod statement;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use rustyline::config::Configurer as _;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};
use tokio::runtime::{Builder, Runtime};

pub use progress::{clear, watched};

use command::Command;
use complete::{Assistant, Words};
use pager::Paged;

use emp_query::{Engine, QueryError};
use emp_render::{AnswerWriter, Format, Screen, visible_lines};
use emp_system::{is_closed_pipe, user_folder};

/// Rows of a table at the prompt: a pager shows them all, and more need a file.
const ROWS_MAX: usize = 1_000;
const HISTORY_MAX: usize = 5_000;

/// Everything that the prompt is given.
pub struct Prompt<'a> {
    /// Opens the store as it is now.
    pub open: &'a dyn Fn() -> Result<Engine, QueryError>,
    /// What answers are shown on.
    pub screen: Screen,
    /// Lines of the terminal; an answer of more goes through the pager.
    pub height: usize,
    /// How answers are written at first.
    pub format: Format,
    /// The store, for the first line.
    pub store: String,
}

/// What a session can change.
struct Settings {
    format: Format,
    tall: bool,
    timing: bool,
}

impl Prompt<'_> {
    /// Asks and answers until the user leaves.
    ///
    /// # Errors
    /// Where the terminal cannot be read or written, or the store cannot be opened at first.
    pub fn run(mut self, runtime: &Runtime) -> anyhow::Result<()> {
        let words = Words::of((self.open)()?.names());
        self.screen.rows_max = Some(ROWS_MAX);
        let mut editor: Editor<Assistant<'_>, FileHistory> = Editor::with_config(config(self.screen.color))?;
        editor.set_helper(Some(Assistant::new(&words, self.screen.color, self.open, runtime)));
        let history = history_file();
        if let Some(path) = &history {
            // None yet, or one that cannot be read: then this one begins.
            let _ = editor.load_history(path);
        }
        println!("emp-events {} on {} · \\? for help, \\q to leave", env!("CARGO_PKG_VERSION"), self.store);
        let mut settings = Settings { format: self.format, tall: false, timing: true };
        loop {
            match editor.readline("emp> ") {
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => {
                    editor.add_history_entry(text.trim())?;
                    if let Some(path) = &history {
                        // Kept at once: a terminal may be closed without a word. Where it cannot be
                        // written there is no history, and that is all.
                        let _ = std::fs::create_dir_all(path.parent().unwrap_or(path));
                        let _ = editor.append_history(path);
                    }
                    if !self.obey(&text, &mut settings, &words, runtime)? {
                        return Ok(());
                    }
                }
                // Ctrl-C throws away what was typed.
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Does what a line says. Tells whether to go on.
    fn obey(&self, text: &str, settings: &mut Settings, words: &Words, runtime: &Runtime) -> io::Result<bool> {
        match command::parse(text) {
            None => {
                for statement in statement::split(text) {
                    self.answer(statement, settings, runtime)?;
                }
            }
            Some(Err(message)) => eprintln!("{message}"),
            Some(Ok(Command::Quit)) => return Ok(false),
            Some(Ok(Command::Help)) => print!("{}", command::HELP),
            Some(Ok(Command::Tables)) => print!("{}", words.tables()),
            Some(Ok(Command::Describe(table))) => match words.describe(&table) {
                Some(columns) => print!("{columns}"),
                None => eprintln!("there is no table `{table}`; \\d lists them"),
            },
            Some(Ok(Command::Timing(on))) => {
                settings.timing = on.unwrap_or(!settings.timing);
                println!("timing is {}", on_or_off(settings.timing));
            }
            Some(Ok(Command::Tall(on))) => {
                settings.tall = on.unwrap_or(!settings.tall);
                println!("tall rows are {}", on_or_off(settings.tall));
            }
            Some(Ok(Command::Format(format))) => settings.format = format,
        }
        Ok(true)
    }

    /// Asks, shows, and stops at Ctrl-C.
    fn answer(&self, statement: &str, settings: &Settings, runtime: &Runtime) -> io::Result<()> {
        // From one of its pauses to the next a question may compute for minutes. On threads of its own it keeps nobody
        // from hearing of Ctrl-C meanwhile; and once it is given up, neither the next question nor the end of the
        // program waits for it.
        let threads = Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(async {
            tokio::select! {
                outcome = self.ask(statement, settings, &threads) => outcome,
                stopped = tokio::signal::ctrl_c() => {
                    stopped?;
                    clear();
                    eprintln!("interrupted");
                    Ok(())
                }
            }
        });
        threads.shutdown_background();
        match outcome {
            // The user has left the pager.
            Err(error) if is_closed_pipe(error.as_ref()) => Ok(()),
            Err(error) => {
                eprintln!("{}", visible_lines(&error.to_string()));
                Ok(())
            }
            Ok(()) => io::stdout().flush(),
        }
    }

    async fn ask(&self, statement: &str, settings: &Settings, threads: &Runtime) -> anyhow::Result<()> {
        let begun = Instant::now();
        let engine = Arc::new((self.open)()?);
        let question = {
            let (engine, statement) = (Arc::clone(&engine), statement.to_owned());
            threads.spawn(async move { engine.sql(&statement).await })
        };
        let mut answer = watched(&engine, question).await??;
        tell(&answer.new_warnings());
        let mut paged = Paged::new(self.height);
        let format = settings.format;
        let is_tall = settings.tall && format == Format::Table;
        let schema = answer.schema.clone();
        let mut writer = match is_tall {
            true => AnswerWriter::tall(&mut paged, &self.screen, schema),
            false => AnswerWriter::new(&mut paged, format, &self.screen, schema),
        };
        loop {
            let next = threads.spawn(async move { (answer.next().await, answer) });
            let (batch, rest) = watched(&engine, next).await?;
            answer = rest;
            let Some(batch) = batch? else { break };
            writer.write(&batch)?;
        }
        writer.finish(settings.timing.then(|| begun.elapsed()))?;
        paged.finish()?;
        tell(&answer.new_warnings());
        Ok(())
    }
}

fn tell(warnings: &[String]) {
    for warning in warnings {
        eprintln!("{}", visible_lines(warning));
    }
}

fn on_or_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

fn config(color: bool) -> Config {
    let mut config = Config::builder().auto_add_history(false).build();
    config.set_color_mode(if color { rustyline::ColorMode::Enabled } else { rustyline::ColorMode::Disabled });
    config.set_completion_type(rustyline::CompletionType::List);
    // A history that cannot be bounded is kept as it is.
    let _ = config.set_max_history_size(HISTORY_MAX);
    config
}

/// `~/.local/state/emp-events/history`.
fn history_file() -> Option<PathBuf> {
    Some(user_folder("XDG_STATE_HOME", ".local/state")?.join("history"))
}

#[cfg(test)]
mod tests;
