//! What holds for every argument of every command, said once.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};

/// What the values of options that take times and lengths of time are called in `--help`.
const TIMES: [&str; 3] = ["TIME", "DURATION", "AGE"];

/// What was typed. A word that begins as a comment of SQL does is no option: those have no space in their names.
pub(super) fn words() -> impl Iterator<Item = OsString> {
    std::env::args_os().map(|word| match word.to_str() {
        Some(text) if is_comment(text) => format!(" {text}").into(),
        _ => word,
    })
}

fn is_comment(word: &str) -> bool {
    let ends_name = |c: char| c == '=' || c.is_whitespace();
    word.strip_prefix("--").and_then(|rest| rest.chars().find(|c| ends_name(*c))).is_some_and(char::is_whitespace)
}

/// Ends the program with what clap has to say: help, or what is wrong with the arguments. Where that came from a variable,
/// the variable is named.
pub(super) fn exit(error: &clap::Error, command: &Command) -> ! {
    if let Some(variable) = variable_of(error, command)
        && !std::env::args().any(|word| is_option(&word, error))
    {
        eprintln!("{}\n\nThe value is that of the variable {variable}.", first_line(error));
        std::process::exit(2);
    }
    error.exit()
}

/// The variable that the wrong value may have come from.
pub(super) fn variable_of(error: &clap::Error, command: &Command) -> Option<String> {
    let is_set = |argument: &&Arg| {
        let is_it = argument.get_long().is_some_and(|long| is_option(&format!("--{long}"), error));
        is_it && argument.get_env().is_some_and(|name| std::env::var_os(name).is_some())
    };
    let own = command.get_arguments().find(is_set);
    let own = own.and_then(Arg::get_env).map(|name| name.to_string_lossy().into_owned());
    own.or_else(|| command.get_subcommands().find_map(|command| variable_of(error, command)))
}

/// What clap says without its advice about a command line.
pub(super) fn first_line(error: &clap::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Is that word the option, or the option with its value, that the error is about?
fn is_option(word: &str, error: &clap::Error) -> bool {
    let Some(ContextValue::String(about)) = error.get(ContextKind::InvalidArg) else { return false };
    about.split([' ', '=']).next() == word.split('=').next()
}

/// What a variable of no option is set to; one that is set to nothing is not set.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The same of one that names a file or a folder.
pub(super) fn path_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// A variable that is set to nothing, as compose files do, is not set; and a time may begin with a minus, as `-3d`
/// does.
pub(super) fn with_manners(command: Command) -> Command {
    command.mut_args(with_manner).mut_subcommands(with_manners)
}

fn with_manner(argument: Arg) -> Arg {
    let is_empty = argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    let argument = if is_empty { argument.env(None::<&str>) } else { argument };
    let takes_values = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    let is_time =
        argument.get_value_names().is_some_and(|names| names.iter().any(|name| TIMES.contains(&name.as_str())));
    argument.allow_hyphen_values(takes_values && is_time)
}
