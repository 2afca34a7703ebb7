//! The report as Markdown, for a pull request.

use std::io::{self, Write};

use emp_units as units;

use super::data::Report;
use super::tables::{self, Table};

impl Report {
    /// Writes the report as Markdown: the same figures as the page, without its charts.
    ///
    /// # Errors
    /// What `out` says.
    pub fn write_markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "# Performance report\n\n{}\n", self.window())?;
        let figures = tables::figures(self).into_iter().map(|one| vec![one.name.to_owned(), one.value, one.change]);
        writeln!(out, "| | this range | change |\n|---|---:|---:|")?;
        figures.map(|row| line(&row)).try_for_each(|line| writeln!(out, "{line}"))?;
        writeln!(out, "\n## What is wrong now\n")?;
        if self.judged.groups.is_empty() {
            let jobs = units::counted(self.judged.jobs, "job", "jobs");
            writeln!(out, "Nothing, with the {jobs} of the last hour.")?;
        }
        for group in &self.judged.groups {
            let (what, why) = tables::group(self, group);
            writeln!(out, "- **{}** {}", escaped(&what), escaped(&why))?;
        }
        writeln!(out, "\n## What changed\n")?;
        let changes = tables::changes(self);
        match changes.rows.is_empty() {
            true => writeln!(out, "Nothing significant.")?,
            false => write_table(out, &changes)?,
        }
        for note in tables::notes_on_changes(self) {
            writeln!(out, "\n- {}", escaped(&note))?;
        }
        let sections = [
            ("Latency by event type", tables::latencies(self)),
            ("Handoffs between services", tables::handoffs(self)),
            ("Slowest jobs", tables::jobs(self)),
            ("Gaps by class", tables::gaps(self)),
            ("Errors by fingerprint", tables::errors(self)),
            ("Anomalies", tables::anomalies(self)),
        ];
        for (title, table) in sections {
            writeln!(out, "\n## {title}\n")?;
            write_table(out, &table)?;
        }
        writeln!(out, "\n## Completeness\n")?;
        for (_, sentence) in tables::completeness(self) {
            writeln!(out, "- {sentence}")?;
        }
        out.flush()
    }
}

fn write_table(out: &mut dyn Write, table: &Table) -> io::Result<()> {
    if table.rows.is_empty() {
        return writeln!(out, "None.");
    }
    let names: Vec<String> = table.headers.iter().map(|header| header.name.to_owned()).collect();
    let rules = table.headers.iter().map(|header| if header.is_number { "---:" } else { "---" });
    writeln!(out, "{}\n|{}|", line(&names), rules.collect::<Vec<_>>().join("|"))?;
    table.rows.iter().try_for_each(|row| writeln!(out, "{}", line(row)))
}

fn line(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| escaped(cell)).collect();
    format!("| {} |", cells.join(" | "))
}

/// Text that Markdown shows as it is.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => shown.push_str("&lt;"),
            '&' => shown.push_str("&amp;"),
            '|' | '\\' | '`' | '*' | '[' | ']' => shown.extend(['\\', character]),
            _ => shown.push(character),
        }
    }
    shown
}
