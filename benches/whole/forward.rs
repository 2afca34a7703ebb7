//! A backlog forwarded over OTLP: to a sink that reads and answers, and to rotel, a real collector.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::{Server, emp_events, peak, redis};

const STREAM: &str = "emp:events";
const RUNS: usize = 3;
/// What `/proc` counts processor time in.
const TICKS_PER_SECOND: f64 = 100.0;

/// Entries in the backlog: `EMP_EVENTS_BENCH_FORWARD`.
fn entries() -> usize {
    std::env::var("EMP_EVENTS_BENCH_FORWARD").ok().and_then(|text| text.parse().ok()).unwrap_or(300_000)
}

/// One run, or the best of several.
#[derive(Clone, Copy)]
struct Run {
    time: Duration,
    /// Processor time.
    cpu: Duration,
    peak_kb: u64,
}

impl Run {
    const NONE: Self = Self { time: Duration::MAX, cpu: Duration::MAX, peak_kb: 0 };

    fn take(&mut self, other: Self) {
        self.time = self.time.min(other.time);
        self.cpu = self.cpu.min(other.cpu);
        self.peak_kb = self.peak_kb.max(other.peak_kb);
    }
}

/// Prints one row for each way.
pub fn measure(folder: &Path) {
    let entries = entries();
    redis::fill(STREAM, 0..entries, |_| "*".to_owned());
    let sink = Sink::start();
    let rotel = Rotel::start(&["--exporter", "blackhole"]);
    let [mut to_sink, mut large, mut to_rotel, mut both] = [Run::NONE; 4];
    for run in 0..RUNS {
        to_sink.take(forward(&sink.url(), &[]));
        large.take(forward(&sink.url(), &["--batch-events", "2000"]));
        to_rotel.take(forward(&rotel.url(), &[]));
        both.take(collect_and_forward(&sink.url(), &folder.join(format!("forwarded-{run}"))));
    }
    assert!(sink.bytes.load(Relaxed) > 0, "the sink was asked");
    let (passed_on, ours) = through_rotel(&sink.url(), entries);
    redis::command(&["DEL", STREAM]);

    println!("\n## A backlog of {entries} events forwarded as OTLP logs, protobuf and gzip, best of {RUNS}\n");
    println!("| way | events/s | processor time an event, µs | events/s of one core | peak memory, MB |");
    println!("|---|---:|---:|---:|---:|");
    for (way, run) in [
        ("`emp-events forward`: 100 events a request, to a sink", &to_sink),
        ("`emp-events forward --batch-events 2000`, to a sink", &large),
        ("`emp-events forward`, to rotel with a blackhole", &to_rotel),
        ("`emp-events collect --forward`: stored and forwarded, to a sink", &both),
        ("`emp-events forward`, to rotel that passes on to a sink", &ours),
        ("rotel meanwhile: OTLP in, OTLP out", &passed_on),
    ] {
        let (events, cpu) = (entries as f64, run.cpu.as_secs_f64());
        println!(
            "| {way} | {:.0} | {:.1} | {:.0} | {:.1} |",
            events / run.time.as_secs_f64(),
            cpu * 1e6 / events,
            events / cpu,
            run.peak_kb as f64 / 1_024.0
        );
    }
    println!("\nThe goal is 100,000 events/s of one core, and 30 MB with the collector in one process.");
}

/// Forwards all of the stream as a new group.
fn forward(url: &str, more: &[&str]) -> Run {
    let mut command = emp_events();
    command.arg("--redis").arg(redis::url()).args(["forward", "--once", "--endpoint", url]).args(more);
    let run = timed(&mut command);
    forget("emp-dash0");
    run
}

/// Stores all of the stream and forwards it, in one process.
fn collect_and_forward(url: &str, store: &Path) -> Run {
    let mut command = emp_events();
    command.arg("--redis").arg(redis::url()).arg("--store").arg(store).args(["collect", "--once", "--forward"]);
    let run = timed(command.env("DASH0_OTEL_ENDPOINT", url));
    forget("emp-dash0");
    forget("emp-collector");
    std::fs::remove_dir_all(store).unwrap();
    run
}

