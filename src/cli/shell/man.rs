use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};

use crate::cli::Cli;
use crate::cli::failure::Outcome;
use crate::cli::options::{FormatOption, Options};

/// Write the manual pages, one for each command
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events man | man -l -                                  the overview
  emp-events man ~/.local/share/man/man1                     all of them, for `man emp-events-timeline`")]
pub(crate) struct Man {
    /// The folder to write them into, which is made where it is missing [default: the overview to stdout]
    folder: Option<PathBuf>,
}

impl Man {
    pub fn run(self, options: &Options) -> Outcome {
        options.allow_formats(&FormatOption::OF_SENTENCES)?;
        match self.folder {
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(Cli::command()).render(&mut page)?;
                std::io::stdout().lock().write_all(&page)?;
            }
            Some(folder) => {
                let written = std::fs::create_dir_all(&folder)
                    .and_then(|()| clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), &folder));
                written.with_context(|| format!("cannot write the manual pages into {}", folder.display()))?;
                eprintln!("the manual pages are in {}", folder.display());
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
