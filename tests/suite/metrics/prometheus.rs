//! Programs of their own of Prometheus and Alertmanager, and a client of HTTP that is enough for both.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{PATIENCE, Port, eventually, file};

/// Asks a server on this machine; its status and what it sent. `None` where none answers.
pub fn get(port: u16, path: &str) -> Option<(u16, String)> {
    exchange(port, &format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n"))
}

/// Sends that text as it stands.
pub fn exchange(port: u16, request: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn json(port: u16, path: &str) -> Option<Value> {
    serde_json::from_str(&get(port, path)?.1).ok()
}

fn encoded(text: &str) -> String {
    let one = |byte: u8| if byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

/// A Prometheus with the project's rules, which look once a second and do not wait for a minute or two.
pub struct Prometheus {
    process: Child,
    port: Port,
    folder: TempDir,
}

impl Prometheus {
    /// One that scrapes those ports.
    pub fn over(targets: &[u16]) -> Self {
        Self::with_alertmanager(targets, None)
    }

    /// The same, which tells that Alertmanager.
    pub fn with_alertmanager(targets: &[u16], alertmanager: Option<u16>) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), Port::claim());
        let rules = std::fs::read_to_string(file("ops/prometheus/emp-events.rules.yml")).unwrap();
        let at_once: Vec<&str> = rules.lines().filter(|line| !is_short_wait(line)).collect();
        std::fs::write(folder.path().join("rules.yml"), at_once.join("\n")).unwrap();
        let quoted = |port: &u16| format!("'127.0.0.1:{port}'");
        let targets = targets.iter().map(quoted).collect::<Vec<_>>().join(", ");
        let alerting = alertmanager.map(|port| {
            format!("alerting:\n  alertmanagers:\n    - static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n")
        });
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
             rule_files: [rules.yml]\n{}\
             scrape_configs:\n  - job_name: emp-events\n    static_configs: [{{targets: [{targets}]}}]\n",
            alerting.unwrap_or_default()
        );
        std::fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new("prometheus");
        command.arg("--config.file").arg(folder.path().join("prometheus.yml"));
        command.arg("--storage.tsdb.path").arg(folder.path().join("data"));
        command.arg(format!("--web.listen-address=127.0.0.1:{}", port.number)).stdin(Stdio::null());
        let process = command.stdout(log.try_clone().unwrap()).stderr(log).spawn();
        let prometheus = Self { process: process.expect("prometheus (make test installs it)"), port, folder };
        eventually(&format!("Prometheus is ready: {}", prometheus.said()), || {
            get(prometheus.port.number, "/-/ready").is_some_and(|(status, _)| status == 200)
        });
        prometheus
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// What a question is answered: each sample of it.
    pub fn ask(&self, question: &str) -> Vec<Value> {
        let path = format!("/api/v1/query?query={}", encoded(question));
        let answer = json(self.port.number, &path).unwrap_or_default();
        assert_eq!(answer["status"], "success", "{question}: {answer}");
        answer["data"]["result"].as_array().cloned().unwrap_or_default()
    }

    /// The single number that a question is answered.
    pub fn number(&self, question: &str) -> Option<f64> {
        let samples = self.ask(question);
        samples.first()?["value"][1].as_str()?.parse().ok()
    }

    /// The names of the alerts that are given now.
    pub fn firing(&self) -> BTreeSet<String> {
        let answer = json(self.port.number, "/api/v1/alerts").unwrap_or_default();
        let alerts = answer["data"]["alerts"].as_array().cloned().unwrap_or_default();
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        firing.filter_map(|alert| Some(alert["labels"]["alertname"].as_str()?.to_owned())).collect()
    }

    #[track_caller]
    pub fn fires(&self, alert: &str) {
        eventually(&format!("{alert} is told"), || self.firing().contains(alert));
    }

    #[track_caller]
    pub fn resolves(&self, alert: &str) {
        eventually(&format!("{alert} is over"), || !self.firing().contains(alert));
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Does a rule wait for some minutes there? What has to last for long cannot be told from few samples.
fn is_short_wait(line: &str) -> bool {
    ["for: 30s", "for: 1m", "for: 2m"].contains(&line.trim())
}

/// What promtool says of a file, or of what it is given; it has to be content.
#[track_caller]
pub fn promtool(words: &[&str], folder: &Path, stdin: Option<&str>) -> String {
    let mut command = Command::new("promtool");
    command.args(words).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().expect("promtool (make test installs it)");
    running.stdin.take().unwrap().write_all(stdin.unwrap_or_default().as_bytes()).unwrap();
    let ended = running.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{words:?}: {said}");
    said
}
