//! A backlog drained into a store, beside a client that reads it and throws it away.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Server, emp_events};

const ENTRIES: usize = 200_000;
const RUNS: usize = 3;
const PORT: u16 = 26_379;
/// Makes an entry about 340 bytes long, as the services' are.
const DATA: &str = r#"{"connectorType":"comfyui","progress":40,"details":"Sampling 12/30, a text of some length as services send them","queueName":"default"}"#;

/// Prints one row for each reader.
pub fn run() {
    let folder = tempfile::tempdir().unwrap();
    let _server = start_redis(folder.path());
    fill();
    println!("\n## A backlog of {ENTRIES} entries, best of {RUNS}\n");
    println!("| reader | events/s | of Redis' own pace |");
    println!("|---|---:|---:|");
    let (mut fastest_read, mut fastest_drain) = (Duration::MAX, Duration::MAX);
    for run in 0..RUNS {
        fastest_read = fastest_read.min(read_and_throw_away());
        fastest_drain = fastest_drain.min(drain(&folder.path().join(format!("store-{run}"))));
    }
    let pace = |time: Duration| ENTRIES as f64 / time.as_secs_f64();
    println!("| XREADGROUP by the redis crate, thrown away | {:.0} | 1.00 |", pace(fastest_read));
    let share = pace(fastest_drain) / pace(fastest_read);
    println!("| emp-events collect --once, durable and sealed | {:.0} | {share:.2} |", pace(fastest_drain));
}

fn url() -> String {
    format!("redis://127.0.0.1:{PORT}")
}

fn connection() -> redis::Connection {
    redis::Client::open(url()).unwrap().get_connection().unwrap()
}

fn start_redis(folder: &std::path::Path) -> Server {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &PORT.to_string(), "--dir"]);
    let server = Server(command.arg(folder).stdout(Stdio::null()).spawn().expect("redis-server"));
    while redis::Client::open(url()).unwrap().get_connection().is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

fn fill() {
    let mut connection = connection();
    for first in (0..ENTRIES).step_by(1_000) {
        let mut pipeline = redis::pipe();
        for number in first..first + 1_000 {
            let add = pipeline.cmd("XADD").arg("emp:events").arg("*").arg("timestamp").arg("1758981600000");
            add.arg("service").arg("worker").arg("eventType").arg("job.progress_updated");
            add.arg("traceId").arg(format!("{number:032x}")).arg("jobId").arg(format!("job_{:08x}", number / 12));
            add.arg("workerId").arg("worker-gpu01-2").arg("level").arg("info").arg("data").arg(DATA).ignore();
        }
        pipeline.query::<()>(&mut connection).unwrap();
    }
}

fn read_and_throw_away() -> Duration {
    let mut connection = connection();
    redis::cmd("XGROUP").arg("CREATE").arg("emp:events").arg("bench").arg("0").query::<()>(&mut connection).unwrap();
    let begun = Instant::now();
    let mut read = redis::cmd("XREADGROUP");
    read.arg("GROUP")
        .arg("bench")
        .arg("c")
        .arg("COUNT")
        .arg(1_000)
        .arg("NOACK")
        .arg("STREAMS")
        .arg("emp:events")
        .arg(">");
    while read.query::<redis::Value>(&mut connection).unwrap() != redis::Value::Nil {}
    let elapsed = begun.elapsed();
    redis::cmd("XGROUP").arg("DESTROY").arg("emp:events").arg("bench").query::<()>(&mut connection).unwrap();
    elapsed
}

fn drain(store: &std::path::Path) -> Duration {
    let begun = Instant::now();
    let mut command = emp_events();
    command.arg("--redis").arg(url()).arg("--store").arg(store).args(["collect", "--once"]);
    let output = command.output().unwrap();
    let elapsed = begun.elapsed();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("stored {ENTRIES} events")), "{said}");
    let mut connection = connection();
    redis::cmd("XGROUP").arg("DESTROY").arg("emp:events").arg("emp-collector").query::<()>(&mut connection).unwrap();
    elapsed
}
