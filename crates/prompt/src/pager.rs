//! Answers longer than the screen go through a pager.

use std::io::{self, Write};
use std::process::{Child, Command, Stdio};

/// Keeps what is written until it is more than a screen, and then hands it to the pager.
pub(super) struct Paged {
    height: usize,
    kept: Vec<u8>,
    lines: usize,
    to: To,
}

enum To {
    /// Not decided yet.
    Kept,
    Screen,
    Pager(Child),
}

impl Paged {
    /// For a screen of so many lines.
    pub fn new(height: usize) -> Self {
        Self { height, kept: Vec::new(), lines: 0, to: To::Kept }
    }

    fn decide(&mut self) {
        let child =
            pager().and_then(|pager| Command::new("sh").arg("-c").arg(pager).stdin(Stdio::piped()).spawn().ok());
        self.to = child.map_or(To::Screen, To::Pager);
    }

    /// Waits until the user has seen enough.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        match self.to {
            To::Kept => io::stdout().write_all(&self.kept),
            To::Screen => Ok(()),
            To::Pager(mut child) => {
                drop(child.stdin.take());
                child.wait().map(|_| ())
            }
        }
    }
}

impl Write for Paged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let To::Kept = self.to {
            self.lines += bytes.iter().filter(|byte| **byte == b'\n').count();
            self.kept.extend(bytes);
            if self.lines + 1 < self.height {
                return Ok(bytes.len());
            }
            self.decide();
            let kept = std::mem::take(&mut self.kept);
            self.write_all(&kept)?;
            return Ok(bytes.len());
        }
        match &mut self.to {
            To::Pager(Child { stdin: Some(stdin), .. }) => stdin.write(bytes),
            _ => io::stdout().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Kept => Ok(()),
            To::Pager(Child { stdin: Some(stdin), .. }) => stdin.flush(),
            _ => io::stdout().flush(),
        }
    }
}

/// `$PAGER`, else `less` where there is one. An empty `PAGER`, or `cat`, turns it off.
fn pager() -> Option<String> {
    match std::env::var("PAGER") {
        Ok(pager) if pager.trim().is_empty() || pager == "cat" => None,
        Ok(pager) => Some(pager),
        Err(_) => {
            let less = Command::new("less").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            // Leaves a short text on the screen, and colours as they are; does not fold lines.
            less.is_ok_and(|status| status.success()).then(|| "less -FRSX".to_owned())
        }
    }
}
