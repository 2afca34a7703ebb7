//! One connection, from its greeting to its end.

use std::collections::BTreeMap;
use std::io::{self, BufReader, BufWriter, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::literals::{count, filled, split};
use super::scram::{MECHANISM, Scram};
use super::value::{Column, Database, Refused, Rows, Type, Value};
use super::wire::{Message, malformed, read, read_first, write, write_columns, write_error, write_row};

/// Version 3.0 of the protocol.
const VERSION: i32 = 3 << 16;
/// What asks for TLS, for Kerberos, or to end a statement of another connection, in the place of a version.
const TLS: i32 = 80_877_103;
const KERBEROS: i32 = 80_877_104;
const CANCEL: i32 = 80_877_102;
/// How long it may take until the client has said who it is.
const GREETING_TIME: Duration = Duration::from_secs(30);
/// Statements and portals of one connection.
const KEPT_MAX: usize = 1_000;

/// What a client asks about the server, and what it is told.
const SETTINGS: [(&str, &str); 12] = [
    ("server_version", "16.0 (emp-events)"),
    ("server_encoding", "UTF8"),
    ("client_encoding", "UTF8"),
    ("datestyle", "ISO, MDY"),
    ("integer_datetimes", "on"),
    ("timezone", "UTC"),
    ("standard_conforming_strings", "on"),
    ("transaction_isolation", "read committed"),
    ("transaction isolation level", "read committed"),
    ("default_transaction_read_only", "on"),
    ("search_path", "public"),
    ("max_identifier_length", "63"),
];
/// Those that are told without being asked for, under the names that clients look for.
const TOLD: [(&str, usize); 7] = [
    ("server_version", 0),
    ("server_encoding", 1),
    ("client_encoding", 2),
    ("DateStyle", 3),
    ("integer_datetimes", 4),
    ("TimeZone", 5),
    ("standard_conforming_strings", 6),
];

/// Talks with a client until it goes.
///
/// # Errors
/// Where the line breaks, or something comes that is none of the protocol.
pub(crate) fn talk(stream: &TcpStream, password: Option<&str>, database: &dyn Database) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(GREETING_TIME))?;
    let (mut input, mut output) = (BufReader::new(stream), BufWriter::new(stream));
    if !greet(&mut input, &mut output)? {
        return Ok(());
    }
    if let Some(password) = password
        && !prove(&mut input, &mut output, password)?
    {
        write_error(&mut output, "28P01", "password authentication failed: it is the token of `emp-events serve`")?;
        return output.flush();
    }
    write(&mut output, b'R', &0i32.to_be_bytes())?;
    for (name, index) in TOLD {
        write(&mut output, b'S', format!("{name}\0{}\0", SETTINGS[index].1).as_bytes())?;
    }
    // A key to end statements by, which nobody is asked for.
    write(&mut output, b'K', &[0; 8])?;
    stream.set_read_timeout(None)?;
    let mut session =
        Session { database, output, statements: BTreeMap::new(), portals: BTreeMap::new(), is_open: false };
    session.is_ready()?;
    session.run(&mut input)
}

/// Up to who the client says it is, which is nobody in particular. Does it go on?
fn greet(input: &mut impl io::Read, output: &mut impl Write) -> io::Result<bool> {
    loop {
        let Some(mut message) = read_first(input)? else { return Ok(false) };
        match message.integer()? {
            TLS | KERBEROS => {
                output.write_all(b"N")?;
                output.flush()?;
            }
            CANCEL => return Ok(false),
            VERSION => return Ok(true),
            newer if newer >> 16 == 3 => {
                // The newest that is spoken, and no option that was not understood.
                write(output, b'v', &[VERSION.to_be_bytes(), 0i32.to_be_bytes()].concat())?;
                return Ok(true);
            }
            _ => return Err(malformed()),
        }
    }
}

/// Does the client know the password?
fn prove(input: &mut impl io::Read, output: &mut impl Write, password: &str) -> io::Result<bool> {
    let ask = |output: &mut dyn Write, kind: i32, text: &str| -> io::Result<()> {
        let mut output = output;
        write(&mut output, b'R', &[&kind.to_be_bytes(), text.as_bytes()].concat())?;
        output.flush()
    };
    ask(output, 10, &format!("{MECHANISM}\0\0"))?;
    let Some(mut first) = read(input)?.filter(|message| message.kind == b'p') else { return Ok(false) };
    if first.text()? != MECHANISM {
        return Ok(false);
    }
    first.integer()?;
    let Some(scram) = Scram::begin(&first.rest(), password) else { return Ok(false) };
    ask(output, 11, scram.challenge())?;
    let Some(mut last) = read(input)?.filter(|message| message.kind == b'p') else { return Ok(false) };
    let Some(end) = scram.end(&last.rest()) else { return Ok(false) };
    ask(output, 12, &end)?;
    Ok(true)
}

