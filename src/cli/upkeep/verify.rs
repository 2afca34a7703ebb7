use std::io::{IsTerminal as _, Write};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::{FormatOption, Options, runtime};
use emp_bucket::Address;
use emp_collect::{Law, check_law, collector_of};
use emp_store::{Finding, Kind, Progress, Repaired, Report, repair, verify};
use emp_units as units;

/// Read every file to the last bit, and say what is wrong
///
/// Checks names, checksums, the order and range of IDs, and that no event is there twice. With
/// --law, also the conservation law: every entry ever added to the stream in Redis is stored,
/// quarantined, lost and counted, unread or in flight. Exit status 0 where all is well, else 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events verify
  emp-events verify --law                      and compare with the stream in Redis
  emp-events --redis redis://10.0.0.5:6379 verify --law
  emp-events --store s3://my-bucket/production verify    every object of a store in a bucket
  emp-events verify --repair                   take what is damaged out of the store")]
pub(crate) struct Verify {
    /// Check the conservation law as well, against the stream in Redis
    #[arg(long)]
    law: bool,
    /// Move damaged files to the quarantine, and make anew what can be made from others
    #[arg(long)]
    repair: bool,
}

impl Verify {
    pub fn run(self, options: &Options) -> Outcome {
        options.allow_formats(&FormatOption::OF_VALUES)?;
        if let Some(address) = options.bucket().transpose()? {
            return self.verify_bucket(options, &address);
        }
        let layout = options.existing_layout()?;
        let report = verify(&layout, &mut show_progress)?;
        let repaired = match self.repair && !report.findings.is_empty() {
            true => Some(repair(&layout, &report, &collector_of(&layout))?),
            false => None,
        };
        let law = match self.law {
            true => Some(runtime()?.block_on(check_law(&options.collect_settings(None)?))?),
            false => None,
        };
        let mut out = std::io::stdout().lock();
        match options.format {
            Some(FormatOption::Json | FormatOption::Ndjson) => {
                writeln!(out, "{}", as_json(&report, repaired.as_deref(), law.as_ref()))?;
            }
            _ => write_text(&mut out, &report, repaired.as_deref(), law.as_ref())?,
        }
        let is_sound = report.findings.is_empty() || repaired.is_some();
        let is_well = is_sound && law.is_none_or(|law| law.holds());
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Verify {
    /// The same of a store in a bucket, which is only read.
    fn verify_bucket(&self, options: &Options, address: &Address) -> Outcome {
        if self.law || self.repair {
            let message = format!("--law and --repair need the folder of the store whose hours are in {address}");
            return Err(Failure::Usage(message));
        }
        let is_shown = std::io::stderr().is_terminal();
        let mut tell = |done, all| {
            if is_shown {
                eprint!("\r{done} of {all} objects   ");
            }
        };
        let verified = emp_bucket::verify(address, &mut tell).map_err(anyhow::Error::from)?;
        if is_shown {
            eprintln!();
        }
        let finding = |wrong: emp_bucket::Wrong| {
            let kind = if wrong.place.contains("/date=") { Kind::Partition } else { Kind::Sidecar };
            Finding { path: wrong.place.into(), kind, detail: wrong.detail }
        };
        let (files, events, bytes) = (verified.files, verified.events, verified.bytes);
        let findings: Vec<Finding> = verified.findings.into_iter().map(finding).collect();
        let is_well = findings.is_empty();
        let report = Report { files, events, bytes, findings };
        let mut out = std::io::stdout().lock();
        match options.format {
            Some(FormatOption::Json | FormatOption::Ndjson) => writeln!(out, "{}", as_json(&report, None, None))?,
            _ => write_text(&mut out, &report, None, None)?,
        }
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn write_text(
    out: &mut impl Write,
    report: &Report,
    repaired: Option<&[Repaired]>,
    law: Option<&Law>,
) -> std::io::Result<()> {
    let Report { files, events, bytes, findings } = report;
    for Finding { path, kind, detail } in findings {
        writeln!(out, "{} ({}): {detail}", path.display(), kind.as_str())?;
    }
    for Repaired { path, kept_as, outcome } in repaired.unwrap_or_default() {
        writeln!(out, "{}: {outcome}", path.display())?;
        if let Some(kept_as) = kept_as {
            writeln!(out, "  now {}", kept_as.display())?;
        }
    }
    let verdict = match findings.len() {
        0 => "all is sound".to_owned(),
        1 => "1 file is not as it should be".to_owned(),
        count => format!("{count} files are not as they should be"),
    };
    let read = if *files == 1 { "1 file read".to_owned() } else { format!("{files} files read") };
    writeln!(out, "{read}, {}, {events} events: {verdict}", units::bytes(*bytes))?;
    let Some(law) = law else { return Ok(()) };
    let rows = [
        ("stored", law.stored),
        ("quarantined", law.quarantined),
        ("lost", law.lost),
        ("in flight", law.in_flight),
        ("unread", law.unread),
        ("trimmed, not yet recorded", law.trimmed),
        ("read by other stores", law.elsewhere),
    ];
    writeln!(out, "\n{:>12}  added to the stream", law.added)?;
    for (name, count) in rows.iter().filter(|(_, count)| *count > 0) {
        writeln!(out, "{count:>12}  {name}")?;
    }
    match (law.unaccounted(), law.moved) {
        (0, _) => writeln!(out, "{:>12}  unaccounted for: the law holds", 0),
        (unaccounted, moved) if law.holds() => {
            writeln!(out, "{unaccounted:>12}  unaccounted for, within the {moved} that moved while they were counted")
        }
        (unaccounted, _) if unaccounted > 0 => {
            writeln!(out, "{unaccounted:>12}  unaccounted for: THE LAW IS BROKEN, entries are missing")
        }
        (unaccounted, _) => writeln!(out, "{unaccounted:>12}  unaccounted for: THE LAW IS BROKEN, entries are doubled"),
    }
}

fn as_json(report: &Report, repaired: Option<&[Repaired]>, law: Option<&Law>) -> serde_json::Value {
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| json!({ "path": finding.path, "kind": finding.kind.as_str(), "detail": finding.detail }))
        .collect();
    let repaired = repaired.map(|repaired| {
        let one = |done: &Repaired| json!({ "path": done.path, "kept_as": done.kept_as, "outcome": done.outcome });
        repaired.iter().map(one).collect::<Vec<_>>()
    });
    let Report { files, events, bytes, .. } = report;
    json!({
        "files": files, "events": events, "bytes": bytes, "findings": findings, "repaired": repaired,
        "law": law.map(law_as_json),
    })
}

/// The sum and its parts.
pub(in crate::cli) fn law_as_json(law: &Law) -> serde_json::Value {
    json!({
        "added": law.added, "stored": law.stored, "quarantined": law.quarantined, "lost": law.lost,
        "in_flight": law.in_flight, "unread": law.unread, "trimmed": law.trimmed,
        "elsewhere": law.elsewhere, "moved": law.moved,
        "unaccounted": law.unaccounted(), "holds": law.holds(),
    })
}

/// One line on a terminal, written over itself.
fn show_progress(Progress { done, all }: Progress) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let end = if done == all { "\r\x1b[K" } else { "" };
        // Progress that cannot be shown is no reason to stop.
        let _ = write!(stderr, "\r{} of {} read{end}", units::bytes(done), units::bytes(all));
    }
}
