//! What can go wrong with a question, in words for whoever asked it.

use std::path::PathBuf;

use emp_store::StoreError;
use emp_units::ParseError;

use super::nearest::suggestion;

/// Why there is no answer. Displayed, it is the whole message: one line, and for an error of
/// syntax the line of SQL with a caret under the place.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The folder of the store is not there.
    #[error("there is no store at {}: start `emp-events collect`, or pass --store", root.display())]
    NoStore {
        /// Where it was looked for.
        root: PathBuf,
    },
    /// The store is there but cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Files came and went faster than they could be read.
    #[error("the files of the store changed while they were read ({} is gone): ask again", path.display())]
    Unsettled {
        /// One that was listed and is gone.
        path: PathBuf,
    },
    /// The text is no SQL.
    #[error("syntax error: {detail}\n  {line}\n  {indent}^")]
    Syntax {
        /// What was expected, what was found.
        detail: String,
        /// The line of the statement.
        line: String,
        /// What stands before the caret.
        indent: String,
    },
    /// No SQL at all, or more than one statement.
    #[error("{0}")]
    NotOneStatement(&'static str),
    /// A statement that would change something.
    #[error("`{statement}` is refused: a store is only read (SELECT, EXPLAIN, SHOW, DESCRIBE)")]
    ReadOnly {
        /// Its first words.
        statement: String,
    },
    /// A file where a table should stand.
    #[error(
        "`{name}` is refused: a query reads the store's own tables (events, transitions, files, losses, quarantine, dead_letters), not files"
    )]
    ForeignFile {
        /// As it was written.
        name: String,
    },
    /// No table of that name.
    #[error("there is no table `{name}`{}", suggestion(nearest.as_ref()))]
    UnknownTable {
        /// As it was written.
        name: String,
        /// The table that may have been meant.
        nearest: Option<String>,
    },
    /// No column of that name.
    #[error("there is no column `{name}`{}", suggestion(nearest.as_ref()))]
    UnknownColumn {
        /// As it was written.
        name: String,
        /// The column that may have been meant.
        nearest: Option<String>,
    },
    /// No column of that name, and it was written as a text is in other languages.
    #[error("there is no column `{name}`: to compare with a text, write '{name}'")]
    TextInDoubleQuotes {
        /// As it was written.
        name: String,
    },
    /// A key of `data` written as a field.
    #[error("`data` is JSON in a text and has no field `{key}`: write data->>'{key}'")]
    KeyAsField {
        /// The key.
        key: String,
    },
    /// A key of `data` without quotes, which is taken for a column.
    #[error("a key of `data` stands in single quotes: write data->>'{key}'")]
    BareKey {
        /// The key.
        key: String,
    },
    /// A time from which a number, or a text, is to be taken.
    #[error("a time is moved by an interval: write now() - interval '1 hour', or since('1h')")]
    NumberAndTime,
    /// Arithmetic with a text.
    #[error("a text takes no part in arithmetic: write try_cast(data->>'{key}' as double)")]
    TextInArithmetic {
        /// The key of `data` that the statement names first.
        key: String,
    },
    /// A function of numbers that was given a text of `data`.
    #[error("`{name}` takes no text: write try_cast(data->>'{key}' as double)")]
    TextForFunction {
        /// The function.
        name: String,
        /// The key of `data` that the statement names first.
        key: String,
    },
    /// What `->` gives, where a text or a number is wanted.
    #[error(
        "`->` gives JSON, which is no value to reckon with: write data->>'{key}', or try_cast(data->>'{key}' as double)"
    )]
    JsonAsValue {
        /// The key of `data` that the statement names first.
        key: String,
    },
    /// A cast of a text that does not say what is wanted.
    #[error("`{text}` is no {kind}: try_cast(… as {kind}) makes a null of it")]
    NoNumber {
        /// What it says.
        text: String,
        /// The type that was wanted.
        kind: String,
    },
    /// What stands for a parameter is not of the type that the statement needs there.
    #[error("`{text}` is no {kind}, as ${number} has to be")]
    NoParameter {
        /// Which parameter, from 1 on.
        number: usize,
        /// What it says.
        text: String,
        /// The type.
        kind: String,
    },
    /// No function of that name.
    #[error("there is no function `{name}`{}", suggestion(nearest.as_ref()))]
    UnknownFunction {
        /// As it was written.
        name: String,
        /// The function that may have been meant.
        nearest: Option<String>,
    },
    /// No canned query of that name.
    #[error("there is no query `{name}`{}", suggestion(nearest.as_ref()))]
    UnknownQuery {
        /// As it was written.
        name: String,
        /// The query that may have been meant.
        nearest: Option<String>,
    },
    /// The query wants more than its share of the machine's memory, or of the disk for what
    /// did not fit.
    #[error("the query needs more than {limit} of {resource}: ask for fewer rows or columns, or for a shorter time")]
    Exhausted {
        /// `memory`, or `space for temporary files`.
        resource: &'static str,
        /// How much it may have: `1.5 GiB`.
        limit: String,
    },
    /// The header of a canned query cannot be understood.
    #[error("{}:{line}: {detail}", file.display())]
    Header {
        /// The file.
        file: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What was expected, what was found.
        detail: String,
    },
    /// A folder or file of the user's own queries cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    UserQueries {
        /// The folder or file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A canned query does not take such a parameter.
    #[error("`{query}` has no parameter `{name}`; {hint}")]
    UnknownParameter {
        /// The query.
        query: String,
        /// As it was written.
        name: String,
        /// Which one may have been meant, or which there are.
        hint: String,
    },
    /// A canned query cannot do without it.
    #[error("`{query}` needs `{name}`: {meaning}")]
    MissingParameter {
        /// The query.
        query: String,
        /// The parameter.
        name: String,
        /// What it stands for.
        meaning: String,
    },
    /// A parameter's value is not of its type.
    #[error("{name}: {source}")]
    BadMoment {
        /// The parameter.
        name: String,
        /// What was found, what is taken.
        source: ParseError,
    },
    /// A parameter's value is not of its type.
    #[error("{name}: `{value}` is not a whole number")]
    BadInteger {
        /// The parameter.
        name: String,
        /// As it was written.
        value: String,
    },
    /// Whatever else the query engine found wrong, in its words.
    #[error("{0}")]
    Failed(String),
}
