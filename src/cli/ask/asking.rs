//! Who asks a question: where the answer goes, and what is said beside it.

use std::cell::RefCell;
use std::io::{self, IsTerminal as _, Write};
use std::ops::Deref;

use emp_query::{Engine, QueryError};
use emp_render::{Format, Screen};
use emp_serve::Reply;

use super::answer::{engine_in, on_learning};
use crate::cli::failure::{Failure, say};
use crate::cli::options::{FormatOption, Options, screen_width};

/// Rows of a table on a terminal: more are cut in the middle, and the footer says so.
const TERMINAL_ROWS_MAX: usize = 100;

/// The options of a question, and where its answer goes: what is written to it is the answer.
///
/// The same question may be asked at a shell and by a program over HTTP, and is answered by the same code.
pub(in crate::cli) struct Asking<'a> {
    options: &'a Options,
    by: By<'a>,
}

enum By<'a> {
    /// The answer goes to stdout, and what is said beside it to stderr.
    Shell,
    /// Both go into a reply.
    Program(RefCell<&'a mut Reply>),
}

impl<'a> Asking<'a> {
    /// At a shell.
    pub fn at_shell(options: &'a Options) -> Self {
        Self { options, by: By::Shell }
    }

    /// By a program, which gets the reply.
    pub fn by_program(options: &'a Options, reply: &'a mut Reply) -> Self {
        Self { options, by: By::Program(RefCell::new(reply)) }
    }

    /// May the answer be for a person, and be drawn over?
    pub fn is_at_shell(&self) -> bool {
        matches!(self.by, By::Shell)
    }

    /// Says something beside the answer that may be wrong with it.
    pub fn warn(&self, warnings: &[String]) {
        for warning in warnings {
            match &self.by {
                By::Shell => say(warning),
                By::Program(reply) => reply.borrow_mut().note(warning),
            }
        }
    }

    /// Says something beside the answer that is worth knowing.
    pub fn tell(&self, text: &str) {
        match &self.by {
            By::Shell => eprintln!("{text}"),
            By::Program(reply) => reply.borrow_mut().note(text),
        }
    }

    /// Takes note of the moment as of which the question is answered, ms since the epoch.
    pub fn is_as_of(&self, now_ms: i64) {
        if let By::Program(reply) = &self.by {
            reply.borrow_mut().is_as_of(now_ms);
        }
    }

    /// Takes note of a statement of SQL that asks the same.
    pub fn is_in_sql(&self, statement: &str) {
        if let By::Program(reply) = &self.by {
            reply.borrow_mut().is_in_sql(statement);
        }
    }

    /// Rows of an answer at most.
    pub fn rows_max(&self) -> Option<usize> {
        match &self.by {
            By::Shell => None,
            By::Program(reply) => Some(reply.borrow().rows_max()),
        }
    }

    /// The store of the options, as of now.
    pub fn engine(&self) -> Result<Engine, QueryError> {
        let on_learning = if self.is_at_shell() { on_learning() } else { None };
        engine_in(self.options, self.options.time_zone(), on_learning)
    }

    /// The same work, of which a terminal is shown how far it is.
    pub async fn watched<T>(&self, engine: &Engine, work: impl Future<Output = T>) -> T {
        match &self.by {
            By::Shell => emp_prompt::watched(engine, work).await,
            By::Program(_) => work.await,
        }
    }

    /// How the answer is to look.
    pub fn format(&self) -> Format {
        match self.options.format {
            Some(FormatOption::Table) => Format::Table,
            Some(FormatOption::Json) => Format::Json,
            Some(FormatOption::Ndjson) => Format::Ndjson,
            Some(FormatOption::Csv) => Format::Csv,
            Some(FormatOption::Markdown) => Format::Markdown,
            None if self.is_at_shell() && io::stdout().is_terminal() => Format::Table,
            None => Format::Ndjson,
        }
    }

    /// What it is shown on. In a pipe nothing is cut, unless COLUMNS says how wide it is.
    pub fn screen(&self) -> Screen {
        let time_zone = self.options.time_zone();
        if !self.is_at_shell() {
            return Screen { width: None, color: false, time_zone, rows_max: None };
        }
        let stdout = io::stdout();
        Screen {
            width: screen_width(),
            color: self.options.colors(&stdout),
            time_zone,
            rows_max: stdout.is_terminal().then_some(TERMINAL_ROWS_MAX),
        }
    }

    /// What is typed at a shell and not given; a program has to give it.
    pub fn stdin(&self, missing: &str) -> Result<io::Stdin, Failure> {
        match self.by {
            By::Shell => Ok(io::stdin()),
            By::Program(_) => Err(Failure::Usage(missing.to_owned())),
        }
    }
}

impl Deref for Asking<'_> {
    type Target = Options;

    fn deref(&self) -> &Options {
        self.options
    }
}

impl Write for &Asking<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.by {
            By::Shell => io::stdout().lock().write(bytes),
            By::Program(reply) => reply.borrow_mut().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &self.by {
            By::Shell => io::stdout().lock().flush(),
            By::Program(reply) => reply.borrow_mut().flush(),
        }
    }
}
