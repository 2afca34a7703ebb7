//! The commands of the prompt, which begin with a backslash.

use emp_render::Format;

/// What the prompt does by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Quit,
    Tables,
    Describe(String),
    /// `None`: the other way round.
    Timing(Option<bool>),
    Tall(Option<bool>),
    Format(Format),
}

pub(super) const HELP: &str = r"A statement ends with `;` and may have many lines. Tab completes, ↑ goes back in history.

  \d               the tables
  \d TABLE         the columns of a table
  \x [on|off]      tall rows: a column a line
  \timing [on|off] say how long an answer took
  \format NAME     table, json, ndjson, csv or markdown
  \? or \h         this
  \q or Ctrl-D     leave

Ctrl-C stops a question that takes too long. Answers longer than the screen go through $PAGER.
";

const NAMES: [&str; 7] = ["d", "x", "timing", "format", "h", "?", "q"];

/// The command of a line; `None` where it is SQL, an error in words where there is no such command.
pub(super) fn parse(line: &str) -> Option<Result<Command, String>> {
    let line = line.trim().strip_prefix('\\')?.trim_end_matches(';').trim_end();
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let argument = argument.trim();
    Some(match (name, argument) {
        ("?" | "h" | "help", _) => Ok(Command::Help),
        ("q" | "quit" | "exit", _) => Ok(Command::Quit),
        ("d" | "dt", "") => Ok(Command::Tables),
        ("d", table) => Ok(Command::Describe(table.trim_matches('"').to_owned())),
        ("timing", argument) => switch(argument).map(Command::Timing),
        ("x", argument) => switch(argument).map(Command::Tall),
        ("format", format) => format.parse().map(Command::Format).map_err(|error| format!("{error}")),
        (name, _) => {
            let nearest = emp_query::nearest(name, NAMES).map(|name| format!("; did you mean \\{name}?"));
            Err(format!("there is no command \\{name}{}", nearest.unwrap_or_else(|| "; \\? lists them".to_owned())))
        }
    })
}

fn switch(argument: &str) -> Result<Option<bool>, String> {
    match argument {
        "" => Ok(None),
        "on" => Ok(Some(true)),
        "off" => Ok(Some(false)),
        other => Err(format!("expected on or off, not `{other}`")),
    }
}
