use std::fs;

use super::{Kind, Text};

/// What the system says about this process, under the names that every program tells it by. Nothing where there is no `/proc`.
pub fn tell_process(text: &mut Text) {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return };
    let kilobytes = |name: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    let bytes = |name: &str| kilobytes(name).map(|number| number * 1_024.0);
    text.known("process_resident_memory_bytes", Kind::Gauge, "Memory of this process.", bytes("VmRSS:"));
    text.known("process_virtual_memory_bytes", Kind::Gauge, "Address space of this process.", bytes("VmSize:"));
    text.known("process_threads", Kind::Gauge, "Threads of this process.", kilobytes("Threads:"));
    let open = fs::read_dir("/proc/self/fd").ok().map(|open| open.count() as f64);
    text.known("process_open_fds", Kind::Gauge, "Open files of this process.", open);
    let Some(stat) = Stat::read() else { return };
    let cpu = "Time of processors that this process took, by user and system together.";
    text.single("process_cpu_seconds_total", Kind::Counter, cpu, stat.cpu_s);
    text.known("process_start_time_seconds", Kind::Gauge, "When this process began.", stat.started_at_s);
}

/// In which Linux counts, on every machine that it runs on here.
const TICKS_A_SECOND: f64 = 100.0;

struct Stat {
    cpu_s: f64,
    /// Since the epoch.
    started_at_s: Option<f64>,
}

impl Stat {
    fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // Behind the name, which is in parentheses and may hold some.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
        let cpu_s = (ticks(11)? + ticks(12)?) / TICKS_A_SECOND;
        let started_at_s = ticks(19).zip(booted_at_s()).map(|(start, boot)| boot + start / TICKS_A_SECOND);
        Some(Self { cpu_s, started_at_s })
    }
}

fn booted_at_s() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}
