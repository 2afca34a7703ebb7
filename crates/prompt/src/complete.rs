//! What Tab offers: tables, columns, functions, SQL's own words, and values where they are few.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};
use tokio::runtime::Runtime;

use emp_catalog::VALUE_COLUMNS;
use emp_query::{Engine, Names, QueryError};

use super::highlight::{self, KEYWORDS};
use super::statement::{self, Piece, pieces};

/// Tab offers no values where they take longer than this to find.
const PATIENCE: Duration = Duration::from_millis(800);

/// The names that can be used in a statement.
pub(super) struct Words {
    /// Each with its columns and their types.
    tables: BTreeMap<String, Vec<(String, String)>>,
    functions: Vec<String>,
}

impl Words {
    pub fn of(names: Names) -> Self {
        Self { tables: names.tables.into_iter().collect(), functions: names.functions }
    }

    /// What `\d` shows.
    pub fn tables(&self) -> String {
        let width = self.tables.keys().map(String::len).max().unwrap_or(0);
        self.tables.iter().fold(String::new(), |mut text, (table, columns)| {
            let columns: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
            // Writing into a text cannot fail.
            let _ = writeln!(text, "{table:width$}  {}", columns.join(", "));
            text
        })
    }

    /// What `\d TABLE` shows; `None` where there is no such table.
    pub fn describe(&self, table: &str) -> Option<String> {
        let columns = self.tables.get(&table.to_lowercase())?;
        let width = columns.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        Some(columns.iter().fold(String::new(), |mut text, (name, kind)| {
            let _ = writeln!(text, "{name:width$}  {kind}");
            text
        }))
    }

    /// What a word that begins like that may become, at the end of `before`.
    fn beginning_with(&self, word: &str, before: &str) -> Vec<String> {
        let lower = word.to_lowercase();
        let begins = |name: &&str| name.to_lowercase().starts_with(&lower);
        let columns = || self.tables.values().flatten().map(|(name, _)| name.as_str());
        let mut found: Vec<&str> = if before.ends_with('.') {
            columns().filter(begins).collect()
        } else {
            let last = pieces(before).iter().rev().find(|(piece, ..)| *piece == Piece::Word).map(|(_, text, _)| *text);
            let wants_table = last.is_some_and(|last| ["from", "join", "describe"].contains(&&*last.to_lowercase()));
            let tables = self.tables.keys().map(String::as_str).filter(begins);
            if wants_table {
                tables.collect()
            } else {
                // Without a letter only what a statement is mostly about.
                let others = KEYWORDS.into_iter().chain(self.functions.iter().map(String::as_str));
                let others = others.filter(|name| !word.is_empty() && begins(name));
                columns().filter(begins).chain(tables).chain(others).collect()
            }
        };
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(str::to_owned).collect()
    }
}

/// Helps with the line that is being typed.
pub(super) struct Assistant<'a> {
    words: &'a Words,
    color: bool,
    open: &'a dyn Fn() -> Result<Engine, QueryError>,
    runtime: &'a Runtime,
    /// Values of columns, asked for once.
    values: RefCell<BTreeMap<&'static str, Vec<String>>>,
}

impl<'a> Assistant<'a> {
    pub fn new(
        words: &'a Words,
        color: bool,
        open: &'a dyn Fn() -> Result<Engine, QueryError>,
        runtime: &'a Runtime,
    ) -> Self {
        Self { words, color, open, runtime, values: RefCell::default() }
    }

    /// The values of a column in the newest hours; none where that takes too long.
    fn values_of(&self, column: &'static str) -> Vec<String> {
        self.values
            .borrow_mut()
            .entry(column)
            .or_insert_with(|| {
                let Ok(engine) = (self.open)() else { return Vec::new() };
                let asked = async { tokio::time::timeout(PATIENCE, engine.newest_values(column)).await };
                self.runtime.block_on(asked).ok().and_then(Result::ok).unwrap_or_default()
            })
            .clone()
    }

    /// Where the word before the cursor begins, and what it may become.
    pub(super) fn offers(&self, line: &str, cursor: usize) -> (usize, Vec<String>) {
        let before = &line[..cursor];
        if let Some((Piece::Text, text, true)) = pieces(before).last() {
            let start = cursor - text.len();
            let Some(column) = compared_column(&before[..start]) else { return (cursor, Vec::new()) };
            let begun = &text[1..];
            let values = self.values_of(column).into_iter().filter(|value| value.starts_with(begun));
            return (start, values.map(|value| format!("'{value}'")).collect());
        }
        let word = match pieces(before).last() {
            Some((Piece::Word, word, _)) => *word,
            _ => "",
        };
        let start = cursor - word.len();
        (start, self.words.beginning_with(word, &line[..start]))
    }
}

/// The column in `service = ` or `service in ('worker', `, where its values are offered.
fn compared_column(before: &str) -> Option<&'static str> {
    let pieces = pieces(before);
    let mut back = pieces.iter().rev().filter(|(_, text, _)| !text.trim().is_empty());
    let mut last = back.next()?;
    while last.0 == Piece::Text || matches!(last.1, "," | "(" | "=" | "<" | ">" | "!") {
        last = back.next()?;
    }
    while last.0 == Piece::Word && ["in", "not", "like", "ilike"].contains(&&*last.1.to_lowercase()) {
        last = back.next()?;
    }
    VALUE_COLUMNS.into_iter().find(|column| last.1.eq_ignore_ascii_case(column))
}

impl Helper for Assistant<'_> {}

impl Completer for Assistant<'_> {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, offers) = self.offers(line, pos);
        Ok((start, offers.into_iter().map(|word| Pair { display: word.clone(), replacement: word }).collect()))
    }
}

impl Hinter for Assistant<'_> {
    type Hint = String;
}

impl Highlighter for Assistant<'_> {
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        if self.color && !line.starts_with('\\') { Cow::Owned(highlight::paint(line)) } else { Cow::Borrowed(line) }
    }

    fn highlight_char(&self, _line: &str, _pos: usize, _kind: CmdKind) -> bool {
        self.color
    }
}

impl Validator for Assistant<'_> {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let is_whole = text.trim_start().starts_with('\\') || !statement::is_incomplete(text);
        Ok(if is_whole { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}