/// What a group knows goes with it, so that the next run begins anew.
fn forget(group: &str) {
    redis::command(&["XGROUP", "DESTROY", STREAM, group]);
    redis::command(&["DEL", &format!("{STREAM}:forward:{group}")]);
}

fn timed(command: &mut Command) -> Run {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DASH0_") || name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    // Its log is not what is measured.
    command.env("RUST_LOG", "warn");
    let (begun, cpu) = (Instant::now(), cpu_of_ended_children());
    let (said, peak_kb) = peak::run(command);
    let time = begun.elapsed();
    assert!(!said.contains("emp-events: "), "{said}");
    Run { time, cpu: cpu_of_ended_children() - cpu, peak_kb }
}

/// The same through rotel, which passes everything on; what rotel took for it, and we.
fn through_rotel(sink: &str, entries: usize) -> (Run, Run) {
    let exporter = ["--exporter", "otlp", "--otlp-exporter-protocol", "http", "--otlp-exporter-endpoint", sink];
    let rotel = Rotel::start(&exporter);
    let before = rotel.cpu();
    let begun = Instant::now();
    let ours = forward(&rotel.url(), &[]);
    // It sends what it has gathered after at most 200 ms.
    std::thread::sleep(Duration::from_millis(500));
    let (cpu, peak_kb) = (rotel.cpu() - before, peak::of(&rotel.server.0).unwrap_or(0));
    eprintln!("rotel passed on {entries} events within {:.1} s", begun.elapsed().as_secs_f64());
    (Run { time: ours.time, cpu, peak_kb }, ours)
}

/// Processor time of all children that have ended and were waited for.
fn cpu_of_ended_children() -> Duration {
    cpu_in("/proc/self/stat", 16)
}

/// User and system time as a `stat` file has them: in that field, as proc(5) counts, and in the next.
fn cpu_in(stat: &str, field: usize) -> Duration {
    let text = std::fs::read_to_string(stat).unwrap();
    // Behind the name, the second field, which may hold anything.
    let behind_name = text.rsplit_once(") ").unwrap().1;
    let ticks: f64 = behind_name.split(' ').skip(field - 3).take(2).map(|text| text.parse::<f64>().unwrap()).sum();
    Duration::from_secs_f64(ticks / TICKS_PER_SECOND)
}

/// A real OTLP collector, from PyPI.
struct Rotel {
    server: Server,
    port: u16,
}

impl Rotel {
    fn start(exporter: &[&str]) -> Self {
        let program = "import importlib.util as u; print(u.find_spec('rotel').submodule_search_locations[0])";
        let found = Command::new("python3").args(["-c", program]).output().unwrap();
        assert!(found.status.success(), "rotel (make bench installs it)");
        let folder = String::from_utf8(found.stdout).unwrap();
        let (port, grpc) = (free_port(), free_port());
        let mut command = Command::new(format!("{}/rotel-agent", folder.trim()));
        command.arg("start").args(exporter).args(["--otlp-http-endpoint", &format!("127.0.0.1:{port}")]);
        command.args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{grpc}")]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let server = Server(command.spawn().unwrap());
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { server, port }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn cpu(&self) -> Duration {
        cpu_in(&format!("/proc/{}/stat", self.server.0.id()), 14)
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server that reads every request and says that all is well.
struct Sink {
    port: u16,
    bytes: Arc<AtomicU64>,
}

impl Sink {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, bytes) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&bytes);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                std::thread::spawn(move || answer_all(connection, &count));
            }
        });
        Self { port, bytes }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// Answers every request of a connection; ends with it.
fn answer_all(mut connection: TcpStream, count: &AtomicU64) -> Option<()> {
    let mut reader = BufReader::with_capacity(1 << 16, connection.try_clone().ok()?);
    let mut line = String::new();
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().ok()?;
                }
                _ if line == "\r\n" => break,
                _ => {}
            }
        }
        count.fetch_add(std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink()).ok()?, Relaxed);
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}
