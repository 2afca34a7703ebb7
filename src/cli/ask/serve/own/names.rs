use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::ask::Asking;
use crate::cli::ask::answer::write_json;
use crate::cli::failure::Outcome;

/// Say what a statement in SQL can name: the tables with their columns, and the functions
#[derive(Debug, Args)]
pub(in crate::cli) struct Names {}

impl Names {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let names = asking.engine()?.names();
        let column = |(name, kind): &(String, String)| json!({"name": name, "type": kind});
        let tables: Map<String, Value> =
            names.tables.iter().map(|(table, columns)| (table.clone(), columns.iter().map(column).collect())).collect();
        write_json(&mut &*asking, asking, &json!({"tables": tables, "functions": names.functions}))?;
        Ok(ExitCode::SUCCESS)
    }
}