struct Session<'a, W> {
    database: &'a dyn Database,
    output: W,
    statements: BTreeMap<String, Statement>,
    portals: BTreeMap<String, Portal>,
    /// Has the client begun a transaction? Nothing is changed in it, and nothing is held.
    is_open: bool,
}

#[derive(Clone)]
struct Statement {
    text: String,
    /// The types of its parameters, as far as the client has said.
    types: Vec<i32>,
}

struct Portal {
    text: String,
    /// Of each column, or of all: is it wanted in binary?
    formats: Vec<bool>,
    answer: Option<Answer>,
}

/// What a statement is answered.
enum Answer {
    /// It is done, and has no rows.
    Done(&'static str),
    Rows {
        rows: Box<dyn Rows>,
        waiting: Vec<Vec<Option<Value>>>,
        sent: usize,
    },
    /// There was no statement.
    Empty,
}

/// What ends the work on a message: the line, or a statement that is refused.
enum Halt {
    Line(io::Error),
    Refused(Refused),
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Line(error)
    }
}

impl From<Refused> for Halt {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl<W: Write> Session<'_, W> {
    fn run(&mut self, input: &mut impl io::Read) -> io::Result<()> {
        // After a failure all is left out until the client says that it has noticed.
        let mut skips = false;
        while let Some(message) = read(input)? {
            let kind = message.kind;
            if kind == b'X' {
                return Ok(());
            }
            if skips && kind != b'S' {
                continue;
            }
            skips = false;
            match self.take(message) {
                Ok(()) => {}
                Err(Halt::Line(error)) => return Err(error),
                Err(Halt::Refused(Refused(why))) => {
                    write_error(&mut self.output, "42000", &why)?;
                    skips = kind != b'Q';
                }
            }
            match kind {
                b'Q' | b'S' => self.is_ready()?,
                b'H' => self.output.flush()?,
                _ => {}
            }
        }
        Ok(())
    }

    fn is_ready(&mut self) -> io::Result<()> {
        write(&mut self.output, b'Z', if self.is_open { b"T" } else { b"I" })?;
        self.output.flush()
    }

    fn take(&mut self, mut message: Message) -> Result<(), Halt> {
        match message.kind {
            b'Q' => self.ask_at_once(&message.text()?),
            b'P' => self.prepare(&mut message),
            b'B' => self.bind(&mut message),
            b'D' => self.describe(&mut message),
            b'E' => self.execute(&mut message),
            b'C' => {
                let (kind, name) = (message.byte()?, message.text()?);
                match kind {
                    b'S' => drop(self.statements.remove(&name)),
                    _ => drop(self.portals.remove(&name)),
                }
                Ok(write(&mut self.output, b'3', &[])?)
            }
            b'S' | b'H' => Ok(()),
            _ => Err(malformed().into()),
        }
    }

    /// Statements as they stand, one after the other.
    fn ask_at_once(&mut self, text: &str) -> Result<(), Halt> {
        let statements = split(text);
        if statements.is_empty() {
            return Ok(write(&mut self.output, b'I', &[])?);
        }
        for statement in statements {
            let mut portal = Portal { text: statement, formats: Vec::new(), answer: None };
            self.answer(&mut portal)?;
            if let Some(Answer::Rows { rows, .. }) = &portal.answer {
                write_columns(&mut self.output, rows.columns(), |_| false)?;
            }
            self.send(&mut portal, usize::MAX)?;
        }
        Ok(())
    }

    fn prepare(&mut self, message: &mut Message) -> Result<(), Halt> {
        let (name, text) = (message.text()?, message.text()?);
        let types = (0..message.short()?).map(|_| message.integer()).collect::<io::Result<Vec<i32>>>()?;
        let mut statements = split(&text);
        if statements.len() > 1 {
            return Err(Refused("several statements cannot be prepared as one".to_owned()).into());
        }
        if self.statements.len() >= KEPT_MAX {
            return Err(Refused("too many statements are prepared".to_owned()).into());
        }
        self.statements.insert(name, Statement { text: statements.pop().unwrap_or_default(), types });
        Ok(write(&mut self.output, b'1', &[])?)
    }

