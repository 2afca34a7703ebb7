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

/// The peak of a process that may end at once, in MB, as the system says after its end.
pub fn of_ended_mb(command: &Command) -> u64 {
    let program = "import resource, subprocess, sys\n\
                   subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n\
                   print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let mut measured = Command::new("python3");
    measured.args(["-c", program]).arg(command.get_program()).args(command.get_args());
    let output = measured.output().unwrap();
    assert!(output.status.success(), "{command:?}");
    // In KiB on Linux.
    String::from_utf8(output.stdout).unwrap().trim().parse::<u64>().unwrap() * 1_024 / 1_000_000
}
