use std::io::{IsTerminal as _, Write};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::{FormatOption, Options, runtime};
use emp_bucket::{Address, Place, Store};
use emp_collect::{Law, LawOfAll, StoreShare, check_law, check_law_of_all, collector_of};
use emp_store::{Finding, Kind, Layout, Progress, Repaired, Report, repair, verify};
use emp_units as units;

/// Read every file to the last bit, and say what is wrong
///
/// Checks names, checksums, the order and range of IDs, and that no event is there twice. With
/// --law, also the conservation law: every entry ever added to the stream in Redis is stored,
/// quarantined, lost and counted, unread or in flight. Of several stores there is one law, and each
/// is told what it has to account for. Exit status 0 where all is well, else 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events verify
  emp-events verify --law                      and compare with the stream in Redis
  emp-events --redis redis://10.0.0.5:6379 verify --law
  emp-events --store s3://my-bucket/production verify    every object of a store in a bucket
  emp-events --store s3://my-bucket/ verify --law        all stores there, one law, and which breaks it
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
        if let Some(stores) = options.each_elsewhere()? {
            return self.verify_each(options, &stores);
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
    /// The same of several stores, or of one in a bucket, which is only read.
    fn verify_each(&self, options: &Options, stores: &[Store]) -> Outcome {
        if self.repair {
            let message = "--repair needs the folder of one store; `emp-events archive` mends what is in its bucket";
            return Err(Failure::Usage(message.to_owned()));
        }
        let mut all = Report::default();
        for store in stores {
            let report = match &store.place {
                Place::Folder(path) => verify(&Layout::new(path), &mut show_progress)?,
                Place::Bucket(address) => verify_bucket(address)?,
            };
            all.files += report.files;
            all.events += report.events;
            all.bytes += report.bytes;
            all.findings.extend(report.findings);
        }
        let law = match self.law {
            true => Some(runtime()?.block_on(check_law_of_all(&options.redis()?, &options.stream, stores))?),
            false => None,
        };
        let mut out = std::io::stdout().lock();
        match options.format {
            Some(FormatOption::Json | FormatOption::Ndjson) => {
                let mut answer = as_json(&all, None, law.as_ref().map(|all| &all.law));
                if let Some(law) = &law {
                    answer["law"]["holds"] = law.holds().into();
                    answer["law"]["to_come"] = law.to_come().into();
                    answer["stores"] = law.stores.iter().map(|store| share_as_json(law, store)).collect();
                }
                writeln!(out, "{answer}")?;
            }
            _ => {
                write_text(&mut out, &all, None, None)?;
                if let Some(law) = &law {
                    write_law(&mut out, &law.law, Some(law))?;
                    law.stores.iter().try_for_each(|store| write_share(&mut out, law, store))?;
                }
            }
        }
        let is_well = all.findings.is_empty() && law.is_none_or(|law| law.holds());
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn verify_bucket(address: &Address) -> Result<Report, Failure> {
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
    let findings = verified.findings.into_iter().map(finding).collect();
    Ok(Report { files: verified.files, events: verified.events, bytes: verified.bytes, findings })
}

/// What one of several stores has to account for.
fn write_share(out: &mut impl Write, law: &LawOfAll, share: &StoreShare) -> std::io::Result<()> {
    let StoreShare { store, given, stored, quarantined, lost, in_flight, others, .. } = share;
    writeln!(
        out,
        "\n{store}: given {given}; {stored} stored, {quarantined} quarantined, {lost} lost, {in_flight} in flight"
    )?;
    if *others > 0 {
        writeln!(
            out,
            "{others:>12}  by writers that this stream does not know, or counted in another of these stores"
        )?;
    }
    match (share.unaccounted(), share.to_come()) {
        (0, _) => Ok(()),
        (_, to_come) if to_come > 0 => writeln!(
            out,
            "{to_come:>12}  stored by its collector since, not in the bucket yet: what is missing there shows once they are"
        ),
        (unaccounted, _) if law.is_kept_by(share) => {
            writeln!(out, "{unaccounted:>12}  unaccounted for, within what moved while they were counted")
        }
        (unaccounted, _) if unaccounted > 0 => {
            writeln!(out, "{unaccounted:>12}  unaccounted for: THIS STORE BREAKS THE LAW, entries are missing")
        }
        (unaccounted, _) => {
            writeln!(out, "{unaccounted:>12}  unaccounted for: THIS STORE BREAKS THE LAW, entries are doubled")
        }
    }
}

fn share_as_json(law: &LawOfAll, share: &StoreShare) -> serde_json::Value {
    json!({
        "store": share.store, "given": share.given, "stored": share.stored, "quarantined": share.quarantined,
        "lost": share.lost, "in_flight": share.in_flight, "others": share.others, "to_come": share.to_come(),
        "unaccounted": share.unaccounted(), "holds": law.is_kept_by(share),
    })
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
    law.map_or(Ok(()), |law| write_law(out, law, None))
}

/// The sum; of several stores also what has still to come into buckets.
fn write_law(out: &mut impl Write, law: &Law, all: Option<&LawOfAll>) -> std::io::Result<()> {
    let to_come = all.map_or(0, LawOfAll::to_come);
    let rows = [
        ("stored", law.stored),
        ("quarantined", law.quarantined),
        ("lost", law.lost),
        ("in flight", law.in_flight),
        ("unread", law.unread),
        ("trimmed, not yet recorded", law.trimmed),
        ("read by other stores", law.elsewhere),
        ("not in a bucket yet", to_come),
    ];
    writeln!(out, "\n{:>12}  added to the stream", law.added)?;
    for (name, count) in rows.iter().filter(|(_, count)| *count > 0) {
        writeln!(out, "{count:>12}  {name}")?;
    }
    let unaccounted = law.unaccounted() - i64::try_from(to_come).unwrap_or(i64::MAX);
    match (unaccounted, law.moved) {
        (0, _) if all.is_some_and(|all| !all.holds()) => {
            writeln!(out, "{:>12}  unaccounted for, and yet a store lacks what another has: THE LAW IS BROKEN", 0)
        }
        (0, _) => writeln!(out, "{:>12}  unaccounted for: the law holds", 0),
        (unaccounted, moved) if unaccounted.unsigned_abs() <= moved => {
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