    fn bind(&mut self, message: &mut Message) -> Result<(), Halt> {
        let (portal, name) = (message.text()?, message.text()?);
        let statement = self.statement(&name)?;
        let given = formats(message)?;
        let mut parameters = Vec::new();
        for index in 0..usize::try_from(message.short()?).unwrap_or(0) {
            let length = message.integer()?;
            let Ok(length) = usize::try_from(length) else {
                parameters.push(None);
                continue;
            };
            let bytes = message.take(length)?;
            let oid = statement.types.get(index).copied().unwrap_or(0);
            parameters.push(Some(parameter(bytes, is_in(&given, index), oid)?));
        }
        let formats = formats(message)?;
        let missing = || Refused("a parameter of the statement was not given".to_owned());
        let text = filled(&statement.text, &parameters).ok_or_else(missing)?;
        if self.portals.len() >= KEPT_MAX {
            return Err(Refused("too many portals are open".to_owned()).into());
        }
        self.portals.insert(portal, Portal { text, formats, answer: None });
        Ok(write(&mut self.output, b'2', &[])?)
    }

    fn describe(&mut self, message: &mut Message) -> Result<(), Halt> {
        let (kind, name) = (message.byte()?, message.text()?);
        if kind == b'S' {
            let statement = self.statement(&name)?;
            let parameters = count(&statement.text);
            let mut body = i16::try_from(parameters).map_err(|_| malformed())?.to_be_bytes().to_vec();
            for index in 0..parameters {
                // What the client leaves open is a text, which is taken for what it has to be.
                let oid = statement.types.get(index).copied().filter(|oid| *oid != 0).unwrap_or(Type::Text.oid());
                body.extend_from_slice(&oid.to_be_bytes());
            }
            write(&mut self.output, b't', &body)?;
            let text = filled(&statement.text, &vec![None; parameters]).unwrap_or_default();
            let mut portal = Portal { text, formats: Vec::new(), answer: None };
            self.answer(&mut portal)?;
            return Ok(write_described(&mut self.output, &portal)?);
        }
        let mut portal = self.portal(&name)?;
        self.answer(&mut portal)?;
        write_described(&mut self.output, &portal)?;
        self.portals.insert(name, portal);
        Ok(())
    }

    fn execute(&mut self, message: &mut Message) -> Result<(), Halt> {
        let (name, most) = (message.text()?, message.integer()?);
        let most = usize::try_from(most).ok().filter(|most| *most > 0).unwrap_or(usize::MAX);
        let mut portal = self.portal(&name)?;
        self.answer(&mut portal)?;
        self.send(&mut portal, most)?;
        self.portals.insert(name, portal);
        Ok(())
    }

    fn statement(&self, name: &str) -> Result<Statement, Refused> {
        let unknown = || Refused(format!("no statement `{name}` was prepared"));
        self.statements.get(name).cloned().ok_or_else(unknown)
    }

    fn portal(&mut self, name: &str) -> Result<Portal, Refused> {
        self.portals.remove(name).ok_or_else(|| Refused(format!("there is no portal `{name}`")))
    }

    /// Asks, where that was not done.
    fn answer(&mut self, portal: &mut Portal) -> Result<(), Refused> {
        if portal.answer.is_none() {
            portal.answer = Some(self.answer_to(&portal.text)?);
        }
        Ok(())
    }

    fn answer_to(&mut self, text: &str) -> Result<Answer, Refused> {
        let trimmed = text.trim();
        let word = trimmed.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default().to_ascii_uppercase();
        let done = match word.as_str() {
            "" if trimmed.is_empty() => return Ok(Answer::Empty),
            "BEGIN" | "START" => "BEGIN",
            "COMMIT" | "END" => "COMMIT",
            "ROLLBACK" | "ABORT" => "ROLLBACK",
            "SET" => "SET",
            "RESET" => "RESET",
            "DISCARD" => "DISCARD ALL",
            "DEALLOCATE" => "DEALLOCATE",
            _ => {
                let rows = match said(trimmed) {
                    Some((name, text)) => one(name, text),
                    None => self.database.ask(trimmed)?,
                };
                return Ok(Answer::Rows { rows, waiting: Vec::new(), sent: 0 });
            }
        };
        match done {
            "BEGIN" => self.is_open = true,
            "COMMIT" | "ROLLBACK" => self.is_open = false,
            _ => {}
        }
        Ok(Answer::Done(done))
    }

