use std::process::ExitCode;

use clap::{Args, Command, ValueEnum};
use clap_complete::env::{CompleteEnv, Shells};

use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::{FormatOption, Options};

/// Where a shell says in which language it wants to be answered.
const VARIABLE: &str = "EMP_EVENTS_COMPLETE";
const NAME: &str = "emp-events";

/// Print what makes a shell complete commands and options, and job ids, services and types of the store
///
/// The shell asks the program itself, so that what is completed is always of this version, and of the store that
/// --store or `EMP_EVENTS_STORE` names.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(emp-events completions bash)                      in ~/.bashrc
  source <(emp-events completions zsh)                       in ~/.zshrc, behind compinit
  emp-events completions fish > ~/.config/fish/completions/emp-events.fish")]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    pub fn run(self, options: &Options) -> Outcome {
        options.allow_formats(&FormatOption::OF_SENTENCES)?;
        let name = self.shell.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let shells = Shells::builtins();
        let unknown = || Failure::Usage(format!("nothing is known of the shell {name}"));
        let shell = shells.completer(&name).ok_or_else(unknown)?;
        shell.write_registration(VARIABLE, NAME, NAME, NAME, &mut std::io::stdout().lock())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Answers a shell that asks how a line goes on, and ends; does nothing where none asks.
pub(crate) fn complete_where_asked(command: fn() -> Command) {
    CompleteEnv::with_factory(command).var(VARIABLE).complete();
}
