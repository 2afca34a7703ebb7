use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::cli::failure::{Outcome, say};
use crate::cli::options::{FormatOption, Options};
use emp_event::{Event, read_json};
use emp_import::{Format, Preview, preview, preview_file};

/// Events of each file that are shown.
const EVENTS_MAX: usize = 20;
/// Types that are counted on the screen.
const TYPES_MAX: usize = 15;
/// Characters of a message or of data.
const TEXT_CHARS_MAX: usize = 100;

/// Shows what each file would come to. 0 where each of them holds an event.
pub(super) fn show_preview(files: &[PathBuf], from: Option<&str>, format: &Format, options: &Options) -> Outcome {
    let zone = options.time_zone();
    let mut out = io::stdout().lock();
    let mut is_good = true;
    for file in files {
        let looked = match look(file, format) {
            Ok(looked) => looked,
            Err(error) => {
                say(&format!("{}: {error:#}", file.display()));
                is_good = false;
                continue;
            }
        };
        is_good &= looked.events > 0;
        match options.format {
            Some(FormatOption::Json | FormatOption::Ndjson) => writeln!(out, "{}", as_json(file, &looked))?,
            _ => write_text(&mut out, file, from, &looked, &zone)?,
        }
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn look(path: &Path, format: &Format) -> anyhow::Result<Preview> {
    if path == Path::new("-") {
        return Ok(preview(io::stdin().lock(), format, EVENTS_MAX)?);
    }
    Ok(preview_file(File::open(path).context("cannot open it")?, format, EVENTS_MAX)?)
}

fn write_text(
    out: &mut impl Write,
    file: &Path,
    from: Option<&str>,
    looked: &Preview,
    zone: &TimeZone,
) -> io::Result<()> {
    let cut = if looked.is_cut { " of its first" } else { "" };
    writeln!(out, "{}: {} events in{cut} {} lines", visible(&file.display().to_string()), looked.events, looked.lines)?;
    for event in &looked.first {
        writeln!(out, "  {}", visible(&as_line(event, zone)))?;
    }
    if looked.events > looked.first.len() as u64 {
        writeln!(out, "  … {} more", looked.events - looked.first.len() as u64)?;
    }
    let mut types: Vec<_> = looked.types.iter().collect();
    types.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    for ((service, event_type), count) in types.iter().take(TYPES_MAX) {
        writeln!(out, "{count:>9}  {}", visible(&format!("{service}  {event_type}")))?;
    }
    if types.len() > TYPES_MAX {
        writeln!(out, "           and {} more types", types.len() - TYPES_MAX)?;
    }
    if looked.undated > 0 {
        writeln!(out, "{:>9}  without a time: they would be kept as of now", looked.undated)?;
    }
    if looked.not_understood > 0 {
        writeln!(out, "{:>9}  lines that are no events{}", looked.not_understood, looked.hint)?;
        for (line, reason) in &looked.reasons {
            writeln!(out, "           line {line}: {}", visible(reason))?;
        }
    }
    if looked.events > 0 {
        let from = from.map(|from| format!(" --from {}", quoted(from))).unwrap_or_default();
        writeln!(out, "next: emp-events import{from} {}", quoted(&file.display().to_string()))?;
    }
    Ok(())
}

fn as_line(event: &Event<'_>, zone: &TimeZone) -> String {
    let time = Timestamp::from_millisecond(event.timestamp).unwrap_or_default().to_zoned_datetime(zone.clone());
    let data: Value = read_json(&event.data).unwrap_or_default();
    let text = data.get("message").and_then(Value::as_str).map_or_else(|| event.data.to_string(), str::to_owned);
    let text = match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    };
    let id = event.job_id.as_deref().map(|id| format!("  job {id}")).unwrap_or_default();
    format!(
        "{}  {:<5}  {}  {}{id}  {text}",
        time.strftime("%F %T%.3f"),
        event.level.as_str(),
        event.service,
        event.event_type
    )
}

fn as_json(file: &Path, looked: &Preview) -> Value {
    let time = |ms: i64| Timestamp::from_millisecond(ms).map(|time| time.to_string()).ok();
    let event = |event: &Event<'_>| {
        json!({
            "timestamp": time(event.timestamp),
            "service": event.service,
            "event_type": event.event_type,
            "level": event.level.as_str(),
            "trace_id": event.trace_id,
            "job_id": event.job_id,
            "worker_id": event.worker_id,
            "machine_id": event.machine_id,
            "user_id": event.user_id,
            "duration_ms": event.duration_ms,
            "data": read_json::<Value>(&event.data).unwrap_or_default(),
        })
    };
    let types = looked
        .types
        .iter()
        .map(|((service, event_type), count)| json!({"service": service, "event_type": event_type, "count": count}));
    let reasons = looked.reasons.iter().map(|(line, reason)| json!({"line": line, "reason": reason}));
    json!({
        "file": file.display().to_string(),
        "lines": looked.lines,
        "is_cut": looked.is_cut,
        "events": looked.events,
        "undated": looked.undated,
        "not_understood": looked.not_understood,
        "reasons": reasons.collect::<Vec<_>>(),
        "types": types.collect::<Vec<_>>(),
        "first": looked.first.iter().map(event).collect::<Vec<_>>(),
    })
}

/// Without what a terminal would obey.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '·' } else { c }).collect()
}

/// As a shell reads it as one word.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