    /// Sends so many rows at most, and how it ends.
    fn send(&mut self, portal: &mut Portal, most: usize) -> Result<(), Halt> {
        let (formats, output) = (&portal.formats, &mut self.output);
        let tag = match portal.answer.as_mut() {
            None | Some(Answer::Empty) => return Ok(write(output, b'I', &[])?),
            Some(Answer::Done(tag)) => (*tag).to_owned(),
            Some(Answer::Rows { rows, waiting, sent }) => {
                let mut left = most;
                loop {
                    while left > 0
                        && let Some(row) = waiting.pop()
                    {
                        write_row(output, &row, |index| is_in(formats, index))?;
                        (left, *sent) = (left - 1, *sent + 1);
                    }
                    if left == 0 {
                        // More may come; whoever asks on hears it.
                        return Ok(write(output, b's', &[])?);
                    }
                    let Some(mut more) = rows.next()? else { break };
                    more.reverse();
                    *waiting = more;
                }
                format!("SELECT {sent}")
            }
        };
        Ok(write(output, b'C', format!("{tag}\0").as_bytes())?)
    }
}

fn write_described(output: &mut impl Write, portal: &Portal) -> io::Result<()> {
    match &portal.answer {
        Some(Answer::Rows { rows, .. }) => write_columns(output, rows.columns(), |index| is_in(&portal.formats, index)),
        _ => write(output, b'n', &[]),
    }
}

/// In which form values come: none is text, one is that of all.
fn formats(message: &mut Message) -> io::Result<Vec<bool>> {
    (0..message.short()?).map(|_| Ok(message.short()? == 1)).collect()
}

fn is_in(formats: &[bool], index: usize) -> bool {
    match formats {
        [all] => *all,
        each => each.get(index).copied().unwrap_or(false),
    }
}

/// A parameter as text.
fn parameter(bytes: &[u8], is_binary: bool, oid: i32) -> Result<String, Refused> {
    let unknown = || Refused(format!("a parameter of the type {oid} is not understood in binary: send it as text"));
    let text = || String::from_utf8(bytes.to_vec()).map_err(|_| Refused("a parameter is no UTF-8".to_owned()));
    if !is_binary {
        return text();
    }
    match (oid, bytes) {
        (16, [value]) => Ok((*value != 0).to_string()),
        (21, [a, b]) => Ok(i16::from_be_bytes([*a, *b]).to_string()),
        (23, [a, b, c, d]) => Ok(i32::from_be_bytes([*a, *b, *c, *d]).to_string()),
        (20, bytes) => Ok(i64::from_be_bytes(bytes.try_into().map_err(|_| unknown())?).to_string()),
        (700, [a, b, c, d]) => Ok(f32::from_be_bytes([*a, *b, *c, *d]).to_string()),
        (701, bytes) => Ok(f64::from_be_bytes(bytes.try_into().map_err(|_| unknown())?).to_string()),
        (25 | 1043 | 705 | 19, _) => text(),
        _ => Err(unknown()),
    }
}

/// What is answered here: the server's own settings and names.
fn said(statement: &str) -> Option<(&'static str, String)> {
    let asked = statement.trim_end_matches(';').trim().to_ascii_lowercase();
    if let Some(name) = asked.strip_prefix("show ") {
        let (name, value) = SETTINGS.iter().find(|(known, _)| *known == name.trim())?;
        return Some((name, (*value).to_owned()));
    }
    match asked.split_whitespace().collect::<Vec<_>>().join(" ").as_str() {
        "select version()" => Some(("version", format!("PostgreSQL {}", SETTINGS[0].1))),
        "select current_database()" => Some(("current_database", "events".to_owned())),
        "select current_schema()" => Some(("current_schema", "public".to_owned())),
        _ => None,
    }
}

/// One row of one text.
fn one(name: &str, text: String) -> Box<dyn Rows> {
    struct One(Column, Option<String>);
    impl Rows for One {
        fn columns(&self) -> &[Column] {
            std::slice::from_ref(&self.0)
        }
        fn next(&mut self) -> Result<Option<Vec<Vec<Option<Value>>>>, Refused> {
            Ok(self.1.take().map(|text| vec![vec![Some(Value::Text(text))]]))
        }
    }
    Box::new(One(Column { name: name.to_owned(), of: Type::Text }, Some(text)))
}
