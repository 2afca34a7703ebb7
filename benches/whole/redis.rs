//! A Redis of the benchmark's own, and its streams.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Server;

const PORT: u16 = 26_379;
/// Makes an entry about 340 bytes long, as the services' are.
pub const DATA: &str = r#"{"connectorType":"comfyui","progress":40,"details":"Sampling 12/30, a text of some length as services send them","queueName":"default"}"#;

pub fn start(folder: &Path) -> Server {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &PORT.to_string(), "--dir"]);
    let server = Server(command.arg(folder).stdout(Stdio::null()).spawn().expect("redis-server"));
    while redis::Client::open(url()).unwrap().get_connection().is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

pub fn url() -> String {
    format!("redis://127.0.0.1:{PORT}")
}

pub fn connection() -> redis::Connection {
    redis::Client::open(url()).unwrap().get_connection().unwrap()
}

pub fn command(words: &[&str]) {
    let mut command = redis::cmd(words[0]);
    words[1..].iter().for_each(|word| _ = command.arg(*word));
    command.query::<redis::Value>(&mut connection()).unwrap();
}

/// Adds entries of those numbers to a stream that keeps them all. Their IDs are those that
/// `id_of` gives for their numbers.
pub fn fill(stream: &str, numbers: Range<usize>, id_of: impl Fn(usize) -> String) {
    let mut connection = connection();
    for first in numbers.clone().step_by(1_000) {
        let mut pipeline = redis::pipe();
        for number in first..numbers.end.min(first + 1_000) {
            let add = pipeline.cmd("XADD").arg(stream).arg(id_of(number)).arg("timestamp").arg("1758981600000");
            add.arg("service").arg("worker").arg("eventType").arg("job.progress_updated");
            add.arg("traceId").arg(format!("{number:032x}")).arg("jobId").arg(format!("job_{:08x}", number / 12));
            add.arg("workerId").arg("worker-gpu01-2").arg("level").arg("info").arg("data").arg(DATA).ignore();
        }
        pipeline.query::<()>(&mut connection).unwrap();
    }
}

/// Reads the whole stream as a group over a bare socket and throws it away: what one connection
/// can hand out. How long that took.
pub fn read_and_throw_away(stream: &str) -> Duration {
    command(&["XGROUP", "CREATE", stream, "bench", "0"]);
    let mut socket = TcpStream::connect(("127.0.0.1", PORT)).unwrap();
    let mut answers = BufReader::with_capacity(1 << 20, socket.try_clone().unwrap());
    let words = ["XREADGROUP", "GROUP", "bench", "c", "COUNT", "1000", "NOACK", "STREAMS", stream, ">"];
    let mut request = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| request.push_str(&format!("${}\r\n{word}\r\n", word.len())));
    let begun = Instant::now();
    loop {
        socket.write_all(request.as_bytes()).unwrap();
        if !skip(&mut answers) {
            break;
        }
    }
    let elapsed = begun.elapsed();
    command(&["XGROUP", "DESTROY", stream, "bench"]);
    elapsed
}

/// Reads over one answer; `false` where it was nil.
fn skip(answers: &mut BufReader<TcpStream>) -> bool {
    let mut open = 1_i64;
    let mut line = Vec::new();
    let mut has_something = true;
    while open > 0 {
        open -= 1;
        line.clear();
        answers.read_until(b'\n', &mut line).unwrap();
        let number = || -> i64 { std::str::from_utf8(&line[1..line.len() - 2]).unwrap().parse().unwrap() };
        match line[0] {
            b'*' if number() < 0 => has_something = false,
            b'*' => open += number(),
            b'$' if number() >= 0 => {
                let bytes = number() as u64 + 2;
                std::io::copy(&mut answers.by_ref().take(bytes), &mut std::io::sink()).unwrap();
            }
            _ => {}
        }
    }
    has_something
}
