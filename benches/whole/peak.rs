//! How much memory a process has used at most.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The peak of a process's resident memory so far, in kB; `None` once it has ended.
pub fn of(process: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Runs a command to its end; what it said on stderr, and its peak in kB.
pub fn run(command: &mut Command) -> (String, u64) {
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut peak_kb = 0;
    while process.try_wait().unwrap().is_none() {
        peak_kb = of(&process).unwrap_or(0).max(peak_kb);
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut said = String::new();
    process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (said, peak_kb)
}
