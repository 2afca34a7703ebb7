//! `rotel`, a real OTLP collector, and what it prints of that which it receives.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{Port, eventually};

/// It throws away what it receives, and prints it in full.
pub struct Rotel {
    process: Child,
    /// For HTTP and for gRPC, to which it listens too.
    ports: [Port; 2],
    folder: TempDir,
}

/// A log record or a span as it was printed.
#[derive(Debug, Default)]
pub struct Printed {
    pub is_span: bool,
    pub service: String,
    fields: BTreeMap<String, String>,
    attributes: BTreeMap<String, String>,
}

impl Rotel {
    pub fn start() -> Self {
        let (ports, folder) = ([Port::claim(), Port::claim()], tempfile::tempdir().unwrap());
        let [http, grpc] = [&ports[0], &ports[1]].map(|port| format!("127.0.0.1:{}", port.number));
        let mut command = Command::new(agent());
        command.args(["start", "--exporter", "blackhole", "--otlp-http-endpoint", &http]);
        command.args(["--otlp-grpc-endpoint", &grpc]);
        command.args(["--debug-log", "logs", "--debug-log", "traces", "--debug-log-verbosity", "detailed"]);
        command.arg("--pid-file").arg(folder.path().join("pid"));
        let (out, error) = (folder.path().join("out"), folder.path().join("error"));
        command.stdout(File::create(out).unwrap()).stderr(File::create(error).unwrap());
        let process = command.spawn().unwrap();
        let rotel = Self { process, ports, folder };
        eventually("rotel listens", || TcpStream::connect(&http).is_ok());
        rotel
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0].number)
    }

    /// Waits until it has printed so many log records and spans; they, in order.
    #[track_caller]
    pub fn printed(&self, logs: usize, spans: usize) -> (Vec<Printed>, Vec<Printed>) {
        let mut printed = (Vec::new(), Vec::new());
        eventually(&format!("rotel prints {logs} logs and {spans} spans"), || {
            let text = std::fs::read_to_string(self.folder.path().join("out")).unwrap();
            printed = parse(&text).into_iter().partition(|one| !one.is_span);
            (printed.0.len(), printed.1.len()) == (logs, spans)
        });
        printed
    }
}

impl Drop for Rotel {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where pip has put the program: inside its package.
fn agent() -> String {
    let program = "import importlib.util as u; print(u.find_spec('rotel').submodule_search_locations[0])";
    let output = Command::new("python3").args(["-c", program]).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "rotel (make test installs it)");
    format!("{}/rotel-agent", String::from_utf8(output.stdout).unwrap().trim())
}

impl Printed {
    /// `Name` in `Name : job`.
    #[track_caller]
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_else(|| panic!("no `{name}` in {self:?}"))
    }

    /// Is there such a field?
    pub fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// `Str(comfyui)`, `Int(40)`; nothing where there is no such attribute.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// A field that is a number.
    #[track_caller]
    pub fn number(&self, name: &str) -> u64 {
        self.field(name).parse().unwrap_or_else(|_| panic!("`{name}` in {self:?}"))
    }
}

/// What the lines of a list belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Resource,
    Own,
    Other,
}

/// Reads what rotel prints: `Name: value` a line, lists of `     -> name: value`, and a line for each
/// resource, record and span that begins.
fn parse(text: &str) -> Vec<Printed> {
    let mut all: Vec<Printed> = Vec::new();
    let (mut service, mut list) = (String::new(), List::Other);
    for line in text.lines() {
        let is_span = line.starts_with("Span #");
        if is_span || line.starts_with("LogRecord #") {
            all.push(Printed { is_span, service: service.clone(), ..Printed::default() });
            list = List::Other;
        } else if line == "Resource attributes:" {
            list = List::Resource;
        } else if line == "Attributes:" {
            list = List::Own;
        } else if matches!(line, "Events:" | "Links:") {
            list = List::Other;
        } else if let Some((name, value)) = line.strip_prefix("     -> ").and_then(|line| line.split_once(": ")) {
            match (list, all.last_mut()) {
                (List::Resource, _) if name == "service.name" => service = value.to_owned(),
                (List::Own, Some(own)) => _ = own.attributes.insert(name.to_owned(), value.to_owned()),
                _ => {}
            }
        } else if let (Some((name, value)), Some(own)) = (line.split_once(':'), all.last_mut())
            // What follows is about the next one's resource and scope.
            && list != List::Resource
        {
            own.fields.entry(name.trim().to_owned()).or_insert_with(|| value.trim().to_owned());
        }
    }
    all
}
