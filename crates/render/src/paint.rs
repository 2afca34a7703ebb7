//! Colours: what is painted how, and the one place that writes escape sequences.

use anstyle::{AnsiColor, Style};

pub(super) const PLAIN: Style = Style::new();
pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const ERROR: Style = AnsiColor::Red.on_default();
pub(super) const WARN: Style = AnsiColor::Yellow.on_default();

/// Colours of services: those of the terminal's own theme that are not kept for warnings,
/// errors and text. Plain blue is left out, as it is hard to read on black.
const SERVICE_COLORS: [AnsiColor; 7] = [
    AnsiColor::Cyan,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::BrightCyan,
    AnsiColor::BrightGreen,
    AnsiColor::BrightBlue,
    AnsiColor::BrightMagenta,
];

/// Writes text in a style where the screen shows colours, else as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Painter {
    pub color: bool,
}

impl Painter {
    pub fn paint(self, style: Style, text: &str) -> String {
        if !self.color || style.is_plain() || text.is_empty() {
            return text.to_owned();
        }
        format!("{style}{text}{style:#}")
    }
}

/// The colour of a service: the same in every command and on every machine.
pub(super) fn of_service(name: &str) -> Style {
    let slot = (fnv1a(name.as_bytes()) >> SERVICE_HASH_SHIFT) as usize % SERVICE_COLORS.len();
    SERVICE_COLORS[slot].on_default()
}

/// Which bits of the hash choose the colour: those with which the usual services (`api-server`,
/// `worker`, `connector`, `machine`, `webhook-service`, `monitor`) all differ.
const SERVICE_HASH_SHIFT: u32 = 52;

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The style of a level, where it calls for attention.
pub(super) fn of_level(level: &str) -> Style {
    match level {
        "error" => ERROR,
        "warn" => WARN,
        _ => PLAIN,
    }
}
